package party

import (
	"sync"
	"time"

	"github.com/tacit-mpc/tacit/transport"
)

// maxPause bounds how long a piece of a bulk message, or one block of the
// computation for it, waits for online sessions, so that a cluster that is never
// idle still prepares.
const maxPause = 250 * time.Millisecond

// A pacer holds bulk messages and the making of them back while online sessions
// run: both share the processors and the wire, and a session is what a client
// waits for.
type pacer struct {
	mu       sync.Mutex
	sessions int
	quiet    chan struct{} // closed while no session runs
}

func newPacer() *pacer {
	p := &pacer{quiet: make(chan struct{})}
	close(p.quiet)
	return p
}

// enter says that a session starts.
func (p *pacer) enter() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sessions++; p.sessions == 1 {
		p.quiet = make(chan struct{})
	}
}

// leave says that a session is over.
func (p *pacer) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sessions--; p.sessions == 0 {
		close(p.quiet)
	}
}

// pause waits until no session runs, or long enough.
func (p *pacer) pause() {
	p.mu.Lock()
	quiet := p.quiet
	p.mu.Unlock()
	select {
	case <-quiet:
		return
	default:
	}
	t := time.NewTimer(maxPause)
	defer t.Stop()
	select {
	case <-quiet:
	case <-t.C:
	}
}

// piece is how much is written at once while sessions may run: a message of
// megabytes takes the processor for longer than a round.
const piece = 256 << 10

// wrap returns c with all that is written to it paced.
func (p *pacer) wrap(c transport.Conn) transport.Conn { return &pacedConn{c, p} }

type pacedConn struct {
	transport.Conn
	pacer *pacer
}

func (c *pacedConn) Write(b []byte) (int, error) {
	for n := 0; ; {
		c.pacer.pause()
		k, err := c.Conn.Write(b[n:min(n+piece, len(b))])
		if n += k; err != nil || n == len(b) {
			return n, err
		}
	}
}

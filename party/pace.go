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

// arrivalTime is how long what is in progress gives way to a request or a
// proposal that has just arrived, until a session runs. A request that waits for
// material must not hold back the making of it.
const arrivalTime = 50 * time.Millisecond

// lull is how long bulk work still waits when a session is over: the answers are
// on their way to the clients, who may ask again at once.
const lull = 5 * time.Millisecond

// A pacer holds bulk messages and the making of them back while online sessions
// run, or are about to: both share the processors and the wire, and a session is
// what a client waits for.
type pacer struct {
	mu       sync.Mutex
	sessions int           // and requests that have just arrived
	quiet    chan struct{} // closed while there is none
}

func newPacer() *pacer {
	p := &pacer{quiet: make(chan struct{})}
	close(p.quiet)
	return p
}

// enter says that a session starts, or a request arrives.
func (p *pacer) enter() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sessions++; p.sessions == 1 {
		p.quiet = make(chan struct{})
	}
}

// leave says that a session is over.
func (p *pacer) leave() {
	time.AfterFunc(lull, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.sessions--; p.sessions == 0 {
			close(p.quiet)
		}
	})
}

// arrive says that a peer asks for something urgent, until that is done or
// arrivalTime has passed.
func (p *pacer) arrive() (done func()) {
	p.enter()
	leave := sync.OnceFunc(p.leave)
	t := time.AfterFunc(arrivalTime, leave)
	return func() {
		t.Stop()
		leave()
	}
}

// pause waits until no session runs, or long enough.
func (p *pacer) pause() { p.wait(nil) }

// wait is pause, but returns false as soon as stop is closed.
func (p *pacer) wait(stop <-chan struct{}) bool {
	p.mu.Lock()
	quiet := p.quiet
	p.mu.Unlock()
	select {
	case <-quiet:
		return true
	default:
	}
	t := time.NewTimer(maxPause)
	defer t.Stop()
	select {
	case <-stop:
		return false
	case <-quiet:
	case <-t.C:
	}
	return true
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

package p2p

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-yamux/v5"

	"github.com/tacit-mpc/tacit/transport"
)

// A Stream is a duplex stream of bytes to one peer, to be closed by both.
// Close returns at once; what was written before arrives as long as the node
// lives, and [Node.Close] waits for it. A Close that interrupts a Write makes
// the peer's reads fail.
type Stream interface {
	transport.Conn
	SetDeadline(time.Time) error
	// CloseWrite tells the peer that nothing follows. Reads go on.
	CloseWrite() error
}

type stream struct {
	network.MuxedStream
	node    *Node
	release func() // gives back what the stream counts for
	closed  atomic.Bool
	reads   sync.Mutex   // held while a Read is pending: yamux wakes one reader only
	early   *early       // the answer of the peer, until a Read has seen that it takes the stream
	torn    atomic.Int32 // writes that have not ended, or ended with an error
}

func (s *stream) Read(b []byte) (int, error) {
	s.reads.Lock()
	defer s.reads.Unlock()
	if s.closed.Load() {
		return 0, net.ErrClosed
	}
	if s.early != nil {
		if err := s.early.wait(s); err != nil {
			return 0, err
		}
		s.early = nil
	}
	n, err := s.MuxedStream.Read(b)
	return n, s.explain(err)
}

func (s *stream) Write(b []byte) (int, error) {
	if s.closed.Load() {
		return 0, net.ErrClosed
	}
	s.torn.Add(1)
	n, err := s.MuxedStream.Write(b)
	if err == nil {
		s.torn.Add(-1)
	}
	return n, s.explain(err)
}

// explain translates the errors of yamux.
func (s *stream) explain(err error) error {
	switch {
	case err == nil || err == io.EOF:
		return err
	case s.closed.Load():
		return net.ErrClosed
	case errors.Is(err, yamux.ErrTimeout):
		return fmt.Errorf("%w", os.ErrDeadlineExceeded)
	default:
		return fmt.Errorf("%w: %w", transport.ErrGone, err)
	}
}

// Holds is how much a stream of class [Online] takes at once, in bytes, if its
// peer has read all before: far below its window, and what the queue of a
// connection holds.
const Holds = 16 << 10

// linger is how long a closed stream waits for the peer to close it too.
const linger = 5 * time.Second

func (s *stream) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	// After half a message, the peer must not see what looks like an end.
	torn := s.torn.Load() > 0
	s.MuxedStream.SetDeadline(time.Unix(1, 0)) // pending calls return
	if torn || !s.node.background(s.part) {
		s.abandon()
	}
	return nil
}

// part sends the end of the stream behind all that was written, and waits for
// the end of the peer's: only then is it certain that all arrived. What the
// peer still writes is discarded, so that it is not stuck.
func (s *stream) part() {
	s.reads.Lock() // the pending Read returns before the deadline that ends it moves
	s.MuxedStream.SetDeadline(time.Now().Add(linger))
	s.reads.Unlock()
	if s.MuxedStream.CloseWrite() == nil {
		io.Copy(io.Discard, s.MuxedStream)
	}
	s.abandon()
}

func (s *stream) abandon() {
	s.MuxedStream.Reset()
	s.release()
}

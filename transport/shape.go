package transport

import (
	"bytes"
	"context"
	"net"
	"sync"
	"time"
)

// A Profile describes a network to emulate, in tests and benchmarks. The zero
// value is a network without delay.
type Profile struct {
	// RTT is the time from a message to the answer to it, between any two
	// parties.
	RTT time.Duration
	// BitsPerSecond is what each party can send, to all others together; 0 is
	// no limit.
	BitsPerSecond float64
}

// PipeOver returns the meshes of n parties that run in this process and speak
// the wire format over an emulated network. In a test, the delays are of the
// virtual time of testing/synctest.
func PipeOver(ctx context.Context, n int, p Profile) []*Mesh {
	shapers := make([]*Shaper, n)
	for i := range shapers {
		shapers[i] = NewShaper(p)
	}
	return meshes(ctx, n, func(i, j int) (Link, Link) {
		a, b := memory(shapers[i], shapers[j])
		o := LinkOptions{Holds: MaxMessage}
		return NewLink(a, o), NewLink(b, o)
	})
}

// A Shaper delays what one party sends as a network of the given profile would.
type Shaper struct {
	profile Profile

	mu   sync.Mutex
	free time.Time // when the party's line has sent all so far
}

// NewShaper returns the shaper of one party.
func NewShaper(p Profile) *Shaper { return &Shaper{profile: p} }

// arrival returns when n bytes that are written now arrive.
func (s *Shaper) arrival(n int) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.free.Before(now) {
		s.free = now
	}
	if n > 0 && s.profile.BitsPerSecond > 0 {
		s.free = s.free.Add(time.Duration(float64(n) * 8 / s.profile.BitsPerSecond * float64(time.Second)))
	}
	return s.free.Add(s.profile.RTT / 2)
}

// Conn returns c with all writes delayed. The emulated network holds as much as
// is written, so that writes never wait.
func (s *Shaper) Conn(c Conn) Conn {
	d := &delayed{Conn: c, shaper: s, wake: make(chan struct{}, 1)}
	go d.run()
	return d
}

type delayed struct {
	Conn
	shaper *Shaper
	wake   chan struct{}

	mu     sync.Mutex
	queue  []packet
	closed bool
	failed error
}

// linger is how long a closed connection waits for a peer that does not read.
const linger = 5 * time.Second

func (d *delayed) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return 0, net.ErrClosed
	}
	if d.failed != nil {
		return 0, d.failed
	}
	d.queue = append(d.queue, packet{bytes.Clone(b), d.shaper.arrival(len(b))})
	d.signal()
	return len(b), nil
}

// SetWriteDeadline does nothing, as writes never wait.
func (d *delayed) SetWriteDeadline(time.Time) error { return nil }

// Close closes the connection behind all that was written.
func (d *delayed) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.signal()
	return d.Conn.SetWriteDeadline(time.Now().Add(linger))
}

func (d *delayed) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// run moves what was written to the connection, each at its time of arrival.
func (d *delayed) run() {
	defer d.Conn.Close()
	for range d.wake {
		packets, closed := d.take()
		for _, p := range packets {
			time.Sleep(time.Until(p.arrival))
			if err := d.deliver(p.data); err != nil {
				return
			}
		}
		if closed {
			time.Sleep(time.Until(d.shaper.arrival(0)))
			return
		}
	}
}

// deliver writes b to the connection, and remembers an error for later writes.
func (d *delayed) deliver(b []byte) error {
	d.mu.Lock()
	if d.closed {
		d.Conn.SetWriteDeadline(time.Now().Add(linger))
	}
	d.mu.Unlock()

	_, err := d.Conn.Write(b)
	if err != nil {
		d.mu.Lock()
		d.failed = err
		d.mu.Unlock()
	}
	return err
}

// take empties the queue.
func (d *delayed) take() (packets []packet, closed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	packets, d.queue = d.queue, nil
	return packets, d.closed
}

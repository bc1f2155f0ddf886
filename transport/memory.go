package transport

import (
	"bytes"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// memory returns the two ends of a stream in memory, each of which sends as
// its shaper allows. Like a network, it holds what was written until it is
// read, without limit. It has no goroutine, so that a test need not end it.
func memory(a, b *Shaper) (Conn, Conn) {
	there, back := newLine(a), newLine(b)
	return &memoryConn{out: there, in: back}, &memoryConn{out: back, in: there}
}

// A packet is a piece of a stream on its way.
type packet struct {
	data    []byte
	arrival time.Time
}

// A line is one direction of a stream.
type line struct {
	shaper *Shaper
	wake   chan struct{} // tells the reader to look again

	mu       sync.Mutex
	packets  []packet
	closed   bool // by the writer
	eof      time.Time
	hungUp   bool // by the reader
	deadline time.Time
}

func newLine(s *Shaper) *line { return &line{shaper: s, wake: make(chan struct{}, 1)} }

func (l *line) write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.hungUp {
		return 0, io.ErrClosedPipe
	}
	l.packets = append(l.packets, packet{bytes.Clone(b), l.shaper.arrival(len(b))})
	l.signal()
	return len(b), nil
}

func (l *line) read(b []byte) (int, error) {
	for {
		n, wait, err := l.poll(b)
		if n > 0 || err != nil {
			return n, err
		}
		if wait < 0 {
			<-l.wake
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-l.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// poll reads what has arrived, or returns how long to wait before the next
// poll, below 0 for no limit.
func (l *line) poll(b []byte) (n int, wait time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	wait = -1
	switch {
	case l.hungUp:
		return 0, 0, net.ErrClosed
	case !l.deadline.IsZero() && !now.Before(l.deadline):
		return 0, 0, os.ErrDeadlineExceeded
	case len(l.packets) > 0:
		p := &l.packets[0]
		if wait = p.arrival.Sub(now); wait <= 0 {
			n = copy(b, p.data)
			if p.data = p.data[n:]; len(p.data) == 0 {
				l.packets = l.packets[1:]
			}
			return n, 0, nil
		}
	case l.closed:
		if wait = l.eof.Sub(now); wait <= 0 {
			return 0, 0, io.EOF
		}
	}
	if !l.deadline.IsZero() {
		if left := l.deadline.Sub(now); wait < 0 || left < wait {
			wait = left
		}
	}
	return 0, wait, nil
}

// set changes the line under its lock and has the reader look again.
func (l *line) set(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	l.signal()
}

func (l *line) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

type memoryConn struct{ out, in *line }

func (c *memoryConn) Read(b []byte) (int, error)  { return c.in.read(b) }
func (c *memoryConn) Write(b []byte) (int, error) { return c.out.write(b) }

func (c *memoryConn) Close() error {
	c.in.set(func() { c.in.hungUp = true })
	c.out.set(func() { c.out.closed, c.out.eof = true, c.out.shaper.arrival(0) })
	return nil
}

func (c *memoryConn) SetReadDeadline(t time.Time) error {
	c.in.set(func() { c.in.deadline = t })
	return nil
}

// SetWriteDeadline does nothing, as writes never wait.
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }

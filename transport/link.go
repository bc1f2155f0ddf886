package transport

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"sync/atomic"
	"time"
)

const (
	readBuffer  = 64 << 10
	writeBuffer = 256 << 10
)

// A Conn is a duplex stream of bytes to one party: a [net.Conn], or a stream of
// package p2p. Close must let arrive what was written before.
type Conn interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// LinkOptions tunes [NewLink]. The zero value is ready to use.
type LinkOptions struct {
	// Grace limits how long a link that failed goes on to tell the peer why,
	// and to learn why from the peer. 0 stands for half a second.
	Grace time.Duration
	// Holds is how long a message may be that the connection takes at once,
	// whatever the peer does, if all before it were read; 0 where it may wait.
	Holds int
}

// NewLink returns a Link that frames messages on c, as described in the
// package comment. The link owns c from now on.
func NewLink(c Conn, o LinkOptions) Link {
	if o.Grace == 0 {
		o.Grace = time.Second / 2
	}
	return &link{
		conn: c, grace: o.Grace, holds: o.Holds, r: bufio.NewReaderSize(c, readBuffer),
		send: make(chan struct{}, 1), recv: make(chan struct{}, 1),
	}
}

type link struct {
	conn   Conn
	grace  time.Duration
	holds  int
	closed atomic.Bool // by this party

	// The locks are channels, as they are held while a peer is waited for,
	// which testing/synctest does not accept of a mutex.
	send    chan struct{} // guards the fields below
	frame   []byte        // buffer
	sent    uint32        // frames
	sendErr error         // final

	recv     chan struct{} // guards the fields below
	r        *bufio.Reader
	head     [FrameHeader]byte // buffer
	received uint32            // frames
	recvErr  error             // final
}

// holds reports whether Send of n bytes does not wait for the peer.
func holds(l Link, n int) bool {
	framed, ok := l.(*link)
	return ok && n <= framed.holds
}

func (l *link) Send(step string, msg []byte) error {
	if err := l.write(dataFrame, step, msg); err != nil {
		return l.explain(err)
	}
	return nil
}

// write sends one frame. Each Write of a multiplexed, encrypted stream is a
// system call and a packet of its own, so that header and payload share one;
// only what exceeds the buffer is written directly, to save the copy.
func (l *link) write(kind frameType, step string, msg []byte) error {
	l.send <- struct{}{}
	defer func() { <-l.send }()
	if l.sendErr != nil {
		return l.sendErr
	}
	if len(msg) > MaxMessage || l.sent == math.MaxUint32 {
		l.sendErr = fmt.Errorf("message %d of %d bytes is out of limits", l.sent, len(msg))
		return l.sendErr
	}
	n := min(len(msg), writeBuffer-FrameHeader)
	l.frame = appendHeader(l.frame[:0], header{uint32(len(msg)), l.sent, digest(step), kind})
	l.frame = append(l.frame, msg[:n]...)

	_, err := l.conn.Write(l.frame)
	if err == nil && n < len(msg) {
		_, err = l.conn.Write(msg[n:])
	}
	l.sent++
	l.sendErr = err
	return err
}

func (l *link) Recv(step string, msg []byte) error {
	l.recv <- struct{}{}
	defer func() { <-l.recv }()
	if l.recvErr == nil {
		l.recvErr = l.read(step, msg)
	}
	if l.recvErr != nil && l.closed.Load() {
		return ErrClosed
	}
	return l.recvErr
}

func (l *link) read(step string, msg []byte) error {
	if _, err := io.ReadFull(l.r, l.head[:]); err != nil {
		return gone(err)
	}
	got := parseHeader(&l.head)
	if got.kind == abortFrame && got.sequence == l.received {
		return l.readAbort(got)
	}
	if want := (header{uint32(len(msg)), l.received, digest(step), dataFrame}); got != want {
		return mismatch(got, want, step)
	}
	if _, err := io.ReadFull(l.r, msg); err != nil {
		return fmt.Errorf("inside message %d: %w", l.received, gone(err))
	}
	l.received++
	return nil
}

func (l *link) readAbort(got header) error {
	if got.length > 2+MaxStep {
		return fmt.Errorf("%w: abort frame of %d bytes", ErrDesync, got.length)
	}
	payload := make([]byte, got.length)
	if _, err := io.ReadFull(l.r, payload); err != nil {
		return gone(err)
	}
	abort, err := parseAbort(payload)
	if err != nil {
		return err
	}
	return abort
}

// explain returns why a Send failed with err: a peer that closed the link has
// usually said why, after messages that nobody will read any more.
func (l *link) explain(err error) error {
	if l.closed.Load() {
		return ErrClosed
	}
	l.conn.SetReadDeadline(time.Now().Add(l.grace))
	l.recv <- struct{}{}
	defer func() { <-l.recv }()
	for l.recvErr == nil {
		l.recvErr = l.skip()
	}
	if abort, ok := errors.AsType[*AbortError](l.recvErr); ok {
		return abort
	}
	return gone(err)
}

// skip reads a frame to which nobody looks forward, unless it is an abort.
func (l *link) skip() error {
	if _, err := io.ReadFull(l.r, l.head[:]); err != nil {
		return gone(err)
	}
	got := parseHeader(&l.head)
	if got.kind == abortFrame {
		return l.readAbort(got)
	}
	if _, err := io.CopyN(io.Discard, l.r, int64(got.length)); err != nil {
		return gone(err)
	}
	return nil
}

// gone maps the end of a stream, which is no error of a reader, to ErrGone.
func gone(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) {
		return ErrGone
	}
	return err
}

func (l *link) Abort(party int, step string) {
	if l.closed.Swap(true) {
		return
	}
	l.conn.SetReadDeadline(past)
	l.conn.SetWriteDeadline(time.Now().Add(l.grace))
	step = cut(step)
	l.write(abortFrame, step, appendAbort(nil, party, step)) // best effort
	l.conn.Close()
}

func (l *link) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	l.conn.SetReadDeadline(past)
	l.conn.SetWriteDeadline(past)
	return l.conn.Close()
}

// past is a deadline that makes pending calls return.
var past = time.Unix(1, 0)

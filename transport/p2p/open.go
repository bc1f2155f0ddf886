package p2p

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/sec"
)

// A dial is an attempt to connect, shared by all who want the same.
type dial struct {
	done chan struct{}
	conn *conn
	err  error
}

// Open opens a stream of a class to a peer and tells it header. It connects
// to one of addrs, each host:port or a multiaddr, if there is no connection of
// that class yet. A peer that does not list us makes it fail with
// [ErrNotAllowed]. There is no back-off and no retry: both are the caller's.
func (n *Node) Open(ctx context.Context, id PeerID, addrs []string, class Class, header []byte) (Stream, error) {
	return n.open(ctx, route{id, class}, addrs, header, false)
}

// OpenEarly is [Node.Open], but does not wait for the answer of a peer that has
// taken streams on the same connection before: what is written next follows the
// hello at once, which saves a round trip. The first Read then looks at the
// answer, and fails as Open would. Nothing may be written that the peer must not
// have if it turns the stream away.
func (n *Node) OpenEarly(ctx context.Context, id PeerID, addrs []string, class Class, header []byte) (Stream, error) {
	return n.open(ctx, route{id, class}, addrs, header, true)
}

func (n *Node) open(ctx context.Context, r route, addrs []string, header []byte, early bool) (Stream, error) {
	id := r.peer
	if r.class >= classes || len(header) > MaxHeader {
		return nil, fmt.Errorf("open stream: %v, header of %d bytes", r.class, len(header))
	}
	if c := n.live(r); c != nil {
		if early && c.welcome.Load() {
			s, err := n.helloEarly(ctx, c, header)
			if err == nil || ctx.Err() != nil {
				return s, openError(id, err)
			}
		}
		s, err := n.hello(ctx, c, header)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrBusy) || errors.Is(err, ErrNotAllowed) {
			return s, openError(id, err)
		}
		// The connection may have died of old age, or with the peer: its streams
		// are reset before it counts as closed.
		if !c.IsClosed() && !errors.Is(err, network.ErrReset) && !errors.Is(err, io.EOF) {
			return nil, openError(id, err)
		}
	}
	c, err := n.connect(ctx, r, addrs)
	if err != nil {
		return nil, openError(id, err)
	}
	s, err := n.hello(ctx, c, header)
	if errors.Is(err, ErrNotAllowed) {
		n.drop(c) // hello has told those who share it
	}
	return s, openError(id, err)
}

func openError(id PeerID, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("open stream to %s: %w", id, err)
}

// connect returns a connection along r. Callers at the same time share one
// dial; if one that began earlier fails, the peer may have come back since, and
// another is tried.
func (n *Node) connect(ctx context.Context, r route, addrs []string) (*conn, error) {
	c, joined, err := n.share(ctx, r, addrs)
	if joined && err != nil && ctx.Err() == nil {
		c, _, err = n.share(ctx, r, addrs)
	}
	return c, err
}

// share waits for the dial along r that is going on, which it joins, or for one
// of its own.
func (n *Node) share(ctx context.Context, r route, addrs []string) (c *conn, joined bool, err error) {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil, false, ErrClosed
	}
	d := n.dials[r]
	joined = d != nil
	if !joined {
		d = &dial{done: make(chan struct{})}
		n.dials[r] = d
		n.tasks.Go(func() {
			d.conn, d.err = n.dial(r, addrs)
			n.mu.Lock()
			delete(n.dials, r)
			n.mu.Unlock()
			close(d.done)
		})
	}
	n.mu.Unlock()

	select {
	case <-d.done:
		return d.conn, joined, d.err
	case <-ctx.Done():
		return nil, joined, context.Cause(ctx)
	}
}

// dial connects along r to the first address that works.
func (n *Node) dial(r route, addrs []string) (*conn, error) {
	ctx, cancel := context.WithTimeout(n.ctx, dialTimeout)
	defer cancel()
	id, err := r.peer.decode()
	if err != nil {
		return nil, err
	}
	errs := []error{}
	for _, addr := range addrs {
		resolved, err := resolve(ctx, addr, r.peer)
		errs = append(errs, err)
		for _, a := range resolved {
			cc, err := n.dialers[r.class].Dial(ctx, a, id)
			if mismatch, ok := errors.AsType[sec.ErrPeerIDMismatch](err); ok {
				err = fmt.Errorf("%s is another peer, %s", a, mismatch.Actual)
			}
			if err != nil {
				errs = append(errs, err)
				continue
			}
			c := &conn{CapableConn: cc, route: r}
			if !n.serve(c) {
				c.Close()
				return nil, ErrClosed
			}
			return c, nil
		}
	}
	if len(addrs) == 0 {
		return nil, errors.New("not connected, and no address is known")
	}
	return nil, errors.Join(errs...)
}

// hello opens a stream on c and waits until the peer takes it.
func (n *Node) hello(ctx context.Context, c *conn, header []byte) (Stream, error) {
	ms, err := c.OpenStream(ctx)
	if err == nil {
		stop := context.AfterFunc(ctx, func() { ms.Reset() })
		err = n.greet(ms, header)
		stop()
	}
	if errors.Is(err, ErrNotAllowed) {
		c.refused.Store(true)
	}
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case err != nil && c.refused.Load():
		err = ErrNotAllowed
	}
	if err == nil {
		c.welcome.Store(true)
		return &stream{MuxedStream: ms, node: n, release: func() {}}, nil
	}
	if ms != nil {
		ms.Reset()
	}
	return nil, err
}

// helloEarly opens a stream on c, of which the first Read waits until the peer
// takes it.
func (n *Node) helloEarly(ctx context.Context, c *conn, header []byte) (Stream, error) {
	ms, err := c.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { ms.Reset() })
	_, err = ms.Write(appendHello(nil, header))
	stop()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		ms.Reset()
		return nil, err
	}
	return &stream{MuxedStream: ms, node: n, release: func() {}, early: &early{conn: c}}, nil
}

// An early is a stream whose peer has yet to answer the hello.
type early struct {
	conn   *conn
	answer [answerLen]byte
	got    int
}

// wait reads the answer, and returns why the peer turned the stream away, if it
// did. It goes on where a deadline has interrupted it.
func (e *early) wait(s *stream) error {
	for e.got < answerLen {
		n, err := s.MuxedStream.Read(e.answer[e.got:])
		if e.got += n; e.got == answerLen {
			break
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return s.explain(err)
		}
	}
	err := readAnswer(bytes.NewReader(e.answer[:]))
	if errors.Is(err, ErrNotAllowed) {
		e.conn.refused.Store(true)
		s.node.drop(e.conn)
	}
	return openError(e.conn.route.peer, err)
}

// greet sends a hello and reads the answer.
func (n *Node) greet(ms network.MuxedStream, header []byte) error {
	ms.SetDeadline(time.Now().Add(helloTimeout))
	if _, err := ms.Write(appendHello(nil, header)); err != nil {
		return err
	}
	if err := readAnswer(ms); err != nil {
		return err
	}
	return ms.SetDeadline(time.Time{})
}

// streamsOf accepts the streams of a connection, and returns why it ended.
func (n *Node) streamsOf(c *conn) error {
	for {
		ms, err := c.AcceptStream()
		if err != nil {
			return err
		}
		n.tasks.Go(func() { n.welcome(c, ms) })
	}
}

// welcome answers the hello of a stream and hands it to Accept.
func (n *Node) welcome(c *conn, ms network.MuxedStream) {
	ms.SetDeadline(time.Now().Add(helloTimeout))
	header, err := readHello(ms)
	if err != nil {
		n.turnAway(ms, malformed)
		return
	}
	if !n.options.Allow(c.route.peer) {
		n.turnAway(ms, notAllowed)
		return
	}
	if !n.reserve(c.route.peer) {
		n.turnAway(ms, busy)
		return
	}
	s := &stream{MuxedStream: ms, node: n, release: func() { n.leave(c.route.peer) }}
	if err := writeAnswer(ms, welcome); err != nil {
		<-n.slots
		s.abandon()
		return
	}
	ms.SetDeadline(time.Time{})
	n.incoming <- &Incoming{c.route.peer, c.route.class, header, s} // has a slot
}

// turnAway ends a stream with an answer.
func (n *Node) turnAway(ms network.MuxedStream, a answer) {
	if writeAnswer(ms, a) != nil {
		ms.Reset()
		return
	}
	s := &stream{MuxedStream: ms, node: n, release: func() {}}
	s.Close()
}

// reserve counts a stream of a peer and takes a slot for it, if there is one.
func (n *Node) reserve(id PeerID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || n.streams[id] >= n.options.MaxStreams {
		return false
	}
	select {
	case n.slots <- struct{}{}:
		n.streams[id]++
		return true
	default:
		return false
	}
}

func (n *Node) leave(id PeerID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.streams[id]--; n.streams[id] == 0 {
		delete(n.streams, id)
	}
}

// Package p2p carries the streams of parties and clients over libp2p: TCP, TLS
// 1.3 between ed25519 identities, and yamux.
//
// It uses the transport of libp2p without its Host, for three reasons. A Host
// keeps one connection per peer, and online rounds must not queue behind bulk
// transfers, so that there is one connection per [Class] here. A Host speaks
// protocols of its own, such as identify, that nobody needs here. And it backs
// off for seconds after a failed dial.
//
// Security: both sides prove their identity in the handshake, whose only key
// exchange is X25519MLKEM768, and an inbound peer that is not allowed gets
// nothing but the answer that says so.
//
// # Wire format
//
// A connection begins with the multistream-select negotiation of "/tls/1.0.0"
// and the TLS handshake of libp2p, whose application protocol names the class:
// "/tacit/online/1.0.0", "/tacit/bulk/1.0.0" or "/tacit/control/1.0.0". Then it
// is a yamux session. The side that opens a stream sends a hello:
//
//	offset  size  field
//	0       1     version, 1
//	1       4     length of the header, little endian, at most MaxHeader
//	5             header, which this package does not interpret
//
// and the other side answers with the version and one of the codes 0 welcome,
// 1 not allowed, 2 too many streams, 3 malformed hello. All that follows
// belongs to the caller, who may send it without waiting for the answer.
package p2p

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	core "github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

// Options tunes a [Node]. Zero fields have defaults.
type Options struct {
	// Allow reports whether a peer may connect and open streams. It may
	// change its mind. Nil allows nobody.
	Allow func(PeerID) bool
	// Liveness is how soon a frozen peer is noticed on Online and Control
	// connections, even if nothing is sent. The default is 4 seconds.
	Liveness time.Duration
	// MaxStreams is how many streams a peer may have open towards us. The
	// default is 64.
	MaxStreams int
}

const (
	backlog        = 64 // streams that wait for Accept
	maxConns       = 12 // inbound, of one peer
	maxRefused     = 16 // connections that are being told so
	acceptTimeout  = 10 * time.Second
	dialTimeout    = 10 * time.Second
	helloTimeout   = 10 * time.Second
	refusalTimeout = 2 * time.Second
)

// An Incoming is a stream that a peer opened.
type Incoming struct {
	Peer   PeerID
	Class  Class
	Header []byte
	Stream Stream
}

// A Node is one identity on the network.
type Node struct {
	id        Identity
	options   Options
	dialers   [classes]*tcp.TcpTransport
	listeners []core.Listener
	incoming  chan *Incoming
	slots     chan struct{} // one for each stream in or on its way to incoming
	refused   chan struct{} // one for each connection that is being refused

	ctx    context.Context // done once Close has begun
	cancel context.CancelFunc
	detach func() bool    // from the context of Listen
	parts  sync.WaitGroup // streams that wait for their peers
	tasks  sync.WaitGroup // all other goroutines

	mu      sync.Mutex
	closed  bool
	conns   map[route][]*conn
	dials   map[route]*dial
	streams map[PeerID]int // open, inbound
}

// A route is where streams go.
type route struct {
	peer  PeerID
	class Class
}

// Listen returns the node of an identity, reachable at the given addresses,
// each host:port or a multiaddr. With no addresses, it only dials. It lives
// until ctx is done or Close is called.
func Listen(ctx context.Context, id Identity, addrs []string, o Options) (*Node, error) {
	if o.Allow == nil {
		o.Allow = func(PeerID) bool { return false }
	}
	if o.Liveness == 0 {
		o.Liveness = 4 * time.Second
	}
	if o.MaxStreams == 0 {
		o.MaxStreams = 64
	}
	n := &Node{
		id: id, options: o,
		incoming: make(chan *Incoming, backlog),
		slots:    make(chan struct{}, backlog),
		refused:  make(chan struct{}, maxRefused),
		conns:    map[route][]*conn{},
		dials:    map[route]*dial{},
		streams:  map[PeerID]int{},
	}
	n.ctx, n.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for c := range classes {
		t, err := newTransport(id, o, c)
		if err != nil {
			return nil, err
		}
		n.dialers[c] = t
	}
	if err := n.listen(ctx, addrs); err != nil {
		n.Close()
		return nil, err
	}
	n.detach = context.AfterFunc(ctx, func() { n.Close() })
	return n, nil
}

// newTransport returns a transport for connections of some classes.
func newTransport(id Identity, o Options, cs ...Class) (*tcp.TcpTransport, error) {
	s, err := newSecurity(id, cs...)
	if err != nil {
		return nil, err
	}
	var muxers []upgrader.StreamMuxer
	for _, c := range cs {
		muxers = append(muxers, c.muxer(o))
	}
	u, err := upgrader.New([]sec.SecureTransport{s}, muxers, nil, nil, nil, upgrader.WithAcceptTimeout(acceptTimeout))
	if err != nil {
		return nil, err
	}
	// With SO_REUSEPORT, two daemons could share a port unnoticed.
	return tcp.NewTCPTransport(u, nil, nil, tcp.DisableReuseport(), tcp.WithConnectionTimeout(dialTimeout))
}

func (n *Node) listen(ctx context.Context, addrs []string) error {
	t, err := newTransport(n.id, n.options, Online, Bulk, Control)
	if err != nil {
		return err
	}
	for _, addr := range addrs {
		resolved, err := resolve(ctx, addr, n.id.id)
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		for _, a := range resolved {
			l, err := t.Listen(a)
			if err != nil {
				return fmt.Errorf("listen: %w", err)
			}
			n.listeners = append(n.listeners, l)
			n.tasks.Go(func() { n.admit(l) })
		}
	}
	return nil
}

// PeerID returns the identity of the node.
func (n *Node) PeerID() PeerID { return n.id.id }

// Addrs returns the addresses at which the node listens, as multiaddrs.
func (n *Node) Addrs() []string {
	var addrs []string
	for _, l := range n.listeners {
		addrs = append(addrs, l.Multiaddr().String())
	}
	return addrs
}

// admit takes connections from l until it is closed.
func (n *Node) admit(l core.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		id := PeerID(c.RemotePeer().String())
		class, ok := classOf(c.ConnState().StreamMultiplexer)
		if !ok {
			c.Close()
			continue
		}
		if !n.options.Allow(id) {
			n.refuse(c)
			continue
		}
		if n.connections(id) >= maxConns || !n.serve(&conn{CapableConn: c, route: route{id, class}}) {
			c.Close()
		}
	}
}

// refuse tells a peer that it is not allowed, unless too many are being told.
func (n *Node) refuse(c core.CapableConn) {
	select {
	case n.refused <- struct{}{}:
	default:
		c.Close()
		return
	}
	n.tasks.Go(func() {
		defer func() { <-n.refused }()
		defer c.Close()
		timer := time.AfterFunc(refusalTimeout, func() { c.Close() })
		defer timer.Stop()
		for { // until the peer has read the answer, and closes
			s, err := c.AcceptStream()
			if err != nil || writeAnswer(s, notAllowed) != nil {
				return
			}
		}
	})
}

// connections returns the number of connections to a peer.
func (n *Node) connections(id PeerID) (sum int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range classes {
		sum += len(n.conns[route{id, c}])
	}
	return sum
}

// Accept returns the next stream that a peer opened.
func (n *Node) Accept(ctx context.Context) (*Incoming, error) {
	select {
	case in := <-n.incoming:
		<-n.slots
		return in, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-n.ctx.Done():
		return nil, ErrClosed
	}
}

// background runs f, and has Close wait for it, unless that has begun.
func (n *Node) background(f func()) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.parts.Go(f)
	return true
}

// Close closes the node. Streams that are closed already deliver what was
// written, for which Close waits up to a few seconds. All others break.
func (n *Node) Close() error {
	n.mu.Lock()
	first := !n.closed
	n.closed = true
	n.mu.Unlock()
	if !first {
		n.tasks.Wait()
		return nil
	}
	n.cancel()
	if n.detach != nil {
		n.detach()
	}
	var errs []error
	for _, l := range n.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	n.parts.Wait()
	n.closeConns()
	n.tasks.Wait()
	return errors.Join(errs...)
}

// closeConns breaks all connections.
func (n *Node) closeConns() {
	n.mu.Lock()
	conns := n.conns
	n.conns = map[route][]*conn{}
	n.mu.Unlock()
	for _, cs := range conns {
		for _, c := range cs {
			c.Close()
		}
	}
}

// serve registers a connection and accepts its streams, unless the node is
// closed.
func (n *Node) serve(c *conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.conns[c.route] = append(n.conns[c.route], c)
	n.tasks.Go(func() {
		err := n.streamsOf(c)
		n.drop(c)
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			n.dropPeer(c.route.peer)
		}
	})
	return true
}

// drop closes a connection and forgets it.
func (n *Node) drop(c *conn) {
	n.mu.Lock()
	n.conns[c.route] = slices.DeleteFunc(n.conns[c.route], func(d *conn) bool { return d == c })
	if len(n.conns[c.route]) == 0 {
		delete(n.conns, c.route)
	}
	n.mu.Unlock()
	c.Close()
}

// dropPeer closes all connections of a peer, one of which found it frozen.
func (n *Node) dropPeer(id PeerID) {
	n.mu.Lock()
	var all []*conn
	for c := range classes {
		all = append(all, n.conns[route{id, c}]...)
	}
	n.mu.Unlock()
	for _, c := range all {
		n.drop(c)
	}
}

// live returns a connection along a route, or nil.
func (n *Node) live(r route) *conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range slices.Backward(n.conns[r]) {
		if !c.IsClosed() {
			return c
		}
	}
	return nil
}

// A conn is a connection along a route.
type conn struct {
	core.CapableConn
	route   route
	refused atomic.Bool // the peer does not allow us
	welcome atomic.Bool // the peer has taken a stream
}

var _ network.MuxedConn = (*conn)(nil)

// decode returns the identity in the form of libp2p.
func (id PeerID) decode() (peer.ID, error) {
	p, err := peer.Decode(string(id))
	if err != nil {
		return "", fmt.Errorf("peer identity %q: %w", string(id), err)
	}
	return p, nil
}

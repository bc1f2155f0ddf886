package party

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/transport"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// The lanes of a job: meshes of their own for what runs at the same time.
const (
	laneMain = "main"
	laneOT   = "ot"
	laneHE   = "he"
)

const (
	// lobbyTime is how long a stream waits for its job to start here.
	lobbyTime = 10 * time.Second
	// lobbySize bounds the streams that wait, for each party.
	lobbySize = 256
)

const stepConnect = "connect"

// A meeting is where the streams of one mesh meet.
type meeting struct {
	mesh wire.ID
	lane string
}

// A lobby holds the streams that other parties opened for a mesh until this
// party's side of the job takes them. It is safe for concurrent use.
type lobby struct {
	mu      sync.Mutex
	waiting map[meeting]map[int]p2p.Stream
	count   map[int]int   // by party
	arrived chan struct{} // closed at the next arrival
}

func newLobby() *lobby {
	return &lobby{waiting: map[meeting]map[int]p2p.Stream{}, count: map[int]int{}, arrived: make(chan struct{})}
}

// arrive brings the stream of a party. The lobby closes it if nobody takes it.
func (l *lobby) arrive(at meeting, from int, s p2p.Stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting[at][from] != nil || l.count[from] >= lobbySize {
		s.Close()
		return
	}
	if l.waiting[at] == nil {
		l.waiting[at] = map[int]p2p.Stream{}
	}
	l.waiting[at][from] = s
	l.count[from]++
	close(l.arrived)
	l.arrived = make(chan struct{})
	time.AfterFunc(lobbyTime, func() {
		if s := l.take(at, from, s); s != nil {
			s.Close()
		}
	})
}

// take removes the stream of a party if it is there and, unless only is nil,
// it is that one.
func (l *lobby) take(at meeting, from int, only p2p.Stream) p2p.Stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.waiting[at][from]
	if s == nil || only != nil && s != only {
		return nil
	}
	delete(l.waiting[at], from)
	if len(l.waiting[at]) == 0 {
		delete(l.waiting, at)
	}
	l.count[from]--
	return s
}

// wait returns the stream of a party once it has arrived.
func (l *lobby) wait(ctx context.Context, at meeting, from int) (p2p.Stream, error) {
	for {
		l.mu.Lock()
		arrived := l.arrived
		l.mu.Unlock()
		if s := l.take(at, from, nil); s != nil {
			return s, nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// errNoShow means that a party did not open its stream in time.
var errNoShow = errors.New("did not connect in time")

// A roster is who takes part, and how to reach them.
type roster struct {
	self  int
	peers []peer
	node  *p2p.Node
	lobby *lobby
	// tap, if any, changes every link: a test looks on, or interferes.
	tap func(transport.Link) transport.Link
}

// A peer is one of the parties.
type peer struct {
	name  string
	id    p2p.PeerID
	addrs []string
}

// index returns the index of the party with an identity, or −1.
func (r *roster) index(id p2p.PeerID) int {
	return slices.IndexFunc(r.peers, func(p peer) bool { return p.id == id })
}

// open opens a stream to party j.
func (r *roster) open(ctx context.Context, j int, class p2p.Class, first wire.Message) (p2p.Stream, error) {
	header, err := wire.Encode(first)
	if err != nil {
		return nil, err
	}
	return r.node.Open(ctx, r.peers[j].id, r.peers[j].addrs, class, header)
}

// openLink opens a stream of a mesh to party j. For a session, the hello of this
// party follows at once.
func (r *roster) openLink(ctx context.Context, j int, class p2p.Class, first wire.Message) (p2p.Stream, error) {
	if class != p2p.Online {
		return r.open(ctx, j, class, first)
	}
	header, err := wire.Encode(first)
	if err != nil {
		return nil, err
	}
	return r.node.OpenEarly(ctx, r.peers[j].id, r.peers[j].addrs, class, header)
}

// A call describes one mesh to be made: who opens it, with what.
type call struct {
	at    meeting
	class p2p.Class
	// job is what party 0 opens its streams with; nil stands for a join.
	job wire.Message
	// lead is the stream from party 0 that brought the job, if it did.
	lead p2p.Stream
	// wrap, if any, changes the streams.
	wrap func(transport.Conn) transport.Conn
}

// mesh connects this party to all others: the party with the lower index opens
// the stream. The mesh lives as long as ctx; connecting is limited by timeout.
func (r *roster) mesh(ctx context.Context, c call, timeout time.Duration) (*transport.Mesh, error) {
	limited, cancel := context.WithTimeoutCause(ctx, timeout, errNoShow)
	defer cancel()
	streams := make([]p2p.Stream, len(r.peers))
	errs := make([]error, len(r.peers))
	var calls sync.WaitGroup
	for j := range r.peers {
		if j == r.self {
			continue
		}
		calls.Go(func() {
			if streams[j], errs[j] = r.link(limited, c, j); errs[j] != nil {
				cancel()
			}
		})
	}
	calls.Wait()
	if err := firstFailure(errs); err != nil {
		for _, s := range streams {
			if s != nil {
				s.Close()
			}
		}
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, err
	}
	links := make([]transport.Link, len(r.peers))
	for j, s := range streams {
		if j == r.self {
			continue
		}
		var conn transport.Conn = s
		var o transport.LinkOptions
		if c.wrap != nil {
			conn = c.wrap(s)
		} else if c.class == p2p.Online {
			o.Holds = p2p.Holds
		}
		links[j] = transport.NewLink(conn, o)
		if r.tap != nil {
			links[j] = r.tap(links[j])
		}
	}
	return transport.New(ctx, r.self, links), nil
}

func (r *roster) link(ctx context.Context, c call, j int) (p2p.Stream, error) {
	switch {
	case j == 0 && c.lead != nil:
		return c.lead, nil
	case j < r.self:
		return r.lobby.wait(ctx, c.at, j)
	case r.self == 0 && c.job != nil:
		return r.openLink(ctx, j, c.class, c.job)
	}
	return r.openLink(ctx, j, c.class, wire.Join{Mesh: c.at.mesh, Lane: c.at.lane})
}

// firstFailure names the party that could not be connected, not those on which
// this party then gave up.
func firstFailure(errs []error) error {
	var found *transport.PeerError
	for j, err := range errs {
		if err == nil {
			continue
		}
		if found == nil || errors.Is(found.Err, context.Canceled) && !errors.Is(err, context.Canceled) {
			found = &transport.PeerError{Party: j, Step: stepConnect, Err: fmt.Errorf("%w", err)}
		}
	}
	if found == nil {
		return nil
	}
	return found
}

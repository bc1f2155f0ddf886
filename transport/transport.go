// Package transport connects the parties of one session.
//
// It moves opaque messages of agreed length and counts them. It knows nothing
// of shares, circuits or models. Package p2p makes links over libp2p; [Pipe]
// makes them in memory.
package transport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ErrDesync means that a peer ran a different step than we did, or the same
// step on operands of another size.
var ErrDesync = errors.New("parties are out of step")

// A PeerError says with which party, and at which step, a session failed.
type PeerError struct {
	Party int
	Step  string
	Err   error
}

func (e *PeerError) Error() string { return fmt.Sprintf("%s: party %d: %v", e.Step, e.Party, e.Err) }
func (e *PeerError) Unwrap() error { return e.Err }

// An AbortError is what [Link.Recv] returns when the peer ended the session.
// Party is the one that the peer holds responsible, which may be itself.
type AbortError struct {
	Party int
	Step  string
}

func (e *AbortError) Error() string {
	return fmt.Sprintf("ended the session: party %d failed at %q", e.Party, e.Step)
}

// A Link is an ordered, authenticated and confidential channel to one party.
type Link interface {
	// Send sends msg, which the caller may change once Send returns.
	Send(step string, msg []byte) error
	// Recv fills msg. The receiver knows how much it expects, so that no
	// length chosen by a peer ever sizes an allocation.
	Recv(step string, msg []byte) error
	// Abort tells the peer, as far as the link still works, which party made
	// the session fail, and closes the link.
	Abort(party int, step string)
	// Close makes pending and later calls fail, here and at the peer.
	Close() error
}

// Stats counts the traffic of one step, or of all steps, of a [Mesh]. A round
// is one exchange: all parties send, then all receive. Bytes are payload.
type Stats struct {
	Step           string
	Rounds         int
	Sent, Received int64
}

// A Mesh links one party to all others for the length of one session.
//
// Errors are final: the first one closes the mesh. A Mesh is not safe for
// concurrent use; steps that should overlap run on meshes of their own.
type Mesh struct {
	ctx     context.Context
	self    int
	links   []Link // links[self] is nil
	steps   []Stats
	observe func(step string)
	failed  error
}

// New returns the mesh of party self, which lives as long as ctx. The mesh is
// the session, so ctx is given here, once, and not to every step.
func New(ctx context.Context, self int, links []Link) *Mesh {
	m := &Mesh{ctx: ctx, self: self, links: links}
	context.AfterFunc(ctx, m.Close)
	return m
}

// Self returns the index of this party, from 0 to N−1.
func (m *Mesh) Self() int { return m.self }

// N returns the number of parties.
func (m *Mesh) N() int { return len(m.links) }

// Context is done when the session is over.
func (m *Mesh) Context() context.Context { return m.ctx }

// Observe has f called after every exchange, for profiles.
func (m *Mesh) Observe(f func(step string)) { m.observe = f }

// Steps returns the traffic by step, in the order in which they first ran.
func (m *Mesh) Steps() []Stats { return slices.Clone(m.steps) }

// Stats returns the traffic so far.
func (m *Mesh) Stats() Stats {
	var sum Stats
	for _, s := range m.steps {
		sum.Rounds += s.Rounds
		sum.Sent += s.Sent
		sum.Received += s.Received
	}
	return sum
}

// Close ends the session for all parties.
func (m *Mesh) Close() {
	for _, l := range m.links {
		if l != nil {
			l.Close()
		}
	}
}

// Broadcast sends msg to every other party and returns the equally long
// messages of all parties, ours included, by index. It is one round.
func (m *Mesh) Broadcast(step string, msg []byte) ([][]byte, error) {
	out, in := make([][]byte, m.N()), make([][]byte, m.N())
	for j := range m.N() {
		if j == m.self {
			continue
		}
		out[j], in[j] = msg, make([]byte, len(msg))
	}
	if err := m.Exchange(step, out, in); err != nil {
		return nil, err
	}
	in[m.self] = msg
	return in, nil
}

// Exchange sends out[j] to every party j and fills in[j] from every party j.
// Empty messages are neither sent nor awaited, and what is in place of this
// party is ignored. It is one round, whatever is sent.
//
// All parties pass the same step, a constant that names the exchange as the
// paper does, such as "relu: open c".
func (m *Mesh) Exchange(step string, out, in [][]byte) error {
	if m.failed != nil {
		return fmt.Errorf("%s: after an earlier failure: %w", step, m.failed)
	}
	var (
		calls sync.WaitGroup
		once  sync.Once
		first *PeerError // names the party that failed, not those that then gave up
	)
	try := func(party int, call func(string, []byte) error, msg []byte) {
		calls.Go(func() {
			err := call(step, msg)
			if err == nil {
				return
			}
			once.Do(func() {
				first = blame(party, step, err)
				m.abort(first)
			})
		})
	}
	s := m.stats(step)
	for j, l := range m.links {
		if j == m.self {
			continue
		}
		if len(out[j]) > 0 {
			try(j, l.Send, out[j])
			s.Sent += int64(len(out[j]))
		}
		if len(in[j]) > 0 {
			try(j, l.Recv, in[j])
			s.Received += int64(len(in[j]))
		}
	}
	calls.Wait()
	s.Rounds++

	if cause := context.Cause(m.ctx); cause != nil {
		m.failed = fmt.Errorf("%s: %w", step, cause)
	} else if first != nil {
		m.failed = first
	} else if m.observe != nil {
		m.observe(step)
	}
	return m.failed
}

// blame finds the party responsible for err, which a call to party returned.
func blame(party int, step string, err error) *PeerError {
	if abort, ok := errors.AsType[*AbortError](err); ok {
		return &PeerError{abort.Party, abort.Step, fmt.Errorf("as party %d reports: %w", party, err)}
	}
	return &PeerError{party, step, err}
}

// abort tells all other parties who failed and closes the mesh, so that all
// pending calls return.
func (m *Mesh) abort(e *PeerError) {
	for _, l := range m.links {
		if l != nil {
			l.Abort(e.Party, e.Step)
		}
	}
}

func (m *Mesh) stats(step string) *Stats {
	if i := slices.IndexFunc(m.steps, func(s Stats) bool { return s.Step == step }); i >= 0 {
		return &m.steps[i]
	}
	m.steps = append(m.steps, Stats{Step: step})
	return &m.steps[len(m.steps)-1]
}

package transport

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Mesh links one party to all others for the length of one session.
//
// Errors are final: the first one closes the mesh. A Mesh is not safe for
// concurrent use, but for Close; steps that should overlap run on meshes of
// their own.
type Mesh struct {
	ctx     context.Context
	self    int
	links   []Link // links[self] is nil
	steps   []Stats
	observe func(step string)
	pace    func()
	workers int // or 0

	framesSent, framesReceived int64

	timeout time.Duration
	sending []atomic.Bool // by party: a Send has yet to return
	waiting []atomic.Bool // by party: a Recv has yet to return

	mu    sync.Mutex
	step  string // the exchange in progress, or empty
	ended error  // why the session is over, or nil; the first reason stays
}

// New returns the mesh of party self, which lives as long as ctx. The mesh is
// the session, so ctx is given here, once, and not to every step.
func New(ctx context.Context, self int, links []Link) *Mesh {
	m := &Mesh{
		ctx: ctx, self: self, links: links,
		sending: make([]atomic.Bool, len(links)),
		waiting: make([]atomic.Bool, len(links)),
	}
	context.AfterFunc(ctx, func() { m.fail(context.Cause(ctx)) })
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

// Pace has f called by [Mesh.Yield], so that it can hold back work that is not
// urgent, and limits that work to so many goroutines at a time.
func (m *Mesh) Pace(f func(), workers int) { m.pace, m.workers = f, workers }

// Workers returns over how many goroutines a protocol may spread a computation.
func (m *Mesh) Workers() int {
	if m.workers > 0 {
		return m.workers
	}
	return runtime.GOMAXPROCS(0)
}

// Yield is for protocols to call between blocks of long computations. Unlike the
// other methods, it is safe for concurrent use.
func (m *Mesh) Yield() {
	if m.pace != nil {
		m.pace()
	}
}

// Timeout limits how long each later exchange may take; 0, as at the start, is
// no limit. A party that exceeds it fails the session with [ErrTimeout].
func (m *Mesh) Timeout(d time.Duration) { m.timeout = d }

// Steps returns the traffic by step, in the order in which they first ran.
func (m *Mesh) Steps() []Stats { return slices.Clone(m.steps) }

// Stats returns the traffic so far.
func (m *Mesh) Stats() Stats {
	var sum Stats
	for _, s := range m.steps {
		sum.add(s)
	}
	return sum
}

// Frames returns how many messages went each way so far, each of which takes
// [FrameHeader] bytes on the wire besides its payload.
func (m *Mesh) Frames() (sent, received int64) { return m.framesSent, m.framesReceived }

// Close ends the session for all parties. What was sent before still arrives,
// so that a party may close as soon as its last exchange is done.
func (m *Mesh) Close() { m.fail(ErrClosed) }

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
// paper does, such as "relu: open c". The error is a [PeerError], which names
// the party that failed and not those that then gave up, or wraps the cause of
// the end of the context.
func (m *Mesh) Exchange(step string, out, in [][]byte) error {
	return m.round(step, out, in, m.timeout)
}

// Await fills msg from one party, however long that takes: it is how a party
// waits for the next command of a leader, who runs Exchange. It is one round.
func (m *Mesh) Await(step string, from int, msg []byte) error {
	in := make([][]byte, m.N())
	in[from] = msg
	return m.round(step, make([][]byte, m.N()), in, 0)
}

func (m *Mesh) round(step string, out, in [][]byte, timeout time.Duration) error {
	if err := m.begin(step); err != nil {
		return fmt.Errorf("%s: after an earlier failure: %w", step, err)
	}
	traffic := Stats{Rounds: 1}
	for j := range m.links {
		if j == m.self {
			continue
		}
		if n := len(out[j]); n > 0 {
			m.sending[j].Store(true)
			traffic.Sent += int64(n)
			m.framesSent++
		}
		if n := len(in[j]); n > 0 {
			m.waiting[j].Store(true)
			traffic.Received += int64(n)
			m.framesReceived++
		}
	}
	m.stats(step).add(traffic)

	if timeout > 0 {
		timer := time.AfterFunc(timeout, func() { m.expire(step, timeout) })
		defer timer.Stop()
	}
	m.calls(step, out, in)

	err := m.finish()
	if err == nil && m.observe != nil {
		m.observe(step)
	}
	return err
}

// calls runs all sends and receives of a round, all at the same time, as two
// parties that send long messages and then receive would wait for each other
// for ever. Sends that do not wait, and the last receive, run here: to start and
// wake a goroutine takes longer than a short message.
func (m *Mesh) calls(step string, out, in [][]byte) {
	var calls sync.WaitGroup
	send := func(j int) {
		err := m.links[j].Send(step, out[j])
		m.sending[j].Store(false)
		m.check(j, step, err)
	}
	last := -1
	for j, l := range m.links {
		if m.waiting[j].Load() {
			last = j
		}
		switch {
		case !m.sending[j].Load():
		case holds(l, len(out[j])):
			send(j)
		default:
			calls.Go(func() { send(j) })
		}
	}
	recv := func(j int) {
		err := m.links[j].Recv(step, in[j])
		m.waiting[j].Store(false)
		m.check(j, step, err)
	}
	for j := range last {
		if m.waiting[j].Load() {
			calls.Go(func() { recv(j) })
		}
	}
	if last >= 0 {
		recv(last)
	}
	calls.Wait()
}

// begin notes that an exchange runs, unless the session is over.
func (m *Mesh) begin(step string) error {
	if cause := context.Cause(m.ctx); cause != nil {
		m.fail(cause)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended == nil {
		m.step = step
	}
	return m.ended
}

// finish returns why the exchange in progress failed, if it did.
func (m *Mesh) finish() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	step := m.step
	m.step = ""
	if _, ok := m.ended.(*PeerError); ok || m.ended == nil {
		return m.ended
	}
	return fmt.Errorf("%s: %w", step, m.ended)
}

// fail ends the session, tells all parties who is responsible, and closes the
// links, so that all pending calls return. The first reason stays: after it,
// what happens to the links is our own doing, and nobody else's fault.
func (m *Mesh) fail(why error) {
	m.mu.Lock()
	if m.ended != nil {
		m.mu.Unlock()
		return
	}
	// Parties that share a context see each other leave when it ends.
	if cause := context.Cause(m.ctx); cause != nil {
		why = cause
	}
	m.ended = why
	step := m.step
	m.mu.Unlock()

	if e, ok := why.(*PeerError); ok {
		m.abort(e.Party, e.Step)
	} else if step != "" {
		m.abort(m.self, step)
	} else {
		m.closeLinks()
	}
}

// check fails the session if a call to party ended with err.
func (m *Mesh) check(party int, step string, err error) {
	if err != nil {
		m.fail(m.blame(party, step, err))
	}
}

// expire fails the session because of the first party that is late.
func (m *Mesh) expire(step string, timeout time.Duration) {
	for _, late := range [][]atomic.Bool{m.waiting, m.sending} {
		for j := range late {
			if late[j].Load() {
				m.fail(&PeerError{j, step, fmt.Errorf("%w after %v", ErrTimeout, timeout)})
				return
			}
		}
	}
}

// blame finds the party responsible for err, which a call to party returned.
func (m *Mesh) blame(party int, step string, err error) *PeerError {
	abort, ok := errors.AsType[*AbortError](err)
	if !ok || abort.Party < 0 || abort.Party >= m.N() {
		return &PeerError{party, step, err}
	}
	if abort.Step != "" {
		step = abort.Step
	}
	return &PeerError{abort.Party, step, fmt.Errorf("as party %d reports: %w", party, err)}
}

func (m *Mesh) abort(party int, step string) {
	var calls sync.WaitGroup
	for _, l := range m.links {
		if l != nil {
			calls.Go(func() { l.Abort(party, step) })
		}
	}
	calls.Wait()
}

func (m *Mesh) closeLinks() {
	for _, l := range m.links {
		if l != nil {
			l.Close()
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

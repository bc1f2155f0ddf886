package party

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/protocol/infer"
	"github.com/tacit-mpc/tacit/protocol/prep"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// A session is one online computation, as this party sees it. It has one or
// more requests, whose rows are independent of each other.
type session struct {
	p        *Party
	proposal proposal
	mats     []*prep.Inference // of all rows
	refusal  wire.Refusal
	why      error      // of the refusal
	agreed   func()     // called once all parties have spent the material
	requests []*request // as proposed, nil where the client has not come; then those that take part
	state    state
	stats    wire.SessionStats
	log      zerolog.Logger
}

// lead opens a session for requests. Only party 0 does.
func (p *Party) lead(ctx context.Context, all []*request, v *version, start time.Time) error {
	s := p.stock(v)
	if s == nil {
		return p.unknown(v.name)
	}
	pr := proposal{kind: "session", model: v.name, v: v, version: v.id}
	for _, r := range all {
		pr.requests = append(pr.requests, wire.Request{ID: r.id, Client: string(r.client), Rows: r.ask.Batch})
		pr.batch += r.ask.Batch
	}
	ids, mats, release, err := s.draw(ctx, pr.batch, p.cfg.Timeouts.Material)
	if err != nil {
		return err
	}
	s.update(func() {}) // the pool has changed
	release = sync.OnceFunc(release)
	defer release()
	mesh := newID()
	pr.material = ids
	run := p.newSession(pr)
	run.requests, run.mats, run.agreed, run.stats.Wait = all, mats, release, time.Since(start)
	run.spent()
	err = run.run(ctx, call{
		at: meeting{mesh, laneMain}, class: p2p.Online,
		job: wire.Session{Mesh: mesh, Model: v.name, Version: v.id, Requests: pr.requests, Material: wire.Pack(ids)},
	})
	if e, ok := errors.AsType[*wire.Error](err); ok && e.Code == wire.CodeMaterial {
		s.doubt()
	}
	return err
}

// follow takes part in a session that party 0 has proposed. Its clients hear on
// their own streams how it ended.
func (p *Party) follow(job wire.Session, lead p2p.Stream) error {
	ids, err := wire.Unpack(job.Material)
	if err != nil {
		return err
	}
	run := p.newSession(proposal{
		kind: "session", model: job.Model, v: p.models.find(job.Model, job.Version), version: job.Version,
		material: ids, requests: job.Requests, batch: len(ids),
	})
	c := newCompany(p.ctx)
	defer c.cancel(nil)
	release := run.prepare(c)
	defer release()
	err = run.run(c.ctx, call{at: meeting{job.Mesh, laneMain}, class: p2p.Online, lead: lead})
	for _, r := range c.requests {
		r.end(outcome{err: err})
	}
	return nil
}

// prepare spends the proposed material, whatever else happens, finds the clients
// who asked for the session, and decides whether to take part.
func (s *session) prepare(c *company) (release func()) {
	release = func() {}
	s.take()
	s.claim(c)
	if s.refusal != wire.Willing {
		return release
	}
	if m, _ := s.p.cfg.Model(s.proposal.model); s.proposal.batch > max(m.MaxBatch, m.MergeRows) {
		s.refuse(wire.RefuseBusy, &wire.Error{
			Code: wire.CodeBusy, Party: s.p.self, Step: "request",
			Message: fmt.Sprintf("a session of %d rows, at most %d are allowed", s.proposal.batch, max(m.MaxBatch, m.MergeRows)),
			Hint:    "configure the model alike at all parties",
		})
		return release
	}
	// One that party 0 has seen end may take a moment longer here.
	done, err := s.p.slot(c.ctx, claimTime)
	if err != nil {
		s.refuse(wire.RefuseBusy, err)
		return release
	}
	return done
}

// claim brings the clients of the session together. A request that has not come
// is left out, by all parties.
func (s *session) claim(c *company) {
	ctx, cancel := context.WithTimeout(s.p.ctx, claimTime)
	defer cancel()
	pr := &s.proposal
	s.requests = make([]*request, len(pr.requests))
	for i, ask := range pr.requests {
		r, ok := s.p.asked.claim(ctx, ticket{ask.ID, p2p.PeerID(ask.Client)})
		if !ok {
			continue
		}
		if r.ask.Batch != ask.Rows || r.ask.Model != pr.model || pr.v != nil && r.ask.Manifest != pr.v.digest {
			r.end(outcome{err: &wire.Error{
				Code: wire.CodeRequest, Party: s.p.self, Step: "request",
				Message: "party 0 got another request under this id", Hint: "send the same request to all parties",
			}})
			continue
		}
		c.join(r, pr.batch)
		s.requests[i] = r
	}
	c.seal()
	if len(c.requests) > 0 { // else the others are still to be told
		c.leave(errClientGone)
	}
}

// take spends the proposed material.
func (s *session) take() {
	pr := &s.proposal
	if pr.v == nil {
		s.refuse(wire.RefuseVersion, s.p.unknown(pr.model))
		return
	}
	var err error
	if s.mats, err = pr.v.pool.take(pr.material); err != nil {
		s.refuse(wire.RefuseMaterial, err)
		return
	}
	if st := s.p.stock(pr.v); st != nil {
		st.update(func() {}) // the pool has changed
	}
	s.spent()
}

// refuse has this party take no part; the first reason stays.
func (s *session) refuse(r wire.Refusal, why error) {
	if s.refusal == wire.Willing {
		s.refusal, s.why = r, why
	}
}

// claimTime is how long a session waits for the client to reach this party.
const claimTime = 2 * time.Second

// connectTime is how long the parties take to connect the mesh of a session.
const connectTime = 4 * time.Second

// slot waits until another session may run here.
func (p *Party) slot(ctx context.Context, limit time.Duration) (done func(), err error) {
	t := time.NewTimer(limit)
	defer t.Stop()
	done = func() { <-p.slots }
	select {
	case p.slots <- struct{}{}:
		return done, nil
	default:
	}
	select {
	case p.slots <- struct{}{}:
		return done, nil
	case <-t.C:
		return nil, &wire.Error{
			Code: wire.CodeBusy, Party: p.self, Step: "request",
			Message: fmt.Sprintf("%d sessions run already", cap(p.slots)),
			Hint:    "retry later, or raise limits.max_sessions",
		}
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *Party) newSession(pr proposal) *session {
	s := &session{p: p, proposal: pr, agreed: func() {}, state: proposed}
	var ids []string
	for _, r := range pr.requests {
		ids = append(ids, r.ID.String())
	}
	s.log = p.log.With().Str("model", pr.model).Stringer("version", pr.version).
		Strs("requests", ids).Int("batch", pr.batch).Logger()
	p.count(proposed)
	return s
}

// step moves the session on.
func (s *session) step(e event) {
	to, ok := next(s.state, e)
	if !ok && e != failed {
		s.log.Error().Str("state", string(s.state)).Str("event", string(e)).Msg("impossible event")
	}
	if to != s.state {
		s.p.count(to)
	}
	s.state = to
}

// spent notes, for the audit, what this session has taken for good.
func (s *session) spent() {
	s.log.Info().Strs("material", fileNames(s.proposal.material)).Msg("material is spent")
	s.step(materialSpent)
}

func (p *Party) count(st state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions[st]++
}

// run takes the session to its end.
func (s *session) run(ctx context.Context, c call) error {
	s.p.pacer.enter()
	defer s.p.pacer.leave()
	ctx, cancel := context.WithTimeoutCause(ctx, s.p.cfg.Timeouts.Session, errLate)
	defer cancel()
	err := s.compute(ctx, c)
	if err != nil {
		s.step(failed)
		s.log.Warn().Err(err).Str("state", string(s.state)).Msg("session failed")
		return err
	}
	s.log.Info().Dur("wait", s.stats.Wait).Dur("agree", s.stats.Agree).Dur("run", s.stats.Run).Msg("session done")
	return nil
}

func (s *session) compute(ctx context.Context, c call) error {
	start := time.Now()
	m, err := s.p.roster.mesh(ctx, c, connectTime)
	if err != nil {
		return err
	}
	defer m.Close()
	m.Timeout(s.p.cfg.Timeouts.Step)
	agreement, err := agree(m, s.hello())
	if s.why != nil {
		return s.why
	}
	if err != nil {
		return err
	}
	s.agreed()
	if err := s.admit(agreement); err != nil {
		return err
	}
	s.step(partiesAgree)
	s.stats.Agree = time.Since(start)
	s.log.Info().Stringer("session", agreement.Session).Int("rows", len(s.mats)).Msg("parties agree")

	x, err := s.receive(ctx, agreement.Session)
	if err != nil {
		return err
	}
	s.step(sharesArrived)
	start = time.Now()
	prof := newProfile(m)
	v := s.proposal.v
	y, err := infer.Run(m, &v.manifest.Program, v.weights, s.mats, x)
	if err != nil {
		return err
	}
	s.stats.Run, s.stats.Steps = time.Since(start), prof.steps()
	s.step(outputSent)
	s.deliver(agreement.Session, y)
	return nil
}

// hello returns the hello of this party, which says which requests it lacks.
func (s *session) hello() wire.Hello {
	h := s.p.hello(s.proposal, s.refusal)
	for i, r := range s.requests {
		if r == nil {
			h.Absent |= 1 << i
		}
	}
	return h
}

// admit leaves out the requests that not all parties have, with their material,
// and fails if none is left.
func (s *session) admit(a wire.Agreement) error {
	proposed, mats := s.requests, s.mats
	s.requests, s.mats = nil, nil
	var why error
	for i, ask := range s.proposal.requests {
		own := mats[:ask.Rows]
		mats = mats[ask.Rows:]
		if absent := a.Absent[i]; absent != nil {
			why = absent
			if proposed[i] != nil {
				proposed[i].end(outcome{err: absent})
			}
			continue
		}
		s.requests, s.mats = append(s.requests, proposed[i]), append(s.mats, own...)
	}
	if len(s.requests) == 0 {
		return why
	}
	return nil
}

// newID returns a fresh random name.
func newID() wire.ID {
	var id wire.ID
	rand.Read(id[:])
	return id
}

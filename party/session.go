package party

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/protocol/infer"
	"github.com/tacit-mpc/tacit/protocol/prep"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// A session is one online computation, as this party sees it.
type session struct {
	p        *Party
	proposal proposal
	mats     []*prep.Inference
	refusal  wire.Refusal
	why      error    // of the refusal
	agreed   func()   // called once all parties have spent the material
	request  *request // nil if the client has not come
	state    state
	stats    wire.SessionStats
	log      zerolog.Logger
}

// lead opens a session for a request. Only party 0 does.
func (p *Party) lead(r *request, v *version) error {
	start := time.Now()
	s := p.stock(v)
	if s == nil {
		return p.unknown(v.name)
	}
	done, err := p.slot(r.ctx, p.cfg.Timeouts.Material)
	if err != nil {
		return err
	}
	defer done()
	ids, mats, release, err := s.draw(r.ctx, r.ask.Batch, p.cfg.Timeouts.Material)
	if err != nil {
		return err
	}
	s.update(func() {}) // the pool has changed
	release = sync.OnceFunc(release)
	defer release()
	mesh := newID()
	run := p.newSession(proposal{
		kind: "session", model: v.name, v: v, version: v.id, material: ids, request: r.ticket, batch: len(ids),
	}, r)
	run.mats, run.agreed, run.stats.Wait = mats, release, time.Since(start)
	run.spent()
	err = run.run(r.ctx, call{
		at: meeting{mesh, laneMain}, class: p2p.Online,
		job: wire.Session{
			Mesh: mesh, Model: v.name, Version: v.id, Request: r.id,
			Client: string(r.client), Material: wire.Pack(ids),
		},
	})
	if e, ok := errors.AsType[*wire.Error](err); ok && e.Code == wire.CodeMaterial {
		s.doubt()
	}
	return err
}

// follow takes part in a session that party 0 has proposed.
func (p *Party) follow(job wire.Session, lead p2p.Stream) error {
	ids, err := wire.Unpack(job.Material)
	if err != nil {
		return err
	}
	t := ticket{job.Request, p2p.PeerID(job.Client)}
	v := p.models.find(job.Model, job.Version)
	run := p.newSession(proposal{
		kind: "session", model: job.Model, v: v, version: job.Version, material: ids, request: t, batch: len(ids),
	}, nil)
	release := run.prepare()
	defer release()
	ctx := p.ctx
	if run.request != nil {
		ctx = run.request.ctx
	}
	err = run.run(ctx, call{at: meeting{job.Mesh, laneMain}, class: p2p.Online, lead: lead})
	if run.request != nil {
		run.request.served <- err
		return nil // the client hears of it on its own stream
	}
	return err
}

// prepare spends the proposed material, whatever else happens, finds the client
// who asked for the session, and decides whether to take part.
func (s *session) prepare() (release func()) {
	release = func() {}
	s.take()
	ctx, cancel := context.WithTimeout(s.p.ctx, claimTime)
	defer cancel()
	pr := &s.proposal
	r, ok := s.p.asked.claim(ctx, pr.request)
	if !ok {
		s.refuse(wire.RefuseRequest, errors.New("the client has not sent this request here"))
		return release
	}
	s.request = r
	if s.refusal != wire.Willing {
		return release
	}
	if r.ask.Batch != pr.batch || r.ask.Model != pr.model || r.ask.Manifest != pr.v.digest {
		s.refuse(wire.RefuseRequest, errors.New("the client asked for something else"))
		return release
	}
	// One that party 0 has seen end may take a moment longer here.
	done, err := s.p.slot(s.p.ctx, claimTime)
	if err != nil {
		s.refuse(wire.RefuseBusy, err)
		return release
	}
	return done
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

func (p *Party) newSession(pr proposal, r *request) *session {
	s := &session{p: p, proposal: pr, request: r, agreed: func() {}, state: proposed}
	s.log = p.log.With().Str("model", pr.model).Stringer("version", pr.version).
		Stringer("request", pr.request.id).Int("batch", pr.batch).Logger()
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
	id, err := agree(m, s.p.hello(s.proposal, s.refusal))
	if s.why != nil {
		return s.why
	}
	if err != nil {
		return err
	}
	s.step(partiesAgree)
	s.agreed()
	s.stats.Agree = time.Since(start)
	s.log.Info().Stringer("session", id).Msg("parties agree")

	x, err := s.receive(ctx, id)
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
	if err := s.send(id, y); err != nil {
		return err
	}
	s.step(outputSent)
	return nil
}

// receive tells the client what the parties agreed on and waits for its shares.
func (s *session) receive(ctx context.Context, id wire.ID) (share.Share, error) {
	r, v := s.request, s.proposal.v
	r.stream.SetWriteDeadline(time.Now().Add(answerTime))
	if err := wire.Write(r.stream, wire.Accept{Session: id, Version: v.id, Manifest: v.digest}); err != nil {
		return nil, fmt.Errorf("%w: %w", errClientGone, err)
	}
	select {
	case in := <-r.shares:
		if in.session != id {
			return nil, &wire.Error{
				Code: wire.CodeReplay, Party: s.p.self, Step: "input shares",
				Message: "the shares are for another session", Hint: "shares are made afresh for every session",
			}
		}
		return in.x, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// send brings the client its shares of the output.
func (s *session) send(id wire.ID, y share.Share) error {
	r, out := s.request, s.proposal.v.manifest.Output
	report, err := wire.EncodeSessionStats(s.stats)
	if err != nil {
		return err
	}
	packed := ring.AppendPacked(make([]byte, 0, ring.PackedLen(len(y), out.Width)), y, out.Width)
	r.stream.SetWriteDeadline(time.Now().Add(answerTime))
	if err := wire.Write(r.stream, wire.Result{Session: id, Stats: int64(len(report))}, packed, report); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	return nil
}

// newID returns a fresh random name.
func newID() wire.ID {
	var id wire.ID
	rand.Read(id[:])
	return id
}

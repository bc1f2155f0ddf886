package party

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/tacit-mpc/tacit/configs"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/infer"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// uploadTime limits how long an owner takes to send a model, and how much
// later than party 0 the others get theirs.
const uploadTime = 10 * time.Minute

// Steps of a deployment.
const (
	stepCommit = "deploy: commit to shares"
	stepStored = "deploy: stored"
	stepServe  = "deploy: serve"
)

// An offer is a model that an owner has sent to this party.
type offer struct {
	ticket
	ask      wire.DeployRequest
	encoded  []byte
	manifest *model.Manifest
	params   []share.Share
	ctx      context.Context // done when the owner leaves
	dealt    chan dealt      // receives how it ended
}

// dealt is the end of a deployment.
type dealt struct {
	v   *version
	err error
}

// deploy serves a model owner: all parties receive their shares, then party 0
// opens the job that turns them into a version.
func (p *Party) deploy(in *p2p.Incoming, ask wire.DeployRequest) error {
	if err := p.allowed(in.Peer, configs.RoleDeploy, ask.Model); err != nil {
		return err
	}
	if _, ok := p.cfg.Model(ask.Model); !ok {
		return p.unknown(ask.Model)
	}
	t := ticket{ask.Request, in.Peer}
	if err := p.offered.enter(t); err != nil {
		return err
	}
	o, err := readOffer(in.Stream, t, ask)
	if err != nil {
		return p.badOffer(err)
	}
	ctx, cancel := context.WithCancelCause(p.ctx)
	defer cancel(nil)
	o.ctx = ctx
	p.work.Go(func() { // nothing more is to come until the owner leaves
		var b [1]byte
		in.Stream.Read(b[:])
		cancel(errClientGone)
	})
	defer in.Stream.SetReadDeadline(time.Unix(1, 0))

	v, err := p.await(o)
	if err != nil {
		return err
	}
	p.log.Info().Str("model", v.name).Stringer("version", v.id).Uint64("number", v.seq).Msg("model is deployed")
	in.Stream.SetWriteDeadline(time.Now().Add(answerTime))
	return wire.Write(in.Stream, wire.Deployed{Version: v.id, Seq: v.seq, Manifest: v.digest})
}

// await has an offer become a version.
func (p *Party) await(o *offer) (*version, error) {
	if p.self == 0 {
		return p.leadDeal(o)
	}
	p.offered.put(o.ticket, o)
	select {
	case d := <-o.dealt:
		return d.v, d.err
	case <-o.ctx.Done():
		if p.offered.remove(o.ticket) {
			return nil, context.Cause(o.ctx)
		}
		d := <-o.dealt // the job that has it sees the same context
		return d.v, d.err
	}
}

// badOffer says what is wrong with an offer.
func (p *Party) badOffer(err error) error {
	if _, ok := errors.AsType[*wire.Error](err); ok {
		return err
	}
	return &wire.Error{Code: wire.CodeRequest, Party: p.self, Step: "receive model", Message: err.Error()}
}

// readOffer reads the manifest and the shares that follow a request.
func readOffer(s p2p.Stream, t ticket, ask wire.DeployRequest) (*offer, error) {
	s.SetReadDeadline(time.Now().Add(uploadTime))
	defer s.SetReadDeadline(time.Time{})
	encoded, err := wire.ReadPayload(s, ask.Len, wire.MaxManifest)
	if err != nil {
		return nil, err
	}
	m, err := model.ParseManifest(encoded)
	if err != nil {
		return nil, err
	}
	if m.Digest() != ask.Manifest {
		return nil, errors.New("the manifest does not have the digest that was announced")
	}
	o := &offer{ticket: t, ask: ask, encoded: encoded, manifest: m, dealt: make(chan dealt, 1)}
	var seed []byte
	if ask.Seed {
		if seed, err = wire.ReadPayload(s, wire.SeedLen, wire.SeedLen); err != nil {
			return nil, err
		}
	}
	for i, param := range m.Program.Params {
		var x share.Share
		if ask.Seed {
			x, err = share.Expand(share.Seed(seed), wire.LabelWeight, uint64(i), param.Len, param.Width)
		} else {
			x, err = readShare(s, false, wire.LabelWeight, uint64(i), param.Len, param.Width)
		}
		if err != nil {
			return nil, err
		}
		o.params = append(o.params, x)
	}
	return o, nil
}

// leadDeal opens the job that deploys an offer. Only party 0 does.
func (p *Party) leadDeal(o *offer) (*version, error) {
	mesh, seq := newID(), p.models.lastSeq(o.ask.Model)+1
	return p.deal(o, o.ask.Model, seq, o.ticket, 0, call{
		at: meeting{mesh, laneMain}, class: p2p.Bulk,
		job: wire.Deal{Mesh: mesh, Model: o.ask.Model, Request: o.id, Client: string(o.client), Seq: seq},
	})
}

// followDeal takes part in a deployment that party 0 has proposed.
func (p *Party) followDeal(job wire.Deal, lead p2p.Stream) error {
	ctx, cancel := context.WithTimeout(p.ctx, uploadTime)
	defer cancel()
	t := ticket{job.Request, p2p.PeerID(job.Client)}
	o, ok := p.offered.claim(ctx, t)
	r := wire.Willing
	if !ok {
		r = wire.RefuseRequest
	}
	v, err := p.deal(o, job.Model, job.Seq, t, r, call{at: meeting{job.Mesh, laneMain}, class: p2p.Bulk, lead: lead})
	if !ok {
		return err
	}
	o.dealt <- dealt{v, err}
	return nil
}

// deal turns the shares of an offer into a version that all parties serve, or
// that none does. Party 0 decides: once all have stored the version, it serves
// it and tells the others. One that does not hear of it keeps both the new and
// the old version until the next preparation session tells.
func (p *Party) deal(o *offer, name string, seq uint64, t ticket, r wire.Refusal, c call) (*version, error) {
	ctx := p.ctx
	pr := proposal{
		kind: "deploy", model: name, version: wire.NewDigest("number", seq).Sum(),
		requests: []wire.Request{{ID: t.id, Client: string(t.client)}},
	}
	if o != nil {
		ctx = o.ctx
		v, err := newVersion(name, seq, o.encoded)
		if err != nil {
			return nil, err
		}
		pr.v = v
	}
	done, ok := p.deploying(ctx, name)
	if !ok && r == wire.Willing {
		r = wire.RefuseBusy
	}
	defer done()
	m, err := p.roster.mesh(ctx, c, uploadTime)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	m.Timeout(p.cfg.Timeouts.Prepare)
	if _, err := agree(m, p.hello(pr, r)); err != nil {
		return nil, err
	}
	v := pr.v
	if v.id, err = commit(m, v, o.params); err != nil {
		return nil, err
	}
	if v.weights, err = infer.Deal(m, rand.Reader, &v.manifest.Program, o.params); err != nil {
		return nil, err
	}
	return v, p.settle(m, v)
}

// deploying makes sure that there is one deployment of a model at a time. It
// waits a little for the end of the one before.
func (p *Party) deploying(ctx context.Context, name string) (done func(), ok bool) {
	p.mu.Lock()
	turn := p.deploys[name]
	if turn == nil {
		turn = make(chan struct{}, 1)
		p.deploys[name] = turn
	}
	p.mu.Unlock()
	t := time.NewTimer(answerTime)
	defer t.Stop()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, true
	case <-t.C:
	case <-ctx.Done():
	}
	return func() {}, false
}

// commit binds the parties to their shares, without showing them, and returns
// the id of the version: a hash of all commitments and the manifest. Rounds: 1.
func commit(m *transport.Mesh, v *version, params []share.Share) (wire.ID, error) {
	salt := newID()
	d := wire.NewDigest("shares").Add(salt[:])
	for i, x := range params {
		d.Add(ring.AppendPacked(nil, x, v.manifest.Program.Params[i].Width))
	}
	own := d.Sum()
	all, err := m.Broadcast(stepCommit, own[:])
	if err != nil {
		return wire.ID{}, err
	}
	return wire.NewDigest("version", v.seq).AddString(v.name).Add(v.digest[:]).Add(all...).Sum(), nil
}

// settle stores a version and has all parties serve it, or none. Rounds: 2.
func (p *Party) settle(m *transport.Mesh, v *version) error {
	stored := p.models.put(v)
	if err := all(m, stepStored, stored); err != nil {
		return errors.Join(err, p.models.drop(v))
	}
	verdict := []byte{0}
	if m.Self() == 0 {
		served := p.models.serve(v)
		if served == nil {
			verdict[0] = 1
		}
		out := make([][]byte, m.N())
		for j := range out {
			out[j] = verdict
		}
		if err := m.Exchange(stepServe, out, make([][]byte, m.N())); err != nil && served == nil {
			// The version is served; who did not hear it learns it with the
			// next preparation session.
			p.log.Warn().Err(err).Str("model", v.name).Msg("not all parties know yet that the model is served")
		}
		if served != nil {
			return errors.Join(served, p.models.drop(v))
		}
	} else {
		if err := m.Await(stepServe, 0, verdict); err != nil {
			return inDoubt(err)
		}
		if verdict[0] != 1 {
			err := &wire.Error{
				Code: wire.CodeStorage, Party: 0, Step: stepServe, Message: "cannot use its disk",
				Hint: "check space and permissions of its data directory",
			}
			return errors.Join(err, p.models.drop(v))
		}
		if err := p.models.serve(v); err != nil {
			return err
		}
	}
	p.begin(v)
	return nil
}

// inDoubt says that the end of a deployment is not known here.
func inDoubt(err error) error {
	e := &wire.Error{Code: wire.CodeUnreachable, Party: 0, Step: stepServe, Message: fmt.Sprintf("did not say whether the model is served: %v", err)}
	e.Hint = "see the status of the cluster: the parties agree on the version as soon as all run again"
	return e
}

// all exchanges how a step went at each party. It fails everywhere if it failed
// somewhere. Rounds: 1.
func all(m *transport.Mesh, step string, own error) error {
	flag := []byte{0}
	if own != nil {
		flag[0] = 1
	}
	flags, err := m.Broadcast(step, flag)
	if own != nil {
		return own
	}
	if err != nil {
		return err
	}
	for j, f := range flags {
		if f[0] != 0 {
			return &wire.Error{
				Code: wire.CodeStorage, Party: j, Step: step, Message: "cannot use its disk",
				Hint: "check space and permissions of its data directory",
			}
		}
	}
	return nil
}

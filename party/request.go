package party

import (
	"context"
	"fmt"
	"time"

	"github.com/tacit-mpc/tacit/configs"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// A request is a client who waits for a prediction.
type request struct {
	ticket
	ask    wire.PredictRequest
	stream p2p.Stream
	ctx    context.Context // done when the client leaves
	shares chan inputs     // what the client sends once it has been accepted
	served chan error      // receives how it ended
}

// inputs are this party's shares of a client's inputs, and the session that the
// client meant them for.
type inputs struct {
	session wire.ID
	x       share.Share
}

// predict serves a client's request: party 0 opens a session for it, the others
// wait for that.
func (p *Party) predict(in *p2p.Incoming, ask wire.PredictRequest) error {
	v, err := p.admit(in.Peer, ask)
	if err != nil {
		return err
	}
	t := ticket{ask.Request, in.Peer}
	if err := p.asked.enter(t); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(p.ctx)
	defer cancel(nil)
	r := &request{
		ticket: t, ask: ask, stream: in.Stream, ctx: ctx,
		shares: make(chan inputs, 1), served: make(chan error, 1),
	}
	p.work.Go(func() { cancel(r.listen(v.manifest.Input)) })
	// Whatever happens, the reader must not outlive the request.
	defer in.Stream.SetReadDeadline(time.Unix(1, 0))

	if p.self == 0 {
		return p.lead(r, v)
	}
	p.asked.put(t, r)
	limit := time.NewTimer(p.cfg.Timeouts.Material + p.cfg.Timeouts.Session)
	defer limit.Stop()
	select {
	case err = <-r.served:
		return err
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-limit.C:
		err = errLate
	}
	if !p.asked.remove(t) {
		return <-r.served // a session has it and sees the same context
	}
	return err
}

// admit checks a request against what this party serves.
func (p *Party) admit(client p2p.PeerID, ask wire.PredictRequest) (*version, error) {
	if err := p.allowed(client, configs.RolePredict, ask.Model); err != nil {
		return nil, err
	}
	v := p.models.get(ask.Model)
	if v == nil {
		return nil, p.unknown(ask.Model)
	}
	if v.digest != ask.Manifest {
		return nil, &wire.Error{
			Code: wire.CodeProgram, Party: p.self, Step: "request",
			Message: fmt.Sprintf("the model has the manifest %s, the request is for %s", v.digest.Short(), ask.Manifest.Short()),
			Hint:    "the model was deployed again: look it up and retry",
		}
	}
	m, ok := p.cfg.Model(ask.Model)
	if !ok {
		return nil, p.unknown(ask.Model)
	}
	if ask.Batch > m.MaxBatch {
		return nil, &wire.Error{
			Code: wire.CodeRequest, Party: p.self, Step: "request",
			Message: fmt.Sprintf("a request of %d rows, at most %d are allowed", ask.Batch, m.MaxBatch),
			Hint:    "send fewer rows at once, or raise max_batch of the model",
		}
	}
	return v, nil
}

// listen reads all that a client sends on its stream: its shares, once. It
// returns when the client is gone.
func (r *request) listen(input model.Tensor) error {
	head, err := wire.Read[wire.Shares](r.stream)
	if err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	x, err := readShare(r.stream, head.Seed, wire.LabelInput, 0, r.ask.Batch*input.Len(), input.Width)
	if err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	r.shares <- inputs{head.Session, x}
	var more [1]byte
	if n, _ := r.stream.Read(more[:]); n > 0 {
		return fmt.Errorf("%w: more than the shares of one input", wire.ErrMalformed)
	}
	return errClientGone
}

// readShare reads a share of a tensor, sent as a seed or in full.
func readShare(s p2p.Stream, seed bool, label string, index uint64, size, width int) (share.Share, error) {
	if seed {
		b, err := wire.ReadPayload(s, wire.SeedLen, wire.SeedLen)
		if err != nil {
			return nil, err
		}
		return share.Expand(share.Seed(b), label, index, size, width)
	}
	n := int64(ring.PackedLen(size, width))
	b, err := wire.ReadPayload(s, n, n)
	if err != nil {
		return nil, err
	}
	x := make(share.Share, size)
	ring.Unpack(x, b, width)
	return x, nil
}

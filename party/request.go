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

// A request is a client who waits for a prediction. Only the goroutine that
// serves it writes to its stream: a client who does not read delays nobody else.
type request struct {
	ticket
	ask    wire.PredictRequest
	stream p2p.Stream
	ctx    context.Context // done when the client leaves
	leave  context.CancelCauseFunc
	shares chan inputs      // what the client sends once it has been accepted
	accept chan wire.Accept // receives what the parties agreed on
	ended  chan outcome     // receives how it ended
}

// inputs are this party's shares of a client's inputs, and the session that the
// client meant them for.
type inputs struct {
	session wire.ID
	x       share.Share
}

// An outcome is how a request ended: with this party's shares of the outputs, or
// with an error.
type outcome struct {
	session wire.ID
	y       share.Share
	stats   wire.SessionStats
	err     error
}

// end notes how a request ended. What is noted first counts.
func (r *request) end(o outcome) {
	select {
	case r.ended <- o:
	default:
	}
}

// predict serves a client's request: party 0 opens a session for it, the others
// wait for that.
func (p *Party) predict(in *p2p.Incoming, ask wire.PredictRequest) error {
	v, m, err := p.admit(in.Peer, ask)
	if err != nil {
		return err
	}
	t := ticket{ask.Request, in.Peer}
	if err := p.asked.enter(t); err != nil {
		return err
	}
	r := &request{
		ticket: t, ask: ask, stream: in.Stream,
		shares: make(chan inputs, 1), accept: make(chan wire.Accept, 1), ended: make(chan outcome, 1),
	}
	r.ctx, r.leave = context.WithCancelCause(p.ctx)
	defer r.leave(nil)
	p.work.Go(func() { r.leave(r.listen(v.manifest.Input)) })
	// Whatever happens, the reader must not outlive the request.
	defer in.Stream.SetReadDeadline(time.Unix(1, 0))

	p.asked.put(t, r)
	if p.self == 0 {
		p.gather(v, m, r)
	}
	return p.attend(r, v.manifest.Output.Width)
}

// attend tells the client of a request what becomes of it.
func (p *Party) attend(r *request, width int) error {
	limit := time.NewTimer(p.cfg.Timeouts.Material + p.cfg.Timeouts.Session)
	defer limit.Stop()
	gone := r.ctx.Done()
	for {
		var err error
		select {
		case a := <-r.accept:
			r.stream.SetWriteDeadline(time.Now().Add(answerTime))
			if err := wire.Write(r.stream, a); err != nil {
				r.leave(fmt.Errorf("%w: %w", errClientGone, err))
			}
			continue
		case o := <-r.ended:
			if o.err != nil {
				return o.err
			}
			return r.answer(o, width)
		case <-gone:
			err = context.Cause(r.ctx)
		case <-limit.C:
			err = errLate
		}
		if p.asked.remove(r.ticket) {
			return err
		}
		gone = nil // a session has it, sees the same context, and ends in time
	}
}

// answer brings the client its shares of the output.
func (r *request) answer(o outcome, width int) error {
	report, err := wire.EncodeSessionStats(o.stats)
	if err != nil {
		return err
	}
	packed := ring.AppendPacked(make([]byte, 0, ring.PackedLen(len(o.y), width)), o.y, width)
	r.stream.SetWriteDeadline(time.Now().Add(answerTime))
	if err := wire.Write(r.stream, wire.Result{Session: o.session, Stats: int64(len(report))}, packed, report); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	return nil
}

// admit checks a request against what this party serves.
func (p *Party) admit(client p2p.PeerID, ask wire.PredictRequest) (*version, configs.Model, error) {
	m, known := p.cfg.Model(ask.Model)
	if err := p.allowed(client, configs.RolePredict, ask.Model); err != nil {
		return nil, m, err
	}
	v := p.models.get(ask.Model)
	if v == nil || !known {
		return nil, m, p.unknown(ask.Model)
	}
	if v.digest != ask.Manifest {
		return nil, m, &wire.Error{
			Code: wire.CodeProgram, Party: p.self, Step: "request",
			Message: fmt.Sprintf("the model has the manifest %s, the request is for %s", v.digest.Short(), ask.Manifest.Short()),
			Hint:    "the model was deployed again: look it up and retry",
		}
	}
	if ask.Batch > m.MaxBatch {
		return nil, m, &wire.Error{
			Code: wire.CodeRequest, Party: p.self, Step: "request",
			Message: fmt.Sprintf("a request of %d rows, at most %d are allowed", ask.Batch, m.MaxBatch),
			Hint:    "send fewer rows at once, or raise max_batch of the model",
		}
	}
	return v, m, nil
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

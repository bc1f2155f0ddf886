package party

import (
	"context"
	"time"

	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/protocol/share"
)

// An arrival is what came of waiting for the shares of a request.
type arrival struct {
	part int // index of the request
	in   inputs
	err  error
}

// await waits for the shares of a request.
func (r *request) await(ctx context.Context, part int) arrival {
	select {
	case in := <-r.shares:
		return arrival{part: part, in: in}
	case <-r.ctx.Done():
		return arrival{part: part, err: context.Cause(r.ctx)}
	case <-ctx.Done():
		return arrival{part: part, err: context.Cause(ctx)}
	}
}

// receive tells the clients what the parties agreed on and waits for their
// shares of the inputs. It fails if none sends any.
//
// A client who does not send its share has this party compute on a share of
// zero in its place: clients may choose their shares, so that nobody learns
// anything from it, and the other requests go on without another word among the
// parties. The client does not get its result from here. Once the first shares
// are there, the others have half the time of a step: the peers, who may have
// them all, wait no longer than that.
func (s *session) receive(ctx context.Context, id wire.ID) (share.Share, error) {
	v := s.proposal.v
	arrivals := make(chan arrival, len(s.requests))
	for i, r := range s.requests {
		r.accept <- wire.Accept{Session: id, Version: v.id, Manifest: v.digest}
		s.p.work.Go(func() { arrivals <- r.await(ctx, i) })
	}
	size := v.manifest.Input.Len()
	x := make(share.Share, len(s.mats)*size)
	var (
		late    <-chan time.Time
		why     error
		arrived = make([]bool, len(s.requests))
		sent    = 0
	)
	for range s.requests {
		select {
		case a := <-arrivals:
			arrived[a.part] = true
			if why = s.check(a, id); why != nil {
				s.requests[a.part].end(outcome{err: why})
				continue
			}
			copy(x[s.first(a.part)*size:], a.in.x)
			if sent++; sent == 1 {
				t := time.NewTimer(s.p.cfg.Timeouts.Step / 2)
				defer t.Stop()
				late = t.C
			}
			continue
		case <-late:
		}
		for i, r := range s.requests {
			if !arrived[i] {
				r.end(outcome{err: s.overdue()})
			}
		}
		break
	}
	if sent == 0 {
		return nil, why
	}
	return x, nil
}

// check returns what is wrong with an arrival.
func (s *session) check(a arrival, id wire.ID) error {
	if a.err == nil && a.in.session != id {
		return &wire.Error{
			Code: wire.CodeReplay, Party: s.p.self, Step: "input shares",
			Message: "the shares are for another session", Hint: "shares are made afresh for every session",
		}
	}
	return a.err
}

// overdue is the error of a client for whom the others could not wait.
func (s *session) overdue() error {
	return &wire.Error{
		Code: wire.CodeSession, Party: s.p.self, Step: "input shares",
		Message: "the shares did not come in time", Hint: "retry; set merge_delay of the model to 0 if clients are on slow links",
	}
}

// first returns the first row of a request.
func (s *session) first(part int) int {
	rows := 0
	for _, r := range s.requests[:part] {
		rows += r.ask.Batch
	}
	return rows
}

// deliver hands every request its own rows of the output shares y, and what
// they have cost: the traffic is that of the rows alone, so that nobody learns
// how many others there were.
func (s *session) deliver(id wire.ID, y share.Share) {
	v := s.proposal.v
	times := map[string]time.Duration{}
	for _, step := range s.stats.Steps {
		times[step.Step] = step.Time
	}
	size := v.manifest.Output.Len()
	for i, r := range s.requests {
		stats := s.stats
		stats.Steps = nil
		for _, t := range v.traffic(len(s.p.roster.peers), s.p.self, r.ask.Batch) {
			stats.Steps = append(stats.Steps, wire.StepStats{
				Step: t.Step, Rounds: t.Rounds, Sent: t.Sent, Received: t.Received, Time: times[t.Step],
			})
		}
		r.end(outcome{session: id, y: y[s.first(i)*size:][:r.ask.Batch*size], stats: stats})
	}
}

package party

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/tacit-mpc/tacit/client"
	"github.com/tacit-mpc/tacit/configs"
	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// newMergingCluster starts parties that merge requests until they have rows
// rows: the delay never passes.
func newMergingCluster(t *testing.T, rows int, change func(i int, c *configs.Party)) (*cluster, *model.Model) {
	t.Helper()
	c := newCluster(t, 3, func(i int, cfg *configs.Party) {
		cfg.Models[0].MergeDelay, cfg.Models[0].MergeRows = time.Hour, rows
		if change != nil {
			change(i, cfg)
		}
	})
	m := testNet(1)
	c.deploy(m)
	c.awaitFull()
	return c, m
}

// sessions returns how many sessions have reached a state at party 0.
func (c *cluster) sessions(s state) int {
	p := c.parties[0]
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions[s]
}

// both has owner and user predict at the same time.
func (c *cluster) both(m *model.Model, rows [2]int) (ps [2]*client.Prediction, errs [2]error) {
	c.Helper()
	var clients sync.WaitGroup
	for i, who := range []*client.Client{c.owner, c.user} {
		clients.Go(func() { ps[i], errs[i] = c.tryPredictAs(who, m, source(uint64(i)), rows[i]) })
	}
	clients.Wait()
	return ps, errs
}

func TestConcurrentRequestsShareASession(t *testing.T) {
	c, m := newMergingCluster(t, 3, nil)
	ps, errs := c.both(m, [2]int{1, 2})
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	if ps[0].Session != ps[1].Session {
		t.Errorf("sessions %v and %v", ps[0].Session, ps[1].Session)
	}
	if got := c.sessions(done); got != 1 {
		t.Errorf("%d sessions for two requests", got)
	}
	alone := c.predict(m, source(5), 3) // fills a session
	for j := range c.parties {
		for k, whole := range alone.Stats[j].Steps {
			one, two := ps[0].Stats[j].Steps[k], ps[1].Stats[j].Steps[k]
			if one.Step != whole.Step || one.Rounds != whole.Rounds || one.Sent >= two.Sent || two.Sent >= whole.Sent {
				t.Errorf("party %d: 1, 2 and 3 rows cost %+v, %+v and %+v: a client sees more than its own", j, one, two, whole)
			}
		}
	}
	for _, cfg := range c.cfgs {
		if got := c.logs.total(cfg.Name); got != 6 {
			t.Errorf("party %s has spent %d materials on 6 rows", cfg.Name, got)
		}
	}
}

// TestRequestWaitsForTheDelayOnly merges with nobody.
func TestRequestWaitsForTheDelayOnly(t *testing.T) {
	c, m := newMergingCluster(t, 3, func(_ int, cfg *configs.Party) { cfg.Models[0].MergeDelay = time.Millisecond })
	c.predict(m, source(1), 1)
}

// accepted has a client without scruples ask for one row, together with the
// owner who asks for two and gets the right result, and returns the streams of
// the former once its request is accepted, and a way to wait for the owner.
func (c *cluster) accepted(m *model.Model) (streams []p2p.Stream, session wire.ID, wait func()) {
	c.Helper()
	raw := c.raw("user")
	streams = raw.send(raw.request(1))
	var owner sync.WaitGroup
	owner.Go(func() {
		if _, err := c.tryPredictAs(c.owner, m, source(1), 2); err != nil {
			c.Errorf("the other client: %v", err)
		}
	})
	for _, s := range streams {
		a, err := wire.Read[wire.Accept](s)
		if err != nil {
			c.Fatal(err)
		}
		session = a.Session
	}
	return streams, session, owner.Wait
}

func TestClientThatLeavesDoesNotStopTheOthers(t *testing.T) {
	c, m := newMergingCluster(t, 3, nil)
	streams, _, wait := c.accepted(m)
	for _, s := range streams {
		s.Close()
	}
	wait()
	if got := c.sessions(done); got != 1 {
		t.Errorf("%d sessions", got)
	}
}

// TestClientThatStallsDoesNotStopTheOthers has a client send its shares to all
// parties but one.
func TestClientThatStallsDoesNotStopTheOthers(t *testing.T) {
	for _, silent := range []int{0, 2} {
		c, m := newMergingCluster(t, 3, func(_ int, cfg *configs.Party) { cfg.Timeouts.Step = 6 * time.Second })
		streams, session, wait := c.accepted(m)
		for j, s := range streams {
			if j == silent {
				continue
			}
			if err := wire.Write(s, wire.Shares{Session: session, Seed: true}, make([]byte, wire.SeedLen)); err != nil {
				t.Fatal(err)
			}
		}
		wait()
		for j, s := range streams {
			_, err := wire.Read[wire.Result](s)
			if j != silent && err != nil {
				t.Errorf("party %d: %v", j, err)
			}
			if j == silent {
				wantWireError(t, err, wire.CodeSession)
			}
		}
	}
}

func TestOneClientSendsSharesForAnotherSession(t *testing.T) {
	c, m := newMergingCluster(t, 3, nil)
	streams, _, wait := c.accepted(m)
	for _, s := range streams {
		if err := wire.Write(s, wire.Shares{Session: wire.ID{9}, Seed: true}, make([]byte, wire.SeedLen)); err != nil {
			t.Fatal(err)
		}
		_, err := wire.Read[wire.Result](s)
		wantWireError(t, err, wire.CodeReplay)
	}
	wait()
}

// TestRequestThatOnePartyLacksIsLeftOut has a client ask party 0 and one other,
// or all, but one of them for something else.
func TestRequestThatOnePartyLacksIsLeftOut(t *testing.T) {
	for name, other := range map[string]func(ask wire.PredictRequest) wire.Message{
		"unknown":   func(wire.PredictRequest) wire.Message { return wire.StatusRequest{} },
		"different": func(ask wire.PredictRequest) wire.Message { ask.Batch = 2; return ask },
	} {
		c, m := newMergingCluster(t, 3, nil)
		raw := c.raw("user")
		ask := raw.request(1)
		var streams []p2p.Stream
		for j, first := range []wire.Message{ask, other(ask), ask} {
			header, err := wire.Encode(first)
			if err != nil {
				t.Fatal(err)
			}
			streams = append(streams, raw.open(j, header))
		}
		if _, err := c.tryPredictAs(c.owner, m, source(1), 2); err != nil {
			t.Errorf("%s: the other client: %v", name, err)
		}
		for _, j := range []int{0, 2} {
			_, err := wire.Read[wire.Accept](streams[j])
			if e, ok := errors.AsType[*wire.Error](err); !ok || e.Code != wire.CodeRequest || e.Party != 1 {
				t.Errorf("%s: party %d says %v, want that party 1 lacks the request", name, j, err)
			}
		}
		if got := c.sessions(done); got != 1 {
			t.Errorf("%s: %d sessions", name, got)
		}
	}
}

func TestSessionThatAPartyFindsTooLargeIsRefused(t *testing.T) {
	c, m := newMergingCluster(t, 4, func(i int, cfg *configs.Party) {
		if i == 1 {
			cfg.Models[0].MergeRows = 3
		}
	})
	_, errs := c.both(m, [2]int{2, 2})
	for _, err := range errs {
		wantError(t, err, client.CodeBusy, 1)
	}
}

// row returns a request of rows rows whose client leaves when leave is called.
func row(t *testing.T, rows int) (r *request, leave context.CancelCauseFunc) {
	r = &request{ask: wire.PredictRequest{Batch: rows}}
	r.ctx, leave = context.WithCancelCause(t.Context())
	return r, leave
}

func TestCompanyHasLimits(t *testing.T) {
	isFull := func(c *company) bool {
		select {
		case <-c.full:
			return true
		default:
			return false
		}
	}
	join := func(c *company, rows, limit int) bool {
		r, _ := row(t, rows)
		return c.join(r, limit)
	}
	c := newCompany(t.Context())
	if !join(c, 2, 4) || isFull(c) || join(c, 3, 4) || !join(c, 2, 4) || !isFull(c) || join(c, 1, 4) {
		t.Error("4 rows are not the limit")
	}
	c = newCompany(t.Context())
	if !join(c, 5, 0) || !isFull(c) || join(c, 1, 0) {
		t.Error("a request that is to be alone is not")
	}
	c = newCompany(t.Context())
	for range wire.MaxRequests {
		if !join(c, 1, 1<<20) {
			t.Fatal("no room before the limit")
		}
	}
	if !isFull(c) || join(c, 1, 1<<20) {
		t.Errorf("more than %d requests in one session", wire.MaxRequests)
	}
}

func TestCompanyEndsWithTheLastClient(t *testing.T) {
	c := newCompany(t.Context())
	first, leave1 := row(t, 1)
	second, leave2 := row(t, 1)
	c.join(first, 9)
	leave1(errClientGone)
	c.join(second, 9)
	c.leave(errClientGone) // the maker
	if c.ctx.Err() != nil {
		t.Error("the first has taken the second along")
	}
	leave2(errClientGone)
	<-c.ctx.Done()
	third, _ := row(t, 1)
	if !errors.Is(context.Cause(c.ctx), errClientGone) || c.join(third, 9) {
		t.Errorf("ended by %v", context.Cause(c.ctx))
	}
}

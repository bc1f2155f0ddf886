package party

import (
	"context"
	"sync"
	"time"

	"github.com/tacit-mpc/tacit/configs"
	"github.com/tacit-mpc/tacit/internal/wire"
)

// A company is the requests that share a session, of one client or of several.
// Its context ends when the last client has left.
//
// At party 0 a company is open for a while: requests for the same version join
// it until its delay has passed and a session may start, or nothing more fits.
// The other parties learn of it when party 0 proposes the session.
type company struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	full   chan struct{} // closed once nobody joins any more

	mu       sync.Mutex
	requests []*request
	rows     int
	present  int // clients who have not left, and whoever brings them together
	sealed   bool
}

// newCompany returns a company that its maker holds together, and leaves once
// the first requests, or all, have joined.
func newCompany(ctx context.Context) *company {
	c := &company{full: make(chan struct{}), present: 1}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	return c
}

// join adds a request unless the company is sealed, or would exceed limit rows.
// A company that has no room left is sealed.
func (c *company) join(r *request, limit int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sealed || len(c.requests) > 0 && c.rows+r.ask.Batch > limit {
		return false
	}
	c.requests = append(c.requests, r)
	c.rows += r.ask.Batch
	c.present++
	context.AfterFunc(r.ctx, func() { c.leave(context.Cause(r.ctx)) })
	if c.rows >= limit || len(c.requests) == wire.MaxRequests {
		c.sealLocked()
	}
	return true
}

// leave notes that a client, or the maker, has left, for a reason.
func (c *company) leave(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.present--; c.present == 0 {
		c.sealLocked() // who comes later shall not find a context that is done
		c.cancel(why)
	}
}

// seal lets nobody join any more.
func (c *company) seal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sealLocked()
}

func (c *company) sealLocked() {
	if !c.sealed {
		c.sealed = true
		close(c.full)
	}
}

// gather has a request join those that wait for a session of the same version,
// or starts a company for it. Only party 0 does.
func (p *Party) gather(v *version, m configs.Model, r *request) {
	limit := m.MergeRows
	if m.MergeDelay == 0 {
		limit = 0 // it stays alone
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.open[v]; c != nil {
		if c.join(r, limit) {
			return
		}
		c.seal()
	}
	c := newCompany(p.ctx)
	c.join(r, limit)
	c.leave(errClientGone)
	p.open[v] = c
	p.work.Go(func() { p.host(v, c, m.MergeDelay) })
}

// host leads a company to its session and tells all how that ended.
func (p *Party) host(v *version, c *company, delay time.Duration) {
	defer c.cancel(nil)
	start := time.Now()
	done, err := p.enter(c, delay)
	p.mu.Lock()
	if p.open[v] == c {
		delete(p.open, v)
	}
	p.mu.Unlock()
	c.seal()
	var all []*request
	for _, r := range c.requests {
		if p.asked.remove(r.ticket) { // else its client has left
			all = append(all, r)
		}
	}
	if err == nil {
		defer done()
		if len(all) == 0 {
			return
		}
		err = p.lead(c.ctx, all, v, start)
	}
	for _, r := range all {
		r.end(outcome{err: err})
	}
}

// enter waits for those who join, then until a session may run.
func (p *Party) enter(c *company, delay time.Duration) (done func(), err error) {
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.full:
	}
	return p.slot(c.ctx, p.cfg.Timeouts.Material)
}

package party

import (
	"context"
	"sync"

	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// seenSize bounds how many request ids a desk remembers.
const seenSize = 1 << 16

// A ticket names a request: clients choose the id at random, and only the one
// who chose it is served.
type ticket struct {
	id     wire.ID
	client p2p.PeerID
}

// A desk matches requests, which clients bring to every party, with the jobs
// that party 0 opens for them. No request id is accepted twice. A desk is safe
// for concurrent use.
type desk[T any] struct {
	mu      sync.Mutex
	waiting map[ticket]T
	seen    map[wire.ID]bool
	order   []wire.ID // of seen, the oldest first
	arrived chan struct{}
}

func newDesk[T any]() *desk[T] {
	return &desk[T]{waiting: map[ticket]T{}, seen: map[wire.ID]bool{}, arrived: make(chan struct{})}
}

// enter remembers the id of a request and refuses one that it has seen.
func (d *desk[T]) enter(t ticket) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen[t.id] {
		return &wire.Error{
			Code: wire.CodeReplay, Party: wire.Nobody, Step: "request",
			Message: "a request with this id was seen before", Hint: "every request needs a new random id",
		}
	}
	if len(d.order) >= seenSize {
		delete(d.seen, d.order[0])
		d.order = d.order[1:]
	}
	d.seen[t.id] = true
	d.order = append(d.order, t.id)
	return nil
}

// put has a request wait for its job.
func (d *desk[T]) put(t ticket, v T) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting[t] = v
	close(d.arrived)
	d.arrived = make(chan struct{})
}

// remove takes back a request. It reports whether no job has claimed it.
func (d *desk[T]) remove(t ticket) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.waiting[t]
	delete(d.waiting, t)
	return ok
}

// claim returns a request, at the latest when ctx is done.
func (d *desk[T]) claim(ctx context.Context, t ticket) (v T, ok bool) {
	for {
		d.mu.Lock()
		v, ok = d.waiting[t]
		delete(d.waiting, t)
		arrived := d.arrived
		d.mu.Unlock()
		if ok {
			return v, true
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return v, false
		}
	}
}

package party

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/protocol/prep"
	"github.com/tacit-mpc/tacit/transport"
)

// The states of the preparation of a model.
const (
	prepOffline    = "offline"    // no preparation session
	prepConnecting = "connecting" // to the other parties
	prepSetup      = "setting up"
	prepIdle       = "idle" // the pool is full
	prepGenerating = "generating"
)

// A stock is the pool of one version with those who wait for it. At party 0 it
// says when material may be handed out: only after the parties have compared
// what they hold, and never while they do.
type stock struct {
	pool          *pool[*prep.Inference]
	target, batch int

	// comparing is held for writing while the parties compare inventories, and
	// for reading from the proposal of a session until all have spent.
	comparing sync.RWMutex

	mu      sync.Mutex
	synced  bool // all parties hold the same
	wanted  int  // how many inferences sessions wait for
	changed chan struct{}
	problem error // why the latest preparation session ended, until a batch is ready
	status  wire.ModelStatus
}

func newStock(p *pool[*prep.Inference], target, batch int) *stock {
	return &stock{
		pool: p, target: target, batch: batch, changed: make(chan struct{}),
		status: wire.ModelStatus{Prep: prepOffline, Target: target},
	}
}

// update changes the stock and wakes all who wait for a change.
func (s *stock) update(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

// open notes that a preparation session is open. What ended the last one is
// settled if it was a lost party.
func (s *stock) open() {
	s.update(func() {
		s.synced, s.status.Prep = true, prepIdle
		if _, lost := errors.AsType[*transport.PeerError](s.problem); lost {
			s.problem = nil
		}
	})
}

// enter notes what the preparation does.
func (s *stock) enter(state string) { s.update(func() { s.status.Prep = state }) }

// change returns a channel that is closed at the next change.
func (s *stock) change() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// low reports whether another batch should be generated: when there is room for
// it, when there is nothing, and when sessions wait for more than there is.
func low(level, wanted, target, batch int) bool {
	return level < wanted || target > 0 && (level == 0 || level+batch <= target)
}

func (s *stock) low() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return low(s.pool.level(), s.wanted, s.target, s.batch)
}

// need returns the order that party 0 gives next.
func (s *stock) need() byte {
	switch {
	case !s.isSynced():
		return orderCompare
	case s.low():
		return orderBatch
	}
	return orderIdle
}

// doubt notes that a party did not hold what it should: nothing is handed out
// until all have compared what they hold.
func (s *stock) doubt() { s.update(func() { s.synced = false }) }

// unreachableTime is how long a request waits for a party that is known to be
// unreachable.
const unreachableTime = 4 * time.Second

// draw takes the material of n inferences, for which it waits at most for
// limit. The caller calls release once no party will spend any of it any more.
func (s *stock) draw(ctx context.Context, n int, limit time.Duration) (ids []wire.Material, mats []*prep.Inference, release func(), err error) {
	s.update(func() { s.wanted += n })
	defer s.update(func() { s.wanted -= n })
	late, broken := time.NewTimer(limit), time.NewTimer(min(limit, unreachableTime))
	defer late.Stop()
	defer broken.Stop()
	for {
		change := s.change()
		if s.isSynced() {
			s.comparing.RLock()
			ids, mats, err := s.pool.reserve(n)
			if err == nil && ids != nil {
				return ids, mats, s.comparing.RUnlock, nil
			}
			s.comparing.RUnlock()
			if err != nil {
				return nil, nil, nil, err
			}
		}
		select {
		case <-change:
		case <-broken.C:
			if err := s.unreachable(); err != nil {
				return nil, nil, nil, err
			}
		case <-late.C:
			return nil, nil, nil, s.shortage(n, limit)
		case <-ctx.Done():
			return nil, nil, nil, context.Cause(ctx)
		}
	}
}

func (s *stock) isSynced() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.synced
}

// unreachable returns why the other parties cannot be reached, if so.
func (s *stock) unreachable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := errors.AsType[*transport.PeerError](s.problem); ok && !s.synced {
		return s.problem
	}
	return nil
}

func (s *stock) shortage(n int, limit time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := errors.AsType[*wire.Error](s.problem); ok {
		return e
	}
	return &wire.Error{
		Code: wire.CodePool, Party: wire.Nobody, Step: "wait for material",
		Message: fmt.Sprintf("%d inferences were not ready within %v: %d are, preparation is %s", n, limit, s.pool.level(), s.status.Prep),
		Hint:    "preparing takes longer than predicting: raise the pool target, wait longer, or see the status of the cluster",
	}
}

// record notes what a batch cost.
func (s *stock) record(b wire.BatchStats) {
	s.update(func() {
		s.problem = nil
		s.status.Last = b
		s.status.Batches++
		s.status.Inferences += b.Batch
		s.status.Total.Time += b.Time
		s.status.Total.Bytes += b.Bytes
	})
}

// report returns what there is to say about the stock.
func (s *stock) report() wire.ModelStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.status
	m.Pool = s.pool.level()
	if s.problem != nil {
		m.Problem = s.problem.Error()
	}
	return m
}

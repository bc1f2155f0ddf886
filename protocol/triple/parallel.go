package triple

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/tacit-mpc/tacit/transport"
)

// parallel calls f(0) … f(n−1), where every goroutine has an f of its own, from
// worker of its number, with its buffers. It stops at the first error, which it
// returns, and when the session is over. Between calls it yields to more urgent work.
func parallel(m *transport.Mesh, n int, worker func(w int) func(i int) error) error {
	ctx, cancel := context.WithCancelCause(m.Context())
	defer cancel(nil)
	var next atomic.Int64
	var workers sync.WaitGroup
	for w := range min(m.Workers(), n) {
		workers.Go(func() {
			f := worker(w)
			for ctx.Err() == nil {
				m.Yield()
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := f(i); err != nil {
					cancel(err)
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

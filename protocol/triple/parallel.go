package triple

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel calls f(0) … f(n−1), where every goroutine has an f of its own, from
// worker, with its buffers. It stops at the first error, which it returns, and
// when ctx is done.
func parallel(ctx context.Context, n int, worker func() func(i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		workers.Go(func() {
			f := worker()
			for ctx.Err() == nil {
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

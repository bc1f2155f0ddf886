// Package testnet runs all parties of a protocol inside one test.
package testnet

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tacit-mpc/tacit/transport"
)

// Run executes f as each of n parties over an in-memory mesh. The test fails
// if any party does, and at once, with every stack, if the parties deadlock.
func Run(t *testing.T, n int, f func(m *transport.Mesh) error) {
	t.Helper()
	run(t, func(ctx context.Context) []*transport.Mesh { return transport.Pipe(ctx, n) }, f)
}

// Over is Run on an emulated network. It returns the virtual time that the
// slowest party took, computing excluded, as that takes none.
func Over(t *testing.T, n int, p transport.Profile, f func(m *transport.Mesh) error) time.Duration {
	t.Helper()
	return run(t, func(ctx context.Context) []*transport.Mesh { return transport.PipeOver(ctx, n, p) }, f)
}

func run(t *testing.T, meshes func(context.Context) []*transport.Mesh, f func(m *transport.Mesh) error) (took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var parties sync.WaitGroup
		for _, m := range meshes(t.Context()) {
			parties.Go(func() {
				if err := f(m); err != nil {
					t.Errorf("party %d: %v", m.Self(), err)
					m.Close()
				}
			})
		}
		parties.Wait()
		took = time.Since(start)
	})
	return took
}

// Package testnet runs all parties of a protocol inside one test.
package testnet

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/tacit-mpc/tacit/transport"
)

// Run executes f as each of n parties over an in-memory mesh. The test fails
// if any party does, and at once, with every stack, if the parties deadlock.
func Run(t *testing.T, n int, f func(m *transport.Mesh) error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var parties sync.WaitGroup
		for _, m := range transport.Pipe(t.Context(), n) {
			parties.Go(func() {
				if err := f(m); err != nil {
					t.Errorf("party %d: %v", m.Self(), err)
				}
			})
		}
		parties.Wait()
	})
}

package testnet

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/tacit-mpc/tacit/transport"
)

// RunPairs is Run with two meshes for every party.
func RunPairs(t *testing.T, n int, f func(a, b *transport.Mesh) error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var parties sync.WaitGroup
		a, b := transport.Pipe(t.Context(), n), transport.Pipe(t.Context(), n)
		for i := range n {
			parties.Go(func() {
				if err := f(a[i], b[i]); err != nil {
					t.Errorf("party %d: %v", i, err)
				}
			})
		}
		parties.Wait()
	})
}

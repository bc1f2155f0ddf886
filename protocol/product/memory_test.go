package product

import (
	"fmt"
	"io"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"testing"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/protocol/ot/ottest"
	"github.com/tacit-mpc/tacit/transport"
)

// A watched source notes the live heap, as of the last collection, when the vectors of
// a chunk are there.
type watched struct {
	*ot.Session
	peak *atomic.Int64
}

func (w watched) note(party int) {
	if party == 0 {
		runtime.GC()
	}
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	for live := int64(sample[0].Value.Uint64()); ; {
		old := w.peak.Load()
		if live <= old || w.peak.CompareAndSwap(old, live) {
			return
		}
	}
}

func (w watched) MulOwn(m *transport.Mesh, step string, reqs []ot.OwnRequest) error {
	defer w.note(w.Self())
	return w.Session.MulOwn(m, step, reqs)
}

// checkBound generates the classes at three parties and asserts that the memory of
// all stays within the bound.
func checkBound(t testing.TB, classes []Class, memory int) {
	t.Helper()
	const n = 3
	var base, peak atomic.Int64
	ottest.Bases(t, n)
	prg.ForgetTweaks()
	watched{peak: &base}.note(0)
	ottest.Together(t, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
		next := 0
		err := generateTo(m, watched{s, &peak}, rng, classes, 1, memory, func(inference int, mat *Material) error {
			if mat.Class() != classes[next] {
				return fmt.Errorf("material of layer %d, want %d", mat.Class().Layer, next)
			}
			next++
			return nil
		})
		if err == nil && next != len(classes) {
			return fmt.Errorf("%d layers", next)
		}
		return err
	})
	live, bound := peak.Load()-base.Load(), n*bound(n, classes, memory)
	t.Logf("%d MB live, bound %d MB", live>>20, bound>>20)
	if live > bound {
		t.Errorf("%d bytes live, the bound is %d", live, bound)
	}
}

func TestGenerationIsBoundedInMemory(t *testing.T) {
	var classes []Class
	for l := range 6 {
		classes = append(classes, Class{T: 6000, M: 1, K: 1, N: 1, Width: 40, Square: l%2 == 1, Layer: l})
	}
	checkBound(t, classes, 8<<20)
	classes = nil
	for l := range 4 {
		classes = append(classes, Class{T: 2, M: 32 + l%2, K: 16, N: 32, Width: 33, Layer: l})
	}
	checkBound(t, classes, 6<<20)
}

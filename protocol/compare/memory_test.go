package compare

import (
	"fmt"
	"io"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"testing"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

// A watched source notes the live heap, as of the last collection, whenever
// something was made.
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

// AndEach and Mul are called when the chunk's vectors are there.
func (w watched) AndEach(m *transport.Mesh, step string, reqs []ot.EachRequest) ([][][]uint64, error) {
	defer w.note(w.Self())
	return w.Session.AndEach(m, step, reqs)
}

func (w watched) Mul(m *transport.Mesh, step string, reqs []ot.MulRequest) ([][][]uint64, error) {
	defer w.note(w.Self())
	return w.Session.Mul(m, step, reqs)
}

// checkBound generates layers at three parties and asserts that the
// memory of all stays within the bound.
func checkBound(t testing.TB, class Class, layers, memory int) {
	t.Helper()
	const n = 3
	var classes []Class
	for l := range layers {
		class.Layer = l
		classes = append(classes, class)
	}
	var base, peak atomic.Int64
	basesOf(t, n)
	prg.ForgetTweaks()
	watched{peak: &base}.note(0)
	together(t, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
		next := 0
		work, err := generateTo(m, watched{s, &peak}, rng, classes, 1, memory, func(inference int, mat *Material) error {
			if mat.Class() != classes[next] {
				return fmt.Errorf("material of layer %d, want %d", mat.Class().Layer, next)
			}
			next++
			return nil
		})
		if err != nil {
			return err
		}
		if next != len(classes) || work.Chunks < 4 {
			return fmt.Errorf("%d layers in %d chunks", next, work.Chunks)
		}
		return nil
	})
	live, bound := peak.Load()-base.Load(), n*bound(n, 0, classes, memory)
	t.Logf("%d MB live, bound %d MB", live>>20, bound>>20)
	if live > bound {
		t.Errorf("%d bytes live, the bound is %d", live, bound)
	}
}

func TestGenerationIsBoundedInMemory(t *testing.T) {
	checkBound(t, Class{KindReLU, 20, 32, 6000, 0, 0, Carry}, 6, 6<<20)
	checkBound(t, Class{KindReLU, 20, 32, 1000, 0, 0, Garbled}, 8, 4<<20)
	checkBound(t, Class{KindSpline, 18, 36, 1000, 0, 32, Carry}, 5, 6<<20)
	checkBound(t, Class{KindSpline, 18, 36, 200, 0, 8, Garbled}, 5, 6<<20)
}

// A network of 500,000 ReLUs in 8 layers.
func BenchmarkGenerateLarge(b *testing.B) {
	for b.Loop() {
		checkBound(b, Class{KindReLU, 20, 32, 62500, 0, 0, Carry}, 8, chunkMemory)
	}
}

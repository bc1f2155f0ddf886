package compare

import (
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

// All parties in one process; figures are per comparison of 20 bits at all of
// them.
const benchLen = 10000

// together runs f as n parties with sessions and waits for all of them.
func together(b testing.TB, n int, f func(m *transport.Mesh, s *ot.Session, rng io.Reader) error) {
	b.Helper()
	made := basesOf(b, n)
	var parties sync.WaitGroup
	for p, m := range transport.Pipe(b.Context(), n) {
		parties.Go(func() {
			rng := tape(2, p)
			s, err := made[p].Fork(m, rng, make([]byte, ot.KeyLen))
			if err == nil {
				err = f(m, s, rng)
			}
			if err != nil {
				b.Error(err)
				m.Close()
			}
		})
	}
	parties.Wait()
}

func perComparison(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchLen, "ns/comparison")
}

func onBoth(b *testing.B, f func(b *testing.B, n int, back Backend)) {
	for _, n := range []int{2, 3, 5} {
		for _, back := range bothBackends {
			b.Run(fmt.Sprintf("n=%d/%v", n, back), func(b *testing.B) { f(b, n, back) })
		}
	}
}

func BenchmarkGenerate(b *testing.B) { onBoth(b, benchGenerate) }
func BenchmarkReLU(b *testing.B)     { onBoth(b, benchReLU) }

func benchGenerate(b *testing.B, n int, back Backend) {
	var ready sync.WaitGroup
	ready.Add(n)
	together(b, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
		ready.Done()
		ready.Wait()
		if m.Self() == 0 {
			b.ResetTimer()
		}
		for i := range b.N {
			if _, err := Generate(m, s, rng, []Class{{KindReLU, 20, 32, benchLen, i, 0, back}}, 1); err != nil {
				return err
			}
		}
		return nil
	})
	perComparison(b)
}

func benchReLU(b *testing.B, n int, back Backend) {
	class := Class{KindReLU, 20, 32, benchLen, 0, 0, back}
	together(b, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
		mats, err := Generate(m, s, rng, []Class{class}, 1)
		if err != nil {
			return err
		}
		stored, err := mats[0][0].AppendBinary(nil)
		if err != nil {
			return err
		}
		x := make([]uint64, benchLen)
		if m.Self() == 0 {
			b.ResetTimer()
		}
		for range b.N {
			if m.Self() == 0 {
				b.StopTimer()
			}
			mat, err := ParseMaterial(class, n, m.Self(), stored)
			if err != nil {
				return err
			}
			if _, err := m.Broadcast("ready", []byte{0}); err != nil {
				return err
			}
			if m.Self() == 0 {
				b.StartTimer()
			}
			if _, err := ReLU(m, "relu", []*Material{mat}, x); err != nil {
				return err
			}
		}
		return nil
	})
	perComparison(b)
}

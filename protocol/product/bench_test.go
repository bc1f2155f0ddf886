package product

import (
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/protocol/ot/ottest"
	"github.com/tacit-mpc/tacit/transport"
)

// All parties in one process; figures are per product of two elements of 40 bits at
// all of them.
var benchClasses = []struct {
	name  string
	class Class
}{
	{"elements", Class{T: 1 << 13, M: 1, K: 1, N: 1, Width: 40}},
	{"squares", Class{T: 1 << 13, M: 1, K: 1, N: 1, Width: 40, Square: true}},
	{"rows", Class{T: 4, M: 1, K: 64, N: 64, Width: 40}},
	{"matrices", Class{T: 4, M: 32, K: 32, N: 32, Width: 40}},
	{"attention", Class{T: 1, M: 64, K: 64, N: 64, Width: 40}},
}

func onAll(b *testing.B, f func(b *testing.B, n int, c Class)) {
	for _, n := range []int{2, 3, 5} {
		for _, c := range benchClasses {
			b.Run(fmt.Sprintf("n=%d/%s", n, c.name), func(b *testing.B) {
				f(b, n, c.class)
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(c.class.Products()), "ns/product")
			})
		}
	}
}

func BenchmarkGenerate(b *testing.B) { onAll(b, benchGenerate) }
func BenchmarkMultiply(b *testing.B) { onAll(b, benchMultiply) }

func benchGenerate(b *testing.B, n int, c Class) {
	ottest.Bases(b, n)
	var ready sync.WaitGroup
	ready.Add(n)
	ottest.Together(b, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
		ready.Done()
		ready.Wait()
		if m.Self() == 0 {
			b.ResetTimer()
		}
		for i := range b.N {
			c.Layer = i
			if _, err := Generate(m, s, rng, []Class{c}, 1); err != nil {
				return err
			}
		}
		return nil
	})
}

func benchMultiply(b *testing.B, n int, c Class) {
	ottest.Bases(b, n)
	ottest.Together(b, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
		stored, err := noise(b, c, n, m.Self(), 0).AppendBinary(nil)
		if err != nil {
			return err
		}
		x, y := make([]uint64, c.XLen()), make([]uint64, c.YLen())
		if m.Self() == 0 {
			b.ResetTimer()
		}
		for range b.N {
			if m.Self() == 0 {
				b.StopTimer()
			}
			mat, err := ParseMaterial(c, n, m.Self(), stored)
			if err != nil {
				return err
			}
			if _, err := m.Broadcast("ready", []byte{0}); err != nil {
				return err
			}
			if m.Self() == 0 {
				b.StartTimer()
			}
			if _, err := Multiply(m, "product", []*Material{mat}, x, y); err != nil {
				return err
			}
		}
		return nil
	})
}

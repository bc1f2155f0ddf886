package compare

import (
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

// All parties in one process; figures are per element at all of them.
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

func onBoth(b *testing.B, f func(b *testing.B, n int, class Class)) {
	for _, n := range []int{2, 3, 5} {
		for _, back := range bothBackends {
			b.Run(fmt.Sprintf("n=%d/%v", n, back), func(b *testing.B) {
				f(b, n, Class{KindReLU, 20, 32, benchLen, 0, 0, back})
				perElement(b, benchLen)
			})
		}
	}
}

func BenchmarkGenerate(b *testing.B) { onBoth(b, benchGenerate) }
func BenchmarkReLU(b *testing.B)     { onBoth(b, benchOnline) }

// A spline beside as many ReLUs as it has knots: both per element of the spline.
func onSplines(b *testing.B, f func(b *testing.B, n int, class Class)) {
	const elements = 1024
	for _, n := range []int{2, 3} {
		for _, back := range []Backend{Carry, Garbled} {
			for _, knots := range []int{8, 32} {
				for _, c := range []Class{{KindReLU, 18, 36, elements * knots, 0, 0, back}, {KindSpline, 18, 36, elements, 0, knots, back}} {
					b.Run(fmt.Sprintf("n=%d/%v/knots=%d/%v", n, back, knots, c.Kind), func(b *testing.B) {
						f(b, n, c)
						perElement(b, elements)
					})
				}
			}
		}
	}
}

func BenchmarkGenerateSpline(b *testing.B) { onSplines(b, benchGenerate) }
func BenchmarkSpline(b *testing.B)         { onSplines(b, benchOnline) }

func perElement(b *testing.B, elements int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(elements), "ns/element")
}

func benchGenerate(b *testing.B, n int, class Class) {
	var ready sync.WaitGroup
	ready.Add(n)
	together(b, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
		ready.Done()
		ready.Wait()
		if m.Self() == 0 {
			b.ResetTimer()
		}
		class := class
		for class.Layer = range b.N {
			if _, err := Generate(m, s, rng, []Class{class}, 1); err != nil {
				return err
			}
		}
		return nil
	})
}

func benchOnline(b *testing.B, n int, class Class) {
	together(b, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
		mats, err := Generate(m, s, rng, []Class{class}, 1)
		if err != nil {
			return err
		}
		stored, err := mats[0][0].AppendBinary(nil)
		if err != nil {
			return err
		}
		x := make([]uint64, class.N)
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
			if class.Kind == KindSpline {
				_, err = EvalSpline(m, "spline", []*Material{mat}, splineOf(class), x)
			} else {
				_, err = ReLU(m, "relu", []*Material{mat}, x)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

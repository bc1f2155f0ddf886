package ot

import (
	"fmt"
	"sync"
	"testing"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/transport"
)

// BenchmarkExtend measures correlated OTs at one side, on one core.
func BenchmarkExtend(b *testing.B) {
	const n = 1 << 17
	for _, k := range []int{2, 4, 8} {
		rng := stream(1, 0)
		delta, err := randomDelta(rng)
		if err != nil {
			b.Fatal(err)
		}
		leaves, sums, err := plant(rng, k)
		if err != nil {
			b.Fatal(err)
		}
		msg := cover(sums, make([][2]prg.Block, kappa))
		r := receiver{newForest(k, leaves, false)}
		s := sender{newForest(k, regrow(k, delta, make([]prg.Block, kappa), msg), true), delta}
		work, blocks, x, wire := newScratch(k), make([]prg.Block, n), make([]byte, n/8), make([]byte, extendLen(k, n))
		side := func(name string, f func()) {
			b.Run(fmt.Sprintf("k=%d/%s", k, name), func(b *testing.B) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds()/1e6, "MCOT/s")
			})
		}
		side("receiver", func() { r.extend(work, blocks, x, wire) })
		side("sender", func() { s.extend(work, blocks, wire) })
	}
}

// parallel runs f as each of n parties over one set of meshes, once per loop.
func parallel(b *testing.B, n int, f func(m *transport.Mesh, i int) error) {
	meshes := transport.Pipe(b.Context(), n)
	for b.Loop() {
		var parties sync.WaitGroup
		for i, m := range meshes {
			parties.Go(func() {
				if err := f(m, i); err != nil {
					b.Error(err)
				}
			})
		}
		parties.Wait()
	}
}

// BenchmarkSetup measures the base OTs of two parties, both directions.
func BenchmarkSetup(b *testing.B) {
	parallel(b, 2, func(m *transport.Mesh, i int) error {
		_, err := Setup(m, stream(1, i))
		return err
	})
}

// BenchmarkFork measures the start of a batch of two parties.
func BenchmarkFork(b *testing.B) {
	for _, k := range []int{2, 4, 8} {
		b.Run(fmt.Sprintf("k=%d", k), func(b *testing.B) {
			bases, key := dealBases(b, 1, 2), batch()
			parallel(b, 2, func(m *transport.Mesh, i int) error {
				_, err := bases[i].Fork(m, stream(2, i), key, Depth(k))
				return err
			})
		})
	}
}

// BenchmarkProducts measures products of n = 3 parties, all of them together.
func BenchmarkProducts(b *testing.B) {
	const n, size = 3, 1 << 15
	bases, key := dealBases(b, 1, n), batch()
	sessions, bits := make([]*Session, n), make([][]Bits, n)
	meshes := transport.Pipe(b.Context(), n)
	var parties sync.WaitGroup
	for i, m := range meshes {
		parties.Go(func() {
			var err error
			if sessions[i], err = bases[i].Fork(m, stream(2, i), key); err != nil {
				b.Error(err)
				return
			}
			x := randomBits(stream(3, i), size)
			bits[i], err = sessions[i].Authenticate(m, "bits", []Request{{x, All(n), All(n)}, {x, All(n), All(n)}})
			if err != nil {
				b.Error(err)
			}
		})
	}
	parties.Wait()
	rate := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/size, "ns/product")
	}
	b.Run("authenticate", func(b *testing.B) {
		parallel(b, n, func(m *transport.Mesh, i int) error {
			_, err := sessions[i].Authenticate(m, "bits", []Request{{bits[i][0].X, All(n), All(n)}})
			return err
		})
		rate(b)
	})
	b.Run("and", func(b *testing.B) {
		parallel(b, n, func(m *transport.Mesh, i int) error {
			_, err := sessions[i].And(m, "and", []AndRequest{{A: bits[i][0], B: bits[i][1], Eval: 2}})
			return err
		})
		rate(b)
	})
	b.Run("mul", func(b *testing.B) {
		parallel(b, n, func(m *transport.Mesh, i int) error {
			_, err := sessions[i].Mul(m, "mul", []MulRequest{{Beta: bits[i][0], Widths: []int{32}, Order: []int{0, 1, 2}, One: true}})
			return err
		})
		rate(b)
	})
}

package triple

import (
	"math/rand/v2"
	"testing"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// randomConv returns a small valid geometry of any kind.
func randomConv(r *rand.Rand) ring.Conv {
	for {
		groups := 1 + r.IntN(3)*r.IntN(3)
		c := ring.Conv{
			H: 1 + r.IntN(9), W: 1 + r.IntN(9), In: groups * (1 + r.IntN(4)),
			KH: 1 + r.IntN(3), KW: 1 + r.IntN(4), Out: groups * (1 + r.IntN(5)),
			StrideH: 1 + r.IntN(2), StrideW: 1 + r.IntN(3), DilH: 1 + r.IntN(2), DilW: 1 + r.IntN(2),
			Top: r.IntN(3), Left: r.IntN(3), Bottom: r.IntN(3), Right: r.IntN(3), Groups: groups,
		}
		switch r.IntN(4) {
		case 0: // 1-D
			c.H, c.KH, c.DilH, c.StrideH, c.Top, c.Bottom = 1, 1, 1, 1, 0, 0
		case 1: // depthwise
			c.Groups, c.Out = c.In, c.In
		}
		if c.Validate() == nil {
			return c
		}
	}
}

// randomShape returns any packing of c, good or bad.
func randomShape(r *rand.Rand, c ring.Conv) shape {
	all := bundlings(c)
	b := all[r.IntN(len(all))]
	spread := 1 << r.IntN(6)
	pick := func(n int) int { return 1 + r.IntN(n) }
	for {
		m := matrix{b, pick(b.groups * b.KH * b.KW * b.in()), spread}
		p := image{b, pick(b.groups * b.in()), spread, pick(c.H + 1)}
		if h, _ := c.Size(); p.tr <= h && p.iw() > 0 && r.IntN(2) == 0 {
			return p.shape()
		}
		if m.mw() > 0 {
			return m.shape()
		}
	}
}

// TestPackingsAreExact multiplies the packed polynomials in the clear.
func TestPackingsAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 150 {
		c := randomConv(r)
		s := randomShape(r, c)
		batch := 1 + r.IntN(20)
		a, b := make([]uint64, batch*c.InLen()), make([]uint64, c.WeightLen())
		for i := range a {
			a[i] = r.Uint64()
		}
		for i := range b {
			b[i] = r.Uint64()
		}
		want, got, hits := make([]uint64, batch*c.OutLen()), make([]uint64, batch*c.OutLen()), make([]int, batch*c.OutLen())
		ring.NewFilter(c, b, 64).MulAdd(want, a, batch)
		multiplyPacked(s, got, hits, a, b, batch)
		for i := range want {
			if got[i] != want[i] || hits[i] != 1 {
				t.Fatalf("%+v as %T %+v, batch %d: output %d is %x, written %d times, want %x", c, s.packing, s, batch, i, got[i], hits[i], want[i])
			}
		}
	}
}

func multiplyPacked(s shape, z []uint64, hits []int, a, b []uint64, batch int) {
	v, w := make([]uint64, degree/s.spread), make([]uint64, degree)
	for bundle := range s.bundles {
		for mb := range s.rows(batch) {
			for nb := range s.cols {
				p := make([]uint64, degree)
				for kb := range s.inner {
					s.inputs(v, a, batch, bundle, mb, kb)
					s.weights(w, b, bundle, kb, nb)
					negacyclic(p, v, w, s.spread)
				}
				index, place := s.outputs(nil, nil, batch, bundle, mb, nb)
				for i, at := range place {
					z[at] += p[index[i]]
					hits[at]++
				}
			}
		}
	}
}

// negacyclic adds v(X^spread)·w(X) mod X^N+1 to p.
func negacyclic(p, v, w []uint64, spread int) {
	for j, y := range w {
		if y == 0 {
			continue
		}
		for i, x := range v {
			if e := i*spread + j; e < degree {
				p[e] += x * y
			} else {
				p[e-degree] -= x * y
			}
		}
	}
}

// TestTermsBoundTheNoise: no block of A has more non-zero coefficients than
// the flooding is told.
func TestTermsBoundTheNoise(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		c := randomConv(r)
		s := randomShape(r, c)
		batch := 1 + r.IntN(40)
		a := make([]uint64, batch*c.InLen())
		for i := range a {
			a[i] = 1
		}
		v := make([]uint64, degree/s.spread)
		for mb := range s.rows(batch) {
			terms := 0
			for kb := range s.inner {
				s.inputs(v, a, batch, 0, mb, kb)
				for _, x := range v {
					terms += int(x)
				}
			}
			if terms > s.terms {
				t.Fatalf("%+v as %+v: %d non-zero coefficients, %d announced", c, s, terms, s.terms)
			}
		}
	}
}

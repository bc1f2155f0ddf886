package triple

import (
	"math/bits"

	lattigo "github.com/ldsec/lattigo/v2/ring"
	"github.com/tacit-mpc/tacit/internal/ring"
)

// transform sets t to the transform of v, centred modulo 2ᵏ, modulo qᵢ. By the
// order of lattigo's transform, that of Σ v[j]·X^(j·spread) is t with each value
// repeated spread times.
func (e *evaluator) transform(t, v []uint64, k, i int) {
	for j, x := range v {
		t[j] = e.residue(ring.Signed(x, k), i)
	}
	lattigo.NTT(t, t, len(t), e.r.NttPsi[i], e.primes[i], e.r.MredParams[i], e.r.BredParams[i])
}

// tile is how many coefficients are summed at a time, in the nearest cache.
const tile = 1024

// A summation holds sums of 128 bits, and one factor.
type summation struct{ hi, lo, v [tile]uint64 }

// products sets acc to Σ t[j]∘w[j] modulo qᵢ, where t holds one short transform
// after the other, each of whose values stands for spread coefficients, and w is
// in Montgomery form.
func (e *evaluator) products(acc, t []uint64, w [][]uint64, spread, i int) {
	points := degree / spread
	s := &e.sums
	// Products are below 2¹¹², so that 2¹⁶ of them fit.
	const most = 1 << 14
	for at := 0; at < degree; at += tile {
		clear(s.hi[:])
		clear(s.lo[:])
		j := 0
		if spread >= 8 {
			for ; j+4 <= len(w); j += 4 {
				s.addFour(t[j*points+at/spread:], w[j:], points, spread, at)
				if j%most == most-4 {
					e.reduce(s, i)
				}
			}
		}
		for ; j < len(w); j++ {
			for x, a := range t[j*points+at/spread:][:tile/spread] {
				run := s.v[x*spread:][:spread]
				for r := range run {
					run[r] = a
				}
			}
			s.add(w[j][at:])
			if j%most == most-1 {
				e.reduce(s, i)
			}
		}
		e.reduce(s, i)
		q, m := e.primes[i], e.r.MredParams[i]
		for x := range s.hi { // Montgomery reduction
			h, _ := bits.Mul64(s.lo[x]*m, q)
			acc[at+x] = lattigo.CRed(s.hi[x]-h+q, q)
		}
	}
}

// reduce brings the high words below qᵢ.
func (e *evaluator) reduce(s *summation, i int) {
	q, u := e.primes[i], e.r.BredParams[i]
	for x := range s.hi {
		s.hi[x] = lattigo.BRedAdd(s.hi[x], q, u)
	}
}

// add adds v∘w.
func (s *summation) add(w []uint64) {
	w = w[:tile]
	for x, a := range s.v {
		h, l := bits.Mul64(a, w[x])
		var carry uint64
		s.lo[x], carry = bits.Add64(s.lo[x], l, 0)
		s.hi[x], _ = bits.Add64(s.hi[x], h, carry)
	}
}

// addFour adds four products from coefficient at on, a run of spread
// coefficients at a time. The factors of t are points apart.
func (s *summation) addFour(t []uint64, w [][]uint64, points, spread, at int) {
	for x := range tile / spread {
		from := x * spread
		a := [4]uint64{t[x], t[points+x], t[2*points+x], t[3*points+x]}
		from += at
		b := [4][]uint64{w[0][from:], w[1][from:], w[2][from:], w[3][from:]}
		addRun(s.hi[x*spread:][:spread], s.lo[x*spread:][:spread], &a, &b)
	}
}

// addRun adds Σ a[i]·b[i]. Four products at a time take a third of the time that
// one does, as the sums stay in registers.
func addRun(hi, lo []uint64, a *[4]uint64, b *[4][]uint64) {
	n := len(hi)
	lo = lo[:n]
	a0, a1, a2, a3 := a[0], a[1], a[2], a[3]
	b0, b1, b2, b3 := b[0][:n], b[1][:n], b[2][:n], b[3][:n]
	for x := range hi {
		sh, sl := hi[x], lo[x]
		h, l := bits.Mul64(a0, b0[x])
		sl, carry := bits.Add64(sl, l, 0)
		sh, _ = bits.Add64(sh, h, carry)
		h, l = bits.Mul64(a1, b1[x])
		sl, carry = bits.Add64(sl, l, 0)
		sh, _ = bits.Add64(sh, h, carry)
		h, l = bits.Mul64(a2, b2[x])
		sl, carry = bits.Add64(sl, l, 0)
		sh, _ = bits.Add64(sh, h, carry)
		h, l = bits.Mul64(a3, b3[x])
		sl, carry = bits.Add64(sl, l, 0)
		sh, _ = bits.Add64(sh, h, carry)
		hi[x], lo[x] = sh, sl
	}
}

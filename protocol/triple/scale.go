package triple

import (
	"encoding/binary"
	"math/bits"

	lattigo "github.com/ldsec/lattigo/v2/ring"
)

// Plaintexts modulo 2ᵏ are held in the top bits of a word, as multiples of
// 2^(64−k) modulo 2⁶⁴, so that one scaling by Q/2⁶⁴ serves all k.

// scaled returns round(Q·x/2⁶⁴) mod qᵢ, as a number below 2qᵢ. It is exact:
// with Q = 2⁶⁴·Q₁ + Q₀ it is Q₁·x + round(Q₀·x/2⁶⁴).
func (s *scheme) scaled(x uint64, i int) uint64 {
	hi, lo := bits.Mul64(s.low, x)
	q := s.primes[i]
	return lattigo.MRed(x, s.high[i], q, s.r.MredParams[i]) + lattigo.BRedAdd(hi+lo>>63, q, s.r.BredParams[i])
}

// scaleUp sets p = round(Q·x/2⁶⁴), coefficient by coefficient.
func (s *scheme) scaleUp(x []uint64, p *lattigo.Poly) {
	for i, q := range s.primes {
		c := p.Coeffs[i][:len(x)]
		for j, v := range x {
			c[j] = lattigo.CRed(s.scaled(v, i), q)
		}
	}
}

// fractions sets hi, lo to the top 128 bits of p[j]/Q for every j in index:
//
//	p/Q ≡ Σ yᵢ/qᵢ mod 1,  yᵢ = p·(Q/qᵢ)⁻¹ mod qᵢ,
//
// with yᵢ/qᵢ from a reciprocal, rounded down: the result is at most 3 units of
// 2⁻¹²⁸ for every prime below p/Q. An index of nil means all coefficients.
func (s *scheme) fractions(p *lattigo.Poly, index []int32, hi, lo []uint64) {
	clear(hi)
	clear(lo)
	for i, q := range s.primes {
		c, m := p.Coeffs[i], s.r.MredParams[i]
		crt, r1, r0, shift := s.crt[i], s.recip[i][0], s.recip[i][1], uint(s.bits-1)
		for j := range hi {
			k := j
			if index != nil {
				k = int(index[j])
			}
			y := lattigo.MRed(c[k], crt, q, m)
			h1, l1 := bits.Mul64(y, r1)
			h0, l0 := bits.Mul64(y, r0)
			w1, carry := bits.Add64(l1, h0, 0)
			w2 := h1 + carry
			lo[j], carry = bits.Add64(lo[j], l0>>shift|w1<<(64-shift), 0)
			hi[j] += (w1>>shift | w2<<(64-shift)) + carry
		}
	}
}

// blindBytes is how much randomness [scheme.blind] takes for a coefficient.
const blindBytes = 32

// blind adds round(Q·r/2ᵏ) + f to the coefficients in index of p, where r is
// the mask, uniform modulo 2ᵏ, and f the flooding, uniform in ±2^(floodBits−1).
// It returns share = −r. Both are added modulo Q, before anything is rounded.
func (s *scheme) blind(p *lattigo.Poly, index []int32, k int, random []byte, share []uint64) {
	var cut [3]uint64 // masks of the words of the flooding
	for w := range cut {
		cut[w] = 1<<uint(min(max(s.floodBits(k)-64*w, 0), 64)) - 1
	}
	drop := uint(64 - k)
	for j := range index {
		share[j] = -(binary.LittleEndian.Uint64(random[blindBytes*j:]) >> drop)
	}
	for i, q := range s.primes {
		c, m, u := p.Coeffs[i], s.r.MredParams[i], s.r.BredParams[i]
		half := s.halfFlood(k, i)
		for j, at := range index {
			b := random[blindBytes*j:][:blindBytes]
			v := s.scaled(-share[j]<<drop, i)
			v += lattigo.BRedAdd(binary.LittleEndian.Uint64(b[8:])&cut[0], q, u)
			v += lattigo.MRed(binary.LittleEndian.Uint64(b[16:])&cut[1], s.two64[i], q, m)
			v += lattigo.MRed(binary.LittleEndian.Uint64(b[24:])&cut[2], s.two128[i], q, m)
			c[at] = lattigo.BRedAdd(c[at]+v+q-half, q, u) // a sum of seven numbers below q < 2⁵⁷
		}
	}
}

// halfFlood returns 2^(floodBits−1) mod qᵢ.
func (s *scheme) halfFlood(k, i int) uint64 {
	q, m := s.primes[i], s.r.MredParams[i]
	e := s.floodBits(k) - 1
	x := uint64(1) << uint(e%64)
	x = lattigo.BRedAdd(x, q, s.r.BredParams[i])
	for ; e >= 64; e -= 64 {
		x = lattigo.MRed(x, s.two64[i], q, m)
	}
	return x
}

// roundTo rounds the fraction (hi, lo)/2¹²⁸ to k+extra bits: those of weight
// 2⁻¹..2⁻ᵏ in hi, the rest in lo.
func roundTo(hi, lo []uint64, k, extra int) {
	w := k + extra
	for j := range hi {
		var h, l uint64 // half a unit: 2^(127−w)
		if w < 64 {
			h = 1 << uint(63-w)
		} else {
			l = 1 << uint(127-w)
		}
		l, carry := bits.Add64(lo[j], l, 0)
		h += hi[j] + carry
		hi[j] = h >> uint(64-k)
		lo[j] = (h<<uint(k) | l>>uint(64-k)) >> uint(64-extra)
	}
}

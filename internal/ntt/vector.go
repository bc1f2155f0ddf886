package ntt

import (
	"math/big"
	"math/bits"
)

// AddSmall sets acc = acc + e for |e| ≤ q.
func (m *Modulus) AddSmall(acc []uint64, e []int64) {
	e = e[:len(acc)]
	i := m.addSmallKernel(acc, e)
	for ; i < len(acc); i++ {
		x := acc[i] + uint64(e[i])
		acc[i] = m.less(min(x, x+m.q))
	}
}

// split is where [Modulus.Signed] cuts a number.
const split = 26

// Signed sets dst[i] = v·2^up + lo[i] mod q, where v is the representative of
// hi[i] mod 2ᵏ in ±2^(k−1), and lo[i] < 2^up, up ≤ 12. With up = 0, lo may be
// nil.
func (m *Modulus) Signed(dst, hi, lo []uint64, k, up int) {
	if up > 12 || up > 0 && lo == nil {
		panic("ntt: a malformed number")
	}
	n := len(hi)
	dst = dst[:n]
	// v = u1·2²⁶ + u0 − 2⁶³.
	w := m.mod(0, 1<<(split+up))
	var top uint64
	if up == 0 {
		top = m.mod(0, 1<<63)
	} else {
		top = m.mod(1<<(up-1), 0)
	}
	f := [...]uint64{w, m.shoup(w), m.q - top, uint64(64 - k), uint64(up)}
	i := m.signedKernel(dst, hi, lo, &f)
	for ; i < n; i++ {
		u := uint64(int64(hi[i]<<f[3])>>f[3]) ^ 1<<63
		x := m.times(u>>split, f[0], f[1]) + (u&(1<<split-1))<<uint(up) + f[2]
		if lo != nil {
			x += lo[i]
		}
		dst[i] = m.less(min(x, x-m.c[cTwice])) // of less than 4q
	}
}

// A Basis is a list of primes, whose product is Q.
type Basis struct {
	Moduli []*Modulus
	crt    [][crtConstants]uint64
}

// Places of constants of a Basis, which the generator knows.
const (
	crtW     = iota // (Q/qᵢ)⁻¹ mod qᵢ
	crtS            // ⌊crtW·2⁵²/qᵢ⌋
	crtHi           // ⌊2^(103+b)/qᵢ⌋, b the bits of qᵢ: high and low 52 bits
	crtLo           //
	crtShift        // 52 − b
	crtConstants
)

// fractionBits is how many bits of a fraction [Basis.Round] computes: 51 in one
// word, 52 in another.
const fractionBits = 2*word - 1

// NewBasis returns the basis of moduli.
func NewBasis(moduli ...*Modulus) *Basis {
	q := big.NewInt(1)
	for _, m := range moduli {
		q.Mul(q, new(big.Int).SetUint64(m.q))
	}
	b := &Basis{Moduli: moduli}
	for _, m := range moduli {
		p := new(big.Int).SetUint64(m.q)
		w := m.Residue(new(big.Int).ModInverse(new(big.Int).Div(q, p), p))
		recip := new(big.Int).Lsh(big.NewInt(1), uint(fractionBits+bits.Len64(m.q)))
		recip.Div(recip, p)
		lo := new(big.Int).And(recip, big.NewInt(wordMask)).Uint64()
		b.crt = append(b.crt, [...]uint64{w, m.shoup(w), recip.Rsh(recip, word).Uint64(), lo, uint64(word - bits.Len64(m.q))})
	}
	return b
}

// Round sets hi and lo to the fractions p/Q, rounded to k+extra bits: those of
// weight 2⁻¹..2⁻ᵏ to hi, the rest to lo. p has residues modulo every prime;
//
//	p/Q ≡ Σ yᵢ/qᵢ mod 1,  yᵢ = pᵢ·(Q/qᵢ)⁻¹ mod qᵢ,
//
// where yᵢ/qᵢ is from a reciprocal, rounded down: before rounding, the sum is
// at most 2 units of 2⁻¹⁰³ for every prime below p/Q.
func (b *Basis) Round(hi, lo []uint64, p [][]uint64, k, extra int) {
	lo = lo[:len(hi)]
	clear(hi)
	clear(lo)
	for i, m := range b.Moduli {
		m.fractions(hi, lo, p[i][:len(hi)], &b.crt[i])
	}
	round(hi, lo, k, extra)
}

func (m *Modulus) fractions(hi, lo, p []uint64, f *[crtConstants]uint64) {
	i := m.fractionsKernel(hi, lo, p, f)
	for ; i < len(hi); i++ {
		y := m.less(m.times(p[i], f[crtW], f[crtS])) << f[crtShift]
		h, _ := bits.Mul64(y, f[crtHi]<<(64-word))
		l, _ := bits.Mul64(y, f[crtLo]<<(64-word))
		hi[i] += h
		lo[i] += y*f[crtHi]&wordMask + l
	}
}

// round rounds sums of fractions, hi/2⁵¹ + lo/2¹⁰³, modulo 1.
func round(hi, lo []uint64, k, extra int) {
	// Half of the last place is 2^at/2¹⁰³.
	var f [6]uint64
	if at := fractionBits - 1 - k - extra; at < word {
		f[1] = 1 << uint(at)
	} else {
		f[0] = 1 << uint(at-word)
	}
	// Shifts by 64 or more, also those of negative numbers, give 0.
	f[2], f[3], f[4], f[5] = uint64(64-k), uint64(13+k), uint64(k-39), uint64(39-k)
	i := roundKernel(hi, lo, &f, uint64(64-extra))
	for ; i < len(hi); i++ {
		l := lo[i] + f[1]
		h := hi[i] + f[0] + l>>word
		l &= wordMask
		hi[i] = (h<<13 | l>>39) >> f[2]
		lo[i] = (h<<f[3] | l<<f[4] | l>>f[5]) >> uint(64-extra)
	}
}

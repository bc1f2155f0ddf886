package triple

import (
	"encoding/binary"
	"math/big"
	"math/bits"
	"slices"

	"github.com/tacit-mpc/tacit/internal/ntt"
)

// Plaintexts modulo 2ᵏ are held in the top bits of a word, as multiples of
// 2^(64−k) modulo 2⁶⁴, so that one scaling by Q/2⁶⁴ serves all k. With
// Q = 2⁶⁴·Q₁ + Q₀,
//
//	round(Q·x/2⁶⁴) = Q₁·x + round(Q₀·x/2⁶⁴),
//
// exactly. Both factors of each product are cut into words of 52 bits, and all
// of it modulo one prime is a sum of products by constants, which [scales]
// lists in this order.
const (
	partHigh = iota // of x, without the lowest 12 bits
	partLow         // those
	partRest        // of round(Q₀·x/2⁶⁴), without the lowest 12 bits
	partRestLow
	plainParts
	partFlood   = iota - 1 // four words of the flooding
	partCentre  = partFlood + 4
	floodParts  = partCentre + 1
	word, lower = 52, 12
)

// stride is the distance of constants: that of [ntt.Factors] of one point.
const stride = 1 + ntt.Padding

// scales returns the constants modulo a prime. The last is for the centre of
// the flooding, which depends on the width.
func scales(m *ntt.Modulus, bigQ *big.Int) []uint64 {
	high := new(big.Int).Rsh(bigQ, 64)
	c := make([]uint64, floodParts*stride)
	for i, x := range []*big.Int{
		new(big.Int).Lsh(high, lower), high, big.NewInt(1 << lower), big.NewInt(1),
		big.NewInt(1), power(word), power(2 * word), power(3 * word),
	} {
		c[i*stride] = m.Residue(x)
	}
	return c
}

// power returns 2ⁿ.
func power(n int) *big.Int { return new(big.Int).Lsh(big.NewInt(1), uint(n)) }

// chunk is how many coefficients are scaled at a time, in a near cache.
const chunk = 512

// A scaler has a buffer for parts, and constants for the width in use. It
// serves one goroutine.
type scaler struct {
	*scheme
	parts     []uint64
	constants [][]uint64
}

func newScaler(s *scheme) scaler {
	e := scaler{scheme: s, parts: make([]uint64, chunk*floodParts)}
	for _, c := range s.scales {
		e.constants = append(e.constants, slices.Clone(c))
	}
	return e
}

// put writes the parts of x for coefficient j, in the form that
// [ntt.Modulus.AddDot] takes.
func (s *scaler) put(j, count int, x uint64) []uint64 {
	at := s.parts[j/8*8*count+j%8:]
	hi, lo := bits.Mul64(s.low, x)
	hi += lo >> 63
	at[8*partHigh], at[8*partLow] = x>>lower, x&(1<<lower-1)
	at[8*partRest], at[8*partRestLow] = hi>>lower, hi&(1<<lower-1)
	return at
}

// add adds the parts of n coefficients to p from a place on, which has room for
// a multiple of 8.
func (s *scaler) add(p [][]uint64, from, n, count int) {
	whole := (n + 7) &^ 7
	for i, m := range s.mod {
		t := ntt.Factors{V: s.constants[i], Step: stride, Spread: degree}
		m.AddDot(p[i][from:], 1, whole, 0, t, s.parts[:whole*count], count)
	}
}

// scaleUp sets p = round(Q·x/2⁶⁴), coefficient by coefficient.
func (s *scaler) scaleUp(x []uint64, p [][]uint64) {
	for i := range p {
		clear(p[i])
	}
	for from := 0; from < len(x); from += chunk {
		part := x[from:min(from+chunk, len(x))]
		for j, v := range part {
			s.put(j, plainParts, v)
		}
		s.add(p, from, len(part), plainParts)
	}
}

// blindBytes is how much randomness [scaler.blind] takes for a coefficient.
const blindBytes = 32

// blind adds round(Q·r/2ᵏ) + f to all coefficients of p, where r is the mask,
// uniform modulo 2ᵏ, and f the flooding, uniform in ±2^(floodBits−1). It sets
// share = −r. Both are added modulo Q, before anything is rounded. p has room
// for a multiple of 8 coefficients.
func (s *scaler) blind(p [][]uint64, k int, random []byte, share []uint64) {
	var cut [3]uint64 // masks of the words of the flooding
	for w := range cut {
		cut[w] = 1<<uint(min(max(s.floodBits(k)-64*w, 0), 64)) - 1
	}
	half := power(s.floodBits(k) - 1)
	for i, m := range s.mod {
		s.constants[i][partCentre*stride] = m.Prime() - m.Residue(half)
	}
	drop := uint(64 - k)
	const mask = 1<<word - 1
	for from := 0; from < len(share); from += chunk {
		part := share[from:min(from+chunk, len(share))]
		for j := range part {
			b := random[blindBytes*(from+j):][:blindBytes]
			r := binary.LittleEndian.Uint64(b) >> drop
			part[j] = -r
			at := s.put(j, floodParts, r<<drop)
			f0 := binary.LittleEndian.Uint64(b[8:]) & cut[0]
			f1 := binary.LittleEndian.Uint64(b[16:]) & cut[1]
			f2 := binary.LittleEndian.Uint64(b[24:]) & cut[2]
			at[8*partFlood] = f0 & mask
			at[8*(partFlood+1)] = (f0>>52 | f1<<12) & mask
			at[8*(partFlood+2)] = (f1>>40 | f2<<24) & mask
			at[8*(partFlood+3)] = f2 >> 28
			at[8*partCentre] = 1
		}
		s.add(p, from, len(part), floodParts)
	}
}

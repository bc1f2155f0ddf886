// Package ntt computes on polynomials modulo primes q with a 2n-th root of unity
// ψ: number-theoretic transforms, sums of products, and what else is done to
// every coefficient of a ciphertext.
//
// A polynomial is a vector of n coefficients, or of its n values
//
//	p(ψ^(2·rev(i)+1)),  i = 0..n−1,
//
// with rev the reversal of the bits of an index: the order of lattigo. All
// numbers are below q, before and after every operation. So the results do not
// depend on how they are computed.
//
// Primes are between 2³⁹ and 2⁴⁶. Then a whole transform fits in words of 52
// bits without a reduction on the way, and sums of up to 4000 products in two
// such words: the multiplier of AVX-512 IFMA, which is used where the processor
// has it, chosen once. Elsewhere portable Go does the same. The build tag purego leaves only
// the portable form. The assembly is written by the generator in asm, a module
// of its own; go generate runs it.
//
// Nothing here branches on, or indexes by, the value of a coefficient.
package ntt

import (
	"fmt"
	"math/big"
	"math/bits"
)

//go:generate go run -C asm . -out ../kernels_amd64.s -stubs ../stubs_amd64.go -pkg ntt

// Bounds of the primes, in bits.
const (
	minBits = 40
	maxBits = 46
)

// word is how many bits a number has in a kernel.
const (
	word     = 52
	wordMask = 1<<word - 1
)

// Places of constants in Modulus.c, which the generator knows.
const (
	cPrime  = iota // q
	cMinus         // 2⁵² − q
	cTwice         // 2q
	cMask          // 2⁵² − 1
	cBarret        // ⌊2⁵²/q⌋
	cInv           // q⁻¹ mod 2⁵²
	cWord          // 2⁵² mod q
	cWordS         // ⌊cWord·2⁵²/q⌋
	cN             // n⁻¹ mod q
	cNS            // ⌊cN·2⁵²/q⌋
	c16            // 16q
	c32            // 32q
	constants
)

// A Modulus is a prime with its tables. It is immutable.
type Modulus struct {
	q       uint64
	n       int
	c       [constants]uint64
	forward table
	inverse table

	inv      uint64 // q⁻¹ mod 2⁶⁴
	r64, s64 uint64 // 2⁶⁴ mod q, and ⌊r64·2⁶⁴/q⌋
}

// A table holds powers of ψ in the order in which transforms use them: for a
// step of m groups those from m on. After them, at distance shoup, come
// ⌊2⁵²·w/q⌋ for each, with which a product takes no division.
type table []uint64

// slack is what kernels read past the powers of a step.
const slack = 8

func (t table) shoup() int { return len(t) / 2 }

// New returns the prime q with a primitive 2n-th root of unity psi, n a power
// of two.
func New(q, psi uint64, n int) (*Modulus, error) {
	if b := bits.Len64(q); b < minBits || b > maxBits {
		return nil, fmt.Errorf("ntt: modulus %d has not %d to %d bits", q, minBits, maxBits)
	}
	if n < MinLen || n&(n-1) != 0 || q%uint64(2*n) != 1 {
		return nil, fmt.Errorf("ntt: no transform of %d points modulo %d", n, q)
	}
	m := &Modulus{q: q, n: n}
	if m.power(psi, n) != q-1 {
		return nil, fmt.Errorf("ntt: %d is no primitive root of unity of order %d modulo %d", psi, 2*n, q)
	}
	inv := q // Newton: correct bits double
	for range 5 {
		inv *= 2 - q*inv
	}
	m.inv = inv
	m.r64 = m.mod(1, 0)
	m.s64, _ = bits.Div64(m.r64, 0, q)
	w, nInv := m.mod(0, 1<<word), m.power(uint64(n), int(q-2))
	m.c = [constants]uint64{
		cPrime: q, cMinus: 1<<word - q, cTwice: 2 * q, cMask: wordMask, cBarret: 1 << word / q,
		cInv: inv & wordMask, cWord: w, cWordS: m.shoup(w), cN: nInv, cNS: m.shoup(nInv), c16: 16 * q, c32: 32 * q,
	}
	m.forward = m.table(psi)
	m.inverse = m.table(m.power(psi, 2*n-1))
	return m, nil
}

// MinLen is the number of points of the smallest transform.
const MinLen = 16

// mod returns hi·2⁶⁴ + lo modulo q, for constants.
func (m *Modulus) mod(hi, lo uint64) uint64 {
	_, r := bits.Div64(hi%m.q, lo, m.q)
	return r
}

func (m *Modulus) mul(a, b uint64) uint64 { return m.mod(bits.Mul64(a, b)) }

func (m *Modulus) power(x uint64, e int) uint64 {
	p := uint64(1)
	for ; e > 0; e >>= 1 {
		if e&1 == 1 {
			p = m.mul(p, x)
		}
		x = m.mul(x, x)
	}
	return p
}

// shoup returns ⌊2⁵²·w/q⌋.
func (m *Modulus) shoup(w uint64) uint64 {
	s, _ := bits.Div64(w>>(64-word), w<<word, m.q)
	return s
}

func (m *Modulus) table(psi uint64) table {
	half := m.n + slack
	t := make(table, 2*half)
	shift := 64 - bits.Len(uint(m.n-1))
	w := uint64(1)
	for i := range m.n {
		at := int(bits.Reverse64(uint64(i)) >> shift)
		t[at], t[half+at] = w, m.shoup(w)
		w = m.mul(w, psi)
	}
	return t
}

// Prime returns q.
func (m *Modulus) Prime() uint64 { return m.q }

// Residue returns x mod q.
func (m *Modulus) Residue(x *big.Int) uint64 {
	return new(big.Int).Mod(x, new(big.Int).SetUint64(m.q)).Uint64()
}

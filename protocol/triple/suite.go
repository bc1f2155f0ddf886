package triple

import (
	"fmt"
	"math/big"
	"math/bits"
	"slices"
	"sync"

	lattigo "github.com/ldsec/lattigo/v2/ring"
)

// Parameters common to all suites: the degree N of the ring ℤ_Q[X]/(Xᴺ+1), and
// the error distribution, a Gaussian rounded to integers and cut at ±tail.
const (
	degree = 1 << 13
	sigma  = 3.2
	tail   = 19
)

// Bits of the moduli of a reply beyond those of the plaintext: a reply carries
// c1 modulo 2^(k+extra1) and c0 modulo 2^(k+extra0). See doc.go, Correctness.
const (
	extra1 = 12
	extra0 = 4
)

// A suite is a set of parameters for plaintexts modulo 2ᵏ, k ≤ width. See
// doc.go, Security, for how Q follows from the width.
type suite struct {
	width  int
	bits   int      // of every prime; the primes are the largest of that size
	primes []uint64 // ≡ 1 mod 2N; their product is Q
}

// suites are ordered by width. A layer uses the first that is wide enough.
var suites = [...]suite{
	{40, 56, []uint64{0xfffffffffb4001, 0xfffffffff78001, 0xfffffffff70001}},
	{56, 50, []uint64{0x3ffffffffc001, 0x3fffffffcc001, 0x3ffffffef4001, 0x3ffffffe94001}},
	{64, 53, []uint64{0x1ffffffffb4001, 0x1ffffffffa4001, 0x1ffffffff9c001, 0x1ffffffff38001}},
}

func suiteOf(width int) int {
	return slices.IndexFunc(suites[:], func(s suite) bool { return width <= s.width })
}

// logQ is the bit length of Q.
func (s *suite) logQ() int { return s.bits * len(s.primes) }

// floodBits is the logarithm of the number of values of the flooding, which is
// uniform in ±Q/2^(k+2), a quarter of the distance of two plaintexts mod 2ᵏ.
func (s *suite) floodBits(k int) int { return s.logQ() - 1 - k }

// polyBytes is the length of a polynomial modulo Q on the wire.
func (s *suite) polyBytes() int { return degree * s.logQ() / 8 }

// A scheme is a suite with its tables. It is immutable.
type scheme struct {
	suite
	r     *lattigo.Ring
	index int // in suites

	low    uint64      // Q mod 2⁶⁴
	high   []uint64    // ⌊Q/2⁶⁴⌋ mod qᵢ, in Montgomery form
	crt    []uint64    // (Q/qᵢ)⁻¹ mod qᵢ, in Montgomery form
	recip  [][2]uint64 // ⌊2^(127+bits)/qᵢ⌋: high and low word
	wrap   []uint64    // −2⁶⁴ mod qᵢ
	two64  []uint64    // 2⁶⁴ mod qᵢ, in Montgomery form
	two128 []uint64    // 2¹²⁸ mod qᵢ, in Montgomery form
	garner uint64      // q₀⁻¹ mod q₁, in Montgomery form
}

// schemes holds the tables of each suite once it has been used: functions of
// constants, checked by a self test.
var schemes = func() (load [len(suites)]func() (*scheme, error)) {
	for i := range suites {
		load[i] = sync.OnceValues(func() (*scheme, error) {
			s, err := newScheme(i)
			if err == nil {
				err = s.selfTest()
			}
			if err != nil {
				return nil, fmt.Errorf("triple: parameters for %d bits: %w", suites[i].width, err)
			}
			return s, nil
		})
	}
	return load
}()

func newScheme(index int) (*scheme, error) {
	s := &scheme{suite: suites[index], index: index}
	r, err := lattigo.NewRing(degree, s.primes)
	if err != nil {
		return nil, err
	}
	s.r = r
	bigQ := r.ModulusBigint
	if bigQ.BitLen() != s.logQ() {
		return nil, fmt.Errorf("the modulus has %d bits, not %d", bigQ.BitLen(), s.logQ())
	}
	two64 := new(big.Int).Lsh(big.NewInt(1), 64)
	high, low := new(big.Int).DivMod(bigQ, two64, new(big.Int))
	s.low = low.Uint64()
	for i, q := range s.primes {
		bq := new(big.Int).SetUint64(q)
		mont := func(x *big.Int) uint64 {
			return lattigo.MForm(new(big.Int).Mod(x, bq).Uint64(), q, r.BredParams[i])
		}
		s.high = append(s.high, mont(high))
		s.crt = append(s.crt, mont(new(big.Int).ModInverse(new(big.Int).Div(bigQ, bq), bq)))
		recip := new(big.Int).Lsh(big.NewInt(1), 127+uint(bits.Len64(q)))
		hi, lo := recip.Div(recip, bq).DivMod(recip, two64, new(big.Int))
		s.recip = append(s.recip, [2]uint64{hi.Uint64(), lo.Uint64()})
		s.wrap = append(s.wrap, q-new(big.Int).Mod(two64, bq).Uint64())
		s.two64 = append(s.two64, mont(two64))
		s.two128 = append(s.two128, mont(new(big.Int).Mul(two64, two64)))
	}
	q0, q1 := new(big.Int).SetUint64(s.primes[0]), new(big.Int).SetUint64(s.primes[1])
	s.garner = lattigo.MForm(q0.ModInverse(q0, q1).Uint64(), s.primes[1], r.BredParams[1])
	return s, nil
}

// residue returns v mod qᵢ, below qᵢ.
func (s *scheme) residue(v int64, i int) uint64 {
	q := s.primes[i]
	return lattigo.CRed(lattigo.BRedAdd(uint64(v), q, s.r.BredParams[i])+s.wrap[i]&uint64(v>>63), q)
}

package triple

import (
	"fmt"
	"math/big"
	"math/bits"
	"slices"
	"sync"

	lattigo "github.com/ldsec/lattigo/v2/ring"
	"github.com/tacit-mpc/tacit/internal/ntt"
)

// degree is N, that of the ring ℤ_Q[X]/(Xᴺ+1), common to all suites.
const degree = 1 << 13

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
	primes []uint64 // ≡ 1 mod 2N, the largest of their sizes; their product is Q
}

// suites are ordered by width. A layer uses the first that is wide enough. The
// first two primes are the largest: see [decryptor].
var suites = [...]suite{
	{40, []uint64{0x3fffffa8001, 0x3fffff3c001, 0x3fffff0c001, 0x3ffffeec001}},
	{56, []uint64{0xfffffdc001, 0xfffff4c001, 0xfffff3c001, 0xffffe80001, 0xffffe74001}},
	{64, []uint64{0x7fffffd8001, 0x7fffffc8001, 0x3fffffa8001, 0x3fffff3c001, 0x3fffff0c001}},
}

func suiteOf(width int) int {
	return slices.IndexFunc(suites[:], func(s suite) bool { return width <= s.width })
}

// logQ is the bit length of Q.
func (s *suite) logQ() (sum int) {
	for _, q := range s.primes {
		sum += bits.Len64(q)
	}
	return sum
}

// floodBits is the logarithm of the number of values of the flooding, which is
// uniform in ±Q/2^(k+2), a quarter of the distance of two plaintexts mod 2ᵏ.
func (s *suite) floodBits(k int) int { return s.logQ() - 1 - k }

// polyBytes is the length of a polynomial modulo Q on the wire.
func (s *suite) polyBytes() int { return degree * s.logQ() / 8 }

// A scheme is a suite with its tables. It is immutable.
type scheme struct {
	suite
	r     *lattigo.Ring
	mod   []*ntt.Modulus
	basis *ntt.Basis
	index int // in suites

	low    uint64     // Q mod 2⁶⁴
	scales [][]uint64 // by prime: constants of sums, see scale.go
	garner uint64     // q₀⁻¹ mod q₁, in Montgomery form
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
	s.low = new(big.Int).And(bigQ, new(big.Int).SetUint64(1<<64-1)).Uint64()
	for i, q := range s.primes {
		m, err := ntt.New(q, lattigo.InvMForm(r.PsiMont[i], q, r.MredParams[i]), degree)
		if err != nil {
			return nil, err
		}
		s.mod = append(s.mod, m)
		s.scales = append(s.scales, scales(m, bigQ))
	}
	s.basis = ntt.NewBasis(s.mod...)
	q0, q1 := new(big.Int).SetUint64(s.primes[0]), new(big.Int).SetUint64(s.primes[1])
	s.garner = lattigo.MForm(q0.ModInverse(q0, q1).Uint64(), s.primes[1], r.BredParams[1])
	return s, nil
}

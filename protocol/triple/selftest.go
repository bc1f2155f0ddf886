package triple

import (
	"errors"
	"math/big"

	lattigo "github.com/ldsec/lattigo/v2/ring"
	"github.com/tacit-mpc/tacit/internal/ring"
)

// errSelfTest means that the library does not compute what this package relies
// on beyond its documentation.
var errSelfTest = errors.New("self test failed")

// selfTest runs once per process and suite, in a few milliseconds: the prefix
// property of the transform, the scaling, and one product from keys to shares.
func (s *scheme) selfTest() error {
	for _, test := range []func() bool{s.transformsNest, s.scalesExactly, s.multipliesExactly} {
		if !test() {
			return errSelfTest
		}
	}
	return nil
}

// transformsNest checks [evaluator.transform] against the transform of N points.
func (s *scheme) transformsNest() bool {
	const points = degree / 64
	v, short, full := testVector(points, s.width), make([]uint64, points), make([]uint64, degree)
	e := s.evaluator()
	for i := range s.primes {
		clear(full)
		for j, x := range v {
			full[j*degree/points] = s.residue(ring.Signed(x, s.width), i)
		}
		s.r.NTTSingle(i, full, full)
		e.transform(short, v, s.width, i)
		for j, x := range full {
			if x != short[j*points/degree] {
				return false
			}
		}
	}
	return true
}

// scalesExactly checks [scheme.scaled] against big integers.
func (s *scheme) scalesExactly() bool {
	for _, x := range append(testVector(20, 64), 0, 1, 1<<63, ^uint64(0)) {
		want := scaledBig(s.r.ModulusBigint, x)
		for i, q := range s.primes {
			if s.scaled(x, i)%q != new(big.Int).Mod(want, new(big.Int).SetUint64(q)).Uint64() {
				return false
			}
		}
	}
	return true
}

// scaledBig is round(Q·x/2⁶⁴).
func scaledBig(bigQ *big.Int, x uint64) *big.Int {
	y := new(big.Int).SetUint64(x)
	y.Mul(y, bigQ).Add(y, big.NewInt(0).SetUint64(1<<63))
	return y.Rsh(y, 64)
}

// multipliesExactly encrypts b, multiplies it by a, and compares the shares of
// some coefficients with the product.
func (s *scheme) multipliesExactly() bool {
	const spread = 1 << 6
	k := &keys{scheme: s}
	public := k.generate([32]byte{1}, [32]byte{2})
	a, b := testVector(degree/spread, s.width), testVector(degree, s.width)
	c0, c1 := s.r.NewPoly(), s.r.NewPoly()
	up := make([]uint64, degree)
	for j, x := range b {
		up[j] = x << uint(64-s.width)
	}
	random := s.sampler([32]byte{3}, labelError)
	random.uniform(c1)
	s.scaleUp(up, c0)
	k.encryptTo(c0, c1, random)
	for _, p := range []*lattigo.Poly{public.p0, public.p1, c0, c1} {
		s.r.MForm(p, p)
	}

	e := s.evaluator()
	acc0, acc1 := s.r.NewPoly(), s.r.NewPoly()
	t := make([]uint64, len(a))
	for i := range s.primes {
		e.transform(t, a, s.width, i)
		e.products(acc0.Coeffs[i], t, [][]uint64{c0.Coeffs[i]}, spread, i)
		e.products(acc1.Coeffs[i], t, [][]uint64{c1.Coeffs[i]}, spread, i)
	}
	index := []int32{0, 1, spread, 4095, degree - 1}
	mine, theirs := make([]uint64, len(index)), make([]uint64, len(index))
	reply := e.common(nil, acc1, public.p1, random, s.width)
	reply = e.private(reply, acc0, public.p0, random, index, s.width, mine)
	if err := s.decryptor(k.secret).open(reply, index, s.width, theirs); err != nil {
		return false
	}
	for n, at := range index {
		if (mine[n]+theirs[n]-coefficient(a, b, spread, int(at)))&ring.Mask(s.width) != 0 {
			return false
		}
	}
	return true
}

// coefficient returns coefficient at of a(X^spread)·b(X) mod Xᴺ+1.
func coefficient(a, b []uint64, spread, at int) (sum uint64) {
	for i, x := range a {
		if j := at - i*spread; j >= 0 {
			sum += x * b[j]
		} else {
			sum -= x * b[degree+j]
		}
	}
	return sum
}

// testVector returns n numbers of the width, without a pattern.
func testVector(n, width int) []uint64 {
	v := make([]uint64, n)
	x := uint64(1)
	for i := range v {
		x = x*6364136223846793005 + 1442695040888963407
		v[i] = (x ^ x>>29) >> uint(64-width)
	}
	return v
}

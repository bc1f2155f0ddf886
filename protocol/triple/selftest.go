package triple

import (
	"errors"
	"math/big"
	"slices"

	"github.com/tacit-mpc/tacit/internal/ntt"
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

// transformsNest checks that transforms are those of lattigo, with the prefix
// property of [scheme.transform].
func (s *scheme) transformsNest() bool {
	const points = degree / 64
	v, short, full := testVector(points, s.width), make([]uint64, points), make([]uint64, degree)
	for i, m := range s.mod {
		clear(full)
		m.Signed(short, v, nil, s.width, 0)
		for j, x := range short {
			full[j*degree/points] = x
		}
		ours := slices.Clone(full)
		s.r.NTTSingle(i, full, full)
		m.Forward(ours)
		s.transform(short, v, s.width, i)
		for j, x := range full {
			if x != short[j*points/degree] || x != ours[j] {
				return false
			}
		}
		full[1], ours[1] = 0, 0 // so that the inverse meets all coefficients
		s.r.InvNTTSingle(i, full, full)
		if m.Inverse(ours); !slices.Equal(ours, full) {
			return false
		}
	}
	return true
}

// scalesExactly checks [scaler.scaleUp] against big integers.
func (s *scheme) scalesExactly() bool {
	x, p, e := append(testVector(20, 64), 0, 1, 1<<63, ^uint64(0)), s.r.NewPoly(), newScaler(s)
	e.scaleUp(x, p.Coeffs)
	for j, v := range x {
		want := scaledBig(s.r.ModulusBigint, v)
		for i, m := range s.mod {
			if p.Coeffs[i][j] != m.Residue(want) {
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
	en := k.encryptor()
	en.draw = s.sampler([32]byte{3}, labelError)
	en.draw.uniform(c1)
	en.scaleUp(up, c0.Coeffs)
	en.encryptTo(c0, c1)

	const points = degree / spread
	e, random := s.evaluator(), en.draw
	acc0, acc1 := s.r.NewPoly(), s.r.NewPoly()
	t := ntt.Factors{V: make([]uint64, points+ntt.Padding), Step: points + ntt.Padding, Spread: spread}
	panels := s.newPanels(2, 1)
	panels[0].set(0, 1, c0.Coeffs)
	panels[1].set(0, 1, c1.Coeffs)
	for i := range s.primes {
		s.transform(t.V[:points], a, s.width, i)
		s.products(acc0.Coeffs[i], 1, t, panels[0], i)
		s.products(acc1.Coeffs[i], 1, t, panels[1], i)
	}
	index := []int32{0, 1, spread, 4095, degree - 1}
	mine, theirs := make([]uint64, len(index)), make([]uint64, len(index))
	reply := e.common(nil, acc1.Coeffs, public.p1, random, s.width)
	reply = e.private(reply, acc0.Coeffs, public.p0, random, index, s.width, mine)
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

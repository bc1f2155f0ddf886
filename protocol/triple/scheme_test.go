package triple

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// every runs f for every suite.
func every(t *testing.T, f func(t *testing.T, s *scheme)) {
	for i := range suites {
		t.Run([]string{"168 bits", "200 bits", "212 bits"}[i], func(t *testing.T) {
			s, err := schemes[i]()
			if err != nil {
				t.Fatal(err)
			}
			f(t, s)
		})
	}
}

// TestParameters checks the numbers of doc.go, Security and Correctness.
func TestParameters(t *testing.T) {
	every(t, func(t *testing.T, s *scheme) {
		if want := []int{168, 200, 212}[s.index]; s.logQ() != want || want > 218 {
			t.Errorf("log Q is %d", s.logQ())
		}
		for _, q := range s.primes {
			if !new(big.Int).SetUint64(q).ProbablyPrime(20) || q%(2*degree) != 1 || q>>uint(s.bits) != 0 {
				t.Errorf("prime %#x", q)
			}
		}
		for k := 1; k <= s.width; k++ {
			if suiteOf(k) != s.index {
				continue
			}
			// The mean error over the width of the flooding, for terms up to 2¹⁶.
			rms := math.Exp2(8+float64(k))/math.Sqrt(12)*math.Sqrt(sigma*sigma+1./12) + math.Exp2(9)
			distance := math.Log2(0.8*rms) - float64(s.floodBits(k)) + math.Log2(limit)
			if distance > -40 {
				t.Errorf("width %d: all replies together are 2^%.1f from uniform", k, distance)
			}
			if k == s.width {
				t.Logf("width %d: distance 2^%.1f", k, distance)
			}
			if f := s.floodBits(k); f < 1 || f > 192 {
				t.Errorf("width %d: %d bits of flooding", k, f)
			}
		}
	})
}

func TestScaleUp(t *testing.T) {
	every(t, func(t *testing.T, s *scheme) {
		x := values(rng(t, 0), 500, 64, false)
		copy(x, []uint64{0, 1, 1 << 63, ^uint64(0), 1<<63 - 1})
		p := s.r.NewPoly()
		s.scaleUp(x, p)
		for j, v := range x {
			want := scaledBig(s.r.ModulusBigint, v)
			for i, q := range s.primes {
				if p.Coeffs[i][j] != new(big.Int).Mod(want, new(big.Int).SetUint64(q)).Uint64() {
					t.Fatalf("%x modulo prime %d", v, i)
				}
			}
		}
	})
}

// TestFractions compares the 128-bit fractions with big integers: they are at
// most 3 units for every prime too small.
func TestFractions(t *testing.T) {
	every(t, func(t *testing.T, s *scheme) {
		p := s.r.NewPoly()
		s.sampler([32]byte{1}, "test").uniform(p)
		for i, q := range s.primes { // and the ends of the range
			p.Coeffs[i][0], p.Coeffs[i][1], p.Coeffs[i][2] = 0, 1, q-1
		}
		x := make([]*big.Int, degree)
		s.r.PolyToBigint(p, x)
		index := []int32{0, 1, 2}
		for j := int32(3); j < degree; j += 7 {
			index = append(index, j)
		}
		n := makeNumbers(len(index))
		s.fractions(p, index, n.hi, n.lo)
		for j, at := range index {
			want := new(big.Int).Lsh(x[at], 128)
			want.Div(want, s.r.ModulusBigint)
			got := new(big.Int).SetUint64(n.hi[j])
			got.Lsh(got, 64).Or(got, new(big.Int).SetUint64(n.lo[j]))
			diff := want.Sub(want, got) // modulo 2¹²⁸, as a fraction near 1 may become 0
			diff.And(diff, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1)))
			if diff.Cmp(big.NewInt(int64(3*len(s.primes)))) > 0 {
				t.Fatalf("coefficient %d: off by %v", at, diff)
			}
		}
	})
}

// TestRoundTo covers widths on both sides of a word.
func TestRoundTo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, extra := range []int{extra0, extra1} {
		for k := 1; k <= 64; k++ {
			hi, lo := []uint64{r.Uint64(), ^uint64(0)}, []uint64{r.Uint64(), ^uint64(0)}
			var want []*big.Int
			for j := range hi {
				x := new(big.Int).SetUint64(hi[j])
				x.Lsh(x, 64).Or(x, new(big.Int).SetUint64(lo[j]))
				x.Add(x, new(big.Int).Lsh(big.NewInt(1), uint(127-k-extra))).Rsh(x, uint(128-k-extra))
				want = append(want, x.And(x, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(k+extra)), big.NewInt(1))))
			}
			roundTo(hi, lo, k, extra)
			for j := range hi {
				got := new(big.Int).SetUint64(hi[j])
				got.Lsh(got, uint(extra)).Or(got, new(big.Int).SetUint64(lo[j]))
				if got.Cmp(want[j]) != 0 {
					t.Fatalf("k = %d, extra %d: %v, want %v", k, extra, got, want[j])
				}
			}
		}
	}
}

// TestBlindIsMaskAndFlooding removes the mask and finds the flooding uniform in
// its range, below a quarter of the distance of two plaintexts.
func TestBlindIsMaskAndFlooding(t *testing.T) {
	every(t, func(t *testing.T, s *scheme) {
		for _, k := range []int{s.width, max(1, s.width-20)} {
			p, index, share := s.r.NewPoly(), make([]int32, degree), make([]uint64, degree)
			for j := range index {
				index[j] = int32(j)
			}
			random := make([]byte, blindBytes*degree)
			s.sampler([32]byte{byte(k)}, "test").src.Read(random)
			s.blind(p, index, k, random, share)
			up, mask := make([]uint64, degree), s.r.NewPoly()
			for j := range up {
				up[j] = -share[j] << uint(64-k)
			}
			s.scaleUp(up, mask)
			s.r.Sub(p, mask, p)
			quarter := new(big.Float).SetInt(new(big.Int).Lsh(big.NewInt(1), uint(s.floodBits(k)-1)))
			var sum, squares float64
			for _, x := range centred(s, p) {
				u, _ := new(big.Float).Quo(new(big.Float).SetInt(x), quarter).Float64()
				if math.Abs(u) > 1 {
					t.Fatalf("k = %d: flooding of %f times its bound", k, u)
				}
				sum, squares = sum+u, squares+u*u
			}
			// Uniform in ±1: mean 0 ± 1/√(3N), mean square 1/3 ± √(4/45N).
			if mean, sq := sum/degree, squares/degree; math.Abs(mean) > 5/math.Sqrt(3*degree) || math.Abs(sq-1./3) > 5*math.Sqrt(4./45/degree) {
				t.Errorf("k = %d: mean %f, mean square %f", k, mean, sq)
			}
			if got := s.floodBits(k) + k + 1; got != s.logQ() {
				t.Errorf("k = %d: flooding of ±Q/2^%d", k, s.logQ()-s.floodBits(k)+1)
			}
		}
	})
}

// TestTernary: every coefficient and every pair of neighbours is uniform, which
// is what lattigo's sampler fails.
func TestTernary(t *testing.T) {
	s, err := schemes[0]()
	if err != nil {
		t.Fatal(err)
	}
	draw := s.sampler([32]byte{7}, "test")
	p := s.r.NewPoly()
	const polys = 20
	var single [3]float64
	var pairs [9]float64
	for range polys {
		draw.ternary(p)
		last := -1
		for j := range degree {
			v := 2
			if x := p.Coeffs[0][j]; x < 2 {
				v = int(x)
			}
			for i, q := range s.primes {
				if want := []uint64{0, 1, q - 1}[v]; p.Coeffs[i][j] != want {
					t.Fatalf("coefficient %d is %d modulo prime %d, %d modulo prime 0", j, p.Coeffs[i][j], i, p.Coeffs[0][j])
				}
			}
			single[v]++
			if last >= 0 {
				pairs[3*last+v]++
			}
			last = v
		}
	}
	// χ² with 2 and 8 degrees of freedom; neighbours overlap, which changes little.
	if x := chi2(single[:]); x > 25 {
		t.Errorf("values %v: χ² = %f", single, x)
	}
	if x := chi2(pairs[:]); x > 45 {
		t.Errorf("pairs %v: χ² = %f", pairs, x)
	}
}

func chi2(counts []float64) (x float64) {
	var sum float64
	for _, c := range counts {
		sum += c
	}
	want := sum / float64(len(counts))
	for _, c := range counts {
		x += (c - want) * (c - want) / want
	}
	return x
}

func TestErrorsAreGaussian(t *testing.T) {
	s, err := schemes[0]()
	if err != nil {
		t.Fatal(err)
	}
	draw, p := s.sampler([32]byte{8}, "test"), s.r.NewPoly()
	var sum, squares float64
	const polys = 10
	for range polys {
		for i := range p.Coeffs {
			clear(p.Coeffs[i])
		}
		draw.addError(p)
		for _, x := range p.Coeffs[0] {
			e := float64(int64(x))
			if x > s.primes[0]/2 {
				e = float64(int64(x - s.primes[0]))
			}
			if math.Abs(e) > tail {
				t.Fatalf("error %f", e)
			}
			sum, squares = sum+e, squares+e*e
		}
	}
	n := float64(polys * degree)
	if mean, std := sum/n, math.Sqrt(squares/n); math.Abs(mean) > 5*sigma/math.Sqrt(n) || math.Abs(std-sigma) > 0.05 {
		t.Errorf("mean %f, standard deviation %f", mean, std)
	}
}

// TestSelfTestFindsFaults plants a fault in each table.
func TestSelfTestFindsFaults(t *testing.T) {
	for name, plant := range map[string]func(s *scheme){
		"transform": func(s *scheme) { s.r.NttPsi[1][3]++ },
		"scaling":   func(s *scheme) { s.low ^= 1 << 62 },
		"fractions": func(s *scheme) { s.crt[0]++ },
		"opening":   func(s *scheme) { s.garner++ },
	} {
		s, err := newScheme(0)
		if err != nil {
			t.Fatal(err)
		}
		if plant(s); !errors.Is(s.selfTest(), errSelfTest) {
			t.Errorf("%s: a fault went unnoticed", name)
		}
	}
}

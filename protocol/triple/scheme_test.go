package triple

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"github.com/tacit-mpc/tacit/internal/ntt"
	"github.com/tacit-mpc/tacit/internal/ring"
)

func scaling(s *scheme) *scaler {
	e := newScaler(s)
	return &e
}

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
			if !new(big.Int).SetUint64(q).ProbablyPrime(20) || q%(2*degree) != 1 {
				t.Errorf("prime %#x", q)
			}
		}
		for k := 1; k <= s.width; k++ {
			if suiteOf(k) != s.index {
				continue
			}
			distance := s.distance(k) + math.Log2(limit)
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

// distance is the logarithm of the statistical distance that one coefficient
// adds: the mean error over the width of the flooding, for 2¹⁶ terms.
func (s *suite) distance(k int) float64 {
	rms := math.Exp2(8+float64(k))/math.Sqrt(12)*math.Sqrt(ntt.Sigma*ntt.Sigma+1./12) + math.Exp2(9)
	return math.Log2(0.8*rms) - float64(s.floodBits(k))
}

// TestDistanceOfOneInference checks the second table of doc.go, Security.
func TestDistanceOfOneInference(t *testing.T) {
	lenet := []ring.Conv{conv(28, 1, 5, 6), conv(12, 6, 5, 16), ring.MatMul(1, 256, 120), ring.MatMul(1, 120, 84), ring.MatMul(1, 84, 10)}
	for _, test := range []struct {
		name         string
		layers       []ring.Conv
		batch        int
		coefficients int64
		want         [4]float64 // at 36, 40, 56 and 64 bits
	}{
		{"MLP", []ring.Conv{ring.MatMul(1, 784, 128), ring.MatMul(1, 128, 128), ring.MatMul(1, 128, 10)}, 1, 532, [4]float64{-78.4, -70.4, -70.4, -66.4}},
		{"LeNet-5", lenet, 1, 9388, [4]float64{-74.2, -66.2, -66.2, -62.2}},
		{"128 rows by 784x128", []ring.Conv{ring.MatMul(1, 784, 128)}, 128, 32768, [4]float64{-72.4, -64.4, -64.4, -60.4}},
	} {
		for i, width := range []int{36, 40, 56, 64} {
			var layers []Layer
			for _, c := range test.layers {
				layers = append(layers, Layer{c, width})
			}
			count := newPlan(3, layers, 32).coefficients(test.batch)
			got := suites[suiteOf(width)].distance(width) + math.Log2(float64(count))
			if count != test.coefficients || math.Abs(got-test.want[i]) > 0.06 {
				t.Errorf("%s, %d bits: %d coefficients, 2^%.2f, want %d and 2^%.1f", test.name, width, count, got, test.coefficients, test.want[i])
			}
			t.Logf("%s, %d bits, three parties: %d coefficients of one inference are 2^%.1f from uniform", test.name, width, count, got)
		}
	}
}

func TestScaleUp(t *testing.T) {
	every(t, func(t *testing.T, s *scheme) {
		x := values(rng(t, 0), 500, 64, false)
		copy(x, []uint64{0, 1, 1 << 63, ^uint64(0), 1<<63 - 1})
		p := s.r.NewPoly()
		scaling(s).scaleUp(x, p.Coeffs)
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

// TestBlindIsMaskAndFlooding removes the mask and finds the flooding uniform in
// its range, below a quarter of the distance of two plaintexts.
func TestBlindIsMaskAndFlooding(t *testing.T) {
	every(t, func(t *testing.T, s *scheme) {
		for _, k := range []int{s.width, max(1, s.width-20)} {
			p, share := s.r.NewPoly(), make([]uint64, degree)
			random := make([]byte, blindBytes*degree)
			s.sampler([32]byte{byte(k)}, "test").src.Read(random)
			scaling(s).blind(p.Coeffs, k, random, share)
			up, mask := make([]uint64, degree), s.r.NewPoly()
			for j := range up {
				up[j] = -share[j] << uint(64-k)
			}
			scaling(s).scaleUp(up, mask.Coeffs)
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
	p := make([]int64, degree)
	const polys = 20
	var single [3]float64
	var pairs [9]float64
	for range polys {
		draw.ternary(p)
		last := -1
		for j := range degree {
			v := int(p[j] + 1)
			if v < 0 || v > 2 {
				t.Fatalf("coefficient %d is %d", j, p[j])
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
	draw, p := s.sampler([32]byte{8}, "test"), make([]int64, degree)
	var sum, squares float64
	const polys = 10
	for range polys {
		draw.gaussian(p)
		for _, x := range p {
			e := float64(x)
			if math.Abs(e) > ntt.Tail {
				t.Fatalf("error %f", e)
			}
			sum, squares = sum+e, squares+e*e
		}
	}
	n := float64(polys * degree)
	if mean, std := sum/n, math.Sqrt(squares/n); math.Abs(mean) > 5*ntt.Sigma/math.Sqrt(n) || math.Abs(std-ntt.Sigma) > 0.05 {
		t.Errorf("mean %f, standard deviation %f", mean, std)
	}
}

// TestSelfTestFindsFaults plants a fault in each table.
func TestSelfTestFindsFaults(t *testing.T) {
	for name, plant := range map[string]func(s *scheme){
		"transform": func(s *scheme) { s.r.NttPsi[1][3]++ },
		"inverse":   func(s *scheme) { s.r.NttPsiInv[1][3]++ },
		"scaling":   func(s *scheme) { s.low ^= 1 << 62 },
		"constants": func(s *scheme) { s.scales[1][stride*partLow]++ },
		"fractions": func(s *scheme) { s.basis = ntt.NewBasis(s.mod[1], s.mod[0], s.mod[2], s.mod[3]) },
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

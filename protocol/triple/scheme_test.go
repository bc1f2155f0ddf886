package triple

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	lattigo "github.com/ldsec/lattigo/v2/ring"
	"github.com/tacit-mpc/tacit/internal/ring"
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

// TestProducts covers all spreads, and sums of all lengths modulo four.
func TestProducts(t *testing.T) {
	every(t, func(t *testing.T, s *scheme) {
		e, draw := s.evaluator(), s.sampler([32]byte{5}, "test")
		for spread := 1; spread <= maxSpread; spread *= 2 {
			for inner := 1; inner <= 6; inner++ {
				points := degree / spread
				i := (inner + spread) % len(s.primes)
				v, w := make([]uint64, inner*points), make([][]uint64, inner)
				want, got := s.r.NewPoly(), make([]uint64, degree)
				for j := range w {
					a, b := s.r.NewPoly(), s.r.NewPoly()
					draw.uniform(a)
					draw.uniform(b)
					b.Coeffs[i][0], a.Coeffs[i][0] = s.primes[i]-1, s.primes[i]-1
					copy(v[j*points:], a.Coeffs[i][:points])
					w[j] = b.Coeffs[i]
					for x := range degree {
						a.Coeffs[i][x] = v[j*points+x/spread]
					}
					s.r.MulCoeffsMontgomeryAndAdd(a, b, want)
				}
				if e.products(got, v, w, spread, i); !slices.Equal(got, want.Coeffs[i]) {
					t.Fatalf("%d products of spread %d", inner, spread)
				}
			}
		}
	})
}

// TestLongSums adds more of the largest products than 128 bits hold.
func TestLongSums(t *testing.T) {
	s, err := schemes[0]()
	if err != nil {
		t.Fatal(err)
	}
	const inner = 1<<16 + 1<<14 + 3
	q, m := s.primes[0], s.r.MredParams[0]
	v, b, w, got := make([]uint64, inner*degree/maxSpread), make([]uint64, degree), make([][]uint64, inner), make([]uint64, degree)
	for i := range v {
		v[i] = q - 1
	}
	for i := range b {
		b[i] = q - 1
	}
	for j := range w {
		w[j] = b
	}
	s.evaluator().products(got, v, w, maxSpread, 0)
	want := lattigo.BRed(lattigo.MRed(q-1, q-1, q, m), inner, q, s.r.BredParams[0])
	if i := slices.IndexFunc(got, func(x uint64) bool { return x != want }); i >= 0 {
		t.Errorf("coefficient %d is %d, want %d", i, got[i], want)
	}
}

// TestNoise measures what the flooding hides and what decryption tolerates.
func TestNoise(t *testing.T) {
	every(t, func(t *testing.T, s *scheme) {
		const inner, spread = 12, 8
		k := &keys{scheme: s}
		k.generate([32]byte{1}, [32]byte{2})
		r, e := rng(t, 0), s.evaluator()
		acc, sum := s.r.NewPoly(), make([]uint64, degree)
		as, phases := make([][]uint64, inner), make([]*lattigo.Poly, inner)
		random := s.sampler([32]byte{3}, "test")
		for kb := range inner {
			a, b := values(r, degree/spread, s.width, kb == 0), values(r, degree, s.width, false)
			for i := range b {
				b[i] &= ring.Mask(s.width)
			}
			c0, c1, up := s.r.NewPoly(), s.r.NewPoly(), make([]uint64, degree)
			for j, x := range b {
				up[j] = x << uint(64-s.width)
			}
			random.uniform(c1)
			s.scaleUp(up, c0)
			k.encryptTo(c0, c1, random)
			s.r.MulCoeffsMontgomeryAndAdd(c1, k.secret, c0) // the phase
			s.r.MForm(c0, c0)
			as[kb], phases[kb] = a, c0
			negacyclic(sum, a, b, spread)
		}
		for i := range s.primes {
			t, w := make([]uint64, inner*degree/spread), make([][]uint64, inner)
			for kb := range inner {
				e.transform(t[kb*degree/spread:][:degree/spread], as[kb], s.width, i)
				w[kb] = phases[kb].Coeffs[i]
			}
			e.products(acc.Coeffs[i], t, w, spread, i)
		}
		s.r.InvNTT(acc, acc)
		checkNoise(t, s, acc, sum, degree/spread*inner)
	})
}

func checkNoise(t *testing.T, s *scheme, acc *lattigo.Poly, sum []uint64, terms int) {
	for j := range sum {
		sum[j] <<= uint(64 - s.width)
	}
	plain := s.r.NewPoly()
	s.scaleUp(sum, plain)
	s.r.Sub(acc, plain, acc)
	var squares, most float64
	for _, x := range centred(s, acc) {
		f, _ := new(big.Float).SetInt(x).Float64()
		squares, most = squares+f*f, max(most, math.Abs(f))
	}
	rms := math.Sqrt(squares / degree)
	want := math.Sqrt(float64(terms)) * math.Exp2(float64(s.width)) / math.Sqrt(12) * math.Sqrt(sigma*sigma+1./12)
	t.Logf("%d terms: rms 2^%.2f, predicted 2^%.2f, largest 2^%.2f, flooding 2^%d", terms, math.Log2(rms), math.Log2(want), math.Log2(most), s.floodBits(s.width))
	if rms > 1.5*want || most > float64(terms)*math.Exp2(float64(s.width-1))*(tail+0.5) {
		t.Errorf("noise above the bound")
	}
}

// centred returns the coefficients of p in ±Q/2.
func centred(s *scheme, p *lattigo.Poly) []*big.Int {
	x := make([]*big.Int, degree)
	s.r.PolyToBigint(p, x)
	half := new(big.Int).Rsh(s.r.ModulusBigint, 1)
	for _, v := range x {
		if v.Cmp(half) > 0 {
			v.Sub(v, s.r.ModulusBigint)
		}
	}
	return x
}

// TestDecryptionMargin: the flooding reaches its bound of 1/4, and with the
// rounding errors stays well below the 1/2 that decryption tolerates.
func TestDecryptionMargin(t *testing.T) {
	every(t, func(t *testing.T, s *scheme) {
		k, e := &keys{scheme: s}, s.evaluator()
		public := k.generate([32]byte{1}, [32]byte{2})
		s.r.MForm(public.p0, public.p0)
		s.r.MForm(public.p1, public.p1)
		d, random := s.decryptor(k.secret), s.sampler([32]byte{3}, "test")
		index, mine, theirs := make([]int32, degree), make([]uint64, degree), make([]uint64, degree)
		for j := range index {
			index[j] = int32(j)
		}
		for _, w := range []int{s.width, s.width - 3} {
			reply := e.common(nil, s.r.NewPoly(), public.p1, random, w)
			reply = e.private(reply, s.r.NewPoly(), public.p0, random, index, w, mine)
			if err := d.open(reply, index, w, theirs); err != nil {
				t.Fatal(err)
			}
			var most float64
			for j := range index {
				if (mine[j]+theirs[j])&ring.Mask(w) != 0 {
					t.Fatalf("width %d: coefficient %d is wrong", w, j)
				}
				most = max(most, math.Abs(float64(int64(d.got.lo[j])))/math.Exp2(64))
			}
			if most < 0.25 || most > 0.25+1./32+0.03 {
				t.Errorf("width %d: the largest error is %f of the distance of plaintexts", w, most)
			}
		}
	})
}

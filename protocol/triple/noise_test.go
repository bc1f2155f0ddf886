package triple

import (
	"math"
	"math/big"
	"slices"
	"testing"

	lattigo "github.com/ldsec/lattigo/v2/ring"
	"github.com/tacit-mpc/tacit/internal/ring"
)

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

package triple

import (
	"math"
	"math/big"
	"slices"
	"testing"

	lattigo "github.com/ldsec/lattigo/v2/ring"
	"github.com/tacit-mpc/tacit/internal/ntt"
	"github.com/tacit-mpc/tacit/internal/ring"
)

// TestProducts covers all spreads, against lattigo.
func TestProducts(t *testing.T) {
	every(t, func(t *testing.T, s *scheme) {
		draw := s.sampler([32]byte{5}, "test")
		for spread := 1; spread <= maxSpread; spread *= 2 {
			const rows = 5
			inner, points := 1+spread%6, degree/spread
			f := ntt.Factors{Step: points + ntt.Padding, Spread: spread}
			f.Row = inner * f.Step
			f.V = make([]uint64, rows*f.Row)
			p, b := s.newPanels(1, inner)[0], make([]*lattigo.Poly, inner)
			for j := range b {
				b[j] = s.r.NewPoly()
				draw.uniform(b[j])
				p.set(j, inner, b[j].Coeffs)
			}
			i := (inner + spread) % len(s.primes)
			got, want := make([]uint64, rows*degree), s.r.NewPoly()
			for row := range rows {
				a := s.r.NewPoly()
				for j := range b {
					draw.uniform(a)
					copy(f.V[row*f.Row+j*f.Step:], a.Coeffs[i][:points])
				}
			}
			s.products(got, rows, f, p, i)
			for row := range rows {
				clear(want.Coeffs[i])
				for j := range b {
					a := s.r.NewPoly()
					for x := range degree {
						a.Coeffs[i][x] = f.V[row*f.Row+j*f.Step+x/spread]
					}
					s.r.MForm(a, a)
					s.r.MulCoeffsMontgomeryAndAdd(a, b[j], want)
				}
				if !slices.Equal(got[row*degree:][:degree], want.Coeffs[i]) {
					t.Fatalf("%d products of spread %d", inner, spread)
				}
			}
		}
	})
}

// TestLongSums adds more of the largest products than one panel holds.
func TestLongSums(t *testing.T) {
	s, err := schemes[0]()
	if err != nil {
		t.Fatal(err)
	}
	const inner = ntt.MaxTerms + 3
	q := s.primes[0]
	f := ntt.Factors{V: slices.Repeat([]uint64{q - 1}, inner*(degree/maxSpread+ntt.Padding)), Step: degree/maxSpread + ntt.Padding, Spread: maxSpread}
	p, top := panel{make([]uint64, inner*degree)}, [][]uint64{slices.Repeat([]uint64{q - 1}, degree)}
	for j := range inner {
		p.set(j, inner, top)
	}
	got := make([]uint64, degree)
	s.products(got, 1, f, p, 0)
	if i := slices.IndexFunc(got, func(x uint64) bool { return x != inner }); i >= 0 {
		t.Errorf("coefficient %d is %d, want %d", i, got[i], inner) // (−1)² each
	}
}

// TestNoise measures what the flooding hides and what decryption tolerates.
func TestNoise(t *testing.T) {
	every(t, func(t *testing.T, s *scheme) {
		const inner, spread, points = 12, 8, degree / 8
		k := &keys{scheme: s}
		k.generate([32]byte{1}, [32]byte{2})
		r, e, sum := rng(t, 0), k.encryptor(), make([]uint64, degree)
		f := ntt.Factors{Step: points + ntt.Padding, Spread: spread}
		f.V = make([]uint64, inner*f.Step)
		as, phases := make([][]uint64, inner), s.newPanels(1, inner)[0]
		e.draw = s.sampler([32]byte{3}, "test")
		for kb := range inner {
			a, b := values(r, points, s.width, kb == 0), values(r, degree, s.width, false)
			for i := range b {
				b[i] &= ring.Mask(s.width)
			}
			c0, c1, up := s.r.NewPoly(), s.r.NewPoly(), make([]uint64, degree)
			for j, x := range b {
				up[j] = x << uint(64-s.width)
			}
			e.draw.uniform(c1)
			e.scaleUp(up, c0.Coeffs)
			e.encryptTo(c0, c1)
			for i, m := range s.mod { // the phase
				m.MulAdd(c0.Coeffs[i], c1.Coeffs[i], k.secret.Coeffs[i])
			}
			phases.set(kb, inner, c0.Coeffs)
			as[kb] = a
			negacyclic(sum, a, b, spread)
		}
		acc := s.r.NewPoly()
		for i := range s.primes {
			for kb, a := range as {
				s.transform(f.V[kb*f.Step:][:points], a, s.width, i)
			}
			s.products(acc.Coeffs[i], 1, f, phases, i)
		}
		s.r.InvNTT(acc, acc)
		checkNoise(t, s, acc, sum, points*inner)
	})
}

func checkNoise(t *testing.T, s *scheme, acc *lattigo.Poly, sum []uint64, terms int) {
	for j := range sum {
		sum[j] <<= uint(64 - s.width)
	}
	plain := s.r.NewPoly()
	scaling(s).scaleUp(sum, plain.Coeffs)
	s.r.Sub(acc, plain, acc)
	var squares, most float64
	for _, x := range centred(s, acc) {
		f, _ := new(big.Float).SetInt(x).Float64()
		squares, most = squares+f*f, max(most, math.Abs(f))
	}
	rms := math.Sqrt(squares / degree)
	want := math.Sqrt(float64(terms)) * math.Exp2(float64(s.width)) / math.Sqrt(12) * math.Sqrt(ntt.Sigma*ntt.Sigma+1./12)
	t.Logf("%d terms: rms 2^%.2f, predicted 2^%.2f, largest 2^%.2f, flooding 2^%d", terms, math.Log2(rms), math.Log2(want), math.Log2(most), s.floodBits(s.width))
	if rms > 1.5*want || most > float64(terms)*math.Exp2(float64(s.width-1))*(ntt.Tail+0.5) {
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
		d, random := s.decryptor(k.secret), s.sampler([32]byte{3}, "test")
		index, mine, theirs := make([]int32, degree), make([]uint64, degree), make([]uint64, degree)
		for j := range index {
			index[j] = int32(j)
		}
		for _, w := range []int{s.width, s.width - 3} {
			reply := e.common(nil, s.r.NewPoly().Coeffs, public.p1, random, w)
			reply = e.private(reply, s.r.NewPoly().Coeffs, public.p0, random, index, w, mine)
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

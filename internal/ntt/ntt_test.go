package ntt

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// primes are the ends of the range, and one between.
func primes(n int) []uint64 {
	var all []uint64
	for _, bits := range []int{minBits, 43, maxBits} {
		q := uint64(1)<<bits + 1
		for q -= uint64(2 * n); !new(big.Int).SetUint64(q).ProbablyPrime(20); q -= uint64(2 * n) {
		}
		all = append(all, q)
	}
	q := uint64(1)<<(minBits-1) + 1
	for q += uint64(2 * n); !new(big.Int).SetUint64(q).ProbablyPrime(20); q += uint64(2 * n) {
	}
	return append(all, q)
}

func moduli(t testing.TB, n int) (all []*Modulus) {
	for _, q := range primes(n) {
		m := &Modulus{q: q}
		psi := uint64(0)
		for x := uint64(2); m.power(psi, n) != q-1; x++ {
			psi = m.power(x, int((q-1)/uint64(2*n)))
		}
		m, err := New(q, psi, n)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// vector returns random numbers below q, or the ends of the range.
func (m *Modulus) vector(r *rand.Rand, n int, extreme bool) []uint64 {
	v := make([]uint64, n)
	for i := range v {
		v[i] = r.Uint64N(m.q)
		if extreme {
			v[i] = []uint64{0, 1, m.q - 1}[r.IntN(3)] % m.q
		}
	}
	return v
}

func random() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// TestForwardIsEvaluation compares with the definition.
func TestForwardIsEvaluation(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		for n := MinLen; n <= 256; n *= 2 {
			for _, m := range moduli(t, n) {
				a := m.vector(random(), n, false)
				b := slices.Clone(a)
				m.Forward(b)
				psi := m.root()
				for i, got := range b {
					x := m.power(psi, 2*int(bits.Reverse64(uint64(i))>>(65-bits.Len(uint(n))))+1)
					var want uint64
					for j := n - 1; j >= 0; j-- {
						want = (m.mul(want, x) + a[j]) % m.q
					}
					if got != want {
						t.Fatalf("%d points modulo %d: value %d is %d, want %d", n, m.q, i, got, want)
					}
				}
			}
		}
	})
}

// root returns ψ.
func (m *Modulus) root() uint64 { return m.forward[bits.Reverse64(1)>>(65-bits.Len(uint(m.n)))] }

// TestTransforms: kernels and portable form agree on all lengths, and one undoes
// the other.
func TestTransforms(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		for n := MinLen; n <= 1<<13; n *= 2 {
			for _, m := range moduli(t, n) {
				for _, extreme := range []bool{false, true} {
					a := m.vector(random(), n, extreme)
					got, want := slices.Clone(a), slices.Clone(a)
					m.Forward(got)
					m.forwardPortable(want)
					if !slices.Equal(got, want) {
						t.Fatalf("transform of %d points modulo %d", n, m.q)
					}
					m.inversePortable(want)
					m.Inverse(got)
					if !slices.Equal(got, a) || !slices.Equal(want, a) {
						t.Fatalf("inverse transform of %d points modulo %d", n, m.q)
					}
				}
				top := slices.Repeat([]uint64{m.q - 1}, n)
				got := slices.Clone(top)
				m.Inverse(got)
				if m.Forward(got); !slices.Equal(got, top) {
					t.Fatalf("largest values, %d points modulo %d", n, m.q)
				}
			}
		}
	})
}

// TestTransformsNest: that of few points is part of that of all.
func TestTransformsNest(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		const n = 1 << 13
		m := moduli(t, n)[1]
		for points := MinLen; points <= n; points *= 2 {
			short, full := m.vector(random(), points, false), make([]uint64, n)
			for i, x := range short {
				full[i*n/points] = x
			}
			m.Forward(short)
			m.Forward(full)
			for i, x := range full {
				if x != short[i*points/n] {
					t.Fatalf("%d points", points)
				}
			}
		}
	})
}

// TestAddDot compares with sums of big integers.
func TestAddDot(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		const n = 64
		r := random()
		for _, m := range moduli(t, n) {
			for spread := 1; spread <= n; spread *= 2 {
				for _, terms := range []int{1, 2, 7} {
					testDot(t, m, r, n, spread, terms, 1+r.IntN(9), r.IntN(2) == 0)
				}
			}
			testDot(t, m, r, 24, 64, 9, 1, false) // one number for all
			testDot(t, m, r, 16, 8, MaxTerms, 5, true)
			testDot(t, m, r, 16, 1, MaxTerms, 1, true)
		}
	})
}

func testDot(t *testing.T, m *Modulus, r *rand.Rand, n, spread, terms, rows int, extreme bool) {
	step := ceil(n, spread) + Padding
	f := Factors{m.vector(r, rows*terms*step, extreme), terms * step, step, spread}
	stride := n + 8
	got, w, v := m.vector(r, rows*stride, extreme), make([]uint64, n*terms), make([][]uint64, terms)
	if extreme {
		for i := range f.V {
			f.V[i] = m.q - 1
		}
	}
	for j := range v {
		v[j] = m.vector(r, n, extreme)
		if extreme {
			v[j] = slices.Repeat([]uint64{m.q - 1}, n)
		}
		Interleave(w, j, terms, v[j])
	}
	want := slices.Clone(got)
	for row := range rows {
		for x := range n {
			sum := new(big.Int).SetUint64(want[row*stride+x])
			for j := range terms {
				p := new(big.Int).SetUint64(f.V[row*f.Row+j*step+x/spread])
				sum.Add(sum, p.Mul(p, new(big.Int).SetUint64(v[j][x])))
			}
			want[row*stride+x] = m.Residue(sum)
		}
	}
	if m.AddDot(got, rows, n, stride, f, w, terms); !slices.Equal(got, want) {
		t.Fatalf("%d rows, %d terms, spread %d modulo %d", rows, terms, spread, m.q)
	}
}

func TestMulAdd(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		r := random()
		for _, m := range moduli(t, 16) {
			for _, n := range []int{0, 1, 7, 8, 100} {
				for _, extreme := range []bool{false, true} {
					got, a, b := m.vector(r, n, extreme), m.vector(r, n, extreme), m.vector(r, n, extreme)
					want := slices.Clone(got)
					for i := range want {
						want[i] = (want[i] + m.mul(a[i], b[i])) % m.q
					}
					if m.MulAdd(got, a, b); !slices.Equal(got, want) {
						t.Fatalf("%d products modulo %d", n, m.q)
					}
				}
			}
		}
	})
}

func TestAddSmall(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		r := random()
		for _, m := range moduli(t, 16) {
			got := m.vector(r, 107, true)
			e, want := make([]int64, len(got)), slices.Clone(got)
			for i := range e {
				e[i] = []int64{0, 1, -1, 19, -19, int64(m.q), -int64(m.q)}[r.IntN(7)]
				want[i] = m.Residue(big.NewInt(int64(want[i]) + e[i]))
			}
			if m.AddSmall(got, e); !slices.Equal(got, want) {
				t.Fatalf("modulo %d", m.q)
			}
		}
	})
}

func TestSigned(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		r := random()
		for _, m := range moduli(t, 16) {
			for k := 1; k <= 64; k++ {
				for _, up := range []int{0, 12} {
					got, hi, lo := make([]uint64, 29), make([]uint64, 29), make([]uint64, 29)
					var want []uint64
					for i := range hi {
						hi[i], lo[i] = r.Uint64(), r.Uint64N(1<<up)
						if i%3 == 0 {
							hi[i], lo[i] = []uint64{1 << (k - 1), 1<<(k-1) - 1, ^uint64(0), 0}[r.IntN(4)], 1<<up-1
						}
						x := big.NewInt(int64(hi[i]<<(64-k)) >> (64 - k))
						x.Lsh(x, uint(up)).Add(x, new(big.Int).SetUint64(lo[i]))
						want = append(want, m.Residue(x))
					}
					if up == 0 {
						lo = nil
					}
					if m.Signed(got, hi, lo, k, up); !slices.Equal(got, want) {
						t.Fatalf("k = %d, up %d modulo %d", k, up, m.q)
					}
				}
			}
		}
	})
}

// TestRound compares with big integers, up to what the fractions may be short.
func TestRound(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		r := random()
		all := moduli(t, 16)
		for count := 1; count <= len(all); count++ {
			b, q := NewBasis(all[:count]...), big.NewInt(1)
			for _, m := range b.Moduli {
				q.Mul(q, new(big.Int).SetUint64(m.q))
			}
			for k := 1; k <= 64; k++ {
				for _, extra := range []int{4, 12} {
					const n = 19
					hi, lo, p := make([]uint64, n), make([]uint64, n), make([][]uint64, count)
					for i, m := range b.Moduli {
						p[i] = m.vector(r, n, k%4 == 0)
					}
					b.Round(hi, lo, p, k, extra)
					for j := range hi {
						checkRounded(t, b, q, p, j, k, extra, hi[j], lo[j])
					}
				}
			}
		}
	})
}

func checkRounded(t *testing.T, b *Basis, q *big.Int, p [][]uint64, j, k, extra int, hi, lo uint64) {
	x := new(big.Int)
	for i, m := range b.Moduli { // Chinese remainders
		part := new(big.Int).Div(q, new(big.Int).SetUint64(m.q))
		y := m.mul(p[i][j], m.Residue(new(big.Int).ModInverse(part, new(big.Int).SetUint64(m.q))))
		x.Add(x, part.Mul(part, new(big.Int).SetUint64(y)))
	}
	x.Mod(x, q)
	one := new(big.Int).Lsh(big.NewInt(1), fractionBits)
	x.Mul(x, one).Div(x, q)
	unit := uint(fractionBits - k - extra)
	round := func(short int64) *big.Int {
		y := new(big.Int).Sub(x, big.NewInt(short))
		y.Add(y, new(big.Int).Lsh(big.NewInt(1), unit-1)).Rsh(y, unit)
		return y.And(y, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(k+extra)), big.NewInt(1)))
	}
	got := new(big.Int).SetUint64(hi)
	got.Lsh(got, uint(extra)).Or(got, new(big.Int).SetUint64(lo))
	if got.Cmp(round(0)) != 0 && got.Cmp(round(int64(2*len(b.Moduli)))) != 0 || lo>>extra != 0 {
		t.Fatalf("%d primes, k = %d, extra %d: %v, want %v", len(b.Moduli), k, extra, got, round(0))
	}
}

// TestLevelsAgree: every function gives the same at all levels.
func TestLevelsAgree(t *testing.T) {
	var first []uint64
	atLevels(t, func(t *testing.T) {
		r := random()
		var all []uint64
		for _, m := range moduli(t, 1<<10) {
			hi, lo := m.vector(r, 1003, false), m.vector(r, 1003, false)
			NewBasis(m).Round(hi, lo, [][]uint64{m.vector(r, 1003, false)}, 37, 12)
			all = append(append(all, hi...), lo...)
		}
		b := make([]byte, 8*1003)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		e := make([]int64, 1003)
		for _, draw := range []func(){func() { Ternary(e, b[:4*1003]) }, func() { Gaussian(e, b) }} {
			draw()
			for _, x := range e {
				all = append(all, uint64(x))
			}
		}
		if first == nil {
			first = all
		} else if !slices.Equal(first, all) {
			t.Error("levels disagree")
		}
	})
}

// TestTernary covers the ends of the three ranges.
func TestTernary(t *testing.T) {
	const third = (1<<32 - 1) / 3
	atLevels(t, func(t *testing.T) {
		for x, want := range map[uint32]int64{0: -1, third - 1: -1, third: 0, 2*third - 1: 0, 2 * third: 1, 1<<32 - 2: 1} {
			b, dst := make([]byte, 4*19), make([]int64, 19)
			for at := range dst {
				binary.LittleEndian.PutUint32(b[4*at:], x)
			}
			if !Ternary(dst, b) || slices.ContainsFunc(dst, func(v int64) bool { return v != want }) {
				t.Errorf("%#x: %d, want %d", x, dst, want)
			}
			for at := range dst {
				binary.LittleEndian.PutUint32(b[4*at:], 1<<32-1)
				if Ternary(dst, b) {
					t.Errorf("draw %d is left over and went unnoticed", at)
				}
				binary.LittleEndian.PutUint32(b[4*at:], x)
			}
		}
	})
}

// TestThresholds computes the probabilities again, with 53 bits of precision,
// and checks what Gaussian makes of the numbers around each.
func TestThresholds(t *testing.T) {
	within := func(j int) float64 { return math.Erf((float64(j) + 0.5) / (Sigma * math.Sqrt2)) }
	for j, got := range thresholds {
		if want := within(j) / within(Tail); math.Abs(float64(got)/(1<<63)-want) > 1e-15 {
			t.Errorf("%d: %v, want %v", j, float64(got)/(1<<63), want)
		}
	}
	atLevels(t, func(t *testing.T) {
		for j, x := range thresholds {
			for _, sign := range []int64{1, -1} {
				b, dst := make([]byte, 8*16), make([]int64, 16)
				for i := range dst {
					y := x - uint64(i&1)
					if sign < 0 {
						y |= 1 << 63
					}
					binary.LittleEndian.PutUint64(b[8*i:], y)
				}
				Gaussian(dst, b)
				Gaussian(dst[:7], b)
				for i, got := range dst {
					if want := sign * int64(j+1-i&1); got != want {
						t.Errorf("threshold %d − %d: %d, want %d", j, i&1, got, want)
					}
				}
			}
		}
	})
}

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct {
		q, psi uint64
		n      int
		want   string
	}{
		{97, 3, 16, "bits"},
		{1<<47 + 1, 3, 16, "bits"},
		{1<<41 + 3, 3, 16, "no transform"},
		{primes(16)[0], 1, 16, "primitive"},
		{primes(16)[0], 3, 8, "no transform"},
		{primes(16)[0], 3, 24, "no transform"},
	} {
		if _, err := New(test.q, test.psi, test.n); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func BenchmarkKernels(b *testing.B) {
	const n = 1 << 13
	atLevels(b, func(b *testing.B) {
		m, r := moduli(b, n)[1], random()
		acc, v, w := m.vector(r, n, false), m.vector(r, n, false), m.vector(r, n, false)
		e, raw := make([]int64, n), make([]byte, 8*n)
		const rows, terms, spread = 8, 98, 128
		step := n/spread + Padding
		f := Factors{m.vector(r, rows*terms*step, false), terms * step, step, spread}
		panel, sums := m.vector(r, terms*n, false), m.vector(r, rows*n, false)
		for _, k := range []struct {
			name string
			f    func()
		}{
			{"forward", func() { m.Forward(v) }},
			{"inverse", func() { m.Inverse(v) }},
			{fmt.Sprintf("dot %dx%d", rows, terms), func() { m.AddDot(sums, rows, n, n, f, panel, terms) }},
			{"multiply", func() { m.MulAdd(acc, v, w) }},
			{"add small", func() { m.AddSmall(acc, e) }},
			{"signed", func() { m.Signed(acc, v, w, 36, 12) }},
			{"fractions", func() { m.fractions(v, w, acc, &[crtConstants]uint64{1, 2, 3, 4, 5}) }},
			{"round", func() { round(v, w, 36, 12) }},
			{"ternary", func() { Ternary(e, raw[:4*n]) }},
			{"gaussian", func() { Gaussian(e, raw) }},
		} {
			b.Run(k.name, func(b *testing.B) {
				for b.Loop() {
					k.f()
				}
			})
		}
	})
}

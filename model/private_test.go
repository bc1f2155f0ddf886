package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// shared evaluates a program as n parties do: every shift acts on shares, and
// every comparison checks the range that the protocol needs. The low bits of
// the shares are random, or all extreme.
type shared struct {
	plain
	n   int
	rng *rand.Rand
	low int // 0 random, ±1 all low bits one or zero
}

func (e shared) Shift(op *Op, x []uint64) ([]uint64, error) {
	z := e.out(op)
	k, f := z.Width+op.Bits, uint(op.Bits)
	if err := within(x, k, -math.Ldexp(1, k-1)+float64(e.n)*math.Ldexp(1, op.Bits-1), math.Ldexp(1, k-1)-float64(e.n)*math.Ldexp(1, op.Bits-1)); err != nil {
		return nil, err
	}
	return shiftShares(op, z, x, e.n, func() uint64 {
		s := e.rng.Uint64()
		switch e.low {
		case 1:
			s |= 1<<f - 1
		case -1:
			s &^= 1<<f - 1
		}
		return s
	}), nil
}

func within(x []uint64, width int, lo, hi float64) error {
	for _, v := range x {
		if s := float64(ring.Signed(v, width)); s < lo || s > hi {
			return fmt.Errorf("%v is outside %v..%v of width %d", s, lo, hi, width)
		}
	}
	return nil
}

func (e shared) Max(op *Op, x, y []uint64) ([]uint64, error) {
	limit := math.Ldexp(1, op.Bits-2)
	for _, v := range [][]uint64{x, y} {
		if err := within(v, op.Bits, -limit, limit-1); err != nil {
			return nil, err
		}
	}
	return e.plain.Max(op, x, y)
}

func (e shared) Lift(op *Op, x []uint64) ([]uint64, error) {
	limit := math.Ldexp(1, op.Bits-2)
	if err := within(x, op.Bits, -limit, limit); err != nil {
		return nil, err
	}
	return e.plain.Lift(op, x)
}

// failer is what checkPrivate needs of a test.
type failer interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// checkPrivate runs rows through the shared engine and asserts the bound.
func checkPrivate(t failer, m *Model, rows []float32, rng *rand.Rand) (worst int64) {
	t.Helper()
	x, err := m.Manifest.Encode(rows)
	if err != nil {
		t.Fatal(err)
	}
	batch := len(rows) / m.Manifest.Input.Len()
	want, err := m.Eval(x, batch)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{2, 3, 5, 7} {
		for low := -1; low <= 1; low++ {
			got, err := Run(shared{plain{m, batch}, n, rng, low}, &m.Manifest.Program, x)
			if err != nil {
				t.Fatalf("%d parties: %v", n, err)
			}
			bound := m.Manifest.UlpBound(n)
			for i := range got {
				w := m.Manifest.Output.Width
				d := ring.Signed(got[i], w) - ring.Signed(want[i], w)
				if d = max(d, -d); d > bound {
					t.Fatalf("%d parties: output %d is wrong by %d ulp, the bound is %d", n, i, d, bound)
				}
				worst = max(worst, d)
			}
		}
	}
	return worst
}

func randoms(rng *rand.Rand, n int, scale float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64() * scale)
	}
	return v
}

// lenet is a LeNet-5 with random weights.
func lenet(rng *rand.Rand) *netBuilder {
	b := newNet(13, 0, 1, 28, 28)
	for i, s := range [][]int64{{6, 1, 5, 5}, {16, 6, 5, 5}, {120, 400}, {84, 120}, {10, 84}} {
		n, fan := int64(1), int64(1)
		for j, d := range s {
			n *= d
			if j > 0 {
				fan *= d
			}
		}
		b.floats(fmt.Sprint("w", i), s, randoms(rng, int(n), 1/math.Sqrt(float64(fan)))...)
		b.floats(fmt.Sprint("b", i), s[:1], randoms(rng, int(s[0]), 0.1)...)
	}
	pool := attrs{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}}
	b.node("Conv", "c0", []string{"x", "w0", "b0"}, attrs{"pads": []int64{2, 2, 2, 2}}).node("Relu", "r0", []string{"c0"}, nil).node("MaxPool", "p0", []string{"r0"}, pool)
	b.node("Conv", "c1", []string{"p0", "w1", "b1"}, nil).node("Relu", "r1", []string{"c1"}, nil).node("MaxPool", "p1", []string{"r1"}, pool)
	b.node("Flatten", "f", []string{"p1"}, nil)
	b.node("Gemm", "g2", []string{"f", "w2", "b2"}, attrs{"transB": 1}).node("Relu", "r2", []string{"g2"}, nil)
	b.node("Gemm", "g3", []string{"r2", "w3", "b3"}, attrs{"transB": 1}).node("Relu", "r3", []string{"g3"}, nil)
	return b.node("Gemm", "y", []string{"r3", "w4", "b4"}, attrs{"transB": 1})
}

func TestLeNet(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	g := lenet(rng).load(t)
	x := randoms(rng, 3*784, 1)
	checkFixed(t, g, x)
	m, err := Compile(g, Options{Calibration: [][]float32{x[:784], x[784:1568], x[1568:]}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("worst %d ulp, bound %d", checkPrivate(t, m, x, rng), m.Manifest.UlpBound(3))
	// 6·28·14 + 6·14·14 for the first pool, 6·14·14 ReLUs, and so on.
	if got, want := m.Manifest.Program.Comparisons(), 2352+1176+1176+800+400+400+120+84; got != want {
		t.Errorf("%d comparisons, want %d", got, want)
	}
	for _, l := range m.Manifest.Program.Layers() {
		if l.Kind == ReLU && (l.Bits < 16 || l.Bits > 22) {
			t.Errorf("%s: a comparison of %d bits", l.Name, l.Bits)
		}
	}
}

// TestExtremeInputs drives every input to the ends of the declared range: the
// static analysis must keep every precondition of the protocol.
func TestExtremeInputs(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	g := lenet(rng).load(t)
	lo, hi := -1.0, 3.0
	m, err := Compile(g, Options{InputLo: &lo, InputHi: &hi})
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, 4*784)
	for i := range x {
		switch i / 784 {
		case 0:
			x[i] = -1
		case 1:
			x[i] = 3
		default:
			x[i] = []float32{-1, 3}[rng.IntN(2)]
		}
	}
	checkPrivate(t, m, x, rng)
}

// TestLocalOperationsActOnShares applies the local operations of all programs
// of the tests to shares and to their sum.
func TestLocalOperationsActOnShares(t *testing.T) {
	rng := rand.New(rand.NewPCG(61, 62))
	m, err := Compile(residual(rng).load(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &m.Manifest.Program
	const batch = 2
	tested := map[Kind]bool{}
	for i := range p.Ops {
		op := &p.Ops[i]
		z := p.Values[op.Out]
		apply := func(x, y []uint64) []uint64 {
			switch op.Kind {
			case Gather:
				return GatherOf(op, z, x, batch)
			case Sum:
				return SumOf(op, z, x, batch)
			default:
				return AddOf(op, z, x, y)
			}
		}
		if op.Kind != Gather && op.Kind != Sum && op.Kind != Add {
			continue
		}
		tested[op.Kind] = true
		draw := func(of int) []uint64 {
			v := make([]uint64, batch*p.Values[of].Len)
			for i := range v {
				v[i] = rng.Uint64() & ring.Mask(p.Values[of].Width)
			}
			return v
		}
		last := op.In[len(op.In)-1]
		a, b, c, d := draw(op.In[0]), draw(op.In[0]), draw(last), draw(last)
		want := apply(a, c)
		ring.AddTo(want, apply(b, d))
		ring.Reduce(want, z.Width)
		ring.AddTo(a, b)
		ring.AddTo(c, d)
		if got := apply(a, c); !slices.Equal(got, want) {
			t.Errorf("%s %q: shares give another sum", op.Kind, op.Name)
		}
	}
	if len(tested) != 3 {
		t.Errorf("only %v were tested", tested)
	}
}

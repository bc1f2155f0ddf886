package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// smoothCases are operators with a smooth function, by what they compute.
var smoothCases = []struct {
	op     string
	opset  int64
	a      attrs
	lo, hi float64
	f      func(float64) float64
}{
	{"Tanh", 13, nil, -6, 6, math.Tanh},
	{"Tanh", 13, nil, -0.01, 0.02, math.Tanh}, // nearly a line
	{"Softplus", 1, nil, -9, 12, func(x float64) float64 { return math.Log1p(math.Exp(x)) }},
	{"Softsign", 1, nil, -6, 6, func(x float64) float64 { return x / (1 + math.Abs(x)) }},
	{"Erf", 13, nil, -5, 5, math.Erf},
	{"Mish", 18, nil, -8, 8, func(x float64) float64 { return x * math.Tanh(math.Log1p(math.Exp(x))) }},
	{"Exp", 13, nil, -5, 2, math.Exp},
	{"Log", 13, nil, 0.25, 9, math.Log},
	{"Sqrt", 13, nil, 0, 9, math.Sqrt},
	{"Reciprocal", 13, nil, 0.5, 9, func(x float64) float64 { return 1 / x }},
	{"Reciprocal", 6, nil, -9, -0.5, func(x float64) float64 { return 1 / x }},
	{"Sin", 7, nil, -7, 7, math.Sin},
	{"Cos", 7, nil, -7, 7, math.Cos},
	{"Tan", 7, nil, -1, 1, math.Tan},
	{"Asin", 7, nil, -1, 1, math.Asin},
	{"Acos", 7, nil, -1, 1, math.Acos},
	{"Atan", 7, nil, -9, 9, math.Atan},
	{"Sinh", 9, nil, -3, 3, math.Sinh},
	{"Cosh", 9, nil, -3, 3, math.Cosh},
	{"Asinh", 9, nil, -9, 9, math.Asinh},
	{"Acosh", 9, nil, 1, 9, math.Acosh},
	{"Atanh", 9, nil, -0.9, 0.9, math.Atanh},
	{"Elu", 6, nil, -6, 6, func(x float64) float64 { return max(x, math.Expm1(min(x, 0))) }},
	{"Elu", 6, attrs{"alpha": 2.5}, -6, 6, func(x float64) float64 { return max(x, 0) + 2.5*math.Expm1(min(x, 0)) }},
	{"Celu", 12, attrs{"alpha": 2.0}, -9, 6, func(x float64) float64 { return max(x, 0) + 2*math.Expm1(min(x, 0)/2) }},
	{"Selu", 6, nil, -6, 6, func(x float64) float64 {
		return 1.05070102214813232421875 * (max(x, 0) + 1.67326319217681884765625*math.Expm1(min(x, 0)))
	}},
	{"Selu", 1, nil, -6, 6, func(x float64) float64 { return 1.0507 * (max(x, 0) + 1.6732*math.Expm1(min(x, 0))) }},
	{"Selu", 6, attrs{"alpha": 2.0, "gamma": 3.0}, -6, 6, func(x float64) float64 { return 3 * (max(x, 0) + 2*math.Expm1(min(x, 0))) }},
	{"Gelu", 20, nil, -7, 7, func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }},
	{"Gelu", 20, attrs{"approximate": "tanh"}, -7, 7, func(x float64) float64 {
		return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}},
	{"Swish", 24, nil, -9, 9, func(x float64) float64 { return x / (1 + math.Exp(-x)) }},
	{"Swish", 24, attrs{"alpha": 1.5}, -9, 9, func(x float64) float64 { return x / (1 + math.Exp(-1.5*x)) }},
	{"HardSwish", 14, nil, -9, 9, func(x float64) float64 { return x * min(max(x+3, 0), 6) / 6 }},
}

// TestSmoothOperators runs every operator over its domain, alone and behind a
// linear layer, and asserts both bounds.
func TestSmoothOperators(t *testing.T) {
	for _, c := range smoothCases {
		t.Run(c.op, func(t *testing.T) {
			const n = 64
			rng := rand.New(rand.NewPCG(91, 92))
			x, want := make([]float32, 4*n), make([]float32, 4*n)
			for i := range x {
				x[i] = float32(c.lo + (c.hi-c.lo)*rng.Float64())
				if i < 2 {
					x[i] = float32([]float64{c.lo, c.hi}[i])
				}
				want[i] = float32(c.f(float64(x[i])))
			}
			g := newNet(c.opset, 0, n).node(c.op, "y", []string{"x"}, c.a).load(t)
			y, err := g.Float(x)
			if err != nil {
				t.Fatal(err)
			}
			for i := range y {
				if math.Abs(float64(y[i]-want[i])) > 1e-6*max(1, math.Abs(float64(want[i]))) {
					t.Fatalf("%s(%v) = %v, want %v", c.op, x[i], y[i], want[i])
				}
			}
			unit := make([]float32, n*n)
			for i := range n {
				unit[i*n+i] = 1
			}
			behind := newNet(c.opset, 0, n).floats("w", []int64{n, n}, unit...).node("MatMul", "m", []string{"x", "w"}, nil).node(c.op, "y", []string{"m"}, c.a).load(t)
			var rows [][]float32
			for i := range 4 {
				rows = append(rows, x[i*n:][:n])
			}
			for _, g := range []*Graph{g, behind} {
				for _, o := range []Options{{InputLo: &c.lo, InputHi: &c.hi}, {InputLo: &c.lo, InputHi: &c.hi, FractionBits: 8}, {Calibration: rows}} {
					m, err := Compile(g, o)
					if err != nil {
						t.Fatal(err)
					}
					checkPrivate(t, m, x, rng)
					checkReal(t, m, g, x)
				}
			}
		})
	}
}

// TestSmoothRefusals asserts that what cannot be computed is refused with a hint.
func TestSmoothRefusals(t *testing.T) {
	for _, c := range []struct {
		op     string
		lo, hi float64
		want   string
	}{
		{"Log", -1, 4, "may reach the pole"},
		{"Reciprocal", -1, 4, "may reach the pole"},
		{"Reciprocal", 0, 4, "may reach the pole"},
		{"Tan", -2, 2, "may reach the pole"},
		{"Atanh", -1, 0, "may reach the pole"},
		{"Sin", -400, 400, "bends more than"},
		{"Exp", 0, 400, "too much for fixed point"},
		{"Cosh", -60, 60, "too much for fixed point"},
	} {
		g := newNet(13, 0, 3).node(c.op, "y", []string{"x"}, nil).load(t)
		if _, err := Compile(g, Options{InputLo: &c.lo, InputHi: &c.hi}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %v to %v: error %v, want one about %q", c.op, c.lo, c.hi, err, c.want)
		}
	}
	for _, a := range []float64{0, -1, 1e9} {
		_, err := Load(newNet(13, 0, 3).node("Elu", "y", []string{"x"}, attrs{"alpha": a}).bytes("y"))
		if err == nil || !strings.Contains(err.Error(), "is not between") {
			t.Errorf("alpha %v: error %v", a, err)
		}
	}
}

// TestParameters asserts that extreme parameters end in a model or an error.
func TestParameters(t *testing.T) {
	for _, op := range []string{"Elu", "Celu", "Selu", "Swish"} {
		for _, alpha := range []float64{1e-30, 1e-9, 1e-3, 1e3, maxSlope} {
			g := newNet(24, 0, 3).node(op, "y", []string{"x"}, attrs{"alpha": alpha}).load(t)
			m, err := Compile(g, Options{})
			if err != nil {
				continue
			}
			x := []float32{-8, 8, 0.5, -1e-3, 1e-3, 0}
			checkPrivate(t, m, x, rand.New(rand.NewPCG(2, 3)))
			checkReal(t, m, g, x)
		}
	}
}

// TestPolesAreKeptAway asserts that calibration rows decide on which side of a pole a
// function is computed, and how close to it.
func TestPolesAreKeptAway(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 7))
	for _, op := range []string{"Log", "Reciprocal", "Sqrt"} {
		for _, sign := range []float32{1, -1} {
			if op != "Reciprocal" && sign < 0 {
				continue
			}
			b := newNet(13, 0, 4).floats("w", []int64{4, 3}, randoms(rng, 12, 0.1)...).floats("c", nil, sign).node("MatMul", "a", []string{"x", "w"}, nil)
			g := b.node("Add", "s", []string{"a", "c"}, nil).node(op, "y", []string{"s"}, nil).load(t)
			x := randoms(rng, 4*8, 0.7)
			var rows [][]float32
			for i := range 8 {
				rows = append(rows, x[4*i:][:4])
			}
			m, err := Compile(g, Options{Calibration: rows})
			if err != nil {
				t.Fatal(err)
			}
			checkPrivate(t, m, x, rng)
			checkReal(t, m, g, x)
		}
	}
}

// TestPoolsBeforeSmooth asserts that a maximum pool behind a rising function is
// computed before it, and behind another one is not.
func TestPoolsBeforeSmooth(t *testing.T) {
	for op, want := range map[string]int{"Tanh": 2 * 4, "Softplus": 2 * 4, "Mish": 2 * 16, "Cos": 2 * 16} {
		b := newNet(18, 0, 2, 4, 4).node(op, "s", []string{"x"}, nil).node("MaxPool", "y", []string{"s"}, attrs{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}})
		g := b.load(t)
		m, err := Compile(g, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range m.Manifest.Program.Ops {
			if n := m.Manifest.Program.Values[o.Out].Len; o.Kind == Splined && n != want {
				t.Errorf("%s of %d elements, want %d", op, n, want)
			}
		}
		x := randoms(rand.New(rand.NewPCG(3, 5)), 64, 2)
		checkPrivate(t, m, x, rand.New(rand.NewPCG(4, 5)))
		checkReal(t, m, g, x)
	}
}

// TestSplinesTellNoWeights compiles a network twice, with weights that differ a
// little: its splines are the same.
func TestSplinesTellNoWeights(t *testing.T) {
	rng := rand.New(rand.NewPCG(51, 52))
	w, v := randoms(rng, 40, 0.5), randoms(rng, 40, 0.5)
	var digests []string
	for _, factor := range []float32{1, 1 + 1e-5} {
		b := newNet(20, 0, 5)
		for i := range w {
			w[i], v[i] = w[i]*factor, v[i]*factor
		}
		b.floats("w", []int64{5, 8}, w...).floats("v", []int64{8, 5}, v...).node("MatMul", "a", []string{"x", "w"}, nil).node("Gelu", "g", []string{"a"}, nil)
		b.node("MatMul", "c", []string{"g", "v"}, nil).node("Softplus", "d", []string{"c"}, nil).node("MatMul", "e", []string{"d", "w"}, nil).node("Exp", "y", []string{"e"}, nil)
		m, err := Compile(b.load(t), Options{Calibration: [][]float32{{1, -1, 0.5, 0.25, -2}}})
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, fmt.Sprint(m.Manifest.Digest()))
	}
	if digests[0] != digests[1] {
		t.Error("the manifests differ")
	}
}

// TestSmoothTensors applies functions to padded, transposed and constant tensors.
func TestSmoothTensors(t *testing.T) {
	e := func(x float64) float32 { return float32(math.Exp(x)) }
	for name, c := range map[string]struct {
		build func(*netBuilder)
		want  []float32
	}{
		"padded": {func(b *netBuilder) {
			b.ints("p", []int64{6}, 0, 0, 0, 0, 0, 1).node("Pad", "q", []string{"x", "p"}, nil).node("Exp", "y", []string{"q"}, nil)
		}, []float32{e(1), e(-2), 1, e(0.5), e(-1), 1}},
		"transposed": {func(b *netBuilder) {
			b.node("Transpose", "q", []string{"x"}, attrs{"perm": []int64{0, 2, 1}}).node("Exp", "y", []string{"q"}, nil)
		}, []float32{e(1), e(0.5), e(-2), e(-1)}},
		"constant": {func(b *netBuilder) {
			b.floats("c", []int64{2}, 0, 1).node("Exp", "d", []string{"c"}, nil).node("Mul", "y", []string{"x", "d"}, nil)
		}, []float32{1, -2 * e(1), 0.5, -e(1)}},
		"sliced": {func(b *netBuilder) {
			b.ints("i", []int64{1}, 1).node("Exp", "q", []string{"x"}, nil).node("Gather", "y", []string{"q", "i"}, attrs{"axis": 2})
		}, []float32{e(-2), e(-1)}},
		"sigmoid before a layer": {func(b *netBuilder) {
			b.floats("w", []int64{2, 1}, 1, 2).node("Sigmoid", "q", []string{"x"}, nil).node("MatMul", "y", []string{"q", "w"}, nil)
		}, []float32{float32(logistic(1) + 2*logistic(-2)), float32(logistic(0.5) + 2*logistic(-1))}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newNet(13, 0, 2, 2)
			c.build(b)
			g := b.load(t)
			x := []float32{1, -2, 0.5, -1}
			checkNetwork(t, g, x, c.want)
			m, err := Compile(g, Options{Calibration: [][]float32{x}})
			if err != nil {
				t.Fatal(err)
			}
			checkPrivate(t, m, x, rand.New(rand.NewPCG(1, 1)))
			for _, op := range m.Manifest.Program.Ops {
				if op.Kind == Splined && name == "sliced" && m.Manifest.Program.Values[op.Out].Len != 2 {
					t.Error("elements that nobody reads are computed")
				}
			}
		})
	}
}

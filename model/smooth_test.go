package model

import (
	"math"
	"math/rand/v2"
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

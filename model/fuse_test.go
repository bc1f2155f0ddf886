package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestExportedActivations asserts that what exporters write as several nodes is one
// spline, whatever the order of its factors.
func TestExportedActivations(t *testing.T) {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	gelu := func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }
	tanh := func(x float64) float64 { return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))) }
	c := func(b *netBuilder, v ...float32) *netBuilder {
		for i, x := range v {
			b.floats(string(rune('a'+i)), nil, x)
		}
		return b
	}
	for _, n := range []struct {
		name  string
		f     func(float64) float64
		build func(*netBuilder)
	}{
		{"GELU of PyTorch", gelu, func(b *netBuilder) {
			c(b, math.Sqrt2, 1, 0.5).node("Div", "d", []string{"h", "a"}, nil).node("Erf", "e", []string{"d"}, nil).node("Add", "s", []string{"e", "b"}, nil)
			b.node("Mul", "m", []string{"h", "s"}, nil).node("Mul", "y", []string{"m", "c"}, nil)
		}},
		{"GELU of Keras", gelu, func(b *netBuilder) {
			c(b, 1/math.Sqrt2, 1, 0.5).node("Mul", "d", []string{"h", "a"}, nil).node("Erf", "e", []string{"d"}, nil).node("Add", "s", []string{"b", "e"}, nil)
			b.node("Mul", "m", []string{"c", "h"}, nil).node("Mul", "y", []string{"m", "s"}, nil)
		}},
		{"GELU by a hyperbolic tangent", tanh, func(b *netBuilder) {
			c(b, 3, 0.044715, 0.7978845608, 1, 0.5).node("Pow", "p", []string{"h", "a"}, nil).node("Mul", "q", []string{"p", "b"}, nil).node("Add", "i", []string{"h", "q"}, nil)
			b.node("Mul", "k", []string{"i", "c"}, nil).node("Tanh", "t", []string{"k"}, nil).node("Add", "s", []string{"t", "d"}, nil)
			b.node("Mul", "m", []string{"h", "s"}, nil).node("Mul", "y", []string{"m", "e"}, nil)
		}},
		{"SiLU", func(x float64) float64 { return x * sigmoid(x) }, func(b *netBuilder) {
			b.node("Sigmoid", "s", []string{"h"}, nil).node("Mul", "y", []string{"s", "h"}, nil)
		}},
		{"Mish", func(x float64) float64 { return x * math.Tanh(math.Log1p(math.Exp(x))) }, func(b *netBuilder) {
			b.node("Softplus", "s", []string{"h"}, nil).node("Tanh", "t", []string{"s"}, nil).node("Mul", "y", []string{"h", "t"}, nil)
		}},
		{"softplus", func(x float64) float64 { return math.Log1p(math.Exp(x)) }, func(b *netBuilder) {
			c(b, 1).node("Exp", "e", []string{"h"}, nil).node("Add", "s", []string{"e", "a"}, nil).node("Log", "y", []string{"s"}, nil)
		}},
		{"sigmoid", sigmoid, func(b *netBuilder) {
			c(b, 1).node("Neg", "n", []string{"h"}, nil).node("Exp", "e", []string{"n"}, nil).node("Add", "s", []string{"e", "a"}, nil).node("Reciprocal", "y", []string{"s"}, nil)
		}},
	} {
		t.Run(n.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(17, 18))
			b := newNet(13, 0, 5).floats("w", []int64{5, 8}, randoms(rng, 40, 1)...).node("MatMul", "h", []string{"x", "w"}, nil)
			n.build(b)
			g := b.load(t)
			x := randoms(rng, 4*5, 1.5)
			h, err := newNet(13, 0, 5).floats("w", []int64{5, 8}, b.m.Graph.Initializer[0].FloatData...).node("MatMul", "y", []string{"x", "w"}, nil).load(t).Float(x)
			if err != nil {
				t.Fatal(err)
			}
			for i := range h {
				h[i] = float32(n.f(float64(h[i])))
			}
			y, err := g.Float(x)
			if err != nil {
				t.Fatal(err)
			}
			for i := range y {
				if math.Abs(float64(y[i]-h[i])) > 1e-5 {
					t.Fatalf("element %d is %v, want %v", i, y[i], h[i])
				}
			}
			lo, hi := -8.0, 8.0
			m, err := Compile(g, Options{InputLo: &lo, InputHi: &hi})
			if err != nil {
				t.Fatal(err)
			}
			count := map[Kind]int{}
			for _, op := range m.Manifest.Program.Ops {
				count[op.Kind]++
			}
			if len(count) != 3 || count[Splined] != 1 || count[Linear] != 1 || count[Shift] != 2 {
				t.Errorf("operations %v, want a layer, a spline and shifts", count)
			}
			checkPrivate(t, m, x, rng)
			checkReal(t, m, g, x)
		})
	}
}

// TestWeightsAreNoPatterns asserts that a factor that is a weight is not taken into a
// public spline.
func TestWeightsAreNoPatterns(t *testing.T) {
	for _, factor := range []float32{1, 1.702} {
		b := newNet(13, 0, 4).floats("c", nil, factor).node("Mul", "s", []string{"x", "c"}, nil).node("Tanh", "t", []string{"s"}, nil).node("Mul", "y", []string{"t", "x"}, nil)
		m, err := Compile(b.load(t), Options{})
		if err != nil {
			t.Fatal(err)
		}
		layers := 0
		for _, op := range m.Manifest.Program.Ops {
			if op.Kind == Linear {
				layers++
			}
		}
		if layers != 1 {
			t.Errorf("a factor of %v: %d layers", factor, layers)
		}
	}
}

package model

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// checkHand runs hand cases on every engine.
func checkHand(t *testing.T, b *netBuilder, x, want []float32) *Graph {
	t.Helper()
	g := b.load(t)
	checkNetwork(t, g, x, want)
	lo, hi := -8.0, 8.0
	m, err := Compile(g, Options{InputLo: &lo, InputHi: &hi})
	if err != nil {
		t.Fatal(err)
	}
	checkPrivate(t, m, x, rand.New(rand.NewPCG(81, 82)))
	return g
}

func TestRectifiers(t *testing.T) {
	row := []float32{1, -2, 3, -4}
	shape := []int64{0, 2, 2}
	one := func(op string, a attrs) func(*netBuilder) {
		return func(b *netBuilder) { b.node(op, "y", []string{"x"}, a) }
	}
	for _, c := range []struct {
		name  string
		opset int64
		build func(*netBuilder)
		want  []float32
	}{
		{"Clip 6", 6, one("Clip", attrs{"min": -1.0, "max": 2.0}), []float32{1, -1, 2, -1}},
		{"Clip 13", 13, func(b *netBuilder) {
			b.floats("lo", nil, 0).floats("hi", nil, 2).node("Clip", "y", []string{"x", "lo", "hi"}, nil)
		}, []float32{1, 0, 2, 0}},
		{"Clip above only", 13, func(b *netBuilder) { b.floats("hi", nil, -3).node("Clip", "y", []string{"x", "", "hi"}, nil) }, []float32{-3, -3, -3, -4}},
		{"Clip below only", 13, func(b *netBuilder) { b.floats("lo", nil, -3).node("Clip", "y", []string{"x", "lo"}, nil) }, []float32{1, -2, 3, -3}},
		{"Clip outside of the range", 13, func(b *netBuilder) {
			b.floats("lo", nil, -1e9).floats("hi", nil, 1e9).node("Clip", "y", []string{"x", "lo", "hi"}, nil)
		}, row},
		{"Clip to a constant", 13, func(b *netBuilder) {
			b.floats("lo", nil, 50).floats("hi", nil, 60).node("Clip", "y", []string{"x", "lo", "hi"}, nil)
		}, []float32{50, 50, 50, 50}},
		{"Clip with exchanged limits", 13, func(b *netBuilder) {
			b.floats("lo", nil, 2).floats("hi", nil, 1).node("Clip", "y", []string{"x", "lo", "hi"}, nil)
		}, []float32{1, 1, 1, 1}},
		{"Clip of padding", 13, func(b *netBuilder) {
			b.ints("p", []int64{6}, 0, 0, 0, 0, 0, 1).floats("lo", nil, 1).floats("hi", nil, 2)
			b.node("Pad", "p0", []string{"x", "p"}, nil).node("Clip", "y", []string{"p0", "lo", "hi"}, nil)
		}, []float32{1, 1, 1, 2, 1, 1}},
		{"LeakyRelu of padding", 13, func(b *netBuilder) {
			b.ints("p", []int64{6}, 0, 0, 0, 0, 0, 1).node("Pad", "p0", []string{"x", "p"}, nil).node("LeakyRelu", "y", []string{"p0"}, attrs{"alpha": 0.5})
		}, []float32{1, -1, 0, 3, -2, 0}},
		{"LeakyRelu", 16, one("LeakyRelu", nil), []float32{1, -0.02, 3, -0.04}},
		{"LeakyRelu 0.5", 6, one("LeakyRelu", attrs{"alpha": 0.5}), []float32{1, -1, 3, -2}},
		{"LeakyRelu down", 6, one("LeakyRelu", attrs{"alpha": -3.0}), []float32{1, 6, 3, 12}},
		{"PRelu of a channel", 16, func(b *netBuilder) {
			b.floats("a", []int64{2, 1}, 0.25, -0.3).node("PRelu", "y", []string{"x", "a"}, nil)
		}, []float32{1, -0.5, 3, 1.2}},
		{"PRelu of one slope", 7, func(b *netBuilder) { b.floats("a", []int64{1}, 0.1).node("PRelu", "y", []string{"x", "a"}, nil) }, []float32{1, -0.2, 3, -0.4}},
		{"Abs", 13, one("Abs", nil), []float32{1, 2, 3, 4}},
		{"HardSigmoid", 6, one("HardSigmoid", nil), []float32{0.7, 0.1, 1, 0}},
		{"HardSigmoid of PyTorch", 14, one("HardSigmoid", attrs{"alpha": 1.0 / 6}), []float32{0.5 + 1.0/6, 0.5 - 1.0/3, 1, 0}},
		{"Max with a constant", 13, func(b *netBuilder) { b.floats("c", []int64{2}, 2, -3).node("Max", "y", []string{"x", "c"}, nil) }, []float32{2, -2, 3, -3}},
		{"Min with a constant", 13, func(b *netBuilder) { b.floats("c", nil, 1.5).node("Min", "y", []string{"c", "x"}, nil) }, []float32{1, -2, 1.5, -4}},
		{"Max of three", 13, func(b *netBuilder) {
			b.floats("c", nil, -1).node("Neg", "n", []string{"x"}, nil).node("Max", "y", []string{"x", "n", "c"}, nil)
		}, []float32{1, 2, 3, 4}},
		{"Min of two", 8, func(b *netBuilder) {
			b.node("ReduceSum", "s", []string{"x"}, attrs{"axes": []int64{1}}).node("Min", "y", []string{"x", "s"}, nil)
		}, []float32{1, -6, 3, -6}},
		{"Min of itself", 8, one("Min", nil), row},
		{"Sum", 13, func(b *netBuilder) { b.floats("c", []int64{2}, 1, 2).node("Sum", "y", []string{"c", "x", "x"}, nil) }, []float32{3, -2, 7, -6}},
		{"Mean", 8, func(b *netBuilder) {
			b.floats("c", []int64{1, 1}, 6).node("Transpose", "t", []string{"x"}, attrs{"perm": []int64{0, 2, 1}}).node("Mean", "y", []string{"t", "x", "c"}, nil)
		}, []float32{8. / 3, 7. / 3, 7. / 3, -2. / 3}},
		{"Mean of one", 8, one("Mean", nil), row},
		{"transposed", 13, func(b *netBuilder) {
			b.floats("a", []int64{2}, 0.5, -1).node("Transpose", "t", []string{"x"}, attrs{"perm": []int64{0, 2, 1}}).node("PRelu", "y", []string{"t", "a"}, nil)
		}, []float32{1, 3, -1, 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newNet(c.opset, shape...)
			c.build(b)
			checkHand(t, b, row, c.want)
		})
	}
}

// TestRectifiersInside puts piecewise linear functions between layers, with
// limits and slopes at random, and drives the input to the ends of its range: no
// precondition of the protocol may break, and both bounds must hold.
func TestRectifiersInside(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 4))
		limit := rapid.Float64Range(-20, 20)
		b := newNet(13, 0, 6).floats("w", []int64{6, 4}, randoms(rng, 24, 0.6)...).floats("v", []int64{4, 3}, randoms(rng, 12, 0.6)...)
		b.node("MatMul", "a", []string{"x", "w"}, nil)
		switch op := rapid.SampledFrom([]string{"Clip", "LeakyRelu", "PRelu", "Abs", "HardSigmoid", "Max", "Min"}).Draw(t, "op"); op {
		case "Clip":
			b.floats("lo", nil, float32(limit.Draw(t, "lo"))).floats("hi", nil, float32(limit.Draw(t, "hi"))).node(op, "r", []string{"a", "lo", "hi"}, nil)
		case "LeakyRelu":
			b.node(op, "r", []string{"a"}, attrs{"alpha": rapid.Float64Range(-2, 2).Draw(t, "alpha")})
		case "PRelu":
			b.floats("s", []int64{4}, randoms(rng, 4, 0.4)...).node(op, "r", []string{"a", "s"}, nil)
		case "Max", "Min":
			b.floats("u", []int64{6, 4}, randoms(rng, 24, 0.6)...).floats("c", []int64{4}, randoms(rng, 4, 4)...)
			b.node("MatMul", "o", []string{"x", "u"}, nil).node(op, "r", []string{"a", "c", "o"}, nil)
		default:
			b.node(op, "r", []string{"a"}, nil)
		}
		g, err := Load(b.node("MatMul", "y", []string{"r", "v"}, nil).bytes("y"))
		if err != nil {
			t.Fatal(err)
		}
		x := randoms(rng, 6*6, 2)
		for i := range x {
			if x[i] = min(max(x[i], -3), 5); i < 18 {
				x[i] = []float32{-3, 5}[rng.IntN(2)]
			}
		}
		lo, hi := -3.0, 5.0
		var rows [][]float32
		for i := range 6 {
			rows = append(rows, x[6*i:][:6])
		}
		for _, o := range []Options{{InputLo: &lo, InputHi: &hi}, {InputLo: &lo, InputHi: &hi, FractionBits: 6}, {Calibration: rows}} {
			m, err := Compile(g, o)
			if err != nil {
				t.Fatal(err)
			}
			checkPrivate(t, m, x, rng)
			checkReal(t, m, g, x)
		}
	})
}

// checkReal asserts that fixed point is within its bound of real numbers.
func checkReal(t failer, m *Model, g *Graph, x []float32) {
	t.Helper()
	raw, err := g.Raw(x)
	if err != nil {
		t.Fatal(err)
	}
	e, err := m.Manifest.Encode(x)
	if err != nil {
		t.Fatal(err)
	}
	z, err := m.Eval(e, len(x)/m.Manifest.Input.Len())
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range m.Manifest.Fixed(z) {
		if math.Abs(v-raw[i]) > m.FloatBound() {
			t.Fatalf("element %d is %v in fixed point, %v in real numbers: more than the bound %v", i, v, raw[i], m.FloatBound())
		}
	}
}

// TestRectifierErrors asserts the bounds of docs/operators.md: a clip is as exact
// as its operand, a leaky ReLU as its steepest slope times that.
func TestRectifierErrors(t *testing.T) {
	bound := func(build func(*netBuilder)) (Ulp, int) {
		b := newNet(13, 0, 4).floats("w", []int64{4, 4}, randoms(rand.New(rand.NewPCG(5, 6)), 16, 0.5)...).node("MatMul", "a", []string{"x", "w"}, nil)
		build(b)
		m, err := Compile(b.load(t), Options{FractionBits: 12})
		if err != nil {
			t.Fatal(err)
		}
		return m.Manifest.Ulp, m.Manifest.Program.Comparisons()
	}
	relu, _ := bound(func(b *netBuilder) { b.node("Relu", "y", []string{"a"}, nil) })
	clip, n := bound(func(b *netBuilder) {
		b.floats("lo", nil, -1).floats("hi", nil, 1).node("Clip", "y", []string{"a", "lo", "hi"}, nil)
	})
	if clip != relu || n != 8 {
		t.Errorf("clip errs by %+v with %d comparisons, ReLU by %+v", clip, n, relu)
	}
	leaky, n := bound(func(b *netBuilder) { b.node("LeakyRelu", "y", []string{"a"}, attrs{"alpha": 0.25}) })
	if leaky.PerParty > 2*relu.PerParty || n != 8 { // its output is shifted once more
		t.Errorf("leaky ReLU errs by %+v with %d comparisons, ReLU by %+v", leaky, n, relu)
	}
	if _, n := bound(func(b *netBuilder) { b.node("Abs", "y", []string{"a"}, nil) }); n != 4 {
		t.Errorf("%d comparisons for 4 absolute values", n)
	}
}

// TestRectifiersBetweenLayers asserts that ReLU6 and leaky ReLUs between
// convolutions need no lifts, and that a pool behind one is computed before it.
func TestRectifiersBetweenLayers(t *testing.T) {
	for name, add := range map[string]func(b *netBuilder, in, out string){
		"Clip":      func(b *netBuilder, in, out string) { b.node("Clip", out, []string{in, "lo", "hi"}, nil) },
		"LeakyRelu": func(b *netBuilder, in, out string) { b.node("LeakyRelu", out, []string{in}, attrs{"alpha": 0.1}) },
		"PRelu":     func(b *netBuilder, in, out string) { b.node("PRelu", out, []string{in, "slope"}, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(31, 32))
			b := newNet(13, 0, 4, 6, 6).floats("lo", nil, 0).floats("hi", nil, 6).floats("slope", []int64{4, 1, 1}, randoms(rng, 4, 0.2)...)
			for _, layer := range [][2]string{{"x", "a"}, {"p", "b"}} {
				w := "w" + layer[1]
				b.floats(w, []int64{4, 4, 3, 3}, randoms(rng, 144, 0.2)...)
				b.node("Conv", "c"+layer[1], []string{layer[0], w}, attrs{"pads": []int64{1, 1, 1, 1}})
				add(b, "c"+layer[1], "r"+layer[1])
				out := "y"
				if layer[1] == "a" {
					out = "p"
				}
				b.node("MaxPool", out, []string{"r" + layer[1]}, attrs{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}})
			}
			g := b.load(t)
			x := randoms(rng, 4*144, 1)
			checkFixed(t, g, x)
			m, err := Compile(g, Options{Calibration: [][]float32{x[:144], x[144:288], x[288:432], x[432:]}})
			if err != nil {
				t.Fatal(err)
			}
			checkPrivate(t, m, x, rng)
			for _, l := range m.Manifest.Program.Layers() {
				if l.Kind == Lift && name != "PRelu" {
					t.Errorf("a lift of %d elements", l.Len)
				}
			}
			// 4 channels of 6×6 and of 3×3: pools, then two comparisons for each element.
			want := 4*(6*3+3*3) + 2*4*9 + 4*(2*1+1) + 2*4
			if got := m.Manifest.Program.Comparisons(); name != "PRelu" && got != want {
				t.Errorf("%d comparisons, want %d", got, want)
			}
		})
	}
}

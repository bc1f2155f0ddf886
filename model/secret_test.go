package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// deciding is a network with a step, a spline and products of elements and
// matrices.
func deciding() *netBuilder {
	b := newNet(13, 0, 2, 2).floats("c", nil, 0.5).ints("to", []int64{3}, 0, 2, 2)
	b.node("Greater", "g", []string{"x", "c"}, nil).node("Tanh", "t", []string{"x"}, nil).node("Where", "w", []string{"g", "t", "x"}, nil)
	return b.node("MatMul", "y", []string{"w", "x"}, nil)
}

// TestDecisions runs operators that compare or multiply two secrets by hand.
func TestDecisions(t *testing.T) {
	row := []float32{1, -2, 3, -4}
	two := func(op string, a attrs) func(*netBuilder) { // of x and x in another order
		return func(b *netBuilder) {
			b.ints("i", []int64{2}, 1, 0).node("Gather", "r", []string{"x", "i"}, attrs{"axis": 2}).node(op, "y", []string{"x", "r"}, a)
		}
	}
	constant := func(op string, in ...string) func(*netBuilder) {
		return func(b *netBuilder) { b.floats("c", []int64{2}, 1, -3).node(op, "y", in, nil) }
	}
	bits := func(op string) func(*netBuilder) { // of x > 0 and the condition x·2 > −5
		return func(b *netBuilder) {
			b.floats("z", nil, 0).floats("m", []int64{1, 2, 1}, -3, 2).node("Greater", "p", []string{"x", "z"}, nil).node("Less", "q", []string{"x", "m"}, nil)
			b.node(op, "y", []string{"p", "q"}, nil)
		}
	}
	for name, c := range map[string]struct {
		opset int64
		build func(*netBuilder)
		want  []float32
	}{
		"Greater":            {13, two("Greater", nil), []float32{1, 0, 1, 0}},
		"GreaterOrEqual":     {13, constant("GreaterOrEqual", "x", "c"), []float32{1, 1, 1, 0}},
		"Less than constant": {13, constant("Less", "x", "c"), []float32{0, 0, 0, 1}},
		"Less of constant":   {13, constant("Less", "c", "x"), []float32{0, 1, 1, 0}},
		"LessOrEqual":        {13, constant("LessOrEqual", "x", "c"), []float32{1, 0, 0, 1}},
		"Equal":              {13, constant("Equal", "x", "c"), []float32{1, 0, 0, 0}},
		"Equal to itself":    {13, func(b *netBuilder) { b.node("Equal", "y", []string{"x", "x"}, nil) }, []float32{1, 1, 1, 1}},
		"Sign":               {13, func(b *netBuilder) { b.node("Relu", "r", []string{"x"}, nil).node("Sign", "y", []string{"r"}, nil) }, []float32{1, 0, 1, 0}},
		"And":                {13, bits("And"), []float32{0, 0, 0, 0}},
		"Or":                 {13, bits("Or"), []float32{1, 0, 1, 1}},
		"Xor":                {13, bits("Xor"), []float32{1, 0, 1, 1}},
		"Not": {13, func(b *netBuilder) {
			b.floats("z", nil, 0).node("Less", "p", []string{"x", "z"}, nil).node("Not", "y", []string{"p"}, nil)
		}, []float32{1, 0, 1, 0}},
		"Where of secrets": {13, func(b *netBuilder) {
			b.floats("z", []int64{2}, 0, -3).node("Greater", "p", []string{"x", "z"}, nil).node("Neg", "n", []string{"x"}, nil).node("Where", "y", []string{"p", "x", "n"}, nil)
		}, []float32{1, -2, 3, 4}},
		"Where of a constant": {13, func(b *netBuilder) {
			b.floats("z", nil, 0).floats("c", []int64{2, 1}, 5, 6).node("Greater", "p", []string{"x", "z"}, nil).node("Where", "y", []string{"p", "x", "c"}, nil)
		}, []float32{1, 5, 3, 6}},
		"Where of constants": {13, func(b *netBuilder) {
			b.floats("z", nil, 0).floats("c", []int64{2, 1}, 5, 6).floats("d", nil, -1).node("Greater", "p", []string{"x", "z"}, nil).node("Where", "y", []string{"p", "c", "d"}, nil)
		}, []float32{5, -1, 6, -1}},
		"ThresholdedRelu": {13, func(b *netBuilder) { b.node("ThresholdedRelu", "y", []string{"x"}, attrs{"alpha": 2.0}) }, []float32{0, 0, 3, 0}},
		"IsNaN":           {13, func(b *netBuilder) { b.node("IsNaN", "y", []string{"x"}, nil) }, []float32{0, 0, 0, 0}},
		"Mul":             {13, two("Mul", nil), []float32{-2, -2, -12, -12}},
		"MatMul": {13, func(b *netBuilder) {
			b.node("Transpose", "t", []string{"x"}, attrs{"perm": []int64{0, 2, 1}}).node("MatMul", "y", []string{"x", "t"}, nil)
		}, []float32{5, 11, 11, 25}},
		"Einsum": {13, func(b *netBuilder) { b.node("Einsum", "y", []string{"x", "x"}, attrs{"equation": "bij,bkj->bki"}) }, []float32{5, 11, 11, 25}},
		"Einsum with a sum": {13, func(b *netBuilder) {
			b.node("Einsum", "y", []string{"x", "x"}, attrs{"equation": "bij,bkl->bki"})
		}, []float32{1, 1, 1, 1}},
		"Einsum of a constant": {13, func(b *netBuilder) {
			b.floats("w", []int64{2, 3}, 1, 2, 3, 4, 5, 6).node("Einsum", "y", []string{"x", "w"}, attrs{"equation": "bij,jk->bki"})
		}, []float32{-7, -13, -8, -14, -9, -15}},
		"Pow":   {13, func(b *netBuilder) { b.floats("e", []int64{2}, 2, 3).node("Pow", "y", []string{"x", "e"}, nil) }, []float32{1, -8, 9, -64}},
		"Pow 4": {13, func(b *netBuilder) { b.floats("e", nil, 4).node("Pow", "y", []string{"x", "e"}, nil) }, []float32{1, 16, 81, 256}},
		"ArgMax": {13, func(b *netBuilder) {
			b.node("ArgMax", "a", []string{"x"}, attrs{"axis": -1}).node("Cast", "f", []string{"a"}, attrs{"to": 1}).node("Neg", "y", []string{"f"}, nil)
		}, []float32{0, 0}},
		"ArgMin": {13, func(b *netBuilder) {
			b.node("Neg", "n", []string{"x"}, nil).node("ArgMax", "a", []string{"n"}, attrs{"axis": 1, "keepdims": 0}).node("Cast", "f", []string{"a"}, attrs{"to": 1}).node("Neg", "y", []string{"f"}, nil)
		}, []float32{0, -1}},
		"Greatest of one": {13, func(b *netBuilder) {
			b.ints("k", []int64{1}, 1).node("TopK", "y", []string{"x", "k"}, nil)
		}, []float32{1, 3}},
		"Smallest": {13, func(b *netBuilder) {
			b.ints("k", []int64{1}, 2).node("TopK", "y", []string{"x", "k"}, attrs{"axis": 1, "largest": 0})
		}, []float32{1, -4, 3, -2}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newNet(c.opset, 0, 2, 2)
			c.build(b)
			checkHand(t, b, row, c.want)
		})
	}
}

// TestTies asserts that equal elements are ordered as the file says, whatever was
// rounded before.
func TestTies(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, last := range []int{0, 1} {
		b := newNet(13, 0, 3).floats("w", []int64{3, 4}, 0.3, 0.3, 0.3, 0.1, 0.7, 0.7, 0.7, 0.2, -0.2, -0.2, -0.2, 0).node("MatMul", "m", []string{"x", "w"}, nil)
		b.node("Tanh", "t", []string{"m"}, nil).node("ArgMax", "a", []string{"t"}, attrs{"axis": 1, "select_last_index": last}).node("Cast", "f", []string{"a"}, attrs{"to": 1})
		g := b.node("Neg", "y", []string{"f"}, nil).load(t)
		m, err := Compile(g, Options{})
		if err != nil {
			t.Fatal(err)
		}
		x := []float32{1, 2, 0.5, 0.3, 1, -1}
		e, err := m.Manifest.Encode(x)
		if err != nil {
			t.Fatal(err)
		}
		y, err := m.Eval(e, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range m.Manifest.Decode(y) {
			if v != float32(-2*last) {
				t.Errorf("element %v is the largest of three that are equal, last is %d", -v, last)
			}
		}
		// Parties may disagree about ties, but always name one element.
		for range 20 {
			got, err := Run(shared{plain{m, 2}, 7, rng, 0}, &m.Manifest.Program, e)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range m.Manifest.Decode(got) {
				if v != 0 && v != -1 && v != -2 {
					t.Errorf("the largest element is %v", -v)
				}
			}
		}
	}
}

// TestInside compares what is computed inside with a direct computation.
func TestInside(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	softmax := func(x []float64, log bool) []float64 {
		top, sum := largest(x), 0.0
		z := make([]float64, len(x))
		for _, v := range x {
			sum += math.Exp(v - top)
		}
		for i, v := range x {
			if z[i] = math.Exp(v-top) / sum; log {
				z[i] = v - top - math.Log(sum)
			}
		}
		return z
	}
	norm := func(x []float64) []float64 {
		mean, v := 0.0, 0.0
		for _, a := range x {
			mean += a / float64(len(x))
		}
		for _, a := range x {
			v += (a - mean) * (a - mean) / float64(len(x))
		}
		z := make([]float64, len(x))
		for i, a := range x {
			z[i] = (a - mean) / math.Sqrt(v+1e-5)
		}
		return z
	}
	for name, c := range map[string]struct {
		opset int64
		build func(*netBuilder)
		f     func([]float64) []float64
	}{
		"Softmax":    {13, func(b *netBuilder) { b.node("Softmax", "s", []string{"x"}, nil) }, func(x []float64) []float64 { return softmax(x, false) }},
		"LogSoftmax": {13, func(b *netBuilder) { b.node("LogSoftmax", "s", []string{"x"}, attrs{"axis": -1}) }, func(x []float64) []float64 { return softmax(x, true) }},
		"LayerNormalization": {17, func(b *netBuilder) {
			b.floats("one", []int64{4}, 1, 1, 1, 1).node("LayerNormalization", "s", []string{"x", "one"}, nil)
		}, norm},
		"in several nodes": {13, func(b *netBuilder) {
			b.floats("two", nil, 2).floats("e", nil, 1e-5).node("ReduceMean", "m", []string{"x"}, attrs{"axes": []int64{-1}}).node("Sub", "d", []string{"x", "m"}, nil).node("Pow", "p", []string{"d", "two"}, nil)
			b.node("ReduceMean", "v", []string{"p"}, attrs{"axes": []int64{-1}}).node("Add", "u", []string{"v", "e"}, nil).node("Sqrt", "r", []string{"u"}, nil).node("Div", "s", []string{"d", "r"}, nil)
		}, norm},
	} {
		t.Run(name, func(t *testing.T) {
			b := newNet(c.opset, 0, 3, 4)
			c.build(b)
			g := b.node("Neg", "y", []string{"s"}, nil).load(t)
			x := randoms(rng, 6*12, 2)
			var want []float32
			for i := range 18 {
				v := make([]float64, 4)
				for k := range v {
					v[k] = float64(x[4*i+k])
				}
				for _, z := range c.f(v) {
					want = append(want, float32(-z))
				}
			}
			checkNear(t, g, x, want, 1e-4)
			for _, o := range []Options{{}, {FractionBits: 9}, {FractionBits: 16}} {
				m, err := Compile(g, o)
				if err != nil {
					t.Fatal(err)
				}
				checkPrivate(t, m, x, rng)
				checkPrivate(t, m, make([]float32, 12), rng)
				checkReal(t, m, g, x)
			}
		})
	}
}

// chains keep the shape 3×4 of a row and multiply, compare or normalise.
var chains = []func(b *netBuilder, rng *rand.Rand, in, out string){
	func(b *netBuilder, _ *rand.Rand, in, out string) { b.node("Softmax", out, []string{in}, nil) },
	func(b *netBuilder, _ *rand.Rand, in, out string) { b.node("Mul", out, []string{in, "x"}, nil) },
	func(b *netBuilder, _ *rand.Rand, in, out string) { b.node("Sign", out, []string{in}, nil) },
	func(b *netBuilder, _ *rand.Rand, in, out string) {
		b.node("Greater", out+"g", []string{in, "x"}, nil).node("Where", out, []string{out + "g", in, "x"}, nil)
	},
	func(b *netBuilder, rng *rand.Rand, in, out string) {
		b.floats(out+"s", []int64{4}, randoms(rng, 4, 1)...).floats(out+"b", []int64{4}, randoms(rng, 4, 1)...)
		b.node("LayerNormalization", out, []string{in, out + "s", out + "b"}, nil)
	},
	func(b *netBuilder, _ *rand.Rand, in, out string) {
		b.node("Einsum", out+"e", []string{in, "x"}, attrs{"equation": "bij,bkj->bik"}).node("Softmax", out+"s", []string{out + "e"}, nil).node("MatMul", out, []string{out + "s", "x"}, nil)
	},
	func(b *netBuilder, rng *rand.Rand, in, out string) {
		b.floats(out+"w", []int64{4, 4}, randoms(rng, 16, 0.5)...).node("MatMul", out+"m", []string{in, out + "w"}, nil).node("Relu", out, []string{out + "m"}, nil)
	},
	func(b *netBuilder, _ *rand.Rand, in, out string) {
		b.ints(out+"k", []int64{1}, 4).node("TopK", out, []string{in, out + "k"}, nil)
	},
}

// TestRandomChains joins them at random, and asserts both bounds.
func TestRandomChains(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 11))
		b := newNet(17, 0, 3, 4)
		in := "x"
		n := rapid.IntRange(1, 3).Draw(t, "links")
		for i := range n {
			out := fmt.Sprint("l", i)
			if i == n-1 {
				out = "z"
			}
			chains[rapid.IntRange(0, len(chains)-1).Draw(t, "link")](b, rng, in, out)
			in = out
		}
		b.node("Neg", "y", []string{"z"}, nil)
		g, err := Load(b.bytes("y"))
		if err != nil {
			t.Fatal(err)
		}
		x := randoms(rng, 4*12, 1)
		m, err := Compile(g, Options{Calibration: [][]float32{x[:12], x[12:24], x[24:36], x[36:]}})
		if err != nil {
			t.Fatal(err)
		}
		checkPrivate(t, m, x, rng)
		checkReal(t, m, g, x)
	})
}

// TestValidateSecret changes operations on secrets of a valid program in ways that
// no engine could run.
func TestValidateSecret(t *testing.T) {
	m, err := Compile(deciding().load(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		kind   Kind
		change func(p *Program, op *Op)
	}{
		"a step that is too wide":      {Step, func(_ *Program, op *Op) { op.Bits = 63 }},
		"a step wider than its value":  {Step, func(p *Program, op *Op) { op.Bits = p.Values[op.In[0]].Width + 1 }},
		"a step with a spline":         {Step, func(_ *Program, op *Op) { op.Spline = &Spline{} }},
		"a step with dimensions":       {Step, func(_ *Program, op *Op) { op.Dims = &Dims{1, 1, 1, 1} }},
		"no spline":                    {Splined, func(_ *Program, op *Op) { op.Spline = nil }},
		"no knots":                     {Splined, func(_ *Program, op *Op) { op.Spline = &Spline{} }},
		"too many knots":               {Splined, func(_ *Program, op *Op) { op.Spline = &Spline{Knots: make([]Knot, maxKnots+1)} }},
		"knots out of order":           {Splined, func(_ *Program, op *Op) { op.Spline = &Spline{Knots: []Knot{{At: 2}, {At: 2}}} }},
		"a knot outside":               {Splined, func(_ *Program, op *Op) { op.Spline = &Spline{Knots: []Knot{{At: 1<<(op.Bits-2) + 1}}} }},
		"no dimensions":                {Product, func(_ *Program, op *Op) { op.Dims = nil }},
		"a dimension of 0":             {Product, func(_ *Program, op *Op) { op.Dims = &Dims{1, 2, 0, 2} }},
		"dimensions that do not fit":   {Product, func(_ *Program, op *Op) { op.Dims = &Dims{1, 2, 2, 3} }},
		"dimensions that overflow":     {Product, func(_ *Program, op *Op) { op.Dims = &Dims{1 << 31, 1 << 31, 1 << 31, 1 << 31} }},
		"a product in one bit":         {Product, func(p *Program, op *Op) { p.Values[op.Out].Width = 1 }},
		"a product wider than factors": {Product, func(p *Program, op *Op) { p.Values[op.Out].Width = 64; p.Values[op.In[0]].Width = 20 }},
		"one operand of a product":     {Product, func(_ *Program, op *Op) { op.In = op.In[:1] }},
	} {
		p := clone(m.Manifest.Program)
		found := false
		for i := range p.Ops {
			if p.Ops[i].Kind == c.kind && !found {
				found = true
				c.change(&p, &p.Ops[i])
			}
		}
		if err := p.Validate(); !found || err == nil || !strings.Contains(err.Error(), "operation") && !strings.Contains(err.Error(), "value") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

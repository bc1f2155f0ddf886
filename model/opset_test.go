package model

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// TestOpsets runs operators whose attributes became operands, or whose
// defaults changed, in the opsets on both sides of the change.
func TestOpsets(t *testing.T) {
	soft := func(x ...float64) []float32 {
		sum := 0.0
		for _, v := range x {
			sum += math.Exp(v)
		}
		z := []float32{}
		for _, v := range x {
			z = append(z, float32(math.Exp(v)/sum))
		}
		return z
	}
	row := []float32{1, -2, 3, -4}
	same, positive := row, []float32{1, 0, 3, 0}
	one := func(op string, in []string, a attrs) func(*netBuilder) {
		return func(b *netBuilder) { b.node(op, "y", in, a) }
	}
	for _, c := range []struct {
		name  string
		opset int64
		shape []int64
		build func(*netBuilder)
		want  []float32
		rank  int
	}{
		{"squeeze 11", 11, []int64{0, 1, 4}, one("Squeeze", []string{"x"}, attrs{"axes": []int64{1}}), same, 1},
		{"squeeze 13", 13, []int64{0, 1, 4}, func(b *netBuilder) { b.ints("a", []int64{1}, -2).node("Squeeze", "y", []string{"x", "a"}, nil) }, same, 1},
		{"squeeze all", 13, []int64{0, 1, 4, 1}, one("Squeeze", []string{"x"}, nil), same, 1},
		{"unsqueeze 11", 11, []int64{0, 4}, one("Unsqueeze", []string{"x"}, attrs{"axes": []int64{1, 3}}), same, 3},
		{"unsqueeze 21", 21, []int64{0, 4}, func(b *netBuilder) {
			b.ints("a", []int64{2}, -1, 1).node("Unsqueeze", "y", []string{"x", "a"}, nil)
		}, same, 3},
		{"clip 9", 9, []int64{0, 4}, one("Clip", []string{"x"}, attrs{"min": 0.0}), positive, 1},
		{"clip 11", 11, []int64{0, 4}, func(b *netBuilder) {
			b.floats("lo", nil, 0).floats("hi", nil, math.MaxFloat32).node("Clip", "y", []string{"x", "lo", "hi"}, nil)
		}, positive, 1},
		{"clip nothing", 13, []int64{0, 4}, one("Clip", []string{"x"}, nil), same, 1},
		{"dropout 9", 9, []int64{0, 4}, one("Dropout", []string{"x"}, attrs{"ratio": 0.5}), same, 1},
		{"dropout 13", 13, []int64{0, 4}, func(b *netBuilder) { b.floats("r", nil, 0.5).node("Dropout", "y", []string{"x", "r"}, nil) }, same, 1},
		{"softmax 11", 11, []int64{0, 2, 2}, one("Softmax", []string{"x"}, nil), soft(1, -2, 3, -4), 2},
		{"softmax 13", 13, []int64{0, 2, 2}, one("Softmax", []string{"x"}, nil), append(soft(1, -2), soft(3, -4)...), 2},
		{"softmax axis 1", 13, []int64{0, 2, 2}, one("Softmax", []string{"x"}, attrs{"axis": 1}), []float32{soft(1, 3)[0], soft(-2, -4)[0], soft(1, 3)[1], soft(-2, -4)[1]}, 2},
		{"concat", 13, []int64{0, 2, 2}, func(b *netBuilder) {
			b.node("Relu", "r", []string{"x"}, nil).node("Concat", "y", []string{"r", "x", "r"}, attrs{"axis": -1})
		}, []float32{1, 0, 1, -2, 1, 0, 3, 0, 3, -4, 3, 0}, 2},
		{"scaler", 15, []int64{0, 4}, func(b *netBuilder) {
			b.node("Scaler", "y", []string{"x"}, attrs{"offset": []float32{1, 2, 3, 4}, "scale": []float32{0.5}})
			b.m.Graph.Node[0].Domain = proto.String("ai.onnx.ml")
		}, []float32{0, -2, 0, -4}, 1},
		{"binary classifier", 15, []int64{0, 4}, func(b *netBuilder) {
			b.floats("1", nil, 1).node("Sigmoid", "p", []string{"x"}, nil).node("Sub", "q", []string{"1", "p"}, nil)
			b.node("Concat", "y", []string{"q", "p"}, attrs{"axis": 1})
		}, []float32{sig(-1), sig(2), sig(-3), sig(4), sig(1), sig(-2), sig(3), sig(-4)}, 1},
		{"mean 13", 13, []int64{0, 2, 2}, one("ReduceMean", []string{"x"}, attrs{"axes": []int64{-1}, "keepdims": 0}), []float32{-0.5, -0.5}, 1},
		{"mean 18", 18, []int64{0, 2, 2}, func(b *netBuilder) { b.ints("a", []int64{1}, 1).node("ReduceMean", "y", []string{"x", "a"}, nil) }, []float32{2, -3}, 2},
		{"argmax", 13, []int64{0, 4}, one("ArgMax", []string{"x"}, attrs{"axis": 1, "keepdims": 0}), []float32{2}, 0},
		{"two steps at the client", 13, []int64{0, 4}, func(b *netBuilder) {
			b.node("LogSoftmax", "s", []string{"x"}, nil).node("ArgMax", "a", []string{"s"}, attrs{"axis": -1}).node("Cast", "y", []string{"a"}, attrs{"to": 7})
		}, []float32{2}, 1},
		{"transposed probabilities", 13, []int64{0, 2, 2}, func(b *netBuilder) {
			b.node("Sigmoid", "s", []string{"x"}, nil).node("Transpose", "y", []string{"s"}, attrs{"perm": []int64{0, 2, 1}})
		}, []float32{sig(1), sig(3), sig(-2), sig(-4)}, 2},
		{"constant minus x", 13, []int64{0, 4}, func(b *netBuilder) { b.floats("c", []int64{1}, 1).node("Sub", "y", []string{"c", "x"}, nil) }, []float32{0, 3, -2, 5}, 1},
		{"x minus itself", 13, []int64{0, 4}, one("Sub", []string{"x", "x"}, nil), []float32{0, 0, 0, 0}, 1},
		{"broadcast sum", 13, []int64{0, 2, 2}, func(b *netBuilder) {
			b.node("ReduceSum", "s", []string{"x"}, attrs{"axes": []int64{1}}).node("Add", "y", []string{"x", "s"}, nil)
		}, []float32{5, -8, 7, -10}, 2},
		{"product from the left", 13, []int64{0, 2, 2}, func(b *netBuilder) {
			b.floats("a", []int64{1, 2}, 2, 1).node("MatMul", "y", []string{"a", "x"}, nil)
		}, []float32{5, -8}, 2},
		{"1-D convolution", 13, []int64{0, 1, 4}, func(b *netBuilder) {
			b.floats("w", []int64{1, 1, 3}, 1, 0, -1).node("Conv", "y", []string{"x", "w"}, attrs{"auto_pad": "SAME_UPPER"})
		}, []float32{2, -2, 2, 3}, 2},
		{"pad 9", 9, []int64{0, 1, 4}, one("Pad", []string{"x"}, attrs{"pads": []int64{0, 0, 1, 0, 0, -2}}), []float32{0, 1, -2}, 2},
		{"pad 18", 18, []int64{0, 2, 2}, func(b *netBuilder) {
			b.ints("p", []int64{2}, 1, 0).floats("v", nil, 0).ints("a", []int64{1}, -1).node("Pad", "y", []string{"x", "p", "v", "a"}, nil)
		}, []float32{0, 1, -2, 0, 3, -4}, 2},
		{"constant node", 13, []int64{0, 4}, func(b *netBuilder) {
			v := &onnx.TensorProto{DataType: proto.Int32(int32(onnx.TensorProto_FLOAT16)), RawData: []byte{0x00, 0x40}}
			b.node("Constant", "c", nil, attrs{"value": v}).node("Mul", "y", []string{"c", "x"}, nil)
		}, []float32{2, -4, 6, -8}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newNet(c.opset, c.shape...)
			c.build(b)
			g := b.load(t)
			checkNetwork(t, g, row, c.want)
			if len(g.Result) != c.rank {
				t.Errorf("result of shape %v, want %d axes", g.Result, c.rank)
			}
		})
	}
}

func sig(x float64) float32 { return float32(1 / (1 + math.Exp(-x))) }

// TestRefusals checks that a model that cannot run says why and where.
func TestRefusals(t *testing.T) {
	relu := func(b *netBuilder) []byte { return b.node("Relu", "y", []string{"x"}, nil).bytes("y") }
	external := newNet(13, 0, 4).floats("c", []int64{4})
	external.m.Graph.Initializer[0].DataLocation = onnx.TensorProto_EXTERNAL.Enum()
	short := newNet(13, 0, 4).floats("c", []int64{4}, 1, 2)
	two := newNet(13, 0, 4)
	two.m.Graph.Input = append(two.m.Graph.Input, info("z", []int64{3, 4}))
	text := newNet(13, 0, 4)
	text.m.Graph.Input[0].Type.GetTensorType().ElemType = proto.Int32(int32(onnx.TensorProto_STRING))
	integers := newNet(13, 0, 4)
	integers.m.Graph.Input[0].Type.GetTensorType().ElemType = proto.Int32(int32(onnx.TensorProto_INT64))
	kernel := newNet(13, 1, 1, 4)
	kernel.m.Graph.Input = append(kernel.m.Graph.Input, info("w", []int64{1, 1, 2}))
	add := func(b *netBuilder, with string) []byte {
		return b.node("Add", "y", []string{"x", with}, nil).bytes("y")
	}
	for want, file := range map[string][]byte{
		"not an ONNX model":                []byte("PK\x03\x04 a zip"),
		"opset 26 is not supported":        relu(newNet(26, 0, 4)),
		"axis 1 has no fixed size":         relu(newNet(13, 0, 0)),
		"data is in another file":          add(external, "c"),
		"2 values for 4 elements":          add(short, "c"),
		"differ along axis 0":              add(two, "z"),
		"not a tensor of numbers":          relu(text),
		"drops its fraction":               integers.floats("c", nil, 2).node("Div", "y", []string{"x", "c"}, nil).bytes("y"),
		"must be a constant":               kernel.node("Conv", "y", []string{"x", "w"}, nil).bytes("y"),
		`operand "nowhere" is defined`:     add(newNet(13, 0, 4), "nowhere"),
		"does not depend on any input":     newNet(13, 0, 4).floats("c", []int64{4}, 1, 2, 3, 4).node("Relu", "y", []string{"c"}, nil).bytes("y"),
		`node "n_y" (CumSum)`:              newNet(13, 0, 4).node("CumSum", "y", []string{"x"}, nil).bytes("y"),
		"of shape [2 4] differs from row":  newNet(13, 0, 4).floats("c", []int64{2, 4}, 1, 2, 3, 4, 5, 6, 7, 8).node("Concat", "y", []string{"x", "c"}, attrs{"axis": 1}).bytes("y"),
		"leave axis 0 out":                 newNet(13, 0, 4).node("Concat", "y", []string{"x", "x"}, attrs{"axis": 0}).bytes("y"),
		"only 1 − x may be computed after": newNet(13, 0, 4).floats("c", nil, 2).node("Sigmoid", "s", []string{"x"}, nil).node("Sub", "y", []string{"c", "s"}, nil).bytes("y"),
		"differs from row to row":          add(newNet(13, 0, 4).floats("c", []int64{2, 4}, 1, 2, 3, 4, 5, 6, 7, 8), "c"),
		"training mode":                    newNet(13, 0, 4).ints("t", nil, 1).floats("r", nil, 0.5).node("Dropout", "y", []string{"x", "r", "t"}, nil).bytes("y"),
	} {
		_, err := Load(file)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %q", err, want)
		}
	}
}

func TestOutputs(t *testing.T) {
	b := newNet(13, 0, 4).node("Relu", "y", []string{"x"}, nil).node("Neg", "z", []string{"x"}, nil)
	file := b.bytes("y", "z")
	for name, want := range map[string][]float32{"": {1, 0, 3, 0}, "y": {1, 0, 3, 0}, "z": {-1, 2, -3, 4}} {
		g, err := LoadOutput(file, name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := g.Float([]float32{1, -2, 3, -4}); err != nil || !slices.Equal(got, want) {
			t.Errorf("output %q is %v, want %v: %v", name, got, want, err)
		}
	}
	if _, err := LoadOutput(file, "w"); err == nil || !strings.Contains(err.Error(), `choose one of ["y" "z"]`) {
		t.Errorf("error %v", err)
	}
}

// TestLifts runs networks whose accumulators would outgrow 64 bits, or whose
// pools feed linear layers, so that values are lifted without a ReLU.
func TestLifts(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	chain := newNet(13, 0, 8)
	in := "x"
	for _, name := range []string{"a", "b", "c", "d", "e", "y"} {
		chain.floats("w"+name, []int64{8, 8}, randoms(rng, 64, 0.4)...).node("MatMul", name, []string{in, "w" + name}, nil)
		in = name
	}
	pooled := newNet(13, 0, 2, 8, 8)
	pooled.floats("w", []int64{2, 2, 3, 3}, randoms(rng, 36, 0.3)...).floats("v", []int64{2, 2, 3, 3}, randoms(rng, 36, 0.3)...)
	pooled.node("Conv", "c", []string{"x", "w"}, nil).node("MaxPool", "p", []string{"c"}, attrs{"kernel_shape": []int64{2, 2}})
	pooled.node("AveragePool", "a", []string{"p"}, attrs{"kernel_shape": []int64{3, 3}, "strides": []int64{1, 1}, "pads": []int64{1, 1, 1, 1}})
	pooled.node("Conv", "d", []string{"a", "v"}, nil).node("Add", "y", []string{"d", "d"}, nil)
	for name, b := range map[string]*netBuilder{"chain": chain, "pooled": pooled} {
		t.Run(name, func(t *testing.T) {
			g := b.load(t)
			x := randoms(rng, 3*size(g.Input), 1)
			checkFixed(t, g, x)
			m, err := Compile(g, Options{})
			if err != nil {
				t.Fatal(err)
			}
			checkPrivate(t, m, x, rng)
			if !slices.ContainsFunc(m.Manifest.Program.Ops, func(op Op) bool { return op.Kind == Lift }) {
				t.Error("no lift")
			}
		})
	}
}

// TestMutatedPrograms changes numbers of valid programs at random: what
// Validate accepts must run.
func TestMutatedPrograms(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	g := residual(rng).load(t)
	m, err := Compile(g, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for range 3000 {
		p := clone(m.Manifest.Program)
		for range 1 + rng.IntN(3) {
			mutate(&p, rng)
		}
		if p.Validate() != nil {
			continue
		}
		ran++
		params := [][]uint64{}
		for _, q := range p.Params {
			params = append(params, make([]uint64, q.Len))
		}
		e := plain{&Model{Manifest: Manifest{Program: p}, Params: params}, 1}
		if _, err := Run(e, &p, make([]uint64, p.Values[0].Len)); err != nil {
			t.Fatal(err)
		}
	}
	if ran < 100 {
		t.Errorf("only %d changed programs were valid", ran)
	}
}

func clone(p Program) Program {
	p.Values, p.Ops, p.Params = slices.Clone(p.Values), slices.Clone(p.Ops), slices.Clone(p.Params)
	for i := range p.Ops {
		op := &p.Ops[i]
		op.In, op.Index, op.Coef = slices.Clone(op.In), slices.Clone(op.Index), slices.Clone(op.Coef)
		if op.Conv != nil {
			c := *op.Conv
			op.Conv = &c
		}
	}
	return p
}

func mutate(p *Program, rng *rand.Rand) {
	n := rng.IntN(70) - 3
	op := &p.Ops[rng.IntN(len(p.Ops))]
	v := &p.Values[rng.IntN(len(p.Values))]
	switch rng.IntN(12) {
	case 0:
		v.Width = n
	case 1:
		v.Len += rng.IntN(3) - 1
	case 2:
		v.Frac = n
	case 3:
		op.In[0] = n
	case 4:
		op.Bits = n
	case 5:
		op.Weights = n
	case 6:
		op.Bias = n
	case 7:
		op.Shl[rng.IntN(2)] = n
	case 8:
		op.Window = n
	case 9:
		if len(op.Index) > 0 {
			op.Index[rng.IntN(len(op.Index))] = int32(n)
		}
	case 10:
		op.Kind = []Kind{Linear, AddParam, Gather, Sum, Add, Shift, ReLU, Max, Lift}[rng.IntN(9)]
	case 11:
		if op.Conv != nil {
			fields := []*int{&op.Conv.H, &op.Conv.W, &op.Conv.In, &op.Conv.KH, &op.Conv.Out, &op.Conv.StrideW, &op.Conv.Top, &op.Conv.Groups}
			*fields[rng.IntN(len(fields))] = n
		}
	}
}

// TestWhole loads models of fixed shapes that have no rows.
func TestWhole(t *testing.T) {
	for name, c := range map[string]struct {
		b      *netBuilder
		x      []float32
		want   []float32
		result []int
	}{
		"vector":    {newNet(13, 4).node("Relu", "y", []string{"x"}, nil), []float32{1, -2, 3, -4}, []float32{1, 0, 3, 0}, []int{4}},
		"scalar":    {newNet(13).node("Neg", "y", []string{"x"}, nil), []float32{3}, []float32{-3}, []int{}},
		"sum":       {newNet(13, 2, 2).node("ReduceSum", "y", []string{"x"}, attrs{"keepdims": 0}), []float32{1, 2, 3, 4}, []float32{10}, []int{}},
		"transpose": {newNet(13, 2, 2).node("Transpose", "y", []string{"x"}, nil), []float32{1, 2, 3, 4}, []float32{1, 3, 2, 4}, []int{2, 2}},
		"convolution of two": {newNet(13, 2, 1, 3).floats("w", []int64{1, 1, 2}, 1, -1).node("Conv", "c", []string{"x", "w"}, nil).
			node("ReduceSum", "y", []string{"c"}, attrs{"axes": []int64{0}, "keepdims": 0}), []float32{1, 2, 4, 8, 16, 32}, []float32{-9, -18}, []int{1, 2}},
		"matrices": {newNet(13, 2, 1, 2).floats("w", []int64{2, 2, 1}, 1, 2, 3, 4).node("MatMul", "y", []string{"x", "w"}, nil),
			[]float32{1, 1, 1, 1}, []float32{3, 7}, []int{2, 1, 1}},
		"matrices from the left": {newNet(13, 2, 2, 1).floats("w", []int64{2, 1, 2}, 1, 2, 3, 4).node("MatMul", "y", []string{"w", "x"}, nil),
			[]float32{1, 1, 1, 1}, []float32{3, 7}, []int{2, 1, 1}},
		"folded constants": {newNet(13, 2).floats("c", []int64{2}, 4, 9).node("Sqrt", "r", []string{"c"}, nil).node("Neg", "n", []string{"r"}, nil).
			node("Add", "y", []string{"x", "n"}, nil), []float32{1, 1}, []float32{-1, -2}, []int{2}},
	} {
		t.Run(name, func(t *testing.T) {
			g := c.b.load(t)
			checkNetwork(t, g, c.x, c.want)
			if !slices.Equal(g.Result, c.result) {
				t.Errorf("result of shape %v, want %v", g.Result, c.result)
			}
		})
	}
}

// TestParts checks the ranges of several inputs, and that rows are put together.
func TestParts(t *testing.T) {
	b := newNet(13, 0, 2)
	b.m.Graph.Input = append(b.m.Graph.Input, info("k", []int64{0, 1}), info("on", []int64{0, 2}))
	b.m.Graph.Input[1].Type.GetTensorType().ElemType = proto.Int32(int32(onnx.TensorProto_INT64))
	b.m.Graph.Input[2].Type.GetTensorType().ElemType = proto.Int32(int32(onnx.TensorProto_BOOL))
	b.node("Cast", "f", []string{"k"}, attrs{"to": 1}).node("Cast", "o", []string{"on"}, attrs{"to": 1})
	g := b.node("Sum", "y", []string{"x", "f", "o"}, nil).load(t)
	m, err := Compile(g, Options{Ranges: map[string][2]float64{"x": {0, 1}, "k": {0, 100}}})
	if err != nil {
		t.Fatal(err)
	}
	if m.Manifest.Assumed || len(m.Manifest.Parts) != 3 || m.Manifest.Input.Hi != 100 {
		t.Errorf("inputs %+v", m.Manifest.Parts)
	}
	x, err := m.Manifest.Join(map[string][]float32{"x": {0.5, 1, 0, 0}, "k": {7, 99}, "on": {1, 0, 0, 1}})
	if err != nil {
		t.Fatal(err)
	}
	checkNetwork(t, g, x, []float32{8.5, 8, 99, 100})
	for want, x := range map[string][]float32{
		`"x": row 1, column 1: 2 is outside`:         {0, 0, 0, 0, 0, 0, 2, 0, 0, 0},
		`"k": row 0, column 0: 1.5 is not a whole`:   {0, 0, 1.5, 0, 0},
		`"on": row 0, column 1: 2 is outside the de`: {0, 0, 1, 0, 2},
	} {
		if _, err := m.Manifest.Encode(x); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %s", err, want)
		}
	}
	for _, broken := range []func(*Manifest){
		func(m *Manifest) { m.Parts = m.Parts[:2] },
		func(m *Manifest) { m.Parts[0].Hi = 1000 },
		func(m *Manifest) { m.Parts[0].Name = "k" },
		func(m *Manifest) { m.Parts[1].Lo = math.NaN() },
	} {
		c := m.Manifest
		c.Parts = slices.Clone(c.Parts)
		broken(&c)
		if c.Validate() == nil {
			t.Errorf("accepted the inputs %+v", c.Parts)
		}
	}
	if _, err := m.Manifest.Join(map[string][]float32{"x": {1, 1}, "k": {1}}); err == nil {
		t.Error("joined without an input")
	}
}

package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// residual is a small ResNet with all that meets there: batch normalisation
// after and before convolutions, depthwise and strided ones, a residual sum, a
// pool with pads, an average, and a softmax.
func residual(rng *rand.Rand) *netBuilder {
	b := newNet(13, 0, 2, 6, 6)
	bn := func(name, in string, c int64) {
		positive := randoms(rng, int(c), 0.2)
		for i := range positive {
			positive[i] = 0.5 + positive[i]*positive[i]
		}
		b.floats(name+"s", []int64{c}, randoms(rng, int(c), 1)...).floats(name+"b", []int64{c}, randoms(rng, int(c), 0.5)...)
		b.floats(name+"m", []int64{c}, randoms(rng, int(c), 0.5)...).floats(name+"v", []int64{c}, positive...)
		b.node("BatchNormalization", name, []string{in, name + "s", name + "b", name + "m", name + "v"}, nil)
	}
	conv := func(name, in string, shape []int64, a attrs) {
		n := int(shape[0] * shape[1] * shape[2] * shape[3])
		b.floats(name+"w", shape, randoms(rng, n, 1/math.Sqrt(float64(n)/float64(shape[0])))...)
		b.node("Conv", name, []string{in, name + "w"}, a)
	}
	pads := []int64{1, 1, 1, 1}
	bn("bn0", "x", 2)
	conv("c1", "bn0", []int64{4, 2, 3, 3}, attrs{"pads": pads})
	bn("bn1", "c1", 4)
	b.node("Relu", "r1", []string{"bn1"}, nil)
	conv("c2", "r1", []int64{4, 1, 3, 3}, attrs{"pads": pads, "group": 4})
	bn("bn2", "c2", 4)
	b.node("Relu", "r2", []string{"bn2"}, nil)
	conv("c3", "r2", []int64{4, 4, 1, 1}, nil)
	b.node("Add", "sum", []string{"c3", "r1"}, nil)
	bn("bn3", "sum", 4)
	b.node("Relu", "r3", []string{"bn3"}, nil)
	b.node("MaxPool", "p", []string{"r3"}, attrs{"kernel_shape": []int64{3, 3}, "strides": []int64{2, 2}, "pads": pads})
	b.node("GlobalAveragePool", "gap", []string{"p"}, nil)
	b.node("Flatten", "f", []string{"gap"}, nil)
	b.floats("w", []int64{3, 4}, randoms(rng, 12, 0.5)...).floats("b", []int64{3}, randoms(rng, 3, 0.5)...)
	b.node("Gemm", "logits", []string{"f", "w", "b"}, attrs{"transB": 1})
	return b.node("Softmax", "y", []string{"logits"}, nil)
}

// exported is what PyTorch writes for x.view(x.size(0), -1) with a dynamic
// batch: shape arithmetic that ends in a Reshape.
func exported() *netBuilder {
	b := newNet(11, 0, 2, 3)
	b.ints("zero", nil, 0).ints("minus", []int64{1}, -1).floats("w", []int64{6, 2}, 1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6)
	b.node("Shape", "s", []string{"x"}, nil).node("Gather", "n", []string{"s", "zero"}, attrs{"axis": 0}).node("Unsqueeze", "u", []string{"n"}, attrs{"axes": []int64{0}})
	b.node("Concat", "to", []string{"u", "minus"}, attrs{"axis": 0}).node("Reshape", "flat", []string{"x", "to"}, nil)
	return b.node("MatMul", "mm", []string{"flat", "w"}, nil).node("Relu", "y", []string{"mm"}, nil)
}

func TestExportedReshape(t *testing.T) {
	g := exported().load(t)
	checkNetwork(t, g, []float32{1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0}, []float32{0, 0, 5, 6})
}

// TestRandomNetworks asserts both bounds on networks of random weights: fixed
// point against real numbers, and private against plaintext evaluation.
func TestRandomNetworks(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 9))
		g := residual(rng).load(t)
		x := randoms(rng, 4*72, 1)
		checkFixed(t, g, x)
		var rows [][]float32
		for i := range 4 {
			rows = append(rows, x[72*i:][:72])
		}
		for _, o := range []Options{{}, {Calibration: rows}, {Calibration: rows, FractionBits: 8, Margin: 2}} {
			m, err := Compile(g, o)
			if err != nil {
				t.Fatal(err)
			}
			checkPrivate(t, m, x, rng)
		}
	}
}

// TestFoldKeepsTheFunction compares the folded network with the loaded one,
// and counts what is left of it.
func TestFoldKeepsTheFunction(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	g := residual(rng).load(t)
	f := g.fold()
	x := randoms(rng, 72, 1)
	a, err := g.Raw(x)
	if err != nil {
		t.Fatal(err)
	}
	b, err := f.Raw(x)
	if err != nil {
		t.Fatal(err)
	}
	for i := range a {
		if math.Abs(a[i]-b[i]) > 1e-9 {
			t.Fatalf("output %d: %v after folding, %v before", i, b[i], a[i])
		}
	}
	count := map[nodeKind]int{}
	for _, n := range f.nodes {
		count[n.kind]++
	}
	// bn0's offset reaches conv 1 with padding, so it stays as an offset there;
	// bn3 follows a sum of two tensors, so it stays a scale and an offset.
	if count[linearNode] != 4 || count[scaleNode] != 1 || count[offsetNode] != 2 || count[reluNode] != 3 {
		t.Errorf("the folded network has %v", count)
	}
}

func TestUnsupportedNodesAreReportedAtOnce(t *testing.T) {
	b := newNet(13, 0, 4)
	b.node("CumSum", "a", []string{"x"}, nil).node("Relu", "b", []string{"a"}, nil).node("Det", "c", []string{"b"}, nil)
	b.node("NonZero", "d", []string{"x"}, nil).node("Add", "y", []string{"c", "d"}, nil)
	_, err := Load(b.bytes("y"))
	if err == nil {
		t.Fatal("loaded")
	}
	for _, want := range []string{`node "n_a" (CumSum)`, `node "n_c" (Det)`, `node "n_d" (NonZero)`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
	if n := strings.Count(err.Error(), "\n"); n != 2 {
		t.Errorf("%d lines, want 3:\n%v", n+1, err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	g := exported().load(t)
	m, err := Compile(g, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !m.Manifest.Assumed || m.Manifest.Input.Lo != -8 || m.Manifest.Input.Hi != 8 {
		t.Errorf("input range %v..%v", m.Manifest.Input.Lo, m.Manifest.Input.Hi)
	}
	for want, x := range map[string][]float32{
		"not rows of 6":              make([]float32, 7),
		"row 0, column 2: NaN":       {0, 0, float32(math.NaN()), 0, 0, 0},
		"row 1, column 0: +Inf":      {0, 0, 0, 0, 0, 0, float32(math.Inf(1)), 0, 0, 0, 0, 0},
		"column 5: 8.5 is outside":   {0, 0, 0, 0, 0, 8.5},
		fmt.Sprint(0, " values are"): {},
	} {
		if _, err := m.Manifest.Encode(x); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestFeaturesOfDifferentSize scales raw features inside the network, as a
// scaler exported in front of a classifier does.
func TestFeaturesOfDifferentSize(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	std := []float32{0.002, 500, 0.05, 20}
	mean := []float32{0.01, 900, 0.1, 90}
	b := newNet(13, 0, 4).floats("mean", []int64{4}, mean...).floats("std", []int64{4}, std...)
	b.floats("w", []int64{4, 8}, randoms(rng, 32, 0.5)...).floats("v", []int64{8, 1}, randoms(rng, 8, 0.5)...)
	b.node("Sub", "a", []string{"x", "mean"}, nil).node("Div", "b", []string{"a", "std"}, nil).node("MatMul", "c", []string{"b", "w"}, nil)
	b.node("Relu", "d", []string{"c"}, nil).node("MatMul", "y", []string{"d", "v"}, nil)
	g := b.load(t)
	var rows [][]float32
	var x []float32
	for range 50 {
		row := randoms(rng, 4, 1)
		for i := range row {
			row[i] = row[i]*std[i] + mean[i]
		}
		rows, x = append(rows, row), append(x, row...)
	}
	checkFixed(t, g, x)
	m, err := Compile(g, Options{Calibration: rows})
	if err != nil {
		t.Fatal(err)
	}
	checkPrivate(t, m, x, rng)
	e, err := m.Manifest.Encode(x)
	if err != nil {
		t.Fatal(err)
	}
	z, err := m.Eval(e, len(rows))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := g.Raw(x)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range m.Manifest.Fixed(z) {
		if math.Abs(v-raw[i]) > 1.0/512 {
			t.Errorf("row %d: %v, want %v", i, v, raw[i])
		}
	}
}

// TestDeepNetwork compiles 24 layers, whose worst-case ranges and errors no
// ring would hold, from sample rows.
func TestDeepNetwork(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	b := newNet(13, 0, 4, 6, 6)
	in := "x"
	for i := range 12 {
		p := fmt.Sprint(i)
		b.floats("v"+p, []int64{4, 4, 3, 3}, randoms(rng, 144, 0.3)...).floats("w"+p, []int64{4, 4, 3, 3}, randoms(rng, 144, 0.1)...)
		b.node("Conv", "a"+p, []string{in, "v" + p}, attrs{"pads": []int64{1, 1, 1, 1}}).node("Relu", "b"+p, []string{"a" + p}, nil)
		b.node("Conv", "c"+p, []string{"b" + p, "w" + p}, attrs{"pads": []int64{1, 1, 1, 1}}).node("Add", "d"+p, []string{"c" + p, in}, nil)
		in = "r" + p
		b.node("Relu", in, []string{"d" + p}, nil)
	}
	g := b.node("Identity", "y", []string{in}, nil).load(t)
	x := randoms(rng, 8*144, 1)
	var rows [][]float32
	for i := range 8 {
		rows = append(rows, x[144*i:][:144])
	}
	m, err := Compile(g, Options{Calibration: rows})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range m.Manifest.Program.Layers() {
		if l.Width > 48 || l.Kind == ReLU && l.Bits > 24 {
			t.Errorf("%+v", l)
		}
	}
	t.Logf("worst %d ulp, bound %d", checkPrivate(t, m, x, rng), m.Manifest.UlpBound(3))
}

func TestWidths(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		want   int
	}{{0, 1, 2}, {-2, 1, 2}, {-2, 2, 3}, {-3, 0, 3}, {-128, 127, 8}, {-129, 0, 9}} {
		if got := bits(c.lo, c.hi); got != c.want {
			t.Errorf("bits(%v, %v) = %d, want %d", c.lo, c.hi, got, c.want)
		}
	}
	for f := 1; f < 30; f++ {
		for _, bound := range []float64{0, 1, 1000, 1 << 20, 1<<20 - MaxParties*math.Ldexp(1, f-1)} {
			k := shiftBits(bound, f)
			rule := func(k int) bool { return bound <= math.Ldexp(1, k-1)-MaxParties*math.Ldexp(1, f-1) }
			if !rule(k) || k > f+2 && rule(k-1) {
				t.Errorf("shiftBits(%v, %d) = %d", bound, f, k)
			}
		}
	}
}

func TestTooWideIsRefused(t *testing.T) {
	b := newNet(13, 0, 2).floats("c", nil, 1e9)
	in := "x"
	for _, name := range []string{"a", "b", "y"} {
		b.node("Mul", "m"+name, []string{in, "c"}, nil).node("Relu", name, []string{"m" + name}, nil)
		in = name
	}
	_, err := Compile(b.load(t), Options{})
	if err == nil || !strings.Contains(err.Error(), `node "n_m`) || !strings.Contains(err.Error(), narrower) {
		t.Errorf("error %v, want a refusal", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	g := exported().load(t)
	nan, one, two := math.NaN(), 1.0, 2.0
	for want, o := range map[string]Options{
		"fraction bits are outside":  {FractionBits: 31},
		"one end only":               {InputLo: &one},
		"is not one or too large":    {InputLo: &two, InputHi: &one},
		"2 to NaN is not one":        {InputLo: &two, InputHi: &nan},
		"margin 0.5":                 {Margin: 0.5},
		"row 0 has 1 values, not 6":  {Calibration: [][]float32{{1}}},
		"row 0, column 3: NaN":       {Calibration: [][]float32{{0, 0, 0, float32(math.NaN()), 0, 0}}},
		"outside the declared range": {Calibration: [][]float32{{0, 0, 0, 9, 0, 0}}, InputLo: &one, InputHi: &two},
	} {
		if _, err := Compile(g, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %q", err, want)
		}
	}
	m, err := Compile(g, Options{Calibration: [][]float32{{0, 0, 0, 2, 0, 0}}})
	if err != nil {
		t.Fatal(err)
	}
	if f := m.Manifest; f.Input.Lo != -1 || f.Input.Hi != 3 || !f.Calibrated || f.Assumed || f.Margin != DefaultMargin || f.Widening != InputWidening {
		t.Errorf("manifest %+v", f)
	}
}

// TestChannelsLastModel runs what tf2onnx writes for a Keras model: images with
// the channels last, transposed before and after every convolution. The
// transpositions must cancel.
func TestChannelsLastModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(51, 52))
	b := newNet(15, 0, 6, 6, 3)
	b.floats("w", []int64{4, 3, 3, 3}, randoms(rng, 108, 0.2)...).floats("c", []int64{4}, randoms(rng, 4, 0.2)...)
	b.floats("v", []int64{36, 2}, randoms(rng, 72, 0.2)...).floats("d", []int64{2}, randoms(rng, 2, 0.2)...).ints("to", []int64{2}, -1, 36)
	b.node("Transpose", "t", []string{"x"}, attrs{"perm": []int64{0, 3, 1, 2}})
	b.node("Conv", "conv", []string{"t", "w", "c"}, attrs{"auto_pad": "SAME_UPPER"}).node("Relu", "r", []string{"conv"}, nil)
	b.node("MaxPool", "p", []string{"r"}, attrs{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}})
	b.node("Transpose", "u", []string{"p"}, attrs{"perm": []int64{0, 2, 3, 1}}).node("Reshape", "f", []string{"u", "to"}, nil)
	b.node("MatMul", "m", []string{"f", "v"}, nil).node("Add", "a", []string{"m", "d"}, nil).node("Softmax", "y", []string{"a"}, attrs{"axis": -1})
	g := b.load(t)
	x := randoms(rng, 3*108, 1)
	checkFixed(t, g, x)
	m, err := Compile(g, Options{})
	if err != nil {
		t.Fatal(err)
	}
	checkPrivate(t, m, x, rng)
	var kinds []Kind
	for _, op := range m.Manifest.Program.Ops {
		kinds = append(kinds, op.Kind)
	}
	want := []Kind{Linear, Shift, Gather, Gather, Max, Gather, Gather, Max, ReLU, Linear, Shift}
	if !slices.Equal(kinds, want) {
		t.Errorf("operations %v, want %v", kinds, want)
	}
}

// TestSmallValues asks for precision relative to the outputs, where outputs, all
// values or those of one layer are far below one.
func TestSmallValues(t *testing.T) {
	for name, scale := range map[string][2]float64{"outputs": {0.4, 1e-3}, "all": {1e-3, 1e-2}, "a layer": {1e-4, 1e3}} {
		t.Run(name, func(t *testing.T) { testSmallValues(t, scale) })
	}
}

func testSmallValues(t *testing.T, scale [2]float64) {
	rng := rand.New(rand.NewPCG(71, 72))
	b := newNet(13, 0, 8).floats("w", []int64{8, 8}, randoms(rng, 64, scale[0])...).floats("v", []int64{8, 1}, randoms(rng, 8, scale[1])...)
	b.node("MatMul", "a", []string{"x", "w"}, nil).node("Relu", "b", []string{"a"}, nil).node("MatMul", "y", []string{"b", "v"}, nil)
	g := b.load(t)
	x := randoms(rng, 8*8, 1)
	var rows [][]float32
	for i := range 8 {
		rows = append(rows, x[8*i:][:8])
	}
	m, err := Compile(g, Options{Calibration: rows})
	if err != nil {
		t.Fatal(err)
	}
	checkPrivate(t, m, x, rng)
	e, err := m.Manifest.Encode(x)
	if err != nil {
		t.Fatal(err)
	}
	z, err := m.Eval(e, 8)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := g.Raw(x)
	if err != nil {
		t.Fatal(err)
	}
	top := 0.0
	for _, v := range raw {
		top = max(top, math.Abs(v))
	}
	for i, v := range m.Manifest.Fixed(z) {
		if math.Abs(v-raw[i]) > top/1000 {
			t.Errorf("row %d: %v, want %v", i, v, raw[i])
		}
	}
}

package model

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// words looks up three words in a table of four rows; masked says which count.
func words() *netBuilder {
	b := newNet(13, 0, 3)
	b.m.Graph.Input = append(b.m.Graph.Input, info("mask", []int64{0, 3, 1}))
	b.m.Graph.Input[0].Type.GetTensorType().ElemType = proto.Int32(int32(onnx.TensorProto_INT64))
	b.floats("table", []int64{4, 2}, 1, -1, 0.5, 0.25, -2, 2, 3, 1).floats("w", []int64{2, 2}, 1, 2, -1, 0.5)
	b.node("Gather", "e", []string{"table", "x"}, nil).node("Relu", "r", []string{"e"}, nil)
	b.node("Mul", "m", []string{"r", "mask"}, nil).node("MatMul", "h", []string{"m", "w"}, nil)
	return b.node("ReduceMean", "y", []string{"h"}, attrs{"axes": []int64{1}, "keepdims": 0})
}

// views needs the number of rows behind every tensor.
func views() *netBuilder {
	b := newNet(13, 0, 2, 3).ints("zero", []int64{1}, 0).ints("six", []int64{1}, 6).floats("w", []int64{6, 2}, 1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6)
	b.node("Shape", "s", []string{"x"}, nil).node("Gather", "n", []string{"s", "zero"}, attrs{"axis": 0}).node("Concat", "to", []string{"n", "six"}, attrs{"axis": 0})
	b.node("Neg", "a", []string{"x"}, nil).node("Relu", "b", []string{"a"}, nil).node("Reshape", "flat", []string{"b", "to"}, nil)
	return b.node("MatMul", "c", []string{"flat", "w"}, nil).node("Sigmoid", "y", []string{"c"}, nil)
}

// whole mixes its rows, so that a row is the tensor as a whole.
func whole() *netBuilder {
	b := newNet(13, 2, 2).floats("w", []int64{2, 2}, 1, -2, 3, 0.5)
	b.node("Neg", "a", []string{"x"}, nil).node("MatMul", "b", []string{"a", "w"}, nil).node("Transpose", "c", []string{"b"}, nil)
	return b.node("Relu", "d", []string{"c"}, nil).node("ReduceSum", "y", []string{"d"}, attrs{"keepdims": 0})
}

// TestSplitEverywhere cuts networks at every tensor. Either it is refused with
// tensors that do, or both parts together compute what the network does.
func TestSplitEverywhere(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for name, b := range map[string]*netBuilder{
		"residual": residual(rng), "exported": exported(), "views": views(), "whole": whole(), "lenet": lenet(rng),
	} {
		t.Run(name, func(t *testing.T) {
			file := b.bytes("y")
			g, err := Load(file)
			if err != nil {
				t.Fatal(err)
			}
			x := randoms(rng, 2*size(g.Input), 1)
			want, err := g.Float(x)
			if err != nil {
				t.Fatal(err)
			}
			cuts := 0
			for _, n := range b.m.Graph.Node {
				if at := n.Output[0]; at != "y" && checkCut(t, file, x, want, at) {
					cuts++
				}
			}
			if points, err := CutPoints(file); err != nil || cuts != len(points) {
				t.Errorf("%d tensors divide the network, listed are %v, %v", cuts, points, err)
			}
		})
	}
}

// checkCut reports whether the network can be cut there.
func checkCut(t *testing.T, file []byte, x, want []float32, at ...string) bool {
	t.Helper()
	edge, rest, err := Split(file, at...)
	if err != nil {
		if !strings.Contains(err.Error(), "edge: ") {
			t.Errorf("cut at %q: %v", at, err)
		}
		return false
	}
	g, err := LoadSplit(file, at...)
	if err != nil {
		t.Fatalf("cut at %q: %v", at, err)
	}
	if !slices.Equal(edge, g.Edge.Model) {
		t.Errorf("cut at %q: two edges", at)
	}
	if err := agrees(g.Float(x))(want, 1e-5); err != nil {
		t.Errorf("cut at %q: %v", at, err)
	}
	second, err := Load(rest)
	if err != nil {
		t.Fatalf("cut at %q: the rest: %v", at, err)
	}
	y, err := g.Edge.Run(x)
	if err != nil {
		t.Fatal(err)
	}
	if err := agrees(second.Float(y))(want, 1e-5); err != nil {
		t.Errorf("cut at %q: the rest: %v", at, err)
	}
	checkEdge(t, g, x)
	return true
}

// checkEdge compiles a network with an edge: rows of the client are what it
// encodes, calibrates with and compares.
func checkEdge(t *testing.T, g *Graph, x []float32) {
	t.Helper()
	rows := slices.Collect(slices.Chunk(x, size(rowShape(g.RowParts()))))
	m, err := Compile(g, Options{Calibration: rows})
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Manifest.JSON()
	if err != nil {
		t.Fatal(err)
	}
	received, err := ParseManifest(b)
	if err != nil {
		t.Fatal(err)
	}
	if received.Digest() != m.Manifest.Digest() || received.RowLen() != len(rows[0]) {
		t.Errorf("the manifest does not survive: rows of %d", received.RowLen())
	}
	e, err := received.Encode(x)
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
	for i, v := range received.Fixed(z) {
		if d := math.Abs(v - raw[i]); d > m.FloatBound() {
			t.Fatalf("element %d is %v in fixed point, %v in floating point: more than the bound %v", i, v, raw[i], m.FloatBound())
		}
	}
	all, err := m.Differences(x, 3, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	if last := all[len(all)-1]; last.Fixed > m.FloatBound() {
		t.Errorf("outputs differ by %v, more than the bound %v", last.Fixed, m.FloatBound())
	}
}

func agrees(got []float32, err error) func(want []float32, off float64) error {
	return func(want []float32, off float64) error {
		if err == nil && len(got) != len(want) {
			err = errors.New("another number of outputs")
		}
		for i := range got {
			if d := math.Abs(float64(got[i] - want[i])); err == nil && !(d <= off+off*math.Abs(float64(want[i]))) {
				err = errors.New("another output")
			}
		}
		return err
	}
}

// TestLookup: words are looked up by the client, never by the parties.
func TestLookup(t *testing.T) {
	file := words().bytes("y")
	g, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	x := []float32{0, 2, 3, 1, 1, 0, -1, 1, 0, 1, 0, 1}
	want, err := g.Float(x)
	if err != nil {
		t.Fatal(err)
	}
	// The words that count are (1, 0) and (0, 2), and (3, 1) and (1, 0).
	if err := agrees(want, nil)([]float32{-1.0 / 3, 1, 1, 8.5 / 3}, 1e-6); err != nil {
		t.Errorf("outputs %v: %v", want, err)
	}
	_, err = Compile(g, Options{})
	if !errors.Is(err, ErrLookup) || !strings.Contains(err.Error(), `"n_e"`) {
		t.Errorf("compiled with a lookup: %v", err)
	}
	points, err := CutPoints(file)
	if err != nil || !slices.EqualFunc(points, [][]string{{"m"}, {"h"}}, slices.Equal) {
		t.Errorf("cut points %q, %v", points, err)
	}
	for _, at := range [][]string{{"e", "mask"}, {"mask", "r"}, {"m"}, {"h"}} {
		if !checkCut(t, file, x, want, at...) {
			t.Errorf("not cut at %q", at)
		}
	}
	for _, at := range [][]string{{"e"}, {"e", "e"}, {"r", "m"}, {"nothing"}, {"w"}, {"y"}, {"x", "mask"}} {
		if checkCut(t, file, x, want, at...) {
			t.Errorf("cut at %q", at)
		}
	}
}

// TestEdgeRefuses names row, column and why.
func TestEdgeRefuses(t *testing.T) {
	g, err := LoadSplit(words().bytes("y"), "m")
	if err != nil {
		t.Fatal(err)
	}
	m, err := Compile(g, Options{Calibration: [][]float32{{0, 1, 3, 1, 1, 1}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, rows := range [][][]float32{{{0, 0, 0, 1, 1, 1}, {0, 0, 4, 1, 1, 1}}, {{0, 0, 0, 1, 1, 1}, {0, 0}}} {
		if _, err := Compile(g, Options{Calibration: rows}); err == nil || !strings.Contains(err.Error(), "row 1") {
			t.Errorf("calibrated with %v: %v", rows, err)
		}
	}
	nan := float32(math.NaN())
	for want, x := range map[string][]float32{
		"row 1, column 2: 4 is not a whole number from 0 to 3": {0, 0, 0, 1, 1, 1, 0, 0, 4, 1, 1, 1},
		"row 0, column 0: -5 is not a whole":                   {-5, 0, 0, 1, 1, 1},
		`row 0, input "x", column 1: 0.5 is not a whole`:       {0, 0.5, 0, 1, 1, 1},
		`row 0, input "mask", column 2: NaN is outside`:        {0, 1, 0, 1, 1, nan},
		"5 values are not rows of 6":                           {0, 1, 0, 1, 1},
		"what the edge makes of the rows: input: row 0, colum": {3, 3, 3, 900, 900, 900},
	} {
		if _, err := m.Manifest.Encode(x); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %s", err, want)
		}
	}
}

// TestEdgesAreChecked: a client refuses an edge that is not what the manifest says.
func TestEdgesAreChecked(t *testing.T) {
	g, err := LoadSplit(words().bytes("y"), "m")
	if err != nil {
		t.Fatal(err)
	}
	m, err := Compile(g, Options{Calibration: [][]float32{{0, 1, 3, 1, 1, 1}}})
	if err != nil {
		t.Fatal(err)
	}
	good := m.Manifest.Edge
	wrong := slices.Clone(good.Inputs)
	wrong[0].Whole = false
	other, err := LoadSplit(words().bytes("y"), "h")
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]*Edge{
		"another type":  {Model: good.Model, Inputs: wrong},
		"too few":       {Model: good.Model, Inputs: good.Inputs[:1]},
		"too many":      {Model: good.Model, Inputs: append(slices.Clone(good.Inputs), Part{Name: "z", Shape: []int{1}})},
		"no graph":      {Model: nil, Inputs: good.Inputs},
		"no model":      {Model: []byte("PK"), Inputs: good.Inputs},
		"no rows":       {Model: good.Model, Inputs: good.Inputs, Whole: true},
		"other outputs": {Model: twice(t, other.Edge.Model), Inputs: good.Inputs},
		"no inputs":     {Model: good.Model},
		"same names":    {Model: good.Model, Inputs: []Part{good.Inputs[0], good.Inputs[0]}},
		"large row":     {Model: good.Model, Inputs: []Part{{Shape: []int{maxTensor}}, {Name: "b", Shape: []int{maxTensor}}}},
	} {
		c := m.Manifest
		c.Edge = e
		b, err := c.JSON()
		if err != nil {
			t.Fatal(err)
		}
		received, err := ParseManifest(b)
		if err != nil {
			continue
		}
		if _, err := received.Encode(make([]float32, received.RowLen())); err == nil {
			t.Errorf("%s: the edge was run", name)
		}
	}
}

func TestLargeEdgesAreRefused(t *testing.T) {
	inputs := []Part{{Name: "x", Shape: []int{1}}}
	if (&Edge{Model: make([]byte, maxEdge), Inputs: inputs}).validate() != nil {
		t.Error("a large edge is refused")
	}
	if (&Edge{Model: make([]byte, maxEdge+1), Inputs: inputs}).validate() == nil {
		t.Error("a larger edge is accepted")
	}
}

// twice returns an edge that has its output twice.
func twice(t *testing.T, edge []byte) []byte {
	t.Helper()
	var m onnx.ModelProto
	if err := proto.Unmarshal(edge, &m); err != nil {
		t.Fatal(err)
	}
	m.Graph.Output = append(m.Graph.Output, m.Graph.Output[0])
	b, err := proto.Marshal(&m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestImage(t *testing.T) {
	for s, ok := range map[string]bool{"chw/255": true, "hwc/1": true, "hwc/0.5": true, "chw": false, "chw/0": false, "cwh/255": false, "hwc/NaN": false, "chw/255/0.5/0.25": true, "chw/255/1,2,3/4,5,6": true, "chw/255/1,2,3/4": false, "chw/1/1,2/3,4": false, "chw/1/1/0": false, "chw/1/NaN/1": false, "chw/1,2": false, "chw/1/2": false, "/": false, "chw/Inf": false} {
		if _, err := ParseImage(s); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
	samples := []uint8{1, 2, 3, 4, 5, 6} // two pixels of three channels
	for _, c := range []struct {
		image *Image
		shape []int
		want  []float32
	}{
		{&Image{Layout: ChannelsFirst, Divisor: 2}, []int{3, 1, 2}, []float32{0.5, 2, 1, 2.5, 1.5, 3}},
		{&Image{Layout: ChannelsLast, Divisor: 1}, []int{1, 2, 3}, []float32{1, 2, 3, 4, 5, 6}},
		{&Image{ChannelsFirst, 1, []float64{1, 0, 3}, []float64{2, 1, 0.5}}, []int{3, 1, 2}, []float32{0, 1.5, 2, 5, 0, 6}},
		{&Image{ChannelsLast, 1, []float64{1}, []float64{2}}, []int{2, 3}, []float32{0, 0.5, 1, 1.5, 2, 2.5}},
		{&Image{Layout: ChannelsLast, Divisor: 1}, []int{2, 3}, []float32{1, 2, 3, 4, 5, 6}},
		{&Image{Layout: ChannelsFirst, Divisor: 1}, []int{1, 3, 2}, []float32{1, 2, 3, 4, 5, 6}},
	} {
		w, h, n, err := c.image.Size([]Part{{Shape: c.shape}})
		if err != nil || w*h*n != len(samples) {
			t.Errorf("shape %v: %d by %d by %d, %v", c.shape, w, h, n, err)
		} else if got := c.image.Row(samples, n); !slices.Equal(got, c.want) {
			t.Errorf("%s of shape %v: %v, want %v", c.image.Layout, c.shape, got, c.want)
		}
	}
	g := newNet(13, 0, 2, 3, 4).node("Relu", "y", []string{"x"}, nil).load(t)
	if _, err := Compile(g, Options{Image: &Image{Layout: ChannelsFirst, Divisor: 1}}); err == nil {
		t.Error("a picture of two channels")
	}
}

// FuzzEdge feeds edges, as from a peer, to what a client does with a manifest.
func FuzzEdge(f *testing.F) {
	type cut struct {
		b  *netBuilder
		at string
	}
	manifests := map[int]*Manifest{}
	for i, c := range []cut{{words(), "m"}, {views(), "b"}, {whole(), "b"}, {exported(), "flat"}} {
		g, err := LoadSplit(c.b.bytes("y"), c.at)
		if err != nil {
			f.Fatal(err)
		}
		m, err := Compile(g, Options{})
		if err != nil {
			f.Fatal(err)
		}
		manifests[i] = &m.Manifest
		f.Add(uint8(i), g.Edge.Model)
	}
	f.Fuzz(func(t *testing.T, which uint8, edge []byte) {
		c := *manifests[int(which)%len(manifests)]
		c.Edge = &Edge{Model: edge, Inputs: c.Edge.Inputs, Whole: which&128 != 0}
		b, err := c.JSON()
		if err != nil {
			t.Fatal(err)
		}
		m, err := ParseManifest(b)
		if err != nil {
			return
		}
		x, err := m.Encode(make([]float32, 2*m.RowLen()))
		if err == nil && len(x) != 2*m.Input.Len() {
			t.Errorf("%d elements of two rows of %d", len(x), m.Input.Len())
		}
	})
}

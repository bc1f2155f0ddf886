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

// checkAll compares a network on rows with its outputs, in floating point, in fixed
// point and on shares.
func checkAll(t *testing.T, g *Graph, x, want []float32) {
	t.Helper()
	checkNetwork(t, g, x, want)
	var rows [][]float32
	for row := range slices.Chunk(x, size(g.Input)) {
		rows = append(rows, row)
	}
	m, err := Compile(g, Options{Calibration: rows})
	if err != nil {
		t.Fatal(err)
	}
	checkPrivate(t, m, x, rand.New(rand.NewPCG(51, 52)))
}

// normalised returns (x − mean)/√(variance + ε) of every block of n.
func normalised(x []float32, n int, centred bool) []float32 {
	var z []float32
	for b := range slices.Chunk(x, n) {
		mean, square := 0.0, 0.0
		for _, v := range b {
			if centred {
				mean += float64(v) / float64(n)
			}
		}
		for _, v := range b {
			square += (float64(v) - mean) * (float64(v) - mean) / float64(n)
		}
		for _, v := range b {
			z = append(z, float32((float64(v)-mean)/math.Sqrt(square+1e-5)))
		}
	}
	return z
}

func TestNormalisations(t *testing.T) {
	x := randoms(rand.New(rand.NewPCG(53, 54)), 24, 1)
	b := newNet(21, 0, 4, 3).floats("s", []int64{4}, 1, 2, 3, 4).floats("o", []int64{4}, 0, 1, 0, -1)
	z := normalised(x, 6, true)
	for i := range z {
		c := i / 3 % 4
		z[i] = z[i]*float32(c+1) + []float32{0, 1, 0, -1}[c]
	}
	checkAll(t, b.node("GroupNormalization", "y", []string{"x", "s", "o"}, attrs{"num_groups": 2}).load(t), x, z)

	b = newNet(18, 0, 4, 3).floats("s", []int64{2}, 1, 2).floats("o", []int64{2}, 0, 1)
	z = normalised(x, 6, true)
	for i := range z {
		g := float32(i / 6 % 2)
		z[i] = z[i]*(g+1) + g
	}
	checkAll(t, b.node("GroupNormalization", "y", []string{"x", "s", "o"}, attrs{"num_groups": 2}).load(t), x, z)

	b = newNet(23, 0, 4, 3).floats("s", []int64{3}, 1, 2, 3)
	z = normalised(x, 3, false)
	for i := range z {
		z[i] *= float32(i%3 + 1)
	}
	checkAll(t, b.node("RMSNormalization", "y", []string{"x", "s"}, nil).load(t), x, z)

	z = nil
	for v := range slices.Chunk(x, 3) {
		n := math.Hypot(math.Hypot(float64(v[0]), float64(v[1])), float64(v[2]))
		for _, v := range v {
			z = append(z, float32(float64(v)/n))
		}
	}
	g := newNet(13, 0, 4, 3).node("LpNormalization", "y", []string{"x"}, nil).load(t)
	checkNear(t, g, x, z, 1e-5)
}

// TestEinsumOfMany multiplies three operands and takes traces and implicit results.
func TestEinsumOfMany(t *testing.T) {
	x := []float32{1, 2, 3, 4, -1, 0.5, 2, 1}
	b := newNet(13, 0, 2, 2).floats("w", []int64{2}, 2, -1)
	b.node("Einsum", "y", []string{"x", "x", "w"}, attrs{"equation": "bij,bjk,k->bi"})
	var want []float32
	for m := range slices.Chunk(x, 4) {
		for i := range 2 {
			var sum float32
			for j := range 2 {
				for k := range 2 {
					sum += m[2*i+j] * m[2*j+k] * []float32{2, -1}[k]
				}
			}
			want = append(want, sum)
		}
	}
	checkAll(t, b.load(t), x, want)
	b = newNet(13, 0, 2, 2).node("Einsum", "y", []string{"x"}, attrs{"equation": "...ii->...i"})
	checkAll(t, b.load(t), x, []float32{1, 4, -1, 1})
	b = newNet(13, 2, 2, 2).node("Einsum", "y", []string{"x"}, attrs{"equation": "cba"})
	checkAll(t, b.load(t), x, []float32{1, -1, 3, 2, 2, 0.5, 4, 1})
}

// TestFix fixes inputs of a graph, as weights and as indices.
func TestFix(t *testing.T) {
	b := newNet(13, 0, 3).node("Gather", "g", []string{"x", "i"}, attrs{"axis": 1}).node("Mul", "y", []string{"g", "w"}, nil)
	for name, kind := range map[string]onnx.TensorProto_DataType{"i": onnx.TensorProto_INT64, "w": onnx.TensorProto_FLOAT} {
		in := proto.Clone(b.m.Graph.Input[0]).(*onnx.ValueInfoProto)
		in.Name = proto.String(name)
		in.GetType().GetTensorType().ElemType = proto.Int32(int32(kind))
		in.GetType().GetTensorType().Shape = &onnx.TensorShapeProto{Dim: []*onnx.TensorShapeProto_Dimension{{Value: &onnx.TensorShapeProto_Dimension_DimValue{DimValue: 2}}}}
		b.m.Graph.Input = append(b.m.Graph.Input, in)
	}
	file := b.bytes("y")
	if _, err := Load(file); err == nil {
		t.Error("secret indices were accepted")
	}
	for name, v := range map[string][]float64{"i": {2, 0}, "w": {0.5, -1}} {
		p, err := proto.Marshal(&onnx.TensorProto{Dims: []int64{2}, DataType: proto.Int32(int32(onnx.TensorProto_DOUBLE)), DoubleData: v})
		if err != nil {
			t.Fatal(err)
		}
		a, err := ReadTensor(p)
		if err != nil {
			t.Fatal(err)
		}
		if file, err = Fix(file, name, a); err != nil {
			t.Fatal(err)
		}
	}
	g, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	checkAll(t, g, []float32{1, 2, 3}, []float32{1.5, -1})
	if _, err := Fix(file, "z", &Array{}); err == nil || !strings.Contains(err.Error(), `"w"`) {
		t.Errorf("an input that is not there: %v", err)
	}
	if _, err := Fix(file, "i", &Array{Shape: []int{2}, Values: []float64{0.5, 1}}); err == nil {
		t.Error("half an index was accepted")
	}
	if _, err := ReadTensor([]byte("no tensor")); err == nil {
		t.Error("text was read as a tensor")
	}
}

func FuzzReadTensor(f *testing.F) {
	p, err := proto.Marshal(&onnx.TensorProto{Dims: []int64{1, 2}, DataType: proto.Int32(1), FloatData: []float32{1, 2}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p)
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := ReadTensor(b); err == nil && size(a.Shape) != len(a.Values) {
			t.Errorf("%d numbers of shape %v", len(a.Values), a.Shape)
		}
	})
}

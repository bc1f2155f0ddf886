package bench

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// A graph is an ONNX network under construction: a chain, with the channels
// first as exporters write it, and branches where a residual sum needs them.
type graph struct {
	proto onnx.GraphProto
	rng   *rand.Rand
	last  string // the tensor that the next node reads
	shape []int  // of one row of it
}

// newGraph starts a network on rows of a shape. Weights follow from the seed.
func newGraph(name string, shape ...int) *graph {
	seed := uint64(len(name))
	for _, c := range name {
		seed = seed*31 + uint64(c)
	}
	g := &graph{rng: rand.New(rand.NewPCG(seed, 1)), last: "x", shape: shape}
	g.proto.Name = &name
	g.proto.Input = []*onnx.ValueInfoProto{tensor("x", shape)}
	return g
}

// tensor declares a tensor of rows of a shape.
func tensor(name string, shape []int) *onnx.ValueInfoProto {
	rows := &onnx.TensorShapeProto_Dimension{Value: &onnx.TensorShapeProto_Dimension_DimParam{DimParam: "N"}}
	s := &onnx.TensorShapeProto{Dim: []*onnx.TensorShapeProto_Dimension{rows}}
	for _, d := range shape {
		s.Dim = append(s.Dim, &onnx.TensorShapeProto_Dimension{Value: &onnx.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}})
	}
	kind := int32(onnx.TensorProto_FLOAT)
	t := &onnx.TypeProto_Tensor{ElemType: &kind, Shape: s}
	return &onnx.ValueInfoProto{Name: &name, Type: &onnx.TypeProto{Value: &onnx.TypeProto_TensorType{TensorType: t}}}
}

// node appends a node that reads the last tensor and others.
func (g *graph) node(op string, attributes map[string][]int64, others ...string) *graph {
	name := fmt.Sprintf("%s%d", op, len(g.proto.Node))
	n := &onnx.NodeProto{OpType: &op, Name: &name, Input: append([]string{g.last}, others...), Output: []string{name}}
	for key, v := range attributes {
		a := &onnx.AttributeProto{Name: &key, Ints: v, Type: onnx.AttributeProto_INTS.Enum()}
		if key == "group" {
			a = &onnx.AttributeProto{Name: &key, I: &v[0], Type: onnx.AttributeProto_INT.Enum()}
		}
		n.Attribute = append(n.Attribute, a)
	}
	g.proto.Node = append(g.proto.Node, n)
	g.last = name
	return g
}

// weights adds a parameter of normally distributed numbers.
func (g *graph) weights(deviation float64, dims ...int64) string {
	name := fmt.Sprintf("w%d", len(g.proto.Initializer))
	size := int64(1)
	for _, d := range dims {
		size *= d
	}
	v := make([]float32, size)
	for i := range v {
		v[i] = float32(g.rng.NormFloat64() * deviation)
	}
	kind := int32(onnx.TensorProto_FLOAT)
	g.proto.Initializer = append(g.proto.Initializer, &onnx.TensorProto{Name: &name, Dims: dims, DataType: &kind, FloatData: v})
	return name
}

// scale is the deviation of trained weights: what keeps the variance of
// activations through a layer with so many inputs and a ReLU (He et al., 2015).
func scale(inputs int) float64 { return math.Sqrt(2 / float64(inputs)) }

// biases is the deviation of biases.
const biases = 0.05

// conv appends a convolution with a square kernel.
func (g *graph) conv(out, kernel, stride, pad int) *graph {
	in, k := g.shape[0], int64(kernel)
	w := g.weights(scale(in*kernel*kernel), int64(out), int64(in), k, k)
	b := g.weights(biases, int64(out))
	p, s := int64(pad), int64(stride)
	g.node("Conv", map[string][]int64{"strides": {s, s}, "pads": {p, p, p, p}}, w, b)
	size := func(n int) int { return (n+2*pad-kernel)/stride + 1 }
	g.shape = []int{out, size(g.shape[1]), size(g.shape[2])}
	return g
}

// dense appends a matrix product, after flattening what it reads.
func (g *graph) dense(out int) *graph {
	in := 1
	for _, d := range g.shape {
		in *= d
	}
	if len(g.shape) > 1 {
		g.node("Flatten", nil)
	}
	g.node("Gemm", nil, g.weights(scale(in), int64(in), int64(out)), g.weights(biases, int64(out)))
	g.shape = []int{out}
	return g
}

func (g *graph) relu() *graph { return g.node("Relu", nil) }

// maxPool appends a maximum over windows of 2×2.
func (g *graph) maxPool() *graph {
	g.node("MaxPool", map[string][]int64{"kernel_shape": {2, 2}, "strides": {2, 2}})
	g.shape = []int{g.shape[0], g.shape[1] / 2, g.shape[2] / 2}
	return g
}

// residual appends a block of two convolutions of 3×3 and a sum with what went
// in, through a convolution of 1×1 where shapes differ.
func (g *graph) residual(out, stride int) *graph {
	in, shape := g.last, g.shape
	g.conv(out, 3, stride, 1).relu().conv(out, 3, 1, 1)
	body := g.last
	g.last = in
	if shape[0] != out || stride != 1 {
		after := g.shape
		g.shape = shape
		g.conv(out, 1, stride, 0)
		g.shape = after
	}
	return g.node("Add", nil, body).relu()
}

// averagePool appends the average over each channel.
func (g *graph) averagePool() *graph {
	g.node("GlobalAveragePool", nil)
	g.shape = []int{g.shape[0], 1, 1}
	return g
}

// encode returns the ONNX file.
func (g *graph) encode() ([]byte, error) {
	g.proto.Output = []*onnx.ValueInfoProto{tensor(g.last, g.shape)}
	format, opset := int64(8), int64(13)
	return onnx.Encode(&onnx.ModelProto{
		IrVersion: &format, OpsetImport: []*onnx.OperatorSetIdProto{{Version: &opset}}, Graph: &g.proto,
	})
}

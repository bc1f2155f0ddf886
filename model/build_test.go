package model

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// A netBuilder writes ONNX files for tests.
type netBuilder struct {
	m *onnx.ModelProto
}

func newNet(opset int64, shape ...int64) *netBuilder {
	b := &netBuilder{&onnx.ModelProto{
		IrVersion:   proto.Int64(8),
		OpsetImport: []*onnx.OperatorSetIdProto{{Version: proto.Int64(opset)}, {Domain: proto.String("ai.onnx.ml"), Version: proto.Int64(2)}},
		Graph:       &onnx.GraphProto{Name: proto.String("net")},
	}}
	b.m.Graph.Input = append(b.m.Graph.Input, info("x", shape))
	return b
}

// info declares a float tensor; dimension 0 is dynamic.
func info(name string, shape []int64) *onnx.ValueInfoProto {
	s := &onnx.TensorShapeProto{}
	for _, d := range shape {
		if d == 0 {
			s.Dim = append(s.Dim, &onnx.TensorShapeProto_Dimension{Value: &onnx.TensorShapeProto_Dimension_DimParam{DimParam: "N"}})
		} else {
			s.Dim = append(s.Dim, &onnx.TensorShapeProto_Dimension{Value: &onnx.TensorShapeProto_Dimension_DimValue{DimValue: d}})
		}
	}
	t := &onnx.TypeProto_Tensor{ElemType: proto.Int32(int32(onnx.TensorProto_FLOAT)), Shape: s}
	return &onnx.ValueInfoProto{Name: &name, Type: &onnx.TypeProto{Value: &onnx.TypeProto_TensorType{TensorType: t}}}
}

// floats adds an initializer.
func (b *netBuilder) floats(name string, shape []int64, v ...float32) *netBuilder {
	b.m.Graph.Initializer = append(b.m.Graph.Initializer, &onnx.TensorProto{Name: &name, Dims: shape, DataType: proto.Int32(int32(onnx.TensorProto_FLOAT)), FloatData: v})
	return b
}

// ints adds an initializer.
func (b *netBuilder) ints(name string, shape []int64, v ...int64) *netBuilder {
	b.m.Graph.Initializer = append(b.m.Graph.Initializer, &onnx.TensorProto{Name: &name, Dims: shape, DataType: proto.Int32(int32(onnx.TensorProto_INT64)), Int64Data: v})
	return b
}

type attrs map[string]any

// node adds a node with one output of its name.
func (b *netBuilder) node(op, out string, in []string, a attrs) *netBuilder {
	n := &onnx.NodeProto{OpType: &op, Name: proto.String("n_" + out), Input: in, Output: []string{out}}
	for name, v := range a {
		p := &onnx.AttributeProto{Name: proto.String(name)}
		switch v := v.(type) {
		case int:
			p.I, p.Type = proto.Int64(int64(v)), onnx.AttributeProto_INT.Enum()
		case float64:
			p.F, p.Type = proto.Float32(float32(v)), onnx.AttributeProto_FLOAT.Enum()
		case string:
			p.S, p.Type = []byte(v), onnx.AttributeProto_STRING.Enum()
		case []int64:
			p.Ints, p.Type = v, onnx.AttributeProto_INTS.Enum()
		case []float32:
			p.Floats, p.Type = v, onnx.AttributeProto_FLOATS.Enum()
		case *onnx.TensorProto:
			p.T, p.Type = v, onnx.AttributeProto_TENSOR.Enum()
		default:
			panic("attribute type")
		}
		n.Attribute = append(n.Attribute, p)
	}
	b.m.Graph.Node = append(b.m.Graph.Node, n)
	return b
}

// bytes encodes the model with the outputs.
func (b *netBuilder) bytes(outputs ...string) []byte {
	b.m.Graph.Output = nil
	for _, o := range outputs {
		b.m.Graph.Output = append(b.m.Graph.Output, info(o, nil))
	}
	file, err := proto.Marshal(b.m)
	if err != nil {
		panic(err)
	}
	return file
}

// load is Load of the model with output y, which must succeed.
func (b *netBuilder) load(t testing.TB) *Graph {
	t.Helper()
	g, err := Load(b.bytes("y"))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

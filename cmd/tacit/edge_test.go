package main

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/protobuf/proto"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// writeLookup writes a model that looks three words up in a table of five rows.
func writeLookup(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: lookup FILE")
	}
	value := func(name string, kind onnx.TensorProto_DataType, dims ...int64) *onnx.ValueInfoProto {
		s := &onnx.TensorShapeProto{Dim: []*onnx.TensorShapeProto_Dimension{{Value: &onnx.TensorShapeProto_Dimension_DimParam{DimParam: "N"}}}}
		for _, d := range dims {
			s.Dim = append(s.Dim, &onnx.TensorShapeProto_Dimension{Value: &onnx.TensorShapeProto_Dimension_DimValue{DimValue: d}})
		}
		t := &onnx.TypeProto_Tensor{ElemType: proto.Int32(int32(kind)), Shape: s}
		return &onnx.ValueInfoProto{Name: &name, Type: &onnx.TypeProto{Value: &onnx.TypeProto_TensorType{TensorType: t}}}
	}
	floats := func(name string, dims []int64, v ...float32) *onnx.TensorProto {
		return &onnx.TensorProto{Name: &name, Dims: dims, DataType: proto.Int32(int32(onnx.TensorProto_FLOAT)), FloatData: v}
	}
	node := func(op, out string, in ...string) *onnx.NodeProto {
		return &onnx.NodeProto{OpType: &op, Input: in, Output: []string{out}}
	}
	m := &onnx.ModelProto{
		IrVersion: proto.Int64(8), OpsetImport: []*onnx.OperatorSetIdProto{{Version: proto.Int64(13)}},
		Graph: &onnx.GraphProto{
			Name:  proto.String("lookup"),
			Input: []*onnx.ValueInfoProto{value("words", onnx.TensorProto_INT64, 3)}, Output: []*onnx.ValueInfoProto{value("y", onnx.TensorProto_FLOAT, 3, 1)},
			Initializer: []*onnx.TensorProto{floats("table", []int64{5, 2}, 1, -1, 2, 0.5, -3, 1, 0, 2, 1, 1), floats("w", []int64{2, 1}, 1, 2)},
			Node:        []*onnx.NodeProto{node("Gather", "vectors", "table", "words"), node("MatMul", "h", "vectors", "w"), node("Relu", "y", "h")},
		},
	}
	b, err := proto.Marshal(m)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

// writePicture writes a row of an example as a grey picture.
func writePicture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: picture FILE INPUTS ROW WHITE")
	}
	in, err := readTable(args[1])
	ts.Check(err)
	row, err := strconv.Atoi(args[2])
	ts.Check(err)
	white, err := strconv.ParseFloat(args[3], 32)
	ts.Check(err)
	p := image.NewGray(image.Rect(0, 0, in.shape[2], in.shape[1]))
	for i, v := range in.rows[row] {
		p.Pix[i] = uint8(float64(v)*white + 0.5)
	}
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[0])), 0o700))
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(png.Encode(f, p))
	ts.Check(f.Close())
}

// writeArray writes a row of numbers in NumPy's format.
func writeArray(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: array FILE NUMBER...")
	}
	var row []float32
	for _, s := range args[1:] {
		v, err := strconv.ParseFloat(s, 32)
		ts.Check(err)
		row = append(row, float32(v))
	}
	ts.Check(writeNPY(ts.MkAbs(args[0]), [][]float32{row}, []int{len(row)}))
}

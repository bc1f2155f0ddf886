package model

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// ErrConstant is the refusal of an operand that the compiler has to know, but that is
// an input of the model or follows from one; [Fix] makes a constant of an input.
var ErrConstant = errors.New("must be a constant: it may not depend on the input")

// An Array is numbers of a shape, in the order of ONNX.
type Array struct {
	Shape  []int
	Values []float64
}

// ReadTensor decodes a file with one ONNX TensorProto.
func ReadTensor(file []byte) (*Array, error) {
	if len(file) > maxFile {
		return nil, fmt.Errorf("%d bytes are more than the %d allowed", len(file), maxFile)
	}
	var p onnx.TensorProto
	if err := proto.Unmarshal(file, &p); err != nil || p.DataType == nil {
		return nil, errors.New("not an ONNX tensor")
	}
	c, err := (&loader{budget: maxLoaded}).decode(&p)
	if err != nil {
		return nil, err
	}
	f, err := c.floats()
	return &Array{c.shape, f}, err
}

// Fix returns the ONNX file with an input in it fixed to t: an initializer, which
// weights, shapes and other parameters of operators must be. Sizes that the file
// declares replace those of t if it has as many elements.
func Fix(file []byte, name string, t *Array) ([]byte, error) {
	m, _, err := decode(file, "")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, in := range m.Graph.Input {
		names = append(names, in.GetName())
		if in.GetName() != name {
			continue
		}
		p, err := t.initializer(in)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", name, err)
		}
		m.Graph.Initializer = append(m.Graph.Initializer, p)
		return proto.Marshal(m)
	}
	return nil, fmt.Errorf("the model has no input %q; it has %q", name, names)
}

// initializer returns t as the constant that in declares.
func (t *Array) initializer(in *onnx.ValueInfoProto) (*onnx.TensorProto, error) {
	declared := in.GetType().GetTensorType()
	p := &onnx.TensorProto{Name: proto.String(in.GetName())}
	n := 1
	for _, d := range declared.GetShape().GetDim() {
		p.Dims = append(p.Dims, d.GetDimValue())
		n *= int(min(max(d.GetDimValue(), 0), int64(maxTensor)))
		if n > maxTensor {
			return nil, errTooLarge
		}
	}
	if declared.GetShape() == nil || n != len(t.Values) {
		p.Dims = nil
		for _, d := range t.Shape {
			p.Dims = append(p.Dims, int64(d))
		}
		if size(t.Shape) != len(t.Values) {
			return nil, fmt.Errorf("%d numbers for the shape %v", len(t.Values), t.Shape)
		}
	}
	kind := onnx.TensorProto_DataType(declared.GetElemType())
	if _, whole := wholeTypes[kind]; !whole {
		p.DataType, p.DoubleData = proto.Int32(int32(onnx.TensorProto_DOUBLE)), t.Values
		return p, nil
	}
	p.DataType = proto.Int32(int32(onnx.TensorProto_INT64))
	for _, v := range t.Values {
		if v != math.Trunc(v) {
			return nil, fmt.Errorf("%v is not a whole number", v)
		}
		p.Int64Data = append(p.Int64Data, int64(min(max(v, -1<<62), 1<<62)))
	}
	return p, nil
}

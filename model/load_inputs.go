package model

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// wholeTypes are the types of whole numbers that an input may have, with the range
// of those whose range is small enough to be assumed.
var wholeTypes = map[onnx.TensorProto_DataType][2]float64{
	onnx.TensorProto_BOOL: {0, 1}, onnx.TensorProto_UINT8: {0, 255}, onnx.TensorProto_INT8: {-128, 127},
	onnx.TensorProto_UINT16: {}, onnx.TensorProto_INT16: {}, onnx.TensorProto_INT32: {}, onnx.TensorProto_UINT32: {}, onnx.TensorProto_INT64: {},
	onnx.TensorProto_UINT64: {},
}

// secrets declares the inputs, one after the other, as parts of node 0; fixed says
// that all of them have a fixed size.
func (l *loader) secrets(inputs []*onnx.ValueInfoProto) (fixed bool, err error) {
	fixed = true
	var parts []Part
	var errs []error
	total := 0
	for _, in := range inputs {
		p, rows, err := l.part(in)
		fixed = fixed && rows > 0
		if err == nil && len(parts) > 0 && l.lead > 0 && rows != l.batch {
			err = fmt.Errorf("inputs %q and %q differ along axis 0, so that %w; give it the same size in all inputs", parts[0].Name, p.Name, errNoRows)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if l.lead > 0 {
			l.batch = rows
		}
		parts = append(parts, p)
		if total += size(p.Shape); total > maxTensor {
			return false, errTooLarge
		}
	}
	if len(errs) > 0 {
		return fixed, errs[0]
	}
	if err := l.spend(2 * total); err != nil {
		return false, err
	}
	l.declare(parts, total)
	for _, in := range inputs {
		l.types[in.GetName()] = onnx.TensorProto_DataType(in.GetType().GetTensorType().GetElemType())
	}
	return fixed, nil
}

// declare makes node 0 of the total elements of parts.
func (l *loader) declare(parts []Part, total int) {
	l.g.Inputs = parts
	var names []string
	for _, p := range parts {
		names = append(names, p.Name)
	}
	l.g.InputName, l.g.Input = strings.Join(names, ", "), []int{total}
	if len(parts) == 1 {
		l.g.Input = parts[0].Shape
	}
	x := l.g.add(node{kind: inputNode, name: l.g.InputName, len: total})
	if len(parts) == 1 {
		l.tensors[parts[0].Name] = &tensor{shape: parts[0].Shape, val: x}
		return
	}
	at := 0
	for _, p := range parts {
		view := iota32(size(p.Shape))
		for i := range view {
			view[i] += int32(at)
		}
		at += len(view)
		l.tensors[p.Name] = &tensor{shape: p.Shape, val: x, view: view}
	}
}

// errNoRows is the refusal of inputs that have no rows.
var errNoRows = errors.New("no axis counts the rows")

// part reads the declaration of an input: its shape without the axis of the rows,
// and its size along that axis, or 0 if that is free; 1 without such an axis.
func (l *loader) part(in *onnx.ValueInfoProto) (p Part, rows int64, err error) {
	p.Name = in.GetName()
	t := in.GetType().GetTensorType()
	kind := onnx.TensorProto_DataType(t.GetElemType())
	ends, whole := wholeTypes[kind]
	if !whole && !floatKind(kind) {
		return p, 0, fmt.Errorf("input %q is not a tensor of numbers; encode it before the model", p.Name)
	}
	p.Whole, p.Lo, p.Hi = whole, ends[0], ends[1]
	if t.Shape == nil {
		return p, 0, fmt.Errorf("input %q has no shape; export the model with the shape of its input", p.Name)
	}
	dims := t.Shape.Dim
	for _, d := range dims[min(l.lead, len(dims)):] {
		if _, ok := d.Value.(*onnx.TensorShapeProto_Dimension_DimValue); ok && d.GetDimValue() == 0 {
			return p, 1, fmt.Errorf("input %q has no elements", p.Name)
		}
	}
	if rows = 1; len(dims) > 0 {
		rows = max(dims[0].GetDimValue(), 0)
	}
	if l.lead > 0 && (len(dims) == 0 || len(dims) == 1 && rows > 0) {
		return p, max(rows, 1), fmt.Errorf("input %q has %d axes, so that %w; export the model with a batch axis first", p.Name, len(dims), errNoRows)
	}
	p.Shape = []int{}
	for i, d := range dims[min(l.lead, len(dims)):] {
		if d.GetDimValue() < 1 || d.GetDimValue() > maxTensor {
			return p, 0, fmt.Errorf("input %q: axis %d has no fixed size; only axis 0, the batch, may be dynamic", p.Name, i+l.lead)
		}
		p.Shape = append(p.Shape, int(d.GetDimValue()))
	}
	if err := checkShape(p.Shape); err != nil {
		return p, 0, fmt.Errorf("input %q: %w", p.Name, err)
	}
	return p, rows, nil
}

// errMixes is the refusal of what would compute one row from others.
var errMixes = errors.New("it would mix rows; leave axis 0 out")

// rank returns the number of axes of t in the file.
func (l *loader) rank(t *tensor) int { return len(t.shape) + l.lead }

// full returns the shape of t in the file, with a size of 0 for the rows.
func (l *loader) full(t *tensor) []int { return append(make([]int, l.lead), t.shape...) }

// inner returns the axis of the shape of t that the file calls a.
func (l *loader) inner(a int, t *tensor) (int, error) {
	a, err := axis(a, l.rank(t))
	if err == nil && a < l.lead {
		err = errMixes
	}
	return a - l.lead, err
}

// outputType returns the type of the elements of output i.
func (o *operator) outputType(i int) onnx.TensorProto_DataType {
	switch kind := o.n.GetOpType(); {
	case kind == "Cast":
		return onnx.TensorProto_DataType(o.int("to", int(onnx.TensorProto_FLOAT)))
	case kind == "ArgMax" || kind == "ArgMin" || kind == "TopK" && i == 1 || kind == "LinearClassifier" && i == 0:
		return onnx.TensorProto_INT64
	case classical[kind], kind == "OneHot", kind == "Gather" && o.consts[o.input(0)] != nil && o.consts[o.input(0)].d == nil:
		return onnx.TensorProto_FLOAT
	case logical[kind]:
		return onnx.TensorProto_BOOL
	}
	for k := range o.n.Input {
		if name := o.input(k); o.tensors[name] != nil && (k > 0 || o.n.GetOpType() != "Where") {
			return o.types[name]
		}
	}
	return onnx.TensorProto_FLOAT
}

// logical are the operators whose results are conditions.
var logical = map[string]bool{
	"Greater": true, "GreaterOrEqual": true, "Less": true, "LessOrEqual": true, "Equal": true,
	"And": true, "Or": true, "Xor": true, "Not": true, "IsNaN": true, "IsInf": true,
}

// whole reports that the elements of operand i are whole numbers, or conditions.
func (o *operator) whole(i int) bool {
	_, whole := wholeTypes[o.types[o.input(i)]]
	return whole
}

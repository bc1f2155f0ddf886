package model

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// len is the number of elements.
func (c *constant) len() int { return size(c.shape) }

// floats returns the numbers of c; the unknown number of rows is none.
func (c *constant) floats() ([]float64, error) {
	if c.d == nil {
		return c.f, nil
	}
	f := make([]float64, len(c.d))
	for i, d := range c.d {
		if d.rows {
			return nil, errors.New("a value depends on the number of rows")
		}
		f[i] = float64(d.n)
	}
	return f, nil
}

// wholes returns small whole numbers, none of them the number of rows.
func (c *constant) wholes() ([]int, error) {
	if c.d == nil {
		return nil, errors.New("whole numbers are needed")
	}
	v := make([]int, len(c.d))
	for i, d := range c.d {
		if d.rows {
			return nil, errors.New("a value depends on the number of rows")
		}
		v[i] = int(min(max(d.n, -maxWhole), maxWhole))
	}
	return v, nil
}

// maxWhole bounds attributes, so that sums of products of two of them do not
// overflow; INT64_MAX is a common way to say "to the end".
const maxWhole = 1 << 30

// view returns the elements of c that index names, in shape.
func (c *constant) view(shape []int, index []int32) *constant {
	z := &constant{shape: shape}
	if c.d != nil {
		z.d = make([]dim, len(index))
		for i, j := range index {
			z.d[i] = c.d[j]
		}
		return z
	}
	z.f = make([]float64, len(index))
	for i, j := range index {
		z.f[i] = c.f[j]
	}
	return z
}

// decode reads a tensor of the file.
func (l *loader) decode(t *onnx.TensorProto) (*constant, error) {
	if t.GetDataLocation() == onnx.TensorProto_EXTERNAL || len(t.ExternalData) > 0 {
		return nil, errors.New("its data is in another file; save the model with all weights in one file")
	}
	if t.Segment != nil {
		return nil, errors.New("a tensor in segments is not supported")
	}
	c := &constant{shape: []int{}}
	n := 1
	for _, d := range t.Dims {
		if d < 0 || d > maxTensor || len(c.shape) >= maxRank {
			return nil, fmt.Errorf("shape %v is not supported", t.Dims)
		}
		c.shape = append(c.shape, int(d))
		if n *= int(d); n > maxTensor {
			return nil, fmt.Errorf("more than %d elements", maxTensor)
		}
	}
	if err := l.spend(n); err != nil {
		return nil, err
	}
	if err := c.fill(t, n); err != nil {
		return nil, err
	}
	if c.d == nil && len(c.f) != n || c.f == nil && len(c.d) != n {
		return nil, fmt.Errorf("%d values for the shape %v", max(len(c.f), len(c.d)), t.Dims)
	}
	for _, v := range c.f {
		if math.IsNaN(v) {
			return nil, errors.New("a value is NaN; the model is broken")
		}
	}
	return c, nil
}

var errTooLarge = errors.New("the tensors of the model are larger than supported")

// fill decodes the n values of t from whichever field holds them.
func (c *constant) fill(t *onnx.TensorProto, n int) error {
	kind := onnx.TensorProto_DataType(t.GetDataType())
	width := map[onnx.TensorProto_DataType]int{
		onnx.TensorProto_FLOAT: 4, onnx.TensorProto_DOUBLE: 8, onnx.TensorProto_FLOAT16: 2, onnx.TensorProto_BFLOAT16: 2,
		onnx.TensorProto_INT64: 8, onnx.TensorProto_INT32: 4, onnx.TensorProto_INT16: 2, onnx.TensorProto_INT8: 1,
		onnx.TensorProto_UINT8: 1, onnx.TensorProto_UINT16: 2, onnx.TensorProto_UINT32: 4, onnx.TensorProto_UINT64: 8, onnx.TensorProto_BOOL: 1,
	}[kind]
	if width == 0 {
		return fmt.Errorf("elements of type %v are not supported; store floats or integers", kind)
	}
	raw := t.RawData
	if raw != nil && len(raw) != n*width {
		return fmt.Errorf("%d bytes for %d elements of %d", len(raw), n, width)
	}
	word := func(i int) uint64 {
		var b [8]byte
		copy(b[:], raw[i*width:][:width])
		return binary.LittleEndian.Uint64(b[:])
	}
	if raw == nil {
		count := len(t.Int32Data)
		switch kind {
		case onnx.TensorProto_FLOAT:
			count = len(t.FloatData)
			word = func(i int) uint64 { return uint64(math.Float32bits(t.FloatData[i])) }
		case onnx.TensorProto_DOUBLE:
			count = len(t.DoubleData)
			word = func(i int) uint64 { return math.Float64bits(t.DoubleData[i]) }
		case onnx.TensorProto_INT64:
			count = len(t.Int64Data)
			word = func(i int) uint64 { return uint64(t.Int64Data[i]) }
		case onnx.TensorProto_UINT32, onnx.TensorProto_UINT64:
			count = len(t.Uint64Data)
			word = func(i int) uint64 { return t.Uint64Data[i] }
		default:
			word = func(i int) uint64 { return uint64(t.Int32Data[i]) }
		}
		if count != n {
			return fmt.Errorf("%d values for %d elements", count, n)
		}
	}
	c.convert(kind, n, word)
	return nil
}

// convert sets the n elements, whose bits are in the low end of word(i).
func (c *constant) convert(kind onnx.TensorProto_DataType, n int, word func(int) uint64) {
	var number func(uint64) float64
	var whole func(uint64) int64
	switch kind {
	case onnx.TensorProto_FLOAT:
		number = func(w uint64) float64 { return float64(math.Float32frombits(uint32(w))) }
	case onnx.TensorProto_DOUBLE:
		number = math.Float64frombits
	case onnx.TensorProto_FLOAT16:
		number = func(w uint64) float64 { return half(uint16(w)) }
	case onnx.TensorProto_BFLOAT16:
		number = func(w uint64) float64 { return float64(math.Float32frombits(uint32(w) << 16)) }
	case onnx.TensorProto_INT32:
		whole = func(w uint64) int64 { return int64(int32(w)) }
	case onnx.TensorProto_INT16:
		whole = func(w uint64) int64 { return int64(int16(w)) }
	case onnx.TensorProto_INT8:
		whole = func(w uint64) int64 { return int64(int8(w)) }
	case onnx.TensorProto_UINT32:
		whole = func(w uint64) int64 { return int64(uint32(w)) }
	default:
		whole = func(w uint64) int64 { return int64(w) } // beyond 2⁶³ no constant is
	}
	if number != nil {
		c.f = make([]float64, n)
		for i := range c.f {
			c.f[i] = number(word(i))
		}
		return
	}
	c.d = make([]dim, n)
	for i := range c.d {
		c.d[i].n = whole(word(i))
	}
}

// half decodes an IEEE 754 binary16 number.
func half(h uint16) float64 {
	exponent, fraction := int(h>>10&31), float64(h&1023)
	v := math.Ldexp(1024+fraction, exponent-25)
	switch exponent {
	case 0:
		v = math.Ldexp(fraction, -24)
	case 31:
		v = math.Inf(1)
		if fraction != 0 {
			v = math.NaN()
		}
	}
	if h>>15 == 1 {
		v = -v
	}
	return v
}

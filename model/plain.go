package model

import (
	"fmt"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// GatherOf applies a [Gather] operation to batch inferences. Like [SumOf] and
// [AddOf] it is linear, so that it acts on shares as it does on values.
func GatherOf(op *Op, z Value, x []uint64, batch int) []uint64 {
	n, mask := len(x)/batch, ring.Mask(z.Width)
	out := make([]uint64, batch*z.Len)
	for b := range batch {
		src, dst := x[b*n:][:n], out[b*z.Len:][:z.Len]
		for i, j := range op.Index {
			if j >= 0 {
				dst[i] = src[j] & mask
			}
		}
	}
	return out
}

// SumOf applies a [Sum] operation to batch inferences.
func SumOf(op *Op, z Value, x []uint64, batch int) []uint64 {
	n, mask := len(x)/batch, ring.Mask(z.Width)
	out := make([]uint64, batch*z.Len)
	for b := range batch {
		src, dst := x[b*n:][:n], out[b*z.Len:][:z.Len]
		for i := range dst {
			var sum uint64
			for _, j := range op.Index[i*op.Window:][:op.Window] {
				if j >= 0 {
					sum += src[j]
				}
			}
			dst[i] = uint64(op.Coef[i]) * sum & mask
		}
	}
	return out
}

// AddOf applies an [Add] operation.
func AddOf(op *Op, z Value, x, y []uint64) []uint64 {
	mask := ring.Mask(z.Width)
	out := make([]uint64, len(x))
	a, b := uint(op.Shl[0]), uint(op.Shl[1])
	for i := range out {
		if op.Negate {
			out[i] = (x[i]<<a - y[i]<<b) & mask
		} else {
			out[i] = (x[i]<<a + y[i]<<b) & mask
		}
	}
	return out
}

// AddParamOf applies an [AddParam] operation with parameter c.
func AddParamOf(z Value, x, c []uint64) []uint64 {
	mask := ring.Mask(z.Width)
	out := make([]uint64, len(x))
	for i := range out {
		out[i] = (x[i] + c[i%len(c)]) & mask
	}
	return out
}

// plain evaluates a program in the clear: the oracle. A shift rounds to the
// nearest multiple, halves up.
type plain struct {
	m     *Model
	batch int
}

// Eval runs the program on batch encoded inputs, in the clear.
func (m *Model) Eval(x []uint64, batch int) ([]uint64, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	if err := m.checkRows(x, batch); err != nil {
		return nil, err
	}
	return Run(plain{m, batch}, &m.Manifest.Program, x)
}

func (m *Model) checkRows(x []uint64, batch int) error {
	if n := m.Manifest.Input.Len(); batch < 1 || len(x)/batch != n || len(x)%batch != 0 {
		return fmt.Errorf("eval: %d elements are not %d rows of %d", len(x), batch, n)
	}
	return nil
}

func (e plain) out(op *Op) Value { return e.m.Manifest.Program.Values[op.Out] }

func (e plain) Linear(op *Op, x []uint64) ([]uint64, error) {
	return e.linear(op, ring.NewFilter(*op.Conv, e.m.Params[op.Weights], e.out(op).Width), x), nil
}

func (e plain) linear(op *Op, f *ring.Filter, x []uint64) []uint64 {
	z := e.out(op)
	out := make([]uint64, e.batch*z.Len)
	bias := e.m.Params[op.Bias]
	for i := range out {
		out[i] = bias[i%len(bias)]
	}
	f.MulAdd(out, x, e.batch)
	ring.Reduce(out, z.Width)
	return out
}

func (e plain) AddParam(op *Op, x []uint64) ([]uint64, error) {
	return AddParamOf(e.out(op), x, e.m.Params[op.Bias]), nil
}

func (e plain) Gather(op *Op, x []uint64) ([]uint64, error) {
	return GatherOf(op, e.out(op), x, e.batch), nil
}

func (e plain) Sum(op *Op, x []uint64) ([]uint64, error) {
	return SumOf(op, e.out(op), x, e.batch), nil
}

func (e plain) Add(op *Op, x, y []uint64) ([]uint64, error) {
	return AddOf(op, e.out(op), x, y), nil
}

func (e plain) Shift(op *Op, x []uint64) ([]uint64, error) {
	z := e.out(op)
	k := z.Width + op.Bits
	out := make([]uint64, len(x))
	for i, v := range x {
		v += 1 << uint(op.Bits-1)
		out[i] = uint64(ring.Signed(v, k)>>uint(op.Bits)) & ring.Mask(z.Width)
	}
	return out, nil
}

func (e plain) ReLU(op *Op, x []uint64) ([]uint64, error) {
	mask := ring.Mask(e.out(op).Width)
	out := make([]uint64, len(x))
	for i, v := range x {
		out[i] = uint64(max(ring.Signed(v, op.Bits), 0)) & mask
	}
	return out, nil
}

func (e plain) Max(op *Op, x, y []uint64) ([]uint64, error) {
	mask := ring.Mask(e.out(op).Width)
	out := make([]uint64, len(x))
	for i := range out {
		out[i] = uint64(max(ring.Signed(x[i], op.Bits), ring.Signed(y[i], op.Bits))) & mask
	}
	return out, nil
}

func (e plain) Lift(op *Op, x []uint64) ([]uint64, error) {
	mask := ring.Mask(e.out(op).Width)
	out := make([]uint64, len(x))
	for i, v := range x {
		out[i] = uint64(ring.Signed(v, op.Bits)) & mask
	}
	return out, nil
}

func (e plain) Step(op *Op, x []uint64) ([]uint64, error) {
	out := make([]uint64, len(x))
	for i, v := range x {
		if ring.Signed(v, op.Bits) >= 0 {
			out[i] = 1
		}
	}
	return out, nil
}

func (e plain) Spline(op *Op, x []uint64) ([]uint64, error) {
	mask := ring.Mask(e.out(op).Width)
	out := make([]uint64, len(x))
	for i, v := range x {
		out[i] = uint64(op.Spline.Eval(ring.Signed(v, op.Bits))) & mask
	}
	return out, nil
}

func (e plain) Product(op *Op, x, y []uint64) ([]uint64, error) {
	out := make([]uint64, len(x)/(op.Dims.M*op.Dims.K)*op.Dims.M*op.Dims.N)
	matrices(*op.Dims, out, x, y)
	ring.Reduce(out, e.out(op).Width)
	return out, nil
}

// matrices adds to z the products of the matrices in x and y, as many as there are.
func matrices[T float64 | uint64](d Dims, z, x, y []T) {
	for ; len(x) > 0; x, y, z = x[d.M*d.K:], y[d.K*d.N:], z[d.M*d.N:] {
		for i := range d.M {
			for k, v := range x[i*d.K:][:d.K] {
				for j, u := range y[k*d.N:][:d.N] {
					z[i*d.N+j] += v * u
				}
			}
		}
	}
}

package model

import (
	"fmt"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// Limits of a program, of one row, generous for what two cores can run.
const (
	maxOps      = 1 << 16
	maxElements = 1 << 27 // all values, indices and weights together
	maxProducts = 1 << 40 // all linear layers together
	maxTriples  = 1 << 36 // one product of secrets, as package protocol/product has it
)

// Validate checks a program that came from a file or a peer. After it, every
// engine can run the program without further checks: all indices, widths and
// shapes fit.
func (p *Program) Validate() error {
	if len(p.Values) == 0 || len(p.Values) > maxOps || len(p.Ops) != len(p.Values)-1 {
		return fmt.Errorf("program: %d values (at most %d) and %d operations; each operation defines the next value",
			len(p.Values), maxOps, len(p.Ops))
	}
	if len(p.Params) > 2*maxOps {
		return fmt.Errorf("program: %d parameters are too many", len(p.Params))
	}
	budget := budget{elements: maxElements, products: maxProducts}
	for i, v := range p.Values {
		if v.Len < 1 || v.Len > maxTensor || v.Width < 1 || v.Width > 64 || v.Frac < 0 || v.Frac > 62 {
			return fmt.Errorf("program: value %d of %d elements, width %d and %d fraction bits is out of limits", i, v.Len, v.Width, v.Frac)
		}
		budget.elements -= v.Len
	}
	for i, q := range p.Params {
		if q.Len < 1 || q.Len > maxTensor || q.Width < 1 || q.Width > 64 || len(q.Name) > maxName {
			return fmt.Errorf("program: parameter %d of %d elements and width %d is out of limits", i, q.Len, q.Width)
		}
		budget.elements -= q.Len
	}
	for i := range p.Ops {
		op := &p.Ops[i]
		err := p.check(op, i, &budget)
		if err == nil && (budget.elements < 0 || budget.products < 0) {
			err = fmt.Errorf("the program is larger than any this software runs")
		}
		if err != nil {
			return fmt.Errorf("program: operation %d, %.20q %.80q: %w", i, op.Kind, op.Name, err)
		}
	}
	return nil
}

// budget is what is left of the limits on a whole program.
type budget struct{ elements, products int }

func (p *Program) check(op *Op, i int, b *budget) error {
	arity := 1
	if op.Kind == Add || op.Kind == Max || op.Kind == Product {
		arity = 2
	}
	if len(op.In) != arity || op.Out != i+1 || len(op.Name) > maxName {
		return fmt.Errorf("%d operands for value %d, or an overlong name", len(op.In), op.Out)
	}
	for _, j := range op.In {
		if j < 0 || j > i {
			return fmt.Errorf("operand %d is not an earlier value", j)
		}
	}
	if op.Spline != nil && op.Kind != Splined || op.Dims != nil && op.Kind != Product {
		return fmt.Errorf("a spline, or dimensions of matrices, that it does not use")
	}
	b.elements -= len(op.Index) + len(op.Coef)
	x, z := p.Values[op.In[0]], p.Values[op.Out]
	switch op.Kind {
	case Linear:
		return p.checkLinear(op, x, z, b)
	case AddParam:
		if x.Len != z.Len {
			return fmt.Errorf("%d elements from %d", z.Len, x.Len)
		}
		if err := local(x, z); err != nil {
			return err
		}
		return p.param(op.Bias, z.Len, z.Width)
	case Gather:
		if len(op.Index) != z.Len {
			return fmt.Errorf("%d indices for %d elements", len(op.Index), z.Len)
		}
		return indices(op.Index, x, z)
	case Sum:
		if op.Window < 1 || op.Window > maxTensor || len(op.Coef) != z.Len || len(op.Index) != z.Len*op.Window {
			return fmt.Errorf("%d coefficients and %d indices for %d windows of %d", len(op.Coef), len(op.Index), z.Len, op.Window)
		}
		return indices(op.Index, x, z)
	case Add:
		return p.checkAdd(op, x, p.Values[op.In[1]], z)
	case Shift:
		if op.Bits < 1 || op.Bits > 60 || x.Len != z.Len || z.Width+op.Bits > x.Width {
			return fmt.Errorf("%d bits from width %d to %d", op.Bits, x.Width, z.Width)
		}
		return nil
	case ReLU, Lift, Max, Step:
		return p.checkCompare(op, x, z)
	case Splined:
		return p.checkSpline(op, x, z, b)
	case Product:
		return p.checkProduct(op, x, p.Values[op.In[1]], z, b)
	}
	return fmt.Errorf("unknown operation")
}

func (p *Program) checkLinear(op *Op, x, z Value, b *budget) error {
	if op.Conv == nil {
		return fmt.Errorf("no geometry")
	}
	if err := op.Conv.Validate(); err != nil {
		return err
	}
	if op.Conv.InLen() != x.Len || op.Conv.OutLen() != z.Len {
		return fmt.Errorf("%d to %d elements, the geometry has %d to %d", x.Len, z.Len, op.Conv.InLen(), op.Conv.OutLen())
	}
	if op.Conv.WeightLen() > maxTensor {
		return fmt.Errorf("%d weights are too many", op.Conv.WeightLen())
	}
	if err := local(x, z); err != nil {
		return err
	}
	b.products -= op.Conv.Products()
	if err := p.param(op.Weights, op.Conv.WeightLen(), z.Width); err != nil {
		return err
	}
	return p.param(op.Bias, op.Conv.Out, z.Width)
}

func (p *Program) checkAdd(op *Op, x, y, z Value) error {
	if x.Len != z.Len || y.Len != z.Len {
		return fmt.Errorf("%d elements from %d and %d", z.Len, x.Len, y.Len)
	}
	for _, s := range op.Shl {
		if s < 0 || s > 62 {
			return fmt.Errorf("a shift by %d is outside 0..62", s)
		}
	}
	if err := local(x, z); err != nil {
		return err
	}
	return local(y, z)
}

func (p *Program) checkCompare(op *Op, x, z Value) error {
	if op.Bits < 2 || op.Bits > 62 {
		return fmt.Errorf("a comparison of %d bits is outside 2..62", op.Bits)
	}
	for _, j := range op.In {
		x := p.Values[j]
		if x.Len != z.Len || op.Bits > x.Width {
			return fmt.Errorf("%d bits of %d elements, from %d of width %d", op.Bits, z.Len, x.Len, x.Width)
		}
	}
	if op.Kind == Max && z.Width != op.Bits {
		return fmt.Errorf("the result has width %d, not %d", z.Width, op.Bits)
	}
	return nil
}

// maxSide bounds the rows and columns of matrices that are multiplied.
const maxSide = 1 << 16

// maxKnots bounds the comparisons of one element.
const maxKnots = 1 << 10

func (p *Program) checkSpline(op *Op, x, z Value, b *budget) error {
	if op.Spline == nil || len(op.Spline.Knots) < 1 || len(op.Spline.Knots) > maxKnots {
		return fmt.Errorf("no spline, or one that has not 1 to %d knots", maxKnots)
	}
	if err := p.checkCompare(op, x, z); err != nil {
		return err
	}
	limit := int64(1) << (op.Bits - 2)
	for i, k := range op.Spline.Knots {
		if k.At < -limit || k.At > limit || i > 0 && k.At <= op.Spline.Knots[i-1].At {
			return fmt.Errorf("knot %d at %d is outside ±%d or not after the one before", i, k.At, limit)
		}
	}
	b.elements -= z.Len * len(op.Spline.Knots)
	return nil
}

func (p *Program) checkProduct(op *Op, x, y, z Value, b *budget) error {
	d := op.Dims
	if d == nil {
		return fmt.Errorf("no dimensions")
	}
	for _, n := range []int{d.T, d.M, d.K, d.N} {
		if n < 1 || n > maxTensor {
			return fmt.Errorf("dimensions %v are outside 1..%d", *d, maxTensor)
		}
	}
	if max(d.M, d.K, d.N) > maxSide || z.Width < 2 {
		return fmt.Errorf("matrices of more than %d rows or columns, or of one bit", maxSide)
	}
	for _, v := range []struct{ len, t, a, b int }{{x.Len, d.T, d.M, d.K}, {y.Len, d.T, d.K, d.N}, {z.Len, d.T, d.M, d.N}} {
		if v.a > v.len || v.b > v.len || v.t > v.len || v.a*v.b > v.len || v.t*v.a*v.b != v.len { // no overflow: maxTensor squared fits
			return fmt.Errorf("%d elements are not %d matrices of %d×%d", v.len, v.t, v.a, v.b)
		}
	}
	if z.Len*d.K > maxTriples {
		return fmt.Errorf("%d products of secrets are more than %d", z.Len*d.K, maxTriples)
	}
	b.products -= z.Len * d.K
	if err := local(x, z); err != nil {
		return err
	}
	return local(y, z)
}

// local checks that x reduces to the ring of z.
func local(x, z Value) error {
	if x.Width < z.Width {
		return fmt.Errorf("width %d does not follow from width %d", z.Width, x.Width)
	}
	return nil
}

func indices(index []int32, x, z Value) error {
	for _, j := range index {
		if j < -1 || int(j) >= x.Len {
			return fmt.Errorf("index %d is outside -1..%d", j, x.Len-1)
		}
	}
	return local(x, z)
}

func (p *Program) param(i, n, width int) error {
	if i < 0 || i >= len(p.Params) {
		return fmt.Errorf("parameter %d does not exist", i)
	}
	if q := p.Params[i]; q.Len != n || q.Width != width {
		return fmt.Errorf("parameter %d has %d elements of width %d, not %d of width %d", i, q.Len, q.Width, n, width)
	}
	return nil
}

// check refuses parameters that do not fit the program.
func (m *Model) check() error {
	if err := m.Manifest.Validate(); err != nil {
		return err
	}
	ps := m.Manifest.Program.Params
	if len(ps) != len(m.Params) {
		return fmt.Errorf("model: %d parameters for %d in the program", len(m.Params), len(ps))
	}
	for i, q := range ps {
		if len(m.Params[i]) != q.Len {
			return fmt.Errorf("model: parameter %q has %d elements, not %d", q.Name, len(m.Params[i]), q.Len)
		}
		for _, v := range m.Params[i] {
			if v&^ring.Mask(q.Width) != 0 {
				return fmt.Errorf("model: parameter %q has elements outside its ring", q.Name)
			}
		}
	}
	return nil
}

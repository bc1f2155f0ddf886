package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// The operators here apply a smooth function to every element.

// smooths are the functions of operators with one operand.
var smooths = map[string]func(*operator) *smooth{
	"Tanh":       func(*operator) *smooth { return tanhFn() },
	"Softplus":   func(*operator) *smooth { return softplusFn() },
	"Softsign":   func(*operator) *smooth { return softsignFn() },
	"Erf":        func(*operator) *smooth { return erfFn() },
	"Mish":       func(*operator) *smooth { return mishFn() },
	"Exp":        func(*operator) *smooth { return expFn() },
	"Log":        func(*operator) *smooth { return logFn() },
	"Sqrt":       func(*operator) *smooth { return sqrtFn() },
	"Reciprocal": func(*operator) *smooth { return reciprocalFn() },
	"Sin":        func(*operator) *smooth { return sinFn() },
	"Cos":        func(*operator) *smooth { return cosFn() },
	"Tan":        func(*operator) *smooth { return tanFn() },
	"Asin":       func(*operator) *smooth { return asinFn() },
	"Acos":       func(*operator) *smooth { return acosFn() },
	"Atan":       func(*operator) *smooth { return atanFn() },
	"Sinh":       func(*operator) *smooth { return sinhFn() },
	"Cosh":       func(*operator) *smooth { return coshFn() },
	"Asinh":      func(*operator) *smooth { return asinhFn() },
	"Acosh":      func(*operator) *smooth { return acoshFn() },
	"Atanh":      func(*operator) *smooth { return atanhFn() },
	"Elu":        func(o *operator) *smooth { return eluFn("Elu", 1, o.float("alpha", 1), 1) },
	"Celu": func(o *operator) *smooth {
		a := o.float("alpha", 1)
		return eluFn("Celu", 1, a, a)
	},
	"Selu": func(o *operator) *smooth {
		alpha, gamma := 1.67326319217681884765625, 1.05070102214813232421875
		if o.opset < 6 {
			alpha, gamma = 1.6732, 1.0507
		}
		return eluFn("Selu", o.float("gamma", gamma), o.float("alpha", alpha), 1)
	},
	"Gelu":  func(o *operator) *smooth { return geluFn(o.string("approximate", "none") == "tanh") },
	"Swish": func(o *operator) *smooth { return swishFn(o.float("alpha", 1)) },
}

// smooth lowers the operators of smooths. Their parameters are attributes and
// stay public.
func (o *operator) smooth() error {
	for _, name := range []string{"alpha", "gamma"} {
		if a := o.float(name, 1); !(a > 0 && a <= maxSlope) {
			return fmt.Errorf("%s = %v is not between 0 and %d", name, a, maxSlope)
		}
	}
	fn := smooths[o.n.GetOpType()](o)
	if c := o.consts[o.input(0)]; c != nil {
		return o.smoothConstant(fn, c)
	}
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	return o.set(o.smoothOf(t, fn))
}

func (o *operator) smoothConstant(fn *smooth, c *constant) error {
	f, err := c.floats()
	if err != nil {
		return err
	}
	z := &constant{shape: c.shape, f: make([]float64, len(f))}
	for i, x := range f {
		if z.f[i] = fn.f(x); math.IsNaN(z.f[i]) {
			return errors.New("a constant becomes NaN")
		}
	}
	return o.setConst(z)
}

// smoothOf returns fn of every element of t.
func (o *operator) smoothOf(t *tensor, fn *smooth) *tensor {
	if fn.f(0) != 0 && slices.Contains(t.view, -1) {
		t = &tensor{shape: t.shape, val: o.materialise(t)}
	}
	return o.same(t, node{kind: splineNode, fn: fn})
}

// hardSwish lowers x·min(max(x + 3, 0), 6)/6 to
//
//	u²/6 − u/2 + ReLU(x − 3), u = ReLU(x + 3) − ReLU(x − 3),
//
// which is exact. Both ReLUs are one operation of twice the length.
func (o *operator) hardSwish() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	t = o.bijection(t)
	n := size(t.shape)
	if err := o.spend(16 * n); err != nil {
		return err
	}
	row := []int{n}
	x := &tensor{shape: row, val: t.val}
	twice := o.view(x, []int{2 * n}, append(iota32(n), iota32(n)...))
	moved, err := o.elementwise(offsetNode, twice, append(repeat(3, n), repeat(-3, n)...))
	if err != nil {
		return err
	}
	both := o.same(o.bijection(moved), node{kind: reluNode})
	second := iota32(n)
	for i := range second {
		second[i] += int32(n)
	}
	high := o.view(both, row, second)
	u, err := o.added(o.view(both, row, iota32(n)), high, true)
	if err != nil {
		return err
	}
	u = o.within(u, -slop, 6+slop)
	square, err := o.squared(u)
	if err != nil {
		return err
	}
	z, err := o.added(o.public(square, repeat(1.0/6, n)), o.public(u, repeat(0.5, n)), true)
	if err != nil {
		return err
	}
	if z, err = o.added(z, high, false); err != nil {
		return err
	}
	return o.set(&tensor{shape: t.shape, val: o.materialise(z), view: t.view})
}

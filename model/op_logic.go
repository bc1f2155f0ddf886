package model

import (
	"errors"
	"fmt"
	"math"
)

// The operators here decide: their results are truth values, which are the whole
// numbers 0 and 1. Comparisons are exact on fixed-point numbers; two numbers
// within half a unit of the last place of each other may be equal there.

// public adds c[i]·t[i], for coefficients that need not be secret: it is local.
func (o *operator) public(t *tensor, c []float64) *tensor {
	t = o.bijection(t)
	n := len(c)
	o.budget -= 2 * n
	z := o.g.add(node{kind: sumNode, name: o.name, in: []int{t.val}, len: n, window: 1, index: iota32(n), c: t.ordered(c)})
	return &tensor{shape: t.shape, val: z, view: t.view}
}

// affineOf returns a·t + b for public numbers a and b.
func (o *operator) affineOf(t *tensor, a, b float64) (*tensor, error) {
	if a != 1 {
		t = o.public(t, repeat(a, size(t.shape)))
	}
	if b == 0 {
		return t, nil
	}
	return o.elementwise(offsetNode, t, repeat(b, size(t.shape)))
}

// step returns 1 where t ≥ 0, else 0.
func (o *operator) step(t *tensor) *tensor { return o.same(o.bijection(t), node{kind: stepNode}) }

// not returns 1 − t.
func (o *operator) not(t *tensor) (*tensor, error) { return o.affineOf(t, -1, 1) }

// difference returns operand 0 minus operand 1, at least one of them secret.
func (o *operator) difference() (*tensor, error) {
	x, y := o.consts[o.input(0)], o.consts[o.input(1)]
	if x != nil && y != nil {
		return nil, errors.New("both operands are constants; fold constants before the export")
	}
	if x == nil && y == nil {
		a, err := o.secret(0)
		if err != nil {
			return nil, err
		}
		b, err := o.secret(1)
		if err != nil {
			return nil, err
		}
		return o.added(a, b, true)
	}
	at, sign := 0, -1.0
	if x != nil {
		at, sign = 1, 1
	}
	t, c, err := o.withConstant(at, 1-at)
	if err != nil {
		return nil, err
	}
	for i := range c {
		c[i] = bounded(c[i]) * sign
	}
	if at == 1 {
		t = o.public(t, repeat(-1, len(c)))
	}
	return o.elementwise(offsetNode, t, c)
}

// compare lowers Greater, GreaterOrEqual, Less, LessOrEqual and Equal.
func (o *operator) compare() error {
	if x, y, err := o.wholePair(0, 1); err != nil || x != nil {
		if err != nil {
			return err
		}
		return o.compareWholes(x, y)
	}
	d, err := o.difference()
	if err != nil {
		return err
	}
	kind := o.n.GetOpType()
	if kind == "Equal" {
		z, err := o.zero(d)
		if err != nil {
			return err
		}
		return o.set(z)
	}
	if kind == "Greater" || kind == "LessOrEqual" { // x ≤ y is y − x ≥ 0
		d = o.public(d, repeat(-1, size(d.shape)))
	}
	z := o.step(d)
	if kind == "Greater" || kind == "Less" {
		if z, err = o.not(z); err != nil {
			return err
		}
	}
	return o.set(z)
}

// signs returns 1 where t ≥ 0, else 0, and then 1 where −t ≥ 0, as one operation.
// Both look at the same rounded number: one of them is always 1.
func (o *operator) signs(t *tensor) (positive, negative *tensor) {
	t = o.rounded(t)
	n := size(t.shape)
	both := node{kind: sumNode, name: o.name, in: []int{t.val}, len: 2 * n, window: 1}
	for _, sign := range []float64{1, -1} {
		for i := range n {
			both.index, both.c = append(both.index, t.at(i)), append(both.c, sign)
		}
	}
	o.budget -= 6 * n
	s := o.g.add(node{kind: stepNode, name: o.name, in: []int{o.g.add(both)}, len: 2 * n})
	half := func(from int) *tensor {
		z := &tensor{shape: t.shape, val: s, view: make([]int32, n)}
		for i := range z.view {
			z.view[i] = int32(from + i)
		}
		return z
	}
	return half(0), half(n)
}

// zero returns 1 where t = 0, else 0: one of t ≥ 0 and −t ≥ 0 always holds.
func (o *operator) zero(t *tensor) (*tensor, error) {
	a, b := o.signs(t)
	z, err := o.added(a, b, false)
	if err != nil {
		return nil, err
	}
	if z, err = o.affineOf(z, 1, -1); err != nil {
		return nil, err
	}
	return o.always(z, 0, 1, 0), nil
}

// sign lowers Sign to [x ≥ 0] − [−x ≥ 0].
func (o *operator) sign() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	a, b := o.signs(t)
	z, err := o.added(a, b, true)
	if err != nil {
		return err
	}
	return o.set(z)
}

func (o *operator) notOperator() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	if t, err = o.not(t); err != nil {
		return err
	}
	return o.set(t)
}

// logic lowers And, Or and Xor, with a·b = ReLU(a + b − 1) for truth values.
func (o *operator) logic() error {
	kind := o.n.GetOpType()
	z, err := o.combined(func(x, y *tensor) (*tensor, error) {
		s, err := o.added(x, y, false)
		if err != nil {
			return nil, err
		}
		less, err := o.affineOf(s, 1, -1)
		if err != nil {
			return nil, err
		}
		both := o.same(o.bijection(less), node{kind: reluNode})
		switch kind {
		case "And":
			return both, nil
		case "Xor":
			both = o.public(both, repeat(2, size(both.shape)))
		}
		return o.added(s, both, true)
	}, func(t *tensor, c []float64) (*tensor, error) {
		a, b := make([]float64, len(c)), make([]float64, len(c))
		for i, v := range c {
			switch {
			case kind == "And":
				a[i] = v
			case kind == "Or":
				a[i], b[i] = 1-v, v
			default:
				a[i], b[i] = 1-2*v, v
			}
		}
		return o.elementwise(offsetNode, o.public(t, a), b)
	})
	if err != nil {
		return err
	}
	return o.set(z)
}

// fill bounds constants that stand for infinity, such as the −∞ or −3.4e38 that
// masks put in: fixed point cannot hold them, and functions are flat there.
const fill = 1 << 10

// bounded replaces what is too large for a fixed-point number by ±fill.
func bounded(v float64) float64 {
	if math.Abs(v) > maxMagnitude {
		return math.Copysign(fill, v)
	}
	return v
}

// where lowers Where. A constant condition selects for free; a secret one of
// constants scales them; one of secrets is a product.
func (o *operator) where() error {
	if c, err := o.fixed(0); err == nil {
		return o.whereConstant(c)
	}
	cond, err := o.secret(0)
	if err != nil {
		return err
	}
	x, xc, err := o.either(1)
	if err != nil {
		return err
	}
	y, yc, err := o.either(2)
	if err != nil {
		return err
	}
	switch {
	case x == nil && y == nil:
		return o.whereConstants(cond, xc, yc)
	case x == nil: // x + (1 − c)·(y − x) = y + c·(x − y)
		d, err := o.offsetBy(y, xc, -1)
		if err != nil {
			return err
		}
		return o.choose(cond, y, o.negative(d))
	case y == nil:
		d, err := o.offsetBy(x, yc, -1)
		if err != nil {
			return err
		}
		not, err := o.not(cond)
		if err != nil {
			return err
		}
		return o.choose(not, x, o.negative(d))
	}
	d, err := o.added(x, y, true)
	if err != nil {
		return err
	}
	return o.choose(cond, y, d)
}

// choose defines the output as base + cond·d.
func (o *operator) choose(cond, base, d *tensor) error {
	p, err := o.multiplied(cond, d)
	if err != nil {
		return err
	}
	z, err := o.added(base, p, false)
	if err != nil {
		return err
	}
	return o.set(z)
}

func (o *operator) negative(t *tensor) *tensor { return o.public(t, repeat(-1, size(t.shape))) }

// either returns operand i as a tensor, or as a constant with bounded numbers.
func (o *operator) either(i int) (*tensor, *constant, error) {
	if o.consts[o.input(i)] == nil {
		t, err := o.secret(i)
		return t, nil, err
	}
	c, f, err := o.numbers(i)
	if err != nil {
		return nil, nil, err
	}
	z := &constant{shape: c.shape, f: make([]float64, len(f))}
	for k, v := range f {
		z.f[k] = bounded(v)
	}
	o.mask(z.f)
	return nil, z, nil
}

// offsetBy returns t + sign·c, broadcast to each other.
func (o *operator) offsetBy(t *tensor, c *constant, sign float64) (*tensor, error) {
	t, f, err := o.alike(t, c)
	if err != nil {
		return nil, err
	}
	for i := range f {
		f[i] *= sign
	}
	return o.elementwise(offsetNode, t, f)
}

// whereConstants lowers a choice between constants: y + c·(x − y).
func (o *operator) whereConstants(cond *tensor, x, y *constant) error {
	for _, c := range []*constant{x, y} { // all three have the shape of the result
		t, _, err := o.alike(cond, c)
		if err != nil {
			return err
		}
		cond = t
	}
	_, a, err := o.alike(cond, x)
	if err != nil {
		return err
	}
	_, b, err := o.alike(cond, y)
	if err != nil {
		return err
	}
	for i := range a {
		a[i] -= b[i]
	}
	z, err := o.elementwise(scaleNode, cond, a)
	if err != nil {
		return err
	}
	if z, err = o.elementwise(offsetNode, z, b); err != nil {
		return err
	}
	return o.set(z)
}

// whereConstant lowers a choice that the file fixes: c·x + (1 − c)·y with public c.
func (o *operator) whereConstant(c *constant) error {
	if x, y, err := o.wholePair(1, 2); err != nil || x != nil {
		if err != nil {
			return err
		}
		return o.chooseWholes(c, x, y)
	}
	f, err := c.floats()
	if err != nil {
		return err
	}
	var z *tensor
	var fixed *constant
	for i := 1; i <= 2; i++ {
		mask := &constant{shape: c.shape, f: make([]float64, len(f))}
		for k, v := range f {
			if (v != 0) == (i == 1) {
				mask.f[k] = 1
			}
		}
		t, k, err := o.either(i)
		if err != nil {
			return err
		}
		if t == nil {
			if k, err = o.timesConstant(k, mask); err != nil {
				return err
			}
			fixed = k
			continue
		}
		t, m, err := o.alike(t, mask)
		if err != nil {
			return err
		}
		t = o.public(t, m)
		if z == nil {
			z = t
		} else if z, err = o.added(z, t, false); err != nil {
			return err
		}
	}
	if z == nil {
		return errors.New("all operands are constants; fold constants before the export")
	}
	if fixed != nil {
		if z, err = o.offsetBy(z, fixed, 1); err != nil {
			return err
		}
	}
	return o.set(z)
}

// timesConstant returns the product of two constants, broadcast to each other.
func (o *operator) timesConstant(x, y *constant) (*constant, error) {
	shape, ix, iy, err := o.broadcast(x.shape, y.shape)
	if err != nil {
		return nil, err
	}
	z := &constant{shape: shape, f: make([]float64, len(ix))}
	for i := range ix {
		z.f[i] = x.f[ix[i]] * y.f[iy[i]]
	}
	return z, nil
}

// never lowers IsNaN and IsInf: fixed-point numbers are neither.
func (o *operator) never() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	return o.set(o.public(t, repeat(0, size(t.shape))))
}

// thresholded lowers ThresholdedRelu: x where x > α, else 0.
func (o *operator) thresholded() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	alpha := o.float("alpha", 1)
	if !(math.Abs(alpha) <= maxMagnitude) {
		return fmt.Errorf("the threshold %v is too large; scale the model", alpha)
	}
	d, err := o.affineOf(t, -1, alpha)
	if err != nil {
		return err
	}
	above, err := o.not(o.step(d))
	if err != nil {
		return err
	}
	z, err := o.multiplied(above, t)
	if err != nil {
		return err
	}
	return o.set(z)
}

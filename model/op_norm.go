package model

import (
	"errors"
	"fmt"
	"math"
)

// axesFrom returns the axes of t from a on, as numbers of the file.
func (o *operator) axesFrom(t *tensor, a int) []int {
	var v []int
	for ; a < len(t.shape); a++ {
		v = append(v, a+o.lead)
	}
	return v
}

// varianceScale is by how much variances are multiplied before their root is
// taken: they are squares, of which the small ones need the digits.
const varianceScale = 64

// standardised returns (x − mean)/√(variance + ε) over axes of the file.
func (o *operator) standardised(t *tensor, axes []int, epsilon float64) (*tensor, error) {
	if !(epsilon >= minEpsilon) {
		return nil, fmt.Errorf("an epsilon of %v is below %v, and may divide by 0; use a larger one", epsilon, minEpsilon)
	}
	mean, err := o.taken(o.sumOver(t, axes, true, true))
	if err != nil {
		return nil, err
	}
	d, err := o.added(t, mean, true)
	if err != nil {
		return nil, err
	}
	square, err := o.squared(d)
	if err != nil {
		return nil, err
	}
	variance, err := o.taken(o.sumOver(square, axes, true, true))
	if err != nil {
		return nil, err
	}
	scaled := &o.g.nodes[variance.val]
	for i := range scaled.c {
		scaled.c[i] *= varianceScale
	}
	variance = o.within(variance, 0, math.Inf(1))
	z, err := o.multiplied(d, o.smoothOf(variance, rsqrtFn(varianceScale*epsilon)))
	if err != nil {
		return nil, err
	}
	z = o.public(z, repeat(math.Sqrt(varianceScale), size(z.shape)))
	count := 1.0 // of the elements over which the mean is taken
	for _, a := range axes {
		count *= float64(t.shape[a-o.lead])
	}
	limit := 2*math.Sqrt(count) + 1 // |x − mean| ≤ √(count·variance), with room for errors
	return o.within(z, -limit, limit), nil
}

// minEpsilon is the least ε of a normalisation.
const minEpsilon = 1e-12

// layerNorm lowers LayerNormalization.
func (o *operator) layerNorm() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	a, err := o.inner(o.int("axis", -1), t)
	if err != nil {
		return err
	}
	z, err := o.standardised(t, o.axesFrom(t, a), o.float("epsilon", 1e-5))
	if err != nil {
		return err
	}
	if z, err = o.scaledBy(z, 1, 2); err != nil {
		return err
	}
	o.unused(1)
	return o.set(z)
}

// scaledBy returns t times constant operand scale plus constant operand offset,
// if it is there.
func (o *operator) scaledBy(t *tensor, scale, offset int) (*tensor, error) {
	z, c, err := o.against(t, scale)
	if err != nil {
		return nil, err
	}
	if z, err = o.elementwise(scaleNode, z, c); err != nil {
		return nil, err
	}
	if o.input(offset) == "" {
		return z, nil
	}
	if z, c, err = o.against(z, offset); err != nil {
		return nil, err
	}
	return o.elementwise(offsetNode, z, c)
}

// instanceNorm lowers InstanceNormalization: every channel of every row is
// standardised.
func (o *operator) instanceNorm() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	if len(t.shape) < 2 {
		return errors.New("an operand without spatial axes")
	}
	z, err := o.standardised(t, o.axesFrom(t, 1), o.float("epsilon", 1e-5))
	if err != nil {
		return err
	}
	for i, kind := range []nodeKind{scaleNode, offsetNode} {
		_, c, err := o.numbers(i + 1)
		if err != nil {
			return err
		}
		if len(c) != t.shape[0] {
			return fmt.Errorf("%d numbers for %d channels", len(c), t.shape[0])
		}
		all := make([]float64, size(t.shape))
		for k := range all {
			all[k] = c[k/(len(all)/t.shape[0])]
		}
		if z, err = o.elementwise(kind, z, all); err != nil {
			return err
		}
	}
	return o.set(z)
}

// power lowers Pow by a constant whole or other exponent.
func (o *operator) power() error {
	if x, y := o.consts[o.input(0)], o.consts[o.input(1)]; x != nil && y != nil {
		return o.arithmetic(x, y)
	}
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	_, e, err := o.numbers(1)
	if err != nil {
		return err
	}
	for _, v := range e {
		if v != e[0] {
			return errors.New("exponents that differ from element to element are not supported")
		}
	}
	if len(e) == 0 {
		return errors.New("the exponent is missing")
	}
	z, err := o.powerOf(t, e[0])
	if err != nil {
		return err
	}
	return o.set(z)
}

// powerOf returns t^e: products for 1 to 4, else a smooth function.
func (o *operator) powerOf(t *tensor, e float64) (*tensor, error) {
	switch e {
	case 0:
		return o.affineOf(t, 0, 1)
	case 1:
		return t, nil
	case 2:
		return o.squared(t)
	case 3, 4:
		s, err := o.squared(t)
		if err != nil {
			return nil, err
		}
		if e == 4 {
			return o.squared(s)
		}
		return o.multiplied(s, t)
	}
	return nil, fmt.Errorf("the exponent %v is not supported; use 0 to 4", e)
}

// squared returns t∘t.
func (o *operator) squared(t *tensor) (*tensor, error) {
	t = o.bijection(t)
	n := size(t.shape)
	if err := o.spend(2 * n); err != nil {
		return nil, err
	}
	z := o.g.add(node{kind: productNode, name: o.name, in: []int{t.val, t.val}, len: n, dims: Dims{T: n, M: 1, K: 1, N: 1}})
	return &tensor{shape: t.shape, val: z, view: t.view}, nil
}

// quotient lowers Div by a secret: x·(1/y), with 1/√y in one step where y is a
// root.
func (o *operator) quotient() error {
	y, err := o.secret(1)
	if err != nil {
		return err
	}
	inverse := o.smoothOf(y, reciprocalFn())
	if root := &o.g.nodes[y.val]; root.kind == splineNode && root.fn.name == "sqrt" {
		z := &tensor{shape: y.shape, view: y.view}
		z.val = o.g.add(node{kind: splineNode, name: o.name, in: root.in, len: root.len, fn: rsqrtFn(0)})
		inverse = z
	}
	if o.consts[o.input(0)] != nil {
		t, c, err := o.against(inverse, 0)
		if err != nil {
			return err
		}
		if t, err = o.elementwise(scaleNode, t, c); err != nil {
			return err
		}
		return o.set(t)
	}
	x, err := o.secret(0)
	if err != nil {
		return err
	}
	z, err := o.multiplied(x, inverse)
	if err != nil {
		return err
	}
	return o.set(z)
}

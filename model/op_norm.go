package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
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

// Limits of ε in normalisations. Below the second it is that, which is little next
// to what the rounding of a variance may be.
const (
	minEpsilon   = 1e-12
	leastEpsilon = 1e-7
)

// A standard is what normalisation makes of a tensor: deviations from the mean,
// in units of √(variance + ε).
type standard struct{ z, mean, inverse *tensor }

// standardised returns (x − mean)/√(variance + ε) over axes of the file.
func (o *operator) standardised(t *tensor, axes []int, epsilon float64) (*standard, error) {
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
	inverse := o.smoothOf(variance, rsqrtFn(varianceScale*max(epsilon, leastEpsilon)))
	z, err := o.multiplied(d, inverse)
	if err != nil {
		return nil, err
	}
	unit := math.Sqrt(varianceScale)
	count := 1.0 // of the elements over which the mean is taken
	for _, a := range axes {
		count *= float64(t.shape[a-o.lead])
	}
	return &standard{
		z:       o.deviations(o.public(z, repeat(unit, size(z.shape))), count, epsilon),
		mean:    mean,
		inverse: o.public(inverse, repeat(unit, size(inverse.shape))),
	}, nil
}

// deviations limits z = d·r, for r = 1/√(v + ε) with the mean v of the squares of
// d over count elements. For numbers |z| ≤ √count. Every engine computes v from a
// d′ that is, with n = MaxParties and u the last place of activations, within
// (n/2 + 1)·u of the one that it multiplies, which adds twice that times 1/√ε; and
// of the v it looks at δ = (n/2 + 1)·u/(64·2⁸) or less is rounding, or ε/4 where
// the inverse root is too flat to be given 8 bits more. d′ is at most √(count·v),
// and v/(v − δ + ε) at most max(1, δ/ε), which with leastEpsilon is below 16 from
// 8 fraction bits on. One more is for the error of the root.
func (o *operator) deviations(z *tensor, count, epsilon float64) *tensor {
	limit := 4*math.Sqrt(count) + 1
	return o.always(z, -limit, limit, (MaxParties+2)/math.Sqrt(max(epsilon, leastEpsilon)))
}

// layerNorm lowers LayerNormalization, whose other outputs are the mean and the
// inverse of the deviation.
func (o *operator) layerNorm() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	a, err := o.inner(o.int("axis", -1), t)
	if err != nil {
		return err
	}
	s, err := o.standardised(t, o.axesFrom(t, a), o.float("epsilon", 1e-5))
	if err != nil {
		return err
	}
	z, err := o.scaledBy(s.z, 1, 2)
	if err != nil {
		return err
	}
	for i, extra := range []*tensor{s.mean, s.inverse} {
		if i+1 < len(o.n.Output) && o.n.Output[i+1] != "" {
			if err := o.define(i+1, extra, nil); err != nil {
				return err
			}
		}
	}
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
	norm, err := o.standardised(t, o.axesFrom(t, 1), o.float("epsilon", 1e-5))
	if err != nil {
		return err
	}
	z := norm.z
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

// power lowers Pow by constants.
func (o *operator) power() error {
	if x, y := o.consts[o.input(0)], o.consts[o.input(1)]; x != nil && y != nil {
		return o.arithmetic(x, y)
	}
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	t, e, err := o.against(t, 1)
	if err != nil {
		return err
	}
	z, err := o.powers(t, e)
	if err != nil {
		return err
	}
	return o.set(z)
}

// maxExponents bounds the different exponents of one Pow.
const maxExponents = 16

// powers returns t to the powers e, element by element: those with the same
// exponent together.
func (o *operator) powers(t *tensor, e []float64) (*tensor, error) {
	exponents := slices.Compact(slices.Sorted(slices.Values(e)))
	if len(exponents) == 1 {
		return o.powerOf(t, e[0])
	}
	if len(exponents) > maxExponents {
		return nil, fmt.Errorf("%d different exponents are more than %d", len(exponents), maxExponents)
	}
	var sum *tensor
	for _, v := range exponents {
		var from []int32
		back := make([]int32, len(e))
		for i := range e {
			if back[i] = -1; e[i] == v {
				back[i] = int32(len(from))
				from = append(from, int32(i))
			}
		}
		z, err := o.powerOf(o.view(t, []int{len(from)}, from), v)
		if err != nil {
			return nil, err
		}
		if z = o.view(z, t.shape, back); sum != nil {
			z, err = o.added(sum, z, false)
		}
		if sum = z; err != nil {
			return nil, err
		}
	}
	return sum, nil
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
	if !(math.Abs(e) <= maxExponent) {
		return nil, fmt.Errorf("the exponent %v is not within ±%d", e, maxExponent)
	}
	return o.smoothOf(t, powFn(e)), nil
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
	inverse, err := o.inverse(y)
	if err != nil {
		return err
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
	if count, epsilon, ok := o.standardises(x, y); ok {
		z = o.deviations(z, count, epsilon)
	}
	return o.set(z)
}

// standardises recognises x/√(v + ε) for the mean v of the squares of count
// elements of x, as exporters write normalisations.
func (o *operator) standardises(x, y *tensor) (count, epsilon float64, ok bool) {
	root := o.g.nodes[y.val]
	if root.kind != splineNode || root.fn.name != "sqrt" {
		return 0, 0, false
	}
	mean, epsilon, ok := o.variance(o.g.nodes[root.in[0]])
	if !ok || o.g.nodes[mean.in[0]].in[0] != x.val {
		return 0, 0, false
	}
	_, same := channels(mean.c, 1)
	count = 1 / mean.c[0]
	return count, epsilon, same && math.Abs(count-float64(mean.window)) < 0.5
}

// inverse returns 1/t. Where t is a root, it is one function of what is under
// the root; where that is a variance, with its small values resolved.
func (o *operator) inverse(t *tensor) (*tensor, error) {
	root := o.g.nodes[t.val]
	if root.kind != splineNode || root.fn.name != "sqrt" {
		return o.smoothOf(t, reciprocalFn()), nil
	}
	z := &tensor{shape: t.shape, view: t.view}
	under := o.g.nodes[root.in[0]]
	if mean, epsilon, ok := o.variance(under); ok {
		mean.c = append([]float64(nil), mean.c...)
		for i := range mean.c {
			mean.c[i] *= varianceScale
		}
		z.val = o.g.add(node{kind: splineNode, name: o.name, in: []int{o.g.add(mean)}, len: mean.len, fn: rsqrtFn(varianceScale * max(epsilon, leastEpsilon))})
		return o.public(z, repeat(math.Sqrt(varianceScale), size(z.shape))), o.spend(4 * mean.len)
	}
	z.val = o.g.add(node{kind: splineNode, name: o.name, in: root.in, len: root.len, fn: rsqrtFn(0)})
	return z, o.spend(root.len)
}

// variance recognises the mean of squares plus ε.
func (o *operator) variance(n node) (mean node, epsilon float64, ok bool) {
	if n.kind != offsetNode {
		return node{}, 0, false
	}
	_, same := channels(n.c, 1)
	mean = o.g.nodes[n.in[0]]
	if !same || !(n.c[0] >= minEpsilon) || mean.kind != sumNode || mean.len != n.len {
		return node{}, 0, false
	}
	square := o.g.nodes[mean.in[0]]
	return mean, n.c[0], square.kind == productNode && square.in[0] == square.in[1] && least(mean.c) > 0
}

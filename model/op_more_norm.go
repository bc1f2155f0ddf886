package model

import (
	"errors"
	"fmt"
	"math"
)

// unitRoot returns t/√(Σ or mean of t² over axes of the file, + ε). For the mean,
// small squares are resolved as variances are.
func (o *operator) unitRoot(t *tensor, axes []int, epsilon float64, mean bool) (*tensor, error) {
	square, err := o.squared(t)
	if err != nil {
		return nil, err
	}
	s, err := o.taken(o.sumOver(square, axes, true, mean))
	if err != nil {
		return nil, err
	}
	if !mean {
		z, err := o.multiplied(t, o.smoothOf(s, rsqrtFn(0)))
		if err != nil {
			return nil, err
		}
		return o.within(z, -1, 1), nil
	}
	if !(epsilon >= minEpsilon) {
		return nil, fmt.Errorf("an epsilon of %v is below %v, and may divide by 0; use a larger one", epsilon, minEpsilon)
	}
	scaled, count := &o.g.nodes[s.val], 1.0
	for i := range scaled.c {
		scaled.c[i] *= varianceScale
	}
	for _, a := range axes {
		count *= float64(t.shape[a-o.lead])
	}
	z, err := o.multiplied(t, o.smoothOf(s, rsqrtFn(varianceScale*max(epsilon, leastEpsilon))))
	if err != nil {
		return nil, err
	}
	return o.deviations(o.public(z, repeat(math.Sqrt(varianceScale), size(z.shape))), count, epsilon), nil
}

// rmsNorm lowers RMSNormalization.
func (o *operator) rmsNorm() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	a, err := o.inner(o.int("axis", -1), t)
	if err != nil {
		return err
	}
	z, err := o.unitRoot(t, o.axesFrom(t, a), o.float("epsilon", 1e-5), true)
	if err != nil {
		return err
	}
	if z, err = o.scaledBy(z, 1, 2); err != nil {
		return err
	}
	return o.set(z)
}

// lpNorm lowers LpNormalization along one axis.
func (o *operator) lpNorm() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	a, err := o.inner(o.int("axis", -1), t)
	if err != nil {
		return err
	}
	axes := []int{a + o.lead}
	var z *tensor
	switch p := o.int("p", 2); p {
	case 1:
		var s *tensor
		if s, err = o.absolute(t); err != nil {
			return err
		}
		if s, err = o.taken(o.sumOver(s, axes, true, false)); err != nil {
			return err
		}
		if z, err = o.multiplied(t, o.smoothOf(s, reciprocalFn())); err == nil {
			z = o.within(z, -1, 1)
		}
	case 2:
		z, err = o.unitRoot(t, axes, 0, false)
	default:
		err = fmt.Errorf("p = %d is not supported; use 1 or 2", p)
	}
	if err != nil {
		return err
	}
	return o.set(z)
}

// meanVariance lowers MeanVarianceNormalization.
func (o *operator) meanVariance() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	axes, err := o.axes(o.rank(t))
	if err != nil {
		return err
	}
	if axes == nil {
		axes = []int{0, 2, 3}
		if o.rank(t) != 4 {
			return errors.New("an operand without four axes needs the attribute axes")
		}
	}
	s, err := o.standardised(t, axes, minEpsilon) // ONNX adds 1e-9 to the deviation
	if err != nil {
		return err
	}
	return o.set(s.z)
}

// groupNorm lowers GroupNormalization: scales and offsets are those of groups up to
// opset 20, then of channels.
func (o *operator) groupNorm() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	groups := o.int("num_groups", 0)
	if len(t.shape) < 1 || groups < 1 || t.shape[0]%groups != 0 {
		return fmt.Errorf("%d groups do not divide rows of shape %v", groups, t.shape)
	}
	n := size(t.shape)
	rows := &tensor{shape: []int{groups, n / groups}, val: t.val, view: t.view}
	s, err := o.standardised(rows, []int{1 + o.lead}, o.float("epsilon", 1e-5))
	if err != nil {
		return err
	}
	z := &tensor{shape: t.shape, val: s.z.val, view: s.z.view}
	count := groups
	if o.opset >= 21 {
		count = t.shape[0]
	}
	for i, kind := range []nodeKind{scaleNode, offsetNode} {
		_, c, err := o.numbers(i + 1)
		if err != nil {
			return err
		}
		if len(c) != count {
			return fmt.Errorf("%d numbers for %d groups or channels", len(c), count)
		}
		all := make([]float64, n)
		for k := range all {
			all[k] = c[k/(n/count)]
		}
		if z, err = o.elementwise(kind, z, all); err != nil {
			return err
		}
	}
	return o.set(z)
}

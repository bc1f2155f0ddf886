package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// The operators here are piecewise linear functions of every element.

func (o *operator) relu() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	return o.set(o.same(t, node{kind: reluNode}))
}

// same adds n, which treats all elements alike, for every element of t. Views of
// fewer elements, and those with zeros that n does not keep, are made first; of
// more, afterwards. Its c and d have one number.
func (o *operator) same(t *tensor, n node) *tensor {
	n.name, n.len = o.name, o.g.nodes[t.val].len
	if n.len > size(t.shape) || n.kind == clipNode && slices.Contains(t.view, -1) {
		t = &tensor{shape: t.shape, val: o.materialise(t)}
		n.len = size(t.shape)
	}
	for _, c := range []*[]float64{&n.c, &n.d} {
		if *c != nil {
			*c = repeat((*c)[0], n.len)
		}
	}
	o.budget -= n.len
	n.in = []int{t.val}
	return &tensor{shape: t.shape, val: o.g.add(n), view: t.view}
}

// each adds n, of which c and d have a number for every element of t.
func (o *operator) each(t *tensor, n node) *tensor {
	t = o.bijection(t)
	n.name, n.in, n.len = o.name, []int{t.val}, size(t.shape)
	n.c, n.d = t.ordered(n.c), t.ordered(n.d)
	o.budget -= n.len
	return &tensor{shape: t.shape, val: o.g.add(n), view: t.view}
}

// unlimited is a limit that limits nothing: PyTorch writes the largest float32.
const unlimited = 1e30

func (o *operator) clip() error {
	lo, hi := o.float("min", math.Inf(-1)), o.float("max", math.Inf(1))
	for i, v := range []*float64{&lo, &hi} {
		if o.input(i+1) == "" {
			continue
		}
		_, f, err := o.numbers(i + 1)
		if err != nil {
			return err
		}
		if len(f) != 1 {
			return errors.New("a limit is not one number")
		}
		*v = f[0]
	}
	if lo < -unlimited && hi > unlimited {
		return o.identity()
	}
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	if t, err = o.clipped(t, lo, hi); err != nil {
		return err
	}
	return o.set(t)
}

// clipped limits the elements of t to lo..hi, or to hi if that is less than lo.
func (o *operator) clipped(t *tensor, lo, hi float64) (*tensor, error) {
	n := node{kind: clipNode}
	lo = min(lo, hi)
	if math.Abs(hi) <= maxMagnitude {
		n.d = []float64{hi}
	} else if hi <= unlimited {
		return nil, fmt.Errorf("the limit %v is too large; scale the model", hi)
	}
	switch {
	case lo == 0 && n.d == nil:
		return o.same(t, node{kind: reluNode}), nil
	case math.Abs(lo) <= maxMagnitude:
		n.c = []float64{lo}
	case lo >= -unlimited:
		return nil, fmt.Errorf("the limit %v is too large; scale the model", lo)
	}
	return o.same(t, n), nil
}

// hardSigmoid lowers min(max(α·x + β, 0), 1).
func (o *operator) hardSigmoid() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	n := size(t.shape)
	if t, err = o.elementwise(scaleNode, t, repeat(o.float("alpha", 0.2), n)); err != nil {
		return err
	}
	if t, err = o.elementwise(offsetNode, t, repeat(o.float("beta", 0.5), n)); err != nil {
		return err
	}
	if t, err = o.clipped(t, 0, 1); err != nil {
		return err
	}
	return o.set(t)
}

// leakyRelu lowers LeakyRelu, whose slope is an attribute and stays public.
func (o *operator) leakyRelu() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	alpha := o.float("alpha", 0.01)
	if !(math.Abs(alpha) <= maxSlope) {
		return fmt.Errorf("a slope of %v is too steep; scale the model", alpha)
	}
	return o.set(o.same(t, node{kind: leakyNode, c: []float64{alpha}, public: true}))
}

// maxSlope bounds slopes below 0.
const maxSlope = 1 << 14

// pRelu lowers PRelu, whose slopes are weights and stay secret.
func (o *operator) pRelu() error {
	t, slope, err := o.withConstant(0, 1)
	if err != nil {
		return err
	}
	if x, err := o.secret(0); err != nil || size(x.shape) != size(t.shape) {
		return errors.New("the slope has more elements than the operand")
	}
	for _, a := range slope {
		if !(math.Abs(a) <= maxSlope) {
			return fmt.Errorf("a slope of %v is too steep; scale the model", a)
		}
	}
	if err := o.spend(size(t.shape)); err != nil {
		return err
	}
	return o.set(o.each(t, node{kind: leakyNode, c: slope}))
}

// abs lowers |x| to 2·ReLU(x) − x.
func (o *operator) abs() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	z, err := o.absolute(t)
	if err != nil {
		return err
	}
	return o.set(z)
}

// extremum lowers Max and Min of tensors and constants.
func (o *operator) extremum() error {
	least := o.n.GetOpType() == "Min"
	z, err := o.combined(func(x, y *tensor) (*tensor, error) { return o.extremumOf(x, y, least) }, func(t *tensor, c []float64) (*tensor, error) {
		for _, v := range c {
			if !(math.Abs(v) <= maxMagnitude) {
				return nil, fmt.Errorf("the constant %v is too large; scale the model", v)
			}
		}
		n := node{kind: clipNode, c: c}
		if least {
			n.c, n.d = nil, c
		}
		return o.each(t, n), o.spend(len(c))
	})
	if err != nil {
		return err
	}
	return o.set(z)
}

// extremumOf lowers max(x, y) = x + ReLU(y − x) and min(x, y) = x − ReLU(x − y).
func (o *operator) extremumOf(x, y *tensor, least bool) (*tensor, error) {
	a, b := y, x
	if least {
		a, b = x, y
	}
	d, err := o.added(a, b, true)
	if err != nil {
		return nil, err
	}
	return o.added(x, o.same(d, node{kind: reluNode}), least)
}

package model

import (
	"errors"
	"fmt"
	"math"
)

// The operators here are constants, or of constants.

// sizeOf lowers Size.
func (o *operator) sizeOf() error {
	t, c, err := o.any()
	if err != nil {
		return err
	}
	d := dim{n: int64(size(t.or(c))), rows: t != nil && o.lead > 0}
	return o.setConst(&constant{shape: []int{}, d: []dim{d}})
}

// stepwise are functions that jump, of constants: among the parties the jumps would
// have to be where those of real numbers are.
var stepwise = map[string]func(float64) float64{"Floor": math.Floor, "Ceil": math.Ceil, "Round": math.RoundToEven}

// rounding lowers Floor, Ceil and Round of constants and of whole numbers.
func (o *operator) rounding() error {
	if t := o.tensors[o.input(0)]; t != nil && (o.whole(0) || t.label) {
		return o.set(t)
	}
	c, err := o.folded("it jumps; leave it out, or round the inputs before the model")
	if err != nil {
		return err
	}
	f, err := c.floats()
	if err != nil {
		return err
	}
	z := &constant{shape: c.shape, f: make([]float64, len(f))}
	for i, v := range f {
		z.f[i] = stepwise[o.n.GetOpType()](v)
	}
	return o.setConst(z)
}

// modulo lowers Mod of constants.
func (o *operator) modulo() error {
	x, err := o.folded("it jumps; leave it out")
	if err != nil {
		return err
	}
	y := o.consts[o.input(1)]
	if y == nil {
		return errors.New("it is supported on constants only; it jumps, leave it out")
	}
	shape, ix, iy, err := o.broadcast(x.shape, y.shape)
	if err != nil {
		return err
	}
	whole := x.d != nil && y.d != nil
	x, y = x.view(shape, ix), y.view(shape, iy)
	a, err := x.floats()
	if err != nil {
		return err
	}
	b, err := y.floats()
	if err != nil {
		return err
	}
	z := &constant{shape: shape}
	for i := range a {
		if b[i] == 0 {
			return errors.New("a division by 0")
		}
		m := math.Mod(a[i], b[i]) // of whole numbers below 2⁵³ exact
		if o.int("fmod", 0) == 0 && m*b[i] < 0 {
			m += b[i]
		}
		if whole {
			z.d = append(z.d, dim{n: int64(m)})
		} else {
			z.f = append(z.f, m)
		}
	}
	return o.setConst(z)
}

// sequence lowers Range of constants.
func (o *operator) sequence() error {
	var v [3]float64
	whole := true
	for i := range v {
		c, f, err := o.numbers(i)
		if err != nil {
			return err
		}
		if len(f) != 1 {
			return errors.New("start, limit and delta are not one number each")
		}
		v[i], whole = f[0], whole && c.d != nil
	}
	n := math.Ceil((v[1] - v[0]) / v[2])
	if v[2] == 0 || !(n <= maxTensor) {
		return fmt.Errorf("a sequence from %v to %v by %v is not supported", v[0], v[1], v[2])
	}
	count := int(max(n, 0))
	if err := o.spend(count); err != nil {
		return err
	}
	z := &constant{shape: []int{count}}
	if whole {
		z.d = make([]dim, count)
	} else {
		z.f = make([]float64, count)
	}
	for i := range count {
		x := v[0] + float64(i)*v[2]
		if whole {
			z.d[i].n = int64(x)
		} else {
			z.f[i] = x
		}
	}
	return o.setConst(z)
}

// nonZero lowers NonZero of a constant.
func (o *operator) nonZero() error {
	c, err := o.folded("how many elements there are would show; use Where")
	if err != nil {
		return err
	}
	f, err := c.floats()
	if err != nil {
		return err
	}
	var at []int
	for i, v := range f {
		if v != 0 {
			at = append(at, i)
		}
	}
	z := &constant{shape: []int{len(c.shape), len(at)}, d: []dim{}}
	for a, step := range strides(c.shape) {
		for _, i := range at {
			z.d = append(z.d, dim{n: int64(i / step % c.shape[a])})
		}
	}
	return o.setConst(z)
}

// eyeLike lowers EyeLike.
func (o *operator) eyeLike() error {
	t, c, err := o.any()
	if err != nil {
		return err
	}
	shape := t.or(c)
	if t != nil && o.lead > 0 {
		if o.batch < 1 {
			return errors.New("a value depends on the number of rows")
		}
		shape = append([]int{int(o.batch)}, shape...)
	}
	if len(shape) != 2 {
		return fmt.Errorf("shape %v is not that of a matrix", shape)
	}
	z := &constant{shape: shape, f: make([]float64, size(shape))}
	for i := range shape[0] {
		if j := i + o.int("k", 0); j >= 0 && j < shape[1] {
			z.f[i*shape[1]+j] = 1
		}
	}
	return o.setConst(z)
}

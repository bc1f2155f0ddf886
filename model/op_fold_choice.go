package model

import (
	"cmp"
	"errors"
	"fmt"
)

// Exporters decide about sizes, too: Expand(x, Where(s = −1, 1, s)) is how some write
// that an axis stays. Whole numbers are compared here, which may be the number of rows.

// wholePair returns operands i and j, whole numbers that the file fixes, broadcast to
// each other; nil if one of them is something else.
func (o *operator) wholePair(i, j int) (x, y *constant, err error) {
	x, y = o.consts[o.input(i)], o.consts[o.input(j)]
	if x == nil || y == nil || x.d == nil || y.d == nil {
		return nil, nil, nil
	}
	shape, ix, iy, err := o.broadcast(x.shape, y.shape)
	if err != nil {
		return nil, nil, err
	}
	return x.view(shape, ix), y.view(shape, iy), nil
}

// compareWholes folds a comparison of whole numbers.
func (o *operator) compareWholes(x, y *constant) error {
	z := &constant{shape: x.shape, d: make([]dim, len(x.d))}
	for i, a := range x.d {
		sign, err := a.compare(y.d[i])
		if err != nil {
			return err
		}
		holds := map[string]bool{
			"Equal": sign == 0, "Greater": sign > 0, "GreaterOrEqual": sign >= 0, "Less": sign < 0, "LessOrEqual": sign <= 0,
		}[o.n.GetOpType()]
		if holds {
			z.d[i].n = 1
		}
	}
	return o.setConst(z)
}

// compare returns the sign of a − b, if it is the same for every number of rows.
func (a dim) compare(b dim) (int, error) {
	switch {
	case a.rows == b.rows:
		return cmp.Compare(a.n, b.n), nil
	case a.rows && a.n > 0 && b.n <= 0:
		return 1, nil
	case b.rows && b.n > 0 && a.n <= 0:
		return -1, nil
	}
	return 0, errors.New("a comparison depends on the number of rows; export the model with a batch of 1")
}

// chooseWholes folds Where of whole numbers x and y.
func (o *operator) chooseWholes(c, x, y *constant) error {
	shape, ic, iz, err := o.broadcast(c.shape, x.shape)
	if err != nil {
		return err
	}
	cond, err := c.view(shape, ic).floats()
	if err != nil {
		return fmt.Errorf("the condition: %w", err)
	}
	z, other := x.view(shape, iz), y.view(shape, iz)
	for i, v := range cond {
		if v == 0 {
			z.d[i] = other.d[i]
		}
	}
	return o.setConst(z)
}

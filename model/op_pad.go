package model

import (
	"errors"
	"fmt"
	"slices"
)

// pad lowers Pad: with a constant, or with elements of the operand. Negative pads
// cut elements off.
func (o *operator) pad() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	value := o.float("value", 0)
	if o.input(2) != "" {
		_, f, err := o.numbers(2)
		if err != nil {
			return err
		}
		if len(f) != 1 {
			return errors.New("the value is not one number")
		}
		value = f[0]
	}
	lo, hi, err := o.pads(o.rank(t))
	if err != nil {
		return err
	}
	if o.lead > 0 && (lo[0] != 0 || hi[0] != 0) {
		return errors.New("it would pad the batch; leave axis 0 out")
	}
	lists := make([][]int, len(t.shape))
	for i, d := range t.shape {
		if lists[i], err = padded(d, lo[i+o.lead], hi[i+o.lead], o.string("mode", "constant")); err != nil {
			return err
		}
	}
	if t, err = o.picked(t, lists); err != nil {
		return err
	}
	if value != 0 && o.string("mode", "constant") == "constant" {
		c := make([]float64, size(t.shape))
		for i, j := range pick(t.shape, inside(lists)) {
			if j < 0 {
				c[i] = value
			}
		}
		if t, err = o.elementwise(offsetNode, t, c); err != nil {
			return err
		}
	}
	return o.set(t)
}

// padded lists the positions along an axis of n elements with lo and hi more at
// its ends, or minus as many fewer; −1 is the constant.
func padded(n, lo, hi int, mode string) ([]int, error) {
	if max(lo, hi) > maxWindow || min(lo, hi) < -maxWindow {
		return nil, fmt.Errorf("pads %d and %d are too large", lo, hi)
	}
	if mode != "constant" && min(lo, hi) < 0 {
		return nil, fmt.Errorf("negative pads are not supported in mode %q; cut with Slice", mode)
	}
	list := make([]int, max(lo+n+hi, 0))
	for i := range list {
		p := i - lo
		switch mode {
		case "constant":
			if p < 0 || p >= n {
				p = -1
			}
		case "edge":
			p = min(max(p, 0), n-1)
		case "reflect":
			if n > 1 {
				p = (p%(2*n-2) + 2*n - 2) % (2*n - 2)
				p = min(p, 2*n-2-p)
			} else {
				p = 0
			}
		case "wrap":
			p = (p%n + n) % n
		default:
			return nil, fmt.Errorf("mode %q is not supported; use constant, edge, reflect or wrap", mode)
		}
		list[i] = p
	}
	return list, nil
}

// picked returns the elements of t at the positions along every axis that lists
// name; −1 is a zero.
func (o *operator) picked(t *tensor, lists [][]int) (*tensor, error) {
	shape := make([]int, len(lists))
	for i, l := range lists {
		shape[i] = len(l)
	}
	if err := checkShape(shape); err != nil {
		return nil, err
	}
	if err := o.spend(2 * size(shape)); err != nil {
		return nil, err
	}
	return o.view(t, shape, pick(t.shape, lists)), nil
}

// pick lists the elements of a tensor of shape at the positions along every axis
// that lists name, or −1 if one of them is.
func pick(shape []int, lists [][]int) []int32 {
	index := []int32{0}
	for a, stride := range strides(shape) {
		next := make([]int32, 0, len(index)*len(lists[a]))
		for _, base := range index {
			for _, p := range lists[a] {
				if base < 0 || p < 0 {
					next = append(next, -1)
				} else {
					next = append(next, base+int32(p*stride))
				}
			}
		}
		index = next
	}
	return index
}

// inside replaces every position of lists by 0, but keeps −1.
func inside(lists [][]int) [][]int {
	z := make([][]int, len(lists))
	for i, l := range lists {
		z[i] = slices.Clone(l)
		for k := range z[i] {
			z[i][k] = min(z[i][k], 0)
		}
	}
	return z
}

// pads reads the pads of every axis of a tensor of rank axes.
func (o *operator) pads(rank int) (lo, hi []int, err error) {
	axes := make([]int, rank)
	for i := range axes {
		axes[i] = i
	}
	if c, err := o.fixed(3); err != nil {
		return nil, nil, err
	} else if c != nil {
		if axes, err = c.wholes(); err != nil {
			return nil, nil, err
		}
	}
	pads, err := o.ints("pads", 2*len(axes), 0)
	if err != nil {
		return nil, nil, err
	}
	if c, err := o.fixed(1); err != nil {
		return nil, nil, err
	} else if c != nil {
		if pads, err = c.wholes(); err != nil {
			return nil, nil, err
		}
	}
	if len(pads) != 2*len(axes) {
		return nil, nil, fmt.Errorf("%d pads for %d axes", len(pads), len(axes))
	}
	lo, hi = make([]int, rank), make([]int, rank)
	for i, a := range axes {
		if a, err = axis(a, rank); err != nil {
			return nil, nil, err
		}
		lo[a], hi[a] = pads[i], pads[len(axes)+i]
	}
	return lo, hi, nil
}

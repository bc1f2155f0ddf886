package model

import (
	"errors"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// reduce lowers the operators that reduce along axes.
func (o *operator) reduce() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	axes, err := o.axes(o.rank(t))
	if err != nil {
		return err
	}
	kind := o.n.GetOpType()
	if len(axes) == 0 {
		if plain := kind == "ReduceMean" || kind == "ReduceSum" || kind == "ReduceMax" || kind == "ReduceMin" || kind == "ReduceProd"; o.int("noop_with_empty_axes", 0) != 0 {
			if !plain {
				return errors.New("without axes it does nothing or works element by element, by version; name the axes")
			}
			return o.set(t)
		}
		for a := range o.rank(t) {
			axes = append(axes, a)
		}
	}
	keep := o.int("keepdims", 1) != 0
	switch kind {
	case "ReduceMax", "ReduceMin":
		return o.largestOver(t, axes, keep, kind == "ReduceMin")
	case "ReduceMean", "ReduceSum":
		return o.sumOver(t, axes, keep, kind == "ReduceMean")
	}
	z, err := o.normOf(t, axes, keep)
	if err != nil {
		return err
	}
	return o.set(z)
}

// A reduction says which elements become one.
type reduction struct {
	shape  []int
	bases  []int32 // the first one of every result
	within []int32 // the distances of the others from it
}

// reduction divides t along axes of the file.
func (o *operator) reduction(t *tensor, axes []int, keep bool) (*reduction, error) {
	gone := make([]bool, len(t.shape))
	for _, a := range axes {
		if a < o.lead {
			return nil, errMixes
		}
		gone[a-o.lead] = true
	}
	r := &reduction{shape: []int{}}
	var left, window, outer, inner []int
	for i, s := range strides(t.shape) {
		if gone[i] {
			window, inner = append(window, t.shape[i]), append(inner, s)
		} else {
			left, outer = append(left, t.shape[i]), append(outer, s)
		}
		switch {
		case !gone[i]:
			r.shape = append(r.shape, t.shape[i])
		case keep:
			r.shape = append(r.shape, 1)
		}
	}
	r.bases, r.within = walk(left, outer), walk(window, inner)
	return r, o.spend(size(t.shape))
}

// sumOver adds the sum or mean over axes of the file.
func (o *operator) sumOver(t *tensor, axes []int, keep, mean bool) error {
	r, err := o.reduction(t, axes, keep)
	if err != nil {
		return err
	}
	n := node{kind: sumNode, name: o.name, in: []int{t.val}, len: len(r.bases), window: len(r.within)}
	for _, base := range r.bases {
		for _, k := range r.within {
			n.index = append(n.index, t.at(int(base+k)))
		}
		c := 1.0
		if mean {
			c = 1 / float64(n.window)
		}
		n.c = append(n.c, c)
	}
	return o.set(&tensor{shape: r.shape, val: o.g.add(n)})
}

// largestOver adds the maximum or minimum over axes: a pool over the window of
// every result, as a channel of its own. A minimum is minus the maximum of −t.
func (o *operator) largestOver(t *tensor, axes []int, keep, least bool) error {
	r, err := o.reduction(t, axes, keep)
	if err != nil {
		return err
	}
	n := len(r.bases)
	if least {
		if t, err = o.elementwise(scaleNode, t, repeat(-1, size(t.shape))); err != nil {
			return err
		}
	}
	order := make([]int32, 0, size(t.shape))
	for _, k := range r.within {
		for _, base := range r.bases {
			order = append(order, base+k)
		}
	}
	c := ring.Conv{H: 1, W: len(r.within), In: n, KH: 1, KW: len(r.within), Out: n, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Groups: n}
	if err := c.Validate(); err != nil {
		return err
	}
	z := &tensor{shape: r.shape}
	z.val = o.g.add(node{kind: maxPoolNode, name: o.name, in: []int{o.arrange(t, order)}, len: n, conv: c})
	if least {
		if z, err = o.elementwise(scaleNode, z, repeat(-1, n)); err != nil {
			return err
		}
	}
	return o.set(z)
}

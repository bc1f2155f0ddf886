package model

import (
	"errors"
	"fmt"
	"maps"
)

// rowwise lowers an operator whose axis 0 is a batch, whatever the model's is: in
// a model that is loaded as a whole, entry by entry of that axis of operand 0.
func rowwise(f func(*operator) error) func(*operator) error {
	return func(o *operator) error {
		t := o.tensors[o.input(0)]
		if o.lead > 0 || t == nil {
			return f(o)
		}
		if len(t.shape) == 0 {
			return errors.New("operand 0 is a single number; it needs a batch axis first")
		}
		n := t.shape[0]
		outputs := make([][]*tensor, len(o.n.Output))
		for i := range n {
			each, err := o.row(t, i, f)
			if err != nil {
				return err
			}
			for k, name := range o.n.Output {
				if z := each.tensors[name]; z != nil && name != "" {
					outputs[k] = append(outputs[k], z)
				}
			}
		}
		for k, list := range outputs {
			if len(list) < n {
				continue // unused, and so reported as failed
			}
			z, err := o.batched(list)
			if err != nil {
				return err
			}
			if err := o.define(k, z, nil); err != nil {
				return err
			}
		}
		return nil
	}
}

// row runs f on entry i of axis 0 of operand 0, t, as on a model that has rows, and
// returns its loader. Other operands are constants then.
func (o *operator) row(t *tensor, i int, f func(*operator) error) (*loader, error) {
	inner := size(t.shape[1:])
	if err := o.spend(2 * inner); err != nil {
		return nil, err
	}
	entry := o.view(t, t.shape[1:], iota32(inner))
	if t.shape[0] > 1 {
		index := iota32(inner)
		for k := range index {
			index[k] += int32(i * inner)
		}
		entry = o.view(t, t.shape[1:], index)
	}
	if t.post != nil && t.shape[0] == 1 {
		entry.base = t.base
	}
	l := *o.loader
	l.lead, l.batch = 1, int64(t.shape[0])
	l.tensors = map[string]*tensor{o.input(0): entry}
	l.types = maps.Clone(l.types)
	at := *o
	at.loader = &l
	err := f(&at)
	o.budget, o.products = l.budget, l.products
	return &l, err
}

// batched returns tensors of one shape as one, along a new axis 0.
func (o *operator) batched(list []*tensor) (*tensor, error) {
	n, inner := len(list), size(list[0].shape)
	shape := append([]int{n}, list[0].shape...)
	if n == 1 {
		z := *list[0]
		z.shape = shape
		return &z, nil
	}
	if list[0].post != nil {
		return nil, fmt.Errorf("a step at the client of a batch of %d is not supported in a model that mixes rows; export it with a batch of 1", n)
	}
	if err := checkShape(shape); err != nil {
		return nil, err
	}
	if err := o.spend(2 * n * n * inner); err != nil {
		return nil, err
	}
	z := -1
	for i, t := range list {
		x := o.arrange(t, placed(1, inner, i*inner, n*inner))
		if z >= 0 {
			x = o.g.add(node{kind: addNode, name: o.name, in: []int{z, x}, len: n * inner})
		}
		z = x
	}
	return &tensor{shape: shape, val: z}, nil
}

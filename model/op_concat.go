package model

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// concatSecrets lowers Concat of tensors and constants: every operand is moved to
// its place among zeros, and their sum is the result.
func (o *operator) concatSecrets() error {
	parts, a, err := o.concatOperands()
	if err != nil {
		return err
	}
	shape := slices.Clone(parts[0].shape)
	shape[a] = 0
	for _, t := range parts {
		shape[a] += t.shape[a]
	}
	if err := checkShape(shape); err != nil {
		return err
	}
	if err := o.spend(2 * len(parts) * size(shape)); err != nil {
		return err
	}
	inner := size(shape[a+1:])
	places := make([][]int32, len(parts)) // of the result: the element of that operand, or −1
	start := 0
	for p, t := range parts {
		places[p] = placed(size(shape[:a]), t.shape[a]*inner, start, shape[a]*inner)
		start += t.shape[a] * inner
	}
	if slices.ContainsFunc(parts, func(p part) bool { return p.tensor != nil && p.post != nil }) {
		if err := o.concatClient(parts, places, shape); err == nil {
			return nil
		}
		for p, t := range parts { // the parties do it
			if t.tensor != nil && t.post != nil {
				if parts[p].tensor, err = o.inside(t.tensor); err != nil {
					return err
				}
			}
		}
	}
	z := -1
	var c []float64
	for p, t := range parts {
		if t.tensor == nil {
			c = t.fill(c, places[p])
			continue
		}
		x := o.arrange(t.tensor, places[p])
		if z >= 0 {
			x = o.g.add(node{kind: addNode, name: o.name, in: []int{z, x}, len: size(shape)})
		}
		z = x
	}
	t := &tensor{shape: shape, val: z}
	if c != nil {
		if t, err = o.elementwise(offsetNode, t, c); err != nil {
			return err
		}
	}
	return o.set(t)
}

// A part is an operand of Concat: a tensor, or the numbers of a constant.
type part struct {
	*tensor
	shape []int // of a row
	f     []float64
}

// fill puts a constant to its places in c.
func (p part) fill(c []float64, places []int32) []float64 {
	if c == nil {
		c = make([]float64, len(places))
	}
	for i, j := range places {
		if j >= 0 {
			c[i] = p.f[j]
		}
	}
	return c
}

// concatOperands returns the operands and the axis, of those of a row.
func (o *operator) concatOperands() (parts []part, a int, err error) {
	for i, name := range o.n.Input {
		if t := o.tensors[name]; t != nil {
			parts = append(parts, part{tensor: t, shape: t.shape})
			continue
		}
		c, f, err := o.numbers(i)
		if err != nil {
			return nil, 0, err
		}
		if o.lead > 0 && (len(c.shape) == 0 || c.shape[0] != 1) {
			return nil, 0, fmt.Errorf("the constant of shape %v differs from row to row; make axis 0 of it 1", c.shape)
		}
		parts = append(parts, part{shape: c.shape[o.lead:], f: f})
	}
	first := parts[0].shape
	if a, err = o.inner(o.int("axis", 1), &tensor{shape: first}); err != nil {
		return nil, 0, err
	}
	for _, t := range parts {
		if len(t.shape) != len(first) || !slices.Equal(t.shape[:a], first[:a]) || !slices.Equal(t.shape[a+1:], first[a+1:]) {
			return nil, 0, fmt.Errorf("shapes %v and %v differ at another axis than %d", first, t.shape, a+o.lead)
		}
	}
	return parts, a, nil
}

// placed lists the elements of outer blocks, at start in every stride of the
// result, and −1 elsewhere.
func placed(outer, block, start, stride int) []int32 {
	index := slices.Repeat([]int32{-1}, outer*stride)
	for i := range outer {
		for k := range block {
			index[i*stride+start+k] = int32(i*block + k)
		}
	}
	return index
}

// concatClient lowers Concat of what the client makes of one tensor: such as
// the probabilities 1 − p and p of a binary classifier.
func (o *operator) concatClient(parts []part, places [][]int32, shape []int) error {
	first := parts[0].tensor
	z := &tensor{shape: shape}
	if first != nil {
		z.val, z.view, z.base = first.val, first.view, first.base
	}
	index := make([]int32, size(shape))
	var complement []int32
	for p, t := range parts {
		if t.tensor == nil || t.post == nil || t.label || t.val != first.val || !slices.Equal(t.view, first.view) || !slices.Equal(t.base, first.base) {
			return errors.New("only what follows from the same last value can be joined after the network")
		}
		steps, from, flipped, err := moves(t.tensor)
		if err != nil {
			return err
		}
		if p == 0 {
			z.post = steps
		} else if !reflect.DeepEqual(z.post, steps) {
			return errors.New("the operands went through different steps after the network")
		}
		for i, j := range places[p] {
			if j < 0 {
				continue
			}
			index[i] = from[j]
			if flipped[j] {
				complement = append(complement, int32(i))
			}
		}
	}
	z.post = append(z.post, Post{Op: PostGather, Index: index})
	if complement != nil {
		z.post = append(z.post, Post{Op: PostComplement, Index: complement})
	}
	return o.set(z)
}

// moves splits the steps of t: those up to the last one that computes, and
// where the elements after it come from and which of them become 1 − x.
func moves(t *tensor) (steps []Post, from []int32, flipped []bool, err error) {
	last := len(t.post)
	for last > 0 && (t.post[last-1].Op == PostGather || t.post[last-1].Op == PostComplement) {
		last--
	}
	n := size(t.base)
	for _, p := range t.post[:last] {
		if n, err = p.check(n); err != nil {
			return nil, nil, nil, err
		}
	}
	from, flipped = iota32(n), make([]bool, n)
	for _, p := range t.post[last:] {
		if p.Op == PostComplement {
			for _, j := range p.Index {
				flipped[j] = !flipped[j]
			}
			continue
		}
		f, c := make([]int32, len(p.Index)), make([]bool, len(p.Index))
		for i, j := range p.Index {
			f[i], c[i] = from[j], flipped[j]
		}
		from, flipped = f, c
	}
	return slices.Clone(t.post[:last]), from, flipped, nil
}

// complement lowers 1 − t for what the client makes, which is all arithmetic
// that may follow: other constants would tell the client something.
func (o *operator) complement(t *tensor, c *constant) error {
	f, err := c.floats()
	if err != nil {
		return err
	}
	if t.label || len(f) != 1 || f[0] != 1 || len(c.shape) > o.rank(t) {
		return errors.New("only 1 − x may be computed after a Softmax or Sigmoid; move it to the end of the model")
	}
	return o.after(t, Post{Op: PostComplement, Index: iota32(size(t.shape))}, t.shape, false)
}

package model

import (
	"errors"
	"fmt"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// The operators here choose and move elements, of tensors and of constants.

// place returns the axis of the shape of operand 0, one of t and c, that the file
// calls a.
func (o *operator) place(a int, t *tensor, c *constant) (int, error) {
	if t != nil {
		return o.inner(a, t)
	}
	return axis(a, len(c.shape))
}

// chosen returns operand 0, one of t and c, with the positions of axis a of its
// shape that index names, in shape instead of that axis.
func (o *operator) chosen(t *tensor, c *constant, a int, index, shape []int) (*tensor, *constant, error) {
	old := t.or(c)
	to := append(append(append([]int{}, old[:a]...), shape...), old[a+1:]...)
	if err := checkShape(to); err != nil {
		return nil, nil, err
	}
	if err := o.spend(2 * size(to)); err != nil {
		return nil, nil, err
	}
	list := along(old, a, index)
	if t != nil {
		return o.view(t, to, list), nil, nil
	}
	return nil, c.view(to, list), nil
}

// or returns the shape of t, without rows, or of c if t is nil.
func (t *tensor) or(c *constant) []int {
	if t != nil {
		return t.shape
	}
	return c.shape
}

// define sets output i, to one of t and c.
func (o *operator) define(i int, t *tensor, c *constant) error {
	at := *o
	at.n = &onnx.NodeProto{Output: o.n.Output[i : i+1]}
	if t != nil {
		return at.set(t)
	}
	return at.setConst(c)
}

// gather lowers Gather by constant indices, or from a constant table.
func (o *operator) gather() error {
	if o.tensors[o.input(1)] != nil && o.consts[o.input(0)] != nil {
		return o.lookup()
	}
	t, c, err := o.any()
	if err != nil {
		return err
	}
	by, err := o.fixed(1)
	if err != nil {
		return err
	}
	if by == nil {
		return errors.New("the indices are missing")
	}
	index, err := by.wholes()
	if err != nil {
		return err
	}
	a, err := o.place(o.int("axis", 0), t, c)
	if err != nil {
		return err
	}
	n := t.or(c)[a]
	for i := range index {
		if index[i], err = axis(index[i], n); err != nil {
			return fmt.Errorf("an index is outside the %d elements", n)
		}
	}
	if t, c, err = o.chosen(t, c, a, index, by.shape); err != nil {
		return err
	}
	return o.define(0, t, c)
}

// along lists the elements of a tensor with axis a restricted to index.
func along(shape []int, a int, index []int) []int32 {
	outer, inner := size(shape[:a]), size(shape[a+1:])
	list := make([]int32, 0, outer*len(index)*inner)
	for i := range outer {
		for _, j := range index {
			for k := range inner {
				list = append(list, int32((i*shape[a]+j)*inner+k))
			}
		}
	}
	return list
}

// slice lowers Slice, whose bounds are attributes and, from opset 10 on, operands.
func (o *operator) slice() error {
	t, c, err := o.any()
	if err != nil {
		return err
	}
	var list [4][]int // starts, ends, axes, steps
	for i, name := range []string{"starts", "ends", "axes", "steps"} {
		if a := o.attrs[name]; a != nil {
			list[i], err = o.ints(name, len(a.Ints), 0)
		} else {
			var v *constant
			if v, err = o.fixed(i + 1); v != nil {
				list[i], err = v.wholes()
			}
		}
		if err != nil {
			return err
		}
	}
	n := len(list[0])
	if n > maxRank || len(list[1]) != n || list[2] != nil && len(list[2]) != n || list[3] != nil && len(list[3]) != n {
		return errors.New("starts, ends, axes and steps differ in length")
	}
	for i := range n {
		a, step := i, 1
		if list[2] != nil {
			a = list[2][i]
		}
		if list[3] != nil {
			step = list[3][i]
		}
		start, end := list[0][i], list[1][i]
		if a, err = o.place(a, t, c); err != nil {
			if errors.Is(err, errMixes) && start == 0 && step == 1 && (end == maxWhole || o.batch > 0 && end >= int(o.batch)) {
				continue // all rows
			}
			return err
		}
		index, err := sliceIndex(start, end, step, t.or(c)[a])
		if err != nil {
			return err
		}
		if t != nil && len(index) == 0 {
			return fmt.Errorf("nothing is left of axis %d", a)
		}
		if c != nil { // may be empty: shapes often are
			shape := append([]int{}, c.shape...)
			shape[a] = len(index)
			c = c.view(shape, along(c.shape, a, index))
		} else if t, _, err = o.chosen(t, nil, a, index, []int{len(index)}); err != nil {
			return err
		}
	}
	return o.define(0, t, c)
}

// sliceIndex lists start:end:step of n elements, as Python does.
func sliceIndex(start, end, step, n int) ([]int, error) {
	if step == 0 {
		return nil, errors.New("the step is 0")
	}
	lo, hi := 0, n
	if step < 0 {
		lo, hi = -1, n-1
	}
	clip := func(i int) int {
		if i < 0 {
			i += n
		}
		return min(max(i, lo), hi)
	}
	index := []int{}
	end = clip(end)
	for i := clip(start); step > 0 && i < end || step < 0 && i > end; i += step {
		index = append(index, i)
	}
	return index, nil
}

// split lowers Split: into sizes that are an attribute or, from opset 13 on, an
// operand; else into parts of the same size, the last one smaller from opset 18 on.
func (o *operator) split() error {
	t, c, err := o.any()
	if err != nil {
		return err
	}
	a, err := o.place(o.int("axis", 0), t, c)
	if err != nil {
		return err
	}
	n := t.or(c)[a]
	sizes, err := o.sizes(n)
	if err != nil {
		return err
	}
	if len(sizes) != len(o.n.Output) {
		return fmt.Errorf("%d parts for %d outputs", len(sizes), len(o.n.Output))
	}
	start := 0
	for i, count := range sizes {
		if count < 1 || start+count > n {
			return fmt.Errorf("parts of %v elements do not divide %d", sizes, n)
		}
		index := make([]int, count)
		for k := range index {
			index[k] = start + k
		}
		start += count
		if o.n.Output[i] == "" {
			continue
		}
		part, constant, err := o.chosen(t, c, a, index, []int{count})
		if err != nil {
			return err
		}
		if err := o.define(i, part, constant); err != nil {
			return err
		}
	}
	if start != n {
		return fmt.Errorf("parts of %v elements do not divide %d", sizes, n)
	}
	return nil
}

// sizes returns into what parts n elements are split.
func (o *operator) sizes(n int) ([]int, error) {
	if a := o.attrs["split"]; a != nil {
		return o.ints("split", len(a.Ints), 0)
	}
	if c, err := o.fixed(1); err != nil {
		return nil, err
	} else if c != nil {
		return c.wholes()
	}
	parts := len(o.n.Output)
	if n%parts != 0 && o.attrs["num_outputs"] == nil {
		return nil, fmt.Errorf("%d elements do not divide into %d parts", n, parts)
	}
	each := (n + parts - 1) / parts
	sizes := make([]int, parts)
	for i := range sizes {
		sizes[i] = min(each, n-i*each)
	}
	return sizes, nil
}

package model

import (
	"errors"
	"fmt"
	"slices"
)

// The operators here move elements that constants name.

// trilu lowers Trilu: what is on one side of a diagonal of matrices, else 0.
func (o *operator) trilu() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	rank := len(t.shape)
	if rank < 2 {
		return errMixes
	}
	k := 0
	if c, err := o.fixed(1); err != nil {
		return err
	} else if c != nil {
		v, err := c.wholes()
		if err != nil || len(v) != 1 {
			return errors.New("the diagonal is not one whole number")
		}
		k = v[0]
	}
	upper, h, w := o.int("upper", 1) != 0, t.shape[rank-2], t.shape[rank-1]
	index := iota32(size(t.shape))
	for i := range index {
		below := i%w - i/w%h - k // negative below the diagonal
		if upper && below < 0 || !upper && below > 0 {
			index[i] = -1
		}
	}
	return o.set(o.view(t, t.shape, index))
}

// indices returns constant operand i as whole numbers.
func (o *operator) indices(i int) (*constant, []int, error) {
	c, err := o.fixed(i)
	if err != nil {
		return nil, nil, err
	}
	if c == nil {
		return nil, nil, fmt.Errorf("operand %d is missing", i)
	}
	v, err := c.wholes()
	return c, v, err
}

// perRow returns the shape of a constant that has an axis of rows, without it: it
// names elements of a single row.
func (o *operator) perRow(c *constant) ([]int, error) {
	if o.lead == 0 {
		return c.shape, nil
	}
	if len(c.shape) == 0 || c.shape[0] != 1 || o.batch != 1 {
		return nil, errMixes
	}
	return c.shape[1:], nil
}

// elements returns, for every position of to, the element of a tensor of shape that
// has the index there instead of the position along axis a.
func elements(shape, to, index []int, a int) ([]int32, error) {
	if len(to) != len(shape) {
		return nil, fmt.Errorf("indices of shape %v for elements of shape %v", to, shape)
	}
	step := strides(shape)
	step[a] = 0
	for i := range to {
		if i != a && to[i] > shape[i] {
			return nil, fmt.Errorf("indices of shape %v for elements of shape %v", to, shape)
		}
	}
	at, along := walk(to, step), strides(shape)[a]
	for i, k := range index {
		k, err := axis(k, shape[a])
		if err != nil {
			return nil, fmt.Errorf("an index is outside the %d elements", shape[a])
		}
		at[i] += int32(k * along)
	}
	return at, nil
}

// gatherElements lowers GatherElements.
func (o *operator) gatherElements() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	by, index, err := o.indices(1)
	if err != nil {
		return err
	}
	to, err := o.perRow(by)
	if err != nil {
		return err
	}
	a, err := o.inner(o.int("axis", 0), t)
	if err != nil {
		return err
	}
	list, err := elements(t.shape, to, index, a)
	if err != nil {
		return err
	}
	return o.set(o.view(t, to, list))
}

// blocks returns the first elements of what the index tuples name in a tensor of
// shape whose first axes, batch of them, the tuples share; and the shape of a block.
func blocks(shape, by, index []int, batch int) (first []int32, block []int, err error) {
	if len(by) <= batch || batch > len(shape) || !slices.Equal(by[:batch], shape[:batch]) {
		return nil, nil, fmt.Errorf("indices of shape %v for elements of shape %v", by, shape)
	}
	k := by[len(by)-1]
	if k < 1 || batch+k > len(shape) {
		return nil, nil, fmt.Errorf("indices of shape %v for elements of shape %v", by, shape)
	}
	step, block := strides(shape), shape[batch+k:]
	each := size(by[batch : len(by)-1]) // tuples of an entry of the batch
	for i := range len(index) / k {
		at := i / each * size(shape[batch:])
		for a, v := range index[i*k:][:k] {
			if v, err = axis(v, shape[batch+a]); err != nil {
				return nil, nil, fmt.Errorf("an index is outside the %d elements", shape[batch+a])
			}
			at += v * step[batch+a]
		}
		first = append(first, int32(at))
	}
	return first, block, nil
}

// spread lists the elements of the blocks that begin at first.
func spread(first []int32, block int) []int32 {
	list := make([]int32, 0, len(first)*block)
	for _, at := range first {
		for i := range block {
			list = append(list, at+int32(i))
		}
	}
	return list
}

// gatherND lowers GatherND.
func (o *operator) gatherND() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	by, index, err := o.indices(1)
	if err != nil {
		return err
	}
	if o.lead > 0 {
		return errMixes
	}
	batch := o.int("batch_dims", 0)
	if batch < 0 {
		return fmt.Errorf("%d axes of a batch", batch)
	}
	first, block, err := blocks(t.shape, by.shape, index, batch)
	if err != nil {
		return err
	}
	if err := o.spend(len(first) * size(block)); err != nil {
		return err
	}
	return o.set(o.view(t, append(slices.Clone(by.shape[:len(by.shape)-1]), block...), spread(first, size(block))))
}

// scatterElements lowers ScatterElements, and Scatter, its older name.
func (o *operator) scatterElements() error {
	t, c, err := o.any()
	if err != nil {
		return err
	}
	by, index, err := o.indices(1)
	if err != nil {
		return err
	}
	a, err := o.place(o.int("axis", 0), t, c)
	if err != nil {
		return err
	}
	to := by.shape
	if t != nil {
		if to, err = o.perRow(by); err != nil {
			return err
		}
	} else if o.lead > 0 {
		return errMixes
	}
	list, err := elements(t.or(c), to, index, a)
	if err != nil {
		return err
	}
	return o.scattered(t, c, list)
}

// scatterND lowers ScatterND.
func (o *operator) scatterND() error {
	t, c, err := o.any()
	if err != nil {
		return err
	}
	by, index, err := o.indices(1)
	if err != nil {
		return err
	}
	if o.lead > 0 {
		return errMixes
	}
	first, block, err := blocks(t.or(c), by.shape, index, 0)
	if err != nil {
		return err
	}
	if err := o.spend(len(first) * size(block)); err != nil {
		return err
	}
	return o.scattered(t, c, spread(first, size(block)))
}

// scattered defines the output as data, one of t and c, with operand 2 at the
// elements that list names, in place of them or added to them.
func (o *operator) scattered(t *tensor, c *constant, list []int32) error {
	add := false
	switch r := o.string("reduction", "none"); r {
	case "none":
	case "add":
		add = true
	default:
		return fmt.Errorf("the reduction %q is not supported; use Max, Min or Mul on aligned tensors", r)
	}
	shape := t.or(c)
	n := size(shape)
	var layers [][]int32 // of the result: the update there, or −1; one for each of those that are added
	for i, at := range list {
		k := 0
		for add && k < len(layers) && layers[k][at] >= 0 {
			k++
		}
		if k == len(layers) {
			if err := o.spend(4 * n); err != nil {
				return err
			}
			layers = append(layers, slices.Repeat([]int32{-1}, n))
		}
		layers[k][at] = int32(i)
	}
	kept := iota32(n)
	for i := range kept {
		if !add && len(layers) > 0 && layers[0][i] >= 0 {
			kept[i] = -1
		}
	}
	base, err := o.sumOfViews(t, c, shape, [][]int32{kept})
	if err != nil {
		return err
	}
	u, f, err := o.either(2)
	if err != nil {
		return err
	}
	if size(u.or(f)) != len(list) {
		return fmt.Errorf("%d updates for %d indices", size(u.or(f)), len(list))
	}
	updates, err := o.sumOfViews(u, f, shape, layers)
	if err != nil {
		return err
	}
	return o.setSum(base, updates, shape)
}

// A mixture is a tensor plus numbers; each may be nil.
type mixture struct {
	t *tensor
	c []float64
}

// sumOfViews adds the elements of t or c that each of views names; −1 is 0.
func (o *operator) sumOfViews(t *tensor, c *constant, shape []int, views [][]int32) (m mixture, err error) {
	var f []float64
	if t == nil {
		if f, err = c.floats(); err != nil {
			return m, err
		}
		m.c = make([]float64, size(shape))
	}
	for _, v := range views {
		for i, j := range v {
			if t == nil && j >= 0 {
				m.c[i] += f[j]
			}
		}
		if t == nil {
			continue
		}
		if t.post != nil {
			if t, err = o.inside(t); err != nil {
				return m, err
			}
		}
		z := o.view(t, shape, v)
		if m.t != nil {
			if z, err = o.added(m.t, z, false); err != nil {
				return m, err
			}
		}
		m.t = z
	}
	return m, nil
}

// setSum defines the output as x + y.
func (o *operator) setSum(x, y mixture, shape []int) error {
	t := x.t
	switch {
	case x.t == nil && y.t == nil:
		return errors.New("all operands are constants")
	case x.t == nil:
		t = y.t
	case y.t != nil:
		var err error
		if t, err = o.added(x.t, y.t, false); err != nil {
			return err
		}
	}
	for _, c := range [][]float64{x.c, y.c} {
		if c == nil {
			continue
		}
		var err error
		if t, err = o.elementwise(offsetNode, t, c); err != nil {
			return err
		}
	}
	return o.set(&tensor{shape: shape, val: t.val, view: t.view})
}

// reverseSequence lowers ReverseSequence by constant lengths.
func (o *operator) reverseSequence() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	_, lengths, err := o.indices(1)
	if err != nil {
		return err
	}
	batch, err := o.inner(o.int("batch_axis", 1), t)
	if err != nil {
		return err
	}
	time, err := o.inner(o.int("time_axis", 0), t)
	if err != nil {
		return err
	}
	if len(lengths) != t.shape[batch] || batch == time {
		return fmt.Errorf("%d lengths for shape %v", len(lengths), t.shape)
	}
	step := strides(t.shape)
	index := iota32(size(t.shape))
	for i := range index {
		n := lengths[i/step[batch]%t.shape[batch]]
		if n < 0 || n > t.shape[time] {
			return fmt.Errorf("the length %d is more than the %d elements", n, t.shape[time])
		}
		if p := i / step[time] % t.shape[time]; p < n {
			index[i] += int32((n - 1 - 2*p) * step[time])
		}
	}
	return o.set(o.view(t, t.shape, index))
}

// compress lowers Compress by a constant condition.
func (o *operator) compress() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	_, keep, err := o.indices(1)
	if err != nil {
		return err
	}
	if o.attrs["axis"] == nil {
		if o.lead > 0 {
			return errMixes
		}
		t = &tensor{shape: []int{size(t.shape)}, val: t.val, view: t.view}
	}
	a, err := o.inner(o.int("axis", 0), t)
	if err != nil {
		return err
	}
	var index []int
	for i, v := range keep[:min(len(keep), t.shape[a])] {
		if v != 0 {
			index = append(index, i)
		}
	}
	if len(index) == 0 {
		return fmt.Errorf("nothing is left of axis %d", a)
	}
	z, _, err := o.chosen(t, nil, a, index, []int{len(index)})
	if err != nil {
		return err
	}
	return o.set(z)
}

// oneHot lowers OneHot of secret indices: as many comparisons for zero as there are
// places, for negative indices twice.
func (o *operator) oneHot() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	_, depth, err := o.numbers(1)
	if err != nil {
		return err
	}
	_, values, err := o.numbers(2)
	if err != nil {
		return err
	}
	if len(depth) != 1 || !(depth[0] >= 1 && depth[0] <= maxPlaces) || len(values) != 2 {
		return fmt.Errorf("the depth is not from 1 to %d, or there are not two values", maxPlaces)
	}
	n := int(depth[0])
	a := o.int("axis", -1)
	if a < 0 {
		a += o.rank(t) + 1
	}
	if a -= o.lead; a < 0 || a > len(t.shape) {
		return errMixes
	}
	to := slices.Insert(slices.Clone(t.shape), a, n)
	inner := size(t.shape[a:])
	index, place := make([]int32, size(to)), make([]float64, size(to))
	for i := range index {
		index[i], place[i] = int32(i/(inner*n)*inner+i%inner), -float64(i/inner%n)
	}
	if err := o.spend(20 * len(index)); err != nil {
		return err
	}
	var hot *tensor
	for range 2 {
		d, err := o.elementwise(offsetNode, o.view(t, to, index), slices.Clone(place))
		if err != nil {
			return err
		}
		z, err := o.zero(d)
		if err == nil && hot != nil {
			z, err = o.added(hot, z, false)
		}
		if err != nil {
			return err
		}
		hot = z
		for i := range place { // an index −k is depth − k
			place[i] += depth[0]
		}
	}
	if hot, err = o.elementwise(scaleNode, hot, repeat(values[1]-values[0], len(index))); err != nil {
		return err
	}
	if hot, err = o.elementwise(offsetNode, hot, repeat(values[0], len(index))); err != nil {
		return err
	}
	return o.set(hot)
}

// maxPlaces bounds the places of OneHot.
const maxPlaces = 1 << 10

package model

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// reshaped defines the output as operand 0 with its elements in another shape
// (with the batch axis for constants, without it for tensors).
func (o *operator) reshaped(t *tensor, shape []int) error {
	return o.set(o.view(t, shape, iota32(size(t.shape))))
}

// any returns operand 0, whatever it is; exactly one result is not nil.
func (o *operator) any() (*tensor, *constant, error) {
	if t := o.tensors[o.input(0)]; t != nil {
		return t, nil, nil
	}
	if c := o.consts[o.input(0)]; c != nil {
		return nil, c, nil
	}
	return nil, nil, errors.New("operand 0 is missing")
}

func (o *operator) identity() error {
	t, c, err := o.any()
	if err != nil {
		return err
	}
	if c != nil {
		return o.setConst(c)
	}
	return o.set(t)
}

func (o *operator) dropout() error {
	c, err := o.fixed(2)
	if err != nil {
		return err
	}
	if c != nil && slices.ContainsFunc(c.d, func(d dim) bool { return d.n != 0 }) {
		return errors.New("it is in training mode; export the model for inference (model.eval())")
	}
	o.unused(1)
	return o.identity()
}

// unused marks the outputs from first on: nodes that need them fail with a
// clear message.
func (o *operator) unused(first int) {
	for _, name := range o.n.Output[min(first, len(o.n.Output)):] {
		if name != "" {
			o.failed[name] = true
		}
	}
}

func (o *operator) zipMap() error { return o.identity() }

func (o *operator) cast() error {
	t, c, err := o.any()
	if err != nil {
		return err
	}
	to := onnx.TensorProto_DataType(o.int("to", 0))
	float := floatKind(to)
	switch {
	case t != nil && (float || t.label):
		return o.set(t)
	case t != nil:
		return fmt.Errorf("a cast of a secret value to %v is not supported; keep floating-point numbers", to)
	case float:
		f, err := c.floats()
		if err != nil {
			return err
		}
		return o.setConst(&constant{shape: c.shape, f: f})
	case c.d != nil:
		return o.setConst(c)
	}
	d := make([]dim, len(c.f))
	for i, v := range c.f {
		if !(v > -maxWhole && v < maxWhole) {
			return fmt.Errorf("%v is not a small whole number", v)
		}
		d[i].n = int64(v)
	}
	return o.setConst(&constant{shape: c.shape, d: d})
}

func (o *operator) flatten() error {
	t, c, err := o.any()
	if err != nil {
		return err
	}
	if c != nil {
		return errors.New("flatten of a constant is not supported; fold constants before the export")
	}
	a := o.int("axis", 1)
	if a < 0 {
		a += o.rank(t)
	}
	if a < 0 || a > o.rank(t) {
		return fmt.Errorf("axis %d is not one of the %d axes", a, o.rank(t))
	}
	if o.lead == 0 {
		return o.reshaped(t, []int{size(t.shape[:a]), size(t.shape[a:])})
	}
	if a < 1 || size(t.shape[:a-1]) != 1 {
		return fmt.Errorf("with axis %d %w; use axis 1", a, errMixes)
	}
	return o.reshaped(t, []int{size(t.shape)})
}

func (o *operator) reshape() error {
	t, c, err := o.any()
	if err != nil {
		return err
	}
	s, err := o.fixed(1)
	if err != nil {
		return err
	}
	if s == nil || s.d == nil || len(s.d) > maxRank {
		return errors.New("the new shape is missing or not a list of whole numbers")
	}
	if c != nil {
		shape, err := newShape(c.shape, s.d, o.int("allowzero", 0) != 0)
		if err != nil {
			return err
		}
		return o.setConst(&constant{shape: shape, f: c.f, d: c.d})
	}
	if o.lead == 0 {
		shape, err := newShape(t.shape, s.d, o.int("allowzero", 0) != 0)
		if err != nil {
			return err
		}
		return o.reshaped(t, shape)
	}
	if len(s.d) == 0 {
		return errors.New("a reshape to a scalar would mix rows")
	}
	first, rest := s.d[0], s.d[1:]
	inferred := slices.ContainsFunc(rest, func(d dim) bool { return !d.rows && d.n == -1 })
	shape, err := newShape(t.shape, rest, o.int("allowzero", 0) != 0)
	if err != nil {
		return fmt.Errorf("%w; axis 0 must stay the batch", err)
	}
	rows := first.rows && first.n == 1 || !first.rows && (first.n == 0 || first.n == 1 || first.n == o.batch || first.n == -1 && !inferred)
	if !rows {
		return fmt.Errorf("axis 0 of the new shape is %d, not the batch; keep the batch first", first.n)
	}
	return o.reshaped(t, shape)
}

// newShape resolves 0 (copy) and -1 (infer) in the target of a Reshape.
func newShape(old []int, to []dim, literal bool) ([]int, error) {
	n, infer := 1, -1
	shape := make([]int, len(to))
	for i, d := range to {
		switch {
		case d.rows:
			return nil, errors.New("the number of rows appears at another axis than 0")
		case d.n == 0 && !literal && i < len(old):
			shape[i] = old[i]
		case d.n == -1 && infer < 0:
			infer, shape[i] = i, 1
		case d.n < 1 || d.n > maxTensor:
			return nil, fmt.Errorf("the new shape has size %d at one axis", d.n)
		default:
			shape[i] = int(d.n)
		}
		if n *= shape[i]; n > maxTensor {
			return nil, errTooLarge
		}
	}
	if infer >= 0 && n > 0 && size(old)%n == 0 {
		shape[infer] = size(old) / n
		n = size(old)
	}
	if n != size(old) {
		return nil, fmt.Errorf("%d elements of a row do not fit the new shape %v", size(old), shape)
	}
	return shape, nil
}

func (o *operator) squeeze() error {
	t, c, err := o.any()
	if err != nil {
		return err
	}
	var shape []int
	if c != nil {
		shape = c.shape
	} else {
		shape = o.full(t)
	}
	axes, err := o.axes(len(shape))
	if err != nil {
		return err
	}
	if axes == nil {
		if t != nil && o.lead > 0 && o.batch == 1 {
			return errors.New("it would remove the batch axis; name the axes to remove")
		}
		for i, d := range shape {
			if d == 1 {
				axes = append(axes, i)
			}
		}
	}
	var left []int
	for i, d := range shape {
		if !slices.Contains(axes, i) {
			left = append(left, d)
		} else if d != 1 {
			return fmt.Errorf("axis %d has more than one element or is the batch; remove axes of size 1 only", i)
		}
	}
	if c != nil {
		return o.setConst(&constant{shape: left, f: c.f, d: c.d})
	}
	return o.reshaped(t, left[o.lead:])
}

func (o *operator) unsqueeze() error {
	t, c, err := o.any()
	if err != nil {
		return err
	}
	var old []int
	if c != nil {
		old = c.shape
	} else {
		old = o.full(t)
	}
	count := 0
	if a := o.attrs["axes"]; a != nil {
		count = len(a.Ints)
	} else if c, err := o.fixed(1); err != nil {
		return err
	} else if c != nil {
		count = c.len()
	}
	if count < 1 || len(old)+count > maxRank {
		return errors.New("the axes are missing or too many")
	}
	axes, err := o.axes(len(old) + count)
	if err != nil {
		return err
	}
	shape := make([]int, 0, len(old)+count)
	for i := range len(old) + count {
		if slices.Contains(axes, i) {
			shape = append(shape, 1)
		} else {
			shape, old = append(shape, old[0]), old[1:]
		}
	}
	if c != nil {
		return o.setConst(&constant{shape: shape, f: c.f, d: c.d})
	}
	if o.lead > 0 && shape[0] != 0 {
		return errors.New("it would put an axis before the batch; keep the batch first")
	}
	return o.reshaped(t, shape[o.lead:])
}

func (o *operator) transpose() error {
	t, c, err := o.any()
	if err != nil {
		return err
	}
	var rank int
	if c != nil {
		rank = len(c.shape)
	} else {
		rank = o.rank(t)
	}
	perm := make([]int, rank)
	for i := range perm {
		perm[i] = rank - 1 - i
	}
	if o.attrs["perm"] != nil {
		if perm, err = o.ints("perm", rank, 0); err != nil {
			return err
		}
	}
	seen := make([]bool, rank)
	for _, p := range perm {
		if p < 0 || p >= rank || seen[p] {
			return fmt.Errorf("%v is not an order of the axes", perm)
		}
		seen[p] = true
	}
	if c != nil {
		shape, index := permute(c.shape, perm)
		return o.setConst(c.view(shape, index))
	}
	if o.lead > 0 && perm[0] != 0 {
		return errors.New("it moves the batch axis; keep the batch first")
	}
	for i := range perm {
		perm[i] -= o.lead
	}
	shape, index := permute(t.shape, perm[o.lead:])
	return o.set(o.view(t, shape, index))
}

// permute returns the shape and the elements of a transposition.
func permute(shape, perm []int) (to []int, index []int32) {
	stride := strides(shape)
	to = make([]int, len(perm))
	step := make([]int, len(perm))
	for i, p := range perm {
		to[i], step[i] = shape[p], stride[p]
	}
	return to, walk(to, step)
}

// strides returns the distance of neighbours along every axis.
func strides(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// walk returns Σ position·step for all positions of shape, in order.
func walk(shape, step []int) []int32 {
	index := []int32{0}
	for a, d := range shape {
		next := make([]int32, 0, len(index)*d)
		for _, base := range index {
			for i := range d {
				next = append(next, base+int32(i*step[a]))
			}
		}
		index = next
	}
	return index
}

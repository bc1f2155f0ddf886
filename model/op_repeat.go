package model

import (
	"errors"
	"fmt"
)

// expand lowers Expand to a fixed shape; only axis 0 may follow the rows.
func (o *operator) expand() error {
	t, c, err := o.any()
	if err != nil {
		return err
	}
	s, err := o.fixed(1)
	if err != nil {
		return err
	}
	if s == nil || s.d == nil || len(s.d) > maxRank {
		return errors.New("the shape is missing or not a list of whole numbers")
	}
	d := s.d
	if t != nil && o.lead > 0 && len(d) > len(t.shape) {
		first := d[0]
		if len(d) > len(t.shape)+1 || !(first.n == 1 || !first.rows && o.batch > 0 && first.n == o.batch) {
			return errors.New("it would repeat rows; keep the batch axis as it is")
		}
		d = d[1:]
	}
	if t == nil && len(d) > 0 && d[0] == (dim{1, true}) { // a constant is the same for all rows
		d = append([]dim{{n: 1}}, d[1:]...)
	}
	to, err := (&constant{d: d}).wholes()
	if err != nil {
		return fmt.Errorf("%w; only what depends on the input has rows", err)
	}
	shape, index, _, err := o.broadcast(t.or(c), to)
	if err != nil {
		return err
	}
	if t != nil {
		return o.set(o.view(t, shape, index))
	}
	return o.setConst(c.view(shape, index))
}

// tile lowers Tile.
func (o *operator) tile() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	c, err := o.fixed(1)
	if err != nil {
		return err
	}
	if c == nil || c.len() != o.rank(t) {
		return fmt.Errorf("the repeats are missing or not one for each of the %d axes", o.rank(t))
	}
	repeats, err := c.wholes()
	if err != nil {
		return err
	}
	if o.lead > 0 && repeats[0] != 1 {
		return errors.New("it would repeat rows; leave axis 0 out")
	}
	repeats = repeats[o.lead:]
	lists := make([][]int, len(t.shape))
	for i, d := range t.shape {
		if repeats[i] < 1 || repeats[i]*d > maxTensor {
			return fmt.Errorf("%d repeats of %d elements", repeats[i], d)
		}
		for k := range repeats[i] * d {
			lists[i] = append(lists[i], k%d)
		}
	}
	if t, err = o.picked(t, lists); err != nil {
		return err
	}
	return o.set(t)
}

// depthToSpace lowers DepthToSpace and SpaceToDepth.
func (o *operator) depthToSpace() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	b := o.int("blocksize", 0)
	if len(t.shape) != 3 || b < 1 || b > maxWindow {
		return fmt.Errorf("blocks of %d do not fit rows of shape %v", b, t.shape)
	}
	c, h, w := t.shape[0], t.shape[1], t.shape[2]
	var index []int32
	var shape []int
	mode := o.string("mode", "DCR")
	switch {
	case o.n.GetOpType() == "SpaceToDepth":
		if h%b != 0 || w%b != 0 {
			return fmt.Errorf("blocks of %d do not divide an image of %dx%d", b, h, w)
		}
		shape = []int{c * b * b, h / b, w / b}
		_, index = permute([]int{c, h / b, b, w / b, b}, []int{2, 4, 0, 1, 3})
	case c%(b*b) != 0:
		return fmt.Errorf("blocks of %d do not divide %d channels", b, c)
	case mode == "DCR":
		shape = []int{c / b / b, h * b, w * b}
		_, index = permute([]int{b, b, c / b / b, h, w}, []int{2, 3, 0, 4, 1})
	case mode == "CRD":
		shape = []int{c / b / b, h * b, w * b}
		_, index = permute([]int{c / b / b, b, b, h, w}, []int{0, 3, 1, 4, 2})
	default:
		return fmt.Errorf("mode %q is unknown", mode)
	}
	return o.set(o.view(t, shape, index))
}

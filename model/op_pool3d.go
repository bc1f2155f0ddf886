package model

import (
	"errors"
	"maps"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// maxPool3 lowers MaxPool over depth, height and width to one over height and
// width of every slice, and one over the depth of every column: windows are boxes.
func (o *operator) maxPool3(t *tensor) error {
	kernel, err := o.ints("kernel_shape", 3, 0)
	if err != nil {
		return err
	}
	channels, depth := t.shape[0], t.shape[1]
	flat := o.view(t, []int{channels * depth, t.shape[2], t.shape[3]}, iota32(size(t.shape)))
	flat, err = o.part(3, 1, 3).pooled(flat, kernel[1:])
	if err != nil {
		return err
	}
	h, w := flat.shape[1], flat.shape[2]
	_, index := permute([]int{channels, depth, h * w}, []int{0, 2, 1})
	columns, err := o.part(3, 0, 1).pooled(o.view(flat, []int{channels * h * w, depth}, index), kernel[:1])
	if err != nil {
		return err
	}
	depth = columns.shape[1]
	_, index = permute([]int{channels, h * w, depth}, []int{0, 2, 1})
	return o.set(o.view(columns, []int{channels, depth, h, w}, index))
}

// pooled returns the maxima of t over windows.
func (o *operator) pooled(t *tensor, kernel []int) (*tensor, error) {
	c, err := o.windows(t.shape, kernel)
	if err != nil {
		return nil, err
	}
	if c.Top >= c.DilH*(c.KH-1)+1 || c.Left >= c.DilW*(c.KW-1)+1 {
		return nil, errors.New("a window lies in the padding; use smaller pads")
	}
	if _, err := poolSteps(c); err != nil {
		return nil, err
	}
	if err := o.spend(2*c.InLen() + c.OutLen()*c.KH*c.KW); err != nil {
		return nil, err
	}
	return o.maxPoolOf(t, c), nil
}

// part returns the operator for axes from..to of rank spatial ones.
func (o *operator) part(rank, from, to int) *operator {
	p := *o
	p.attrs = maps.Clone(o.attrs)
	for name, halves := range map[string]int{"strides": 1, "dilations": 1, "pads": 2} {
		a := o.attrs[name]
		if a == nil || len(a.Ints) != halves*rank {
			continue // missing, or refused by the reader of it
		}
		var v []int64
		for h := range halves {
			v = append(v, a.Ints[h*rank+from:h*rank+to]...)
		}
		p.attrs[name] = &onnx.AttributeProto{Ints: v}
	}
	return &p
}

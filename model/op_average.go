package model

import (
	"errors"
	"fmt"
)

// A span is what a window sees along one axis: the positions of the operand, or −1,
// and how many of them count.
type span struct {
	at    []int
	count int
}

// averagePool lowers AveragePool, over any axes.
func (o *operator) averagePool() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	if len(t.shape) < 2 {
		return errors.New("rows without spatial axes")
	}
	axes, err := o.spans(t.shape[1:])
	if err != nil {
		return err
	}
	shape, window := []int{t.shape[0]}, 1
	for _, a := range axes {
		shape = append(shape, len(a))
		window *= len(a[0].at)
	}
	if err := checkShape(append(shape, window)); err != nil {
		return err
	}
	if err := o.spend(size(shape) * (window + 2)); err != nil {
		return err
	}
	n := node{kind: sumNode, name: o.name, in: []int{t.val}, len: size(shape), window: window}
	step, channels := strides(shape[1:]), shape[0]
	for i := range n.len { // channels last
		lists, count := [][]int{{i % channels}}, 1
		for a, spans := range axes {
			s := spans[i/channels/step[a]%shape[a+1]]
			lists, count = append(lists, s.at), count*s.count
		}
		for _, j := range pick(t.shape, lists) {
			if j >= 0 {
				j = t.at(int(j))
			}
			n.index = append(n.index, j)
		}
		n.c = append(n.c, 1/float64(count))
	}
	z := &tensor{shape: shape, val: o.g.add(n)}
	return o.set(o.view(z, shape, channelsLast(n.len/channels, channels)))
}

// spans returns what every window sees along the axes of shape.
func (o *operator) spans(shape []int) ([][]span, error) {
	rank := len(shape)
	var v [4][]int
	for i, a := range []struct {
		name         string
		n, otherwise int
	}{{"kernel_shape", rank, 0}, {"strides", rank, 1}, {"dilations", rank, 1}, {"pads", 2 * rank, 0}} {
		var err error
		if v[i], err = o.ints(a.name, a.n, a.otherwise); err != nil {
			return nil, err
		}
	}
	axes := make([][]span, rank)
	for a, n := range shape {
		w := window{n: n, kernel: v[0][a], stride: v[1][a], dilation: v[2][a], lo: v[3][a], hi: v[3][a+rank]}
		auto := o.string("auto_pad", "NOTSET")
		lo, declared, err := w.pads(auto, false)
		if err != nil {
			return nil, err
		}
		_, hi, err := w.pads(auto, o.int("ceil_mode", 0) != 0)
		if err != nil {
			return nil, err
		}
		if axes[a], err = w.spans(lo, hi, declared, o.int("count_include_pad", 0) != 0); err != nil {
			return nil, err
		}
	}
	return axes, nil
}

// spans lists what every window sees of n elements with pads of lo and hi. Of the
// pads, the first lo and declared ones count if padded is set: not those that
// ceil_mode adds.
func (w window) spans(lo, hi, declared int, padded bool) ([]span, error) {
	list := make([]span, (w.n+lo+hi-w.dilation*(w.kernel-1)-1)/w.stride+1)
	for i := range list {
		for k := range w.kernel {
			p := i*w.stride - lo + k*w.dilation
			if p >= 0 && p < w.n || padded && p < w.n+declared {
				list[i].count++
			}
			if p < 0 || p >= w.n {
				p = -1
			}
			list[i].at = append(list[i].at, p)
		}
		if list[i].count == 0 {
			return nil, fmt.Errorf("window %d holds no element; use smaller pads", i)
		}
	}
	return list, nil
}

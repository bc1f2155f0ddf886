package model

import (
	"errors"
	"fmt"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// deconvolution lowers ConvTranspose to a convolution with the kernel turned by
// half a turn, of the operand with zeros between its elements.
func (o *operator) deconvolution() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	m, w, err := o.numbers(1)
	if err != nil {
		return err
	}
	axes := len(t.shape) - 1
	if axes < 1 || axes > 3 {
		return fmt.Errorf("rows of %d axes are not supported; use channels and one to three spatial axes", len(t.shape))
	}
	groups := o.int("group", 1)
	if len(m.shape) != axes+2 || groups < 1 || m.shape[0] != t.shape[0] || t.shape[0]%groups != 0 || len(w) == 0 {
		return fmt.Errorf("weights of shape %v do not fit rows of shape %v in %d groups", m.shape, t.shape, groups)
	}
	out := m.shape[1] * groups
	lists := make([][]int, len(t.shape))
	for i := range t.shape[0] {
		lists[0] = append(lists[0], i)
	}
	c := ring.Conv{H: 1, W: 1, In: t.shape[0], KH: 1, KW: m.shape[axes+1], Out: out, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Groups: groups}
	spread, err := o.spread(t.shape[1:], m.shape[2:])
	if err != nil {
		return err
	}
	copy(lists[1:], spread.lists)
	if axes == 3 {
		return o.deconvolution3(t, lists, spread, m.shape, w)
	}
	last := axes - 1
	c.W, c.DilW = len(spread.lists[last]), spread.dilation[last]
	if axes == 2 {
		c.H, c.KH, c.DilH = len(spread.lists[0]), m.shape[2], spread.dilation[0]
	}
	if err := c.Validate(); err != nil {
		return err
	}
	bias, err := o.biases(out)
	if err != nil {
		return err
	}
	if t, err = o.picked(t, lists); err != nil {
		return err
	}
	// [Groups][In/Groups][Out/Groups][positions] to [Groups][turned positions][In/Groups][Out/Groups]
	shape, index := permute([]int{groups, c.In / groups, out / groups, c.KH * c.KW}, []int{0, 3, 1, 2})
	block := size(shape[2:])
	turned := make([]float64, len(w))
	for i, j := range index {
		g, p := i/(shape[1]*block), i/block%shape[1]
		turned[(g*shape[1]+shape[1]-1-p)*block+i%block] = w[j]
	}
	z, err := o.linear(t, channelsLast(c.In, c.H*c.W), c, turned, bias)
	if err != nil {
		return err
	}
	return o.set(o.image(z, axes, c))
}

// deconvolution3 is deconvolution over three axes, with weights w of shape.
func (o *operator) deconvolution3(t *tensor, lists [][]int, spread *spreading, shape []int, w []float64) error {
	t, err := o.picked(t, lists)
	if err != nil {
		return err
	}
	v := &volume{n: [3]int(t.shape[1:]), kernel: [3]int(shape[2:]), stride: [3]int{1, 1, 1}, dilation: [3]int(spread.dilation)}
	for a := range 3 {
		v.out[a] = v.n[a] - v.dilation[a]*(v.kernel[a]-1)
	}
	// [Groups][In/Groups][Out/Groups][positions] to [Groups][Out/Groups][In/Groups][turned positions]
	groups := o.int("group", 1)
	in, out, block := shape[0]/groups, shape[1], size(shape[2:])
	_, index := permute([]int{groups, in, out, block}, []int{0, 2, 1, 3})
	turned := make([]float64, len(w))
	for i, j := range index {
		turned[i/block*block+block-1-i%block] = w[j]
	}
	return o.convolve3(t, v, append([]int{out * groups, in}, shape[2:]...), turned)
}

// biases returns operand 2 of a convolution with n channels, or zeros.
func (o *operator) biases(n int) ([]float64, error) {
	if o.input(2) == "" {
		return make([]float64, n), nil
	}
	_, b, err := o.numbers(2)
	if err == nil && len(b) != n {
		err = fmt.Errorf("%d biases for %d channels", len(b), n)
	}
	return b, err
}

// spreading is the geometry of ConvTranspose: the positions of the operand, or −1
// for a zero, along every axis of what is convolved.
type spreading struct {
	lists    [][]int
	dilation []int
}

func (o *operator) spread(shape, kernel []int) (*spreading, error) {
	n := len(shape)
	var v [6][]int
	for i, a := range []struct {
		name         string
		n, otherwise int
	}{{"strides", n, 1}, {"dilations", n, 1}, {"pads", 2 * n, 0}, {"output_padding", n, 0}, {"output_shape", n, 0}, {"kernel_shape", n, 0}} {
		var err error
		if v[i], err = o.ints(a.name, a.n, a.otherwise); err != nil {
			return nil, err
		}
	}
	strides, dilations, pads, more, outputs := v[0], v[1], v[2], v[3], v[4]
	s := &spreading{dilation: dilations}
	for a := range shape {
		w := window{n: shape[a], kernel: kernel[a], stride: strides[a], dilation: dilations[a]}
		if _, _, err := (window{n: maxTensor, kernel: w.kernel, stride: w.stride, dilation: w.dilation}).pads("", false); err != nil {
			return nil, err
		}
		if v[5][a] != 0 && v[5][a] != kernel[a] {
			return nil, fmt.Errorf("kernel_shape %v is not that of the weights, %v", v[5], kernel)
		}
		if more[a] < 0 || more[a] > maxWindow || outputs[a] < 0 || outputs[a] > maxTensor {
			return nil, errors.New("output_padding or output_shape is negative or too large")
		}
		w.lo, w.hi = pads[a], pads[a+n]
		list, err := w.spread(more[a], outputs[a], o.string("auto_pad", "NOTSET"))
		if err != nil {
			return nil, err
		}
		s.lists = append(s.lists, list)
	}
	return s, nil
}

// spread lists the operand's positions along one axis so that a convolution of
// stride 1 gives stride·(n−1) + more + reach − lo − hi elements, or as many as are
// asked for.
func (w window) spread(more, asked int, auto string) ([]int, error) {
	reach := w.dilation*(w.kernel-1) + 1
	full := w.stride*(w.n-1) + more + reach
	switch auto {
	case "NOTSET", "", "SAME_UPPER", "SAME_LOWER":
	case "VALID":
		w.lo, w.hi = 0, 0
	default:
		return nil, fmt.Errorf("auto_pad %q is unknown", auto)
	}
	same := auto == "SAME_UPPER" || auto == "SAME_LOWER"
	if same && asked == 0 {
		asked = w.n * w.stride
	}
	if asked > 0 {
		all := full - asked
		w.lo = max(all, 0) / 2
		if auto != "SAME_UPPER" {
			w.lo = max(all, 0) - w.lo
		}
		w.hi = all - w.lo // what is missing comes at the end
	}
	if w.lo < -maxWindow || w.hi < -maxWindow || full-w.lo-w.hi < 1 || full > maxTensor {
		return nil, fmt.Errorf("%d elements less pads of %d and %d leave nothing, or too much", full, w.lo, w.hi)
	}
	list := make([]int, full-w.lo-w.hi+reach-1)
	for i := range list {
		p := i - (reach - 1) + w.lo // among the elements with zeros between them
		if list[i] = -1; p >= 0 && p%w.stride == 0 && p/w.stride < w.n {
			list[i] = p / w.stride
		}
	}
	return list, nil
}

package model

import (
	"errors"
	"fmt"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// windows reads the geometry that convolution and pooling share, for a row of
// channels × [height ×] width. In = Out = Groups = channels.
func (o *operator) windows(shape, kernel []int) (ring.Conv, error) {
	rank := len(shape) - 1
	if rank != 1 && rank != 2 {
		return ring.Conv{}, fmt.Errorf("rows of %d axes are not supported; use channels and one or two spatial axes", len(shape))
	}
	stride, err := o.ints("strides", rank, 1)
	if err != nil {
		return ring.Conv{}, err
	}
	dilation, err := o.ints("dilations", rank, 1)
	if err != nil {
		return ring.Conv{}, err
	}
	pads, err := o.ints("pads", 2*rank, 0)
	if err != nil {
		return ring.Conv{}, err
	}
	for a := range rank {
		w := window{n: shape[a+1], kernel: kernel[a], stride: stride[a], dilation: dilation[a], lo: pads[a], hi: pads[a+rank]}
		if pads[a], pads[a+rank], err = w.pads(o.string("auto_pad", "NOTSET"), o.int("ceil_mode", 0) != 0); err != nil {
			return ring.Conv{}, err
		}
	}
	c := ring.Conv{
		H: 1, W: shape[rank], In: shape[0], KH: 1, KW: kernel[rank-1], Out: shape[0], StrideH: 1, StrideW: stride[rank-1],
		DilH: 1, DilW: dilation[rank-1], Left: pads[rank-1], Right: pads[2*rank-1], Groups: shape[0],
	}
	if rank == 2 {
		c.H, c.KH, c.StrideH, c.DilH, c.Top, c.Bottom = shape[1], kernel[0], stride[0], dilation[0], pads[0], pads[2]
	}
	return c, c.Validate()
}

// A window is the geometry along one axis, as attributes give it.
type window struct{ n, kernel, stride, dilation, lo, hi int }

// pads returns the padding that makes ⌊(n+lo+hi−reach)/stride⌋+1 windows what
// auto_pad and ceil_mode ask for.
func (w window) pads(auto string, ceil bool) (lo, hi int, err error) {
	for _, v := range []int{w.kernel, w.stride, w.dilation} {
		if v < 1 || v > maxWindow {
			return 0, 0, fmt.Errorf("kernel %d, stride %d and dilation %d are not all between 1 and %d", w.kernel, w.stride, w.dilation, maxWindow)
		}
	}
	n, reach := w.n, w.dilation*(w.kernel-1)+1
	lo, hi = w.lo, w.hi
	if lo < 0 || hi < 0 || lo > maxWindow || hi > maxWindow {
		return 0, 0, fmt.Errorf("pads %d and %d are negative or too large", lo, hi)
	}
	switch auto {
	case "NOTSET", "":
	case "VALID":
		lo, hi = 0, 0
	case "SAME_UPPER", "SAME_LOWER":
		all := max(((n+w.stride-1)/w.stride-1)*w.stride+reach-n, 0)
		lo, hi = all/2, all-all/2
		if auto == "SAME_LOWER" {
			lo, hi = hi, lo
		}
	default:
		return 0, 0, fmt.Errorf("auto_pad %q is unknown", auto)
	}
	if n+lo+hi < reach {
		return 0, 0, fmt.Errorf("a kernel of %d does not fit %d elements", reach, n+lo+hi)
	}
	if ceil { // one more window, if it starts inside
		out := (n+lo+hi-reach+w.stride-1)/w.stride + 1
		if (out-1)*w.stride >= n+lo {
			out--
		}
		hi = max(hi, (out-1)*w.stride+reach-n-lo)
	}
	return lo, hi, nil
}

// maxWindow bounds kernels, strides, dilations and pads.
const maxWindow = 1 << 14

// channelsLast lists the elements of channels × positions, channels last.
func channelsLast(channels, positions int) []int32 {
	_, index := permute([]int{channels, positions}, []int{1, 0})
	return index
}

// image returns the tensor of an image that node val holds, channels last.
func (o *operator) image(val, rank int, c ring.Conv) *tensor {
	h, w := c.Size()
	shape := []int{c.Out, h, w}
	if rank == 1 {
		shape = []int{c.Out, w}
	}
	_, index := permute([]int{h * w, c.Out}, []int{1, 0})
	return o.view(&tensor{shape: shape, val: val}, shape, index)
}

func (o *operator) convolution() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	m, w, err := o.numbers(1)
	if err != nil {
		return err
	}
	if len(m.shape) != len(t.shape)+1 || len(t.shape) < 2 {
		return fmt.Errorf("weights of shape %v do not fit rows of shape %v", m.shape, t.shape)
	}
	rank := len(t.shape) - 1
	if rank == 3 {
		return o.convolution3(t, m.shape, w)
	}
	c, err := o.windows(t.shape, m.shape[2:])
	if err != nil {
		return err
	}
	c.Out, c.Groups = m.shape[0], o.int("group", 1)
	if err := c.Validate(); err != nil {
		return err
	}
	if m.shape[1] != c.In/c.Groups {
		return fmt.Errorf("weights of shape %v do not fit %d channels in %d groups", m.shape, c.In, c.Groups)
	}
	bias, err := o.biases(c.Out)
	if err != nil {
		return err
	}
	// [Groups][Out/Groups][In/Groups][positions] to [Groups][positions][In/Groups][Out/Groups]
	shape, index := permute([]int{c.Groups, c.Out / c.Groups, c.In / c.Groups, c.KH * c.KW}, []int{0, 3, 2, 1})
	w = (&constant{f: w}).view(shape, index).f
	z, err := o.linear(t, channelsLast(c.In, c.H*c.W), c, w, bias)
	if err != nil {
		return err
	}
	return o.set(o.image(z, rank, c))
}

func (o *operator) maxPool() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	o.unused(1)
	if len(t.shape) == 4 {
		return o.maxPool3(t)
	}
	if len(t.shape) < 2 || len(t.shape) > 3 {
		return fmt.Errorf("rows of %d axes are not supported; use channels and one to three spatial axes", len(t.shape))
	}
	kernel, err := o.ints("kernel_shape", len(t.shape)-1, 0)
	if err != nil {
		return err
	}
	z, err := o.pooled(t, kernel)
	if err != nil {
		return err
	}
	return o.set(z)
}

func (o *operator) maxPoolOf(t *tensor, c ring.Conv) *tensor {
	in := o.arrange(t, channelsLast(c.In, c.H*c.W))
	z := o.g.add(node{kind: maxPoolNode, name: o.name, in: []int{in}, len: c.OutLen(), conv: c})
	return o.image(z, len(t.shape)-1, c)
}

// globalPool lowers GlobalAveragePool and GlobalMaxPool.
func (o *operator) globalPool() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	if len(t.shape) < 2 {
		return errors.New("rows without spatial axes")
	}
	axes := []int{}
	for a := 2; a <= len(t.shape); a++ {
		axes = append(axes, a)
	}
	if o.n.GetOpType() == "GlobalAveragePool" {
		return o.sumOver(t, axes, true, true)
	}
	return o.largestOver(t, axes, true, false)
}

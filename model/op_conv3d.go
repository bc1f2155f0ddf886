package model

import (
	"fmt"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// A volume is the geometry of a convolution over three axes: depth, height, width.
type volume struct {
	n, kernel, stride, dilation, lo, hi, out [3]int
}

func (o *operator) volume(shape, kernel []int) (*volume, error) {
	v := &volume{n: [3]int(shape), kernel: [3]int(kernel)}
	stride, err := o.ints("strides", 3, 1)
	if err != nil {
		return nil, err
	}
	dilation, err := o.ints("dilations", 3, 1)
	if err != nil {
		return nil, err
	}
	pads, err := o.ints("pads", 6, 0)
	if err != nil {
		return nil, err
	}
	v.stride, v.dilation = [3]int(stride), [3]int(dilation)
	for a := range 3 {
		w := window{n: v.n[a], kernel: v.kernel[a], stride: v.stride[a], dilation: v.dilation[a], lo: pads[a], hi: pads[a+3]}
		if v.lo[a], v.hi[a], err = w.pads(o.string("auto_pad", "NOTSET"), false); err != nil {
			return nil, err
		}
		v.out[a] = (v.n[a]+v.lo[a]+v.hi[a]-w.dilation*(w.kernel-1)-1)/w.stride + 1
	}
	return v, nil
}

// convolution3 lowers a convolution over three axes to one over two. The input of
// every slice of the result, as many slices of the operand as the kernel is deep,
// becomes the channels of a block of rows, and the blocks lie one below the other.
// Rows of the result that overlap two blocks are dropped.
func (o *operator) convolution3(t *tensor, shape []int, w []float64) error {
	v, err := o.volume(t.shape[1:], shape[2:])
	if err != nil {
		return err
	}
	return o.convolve3(t, v, shape, w)
}

// convolve3 is convolution3 for a geometry v.
func (o *operator) convolve3(t *tensor, v *volume, shape []int, w []float64) error {
	groups, in, deep := o.int("group", 1), t.shape[0], shape[2]
	block := (v.n[1] + v.lo[1] + v.hi[1] + v.stride[1] - 1) / v.stride[1] * v.stride[1]
	c := ring.Conv{
		H: v.out[0] * block, W: v.n[2], In: deep * in, KH: shape[3], KW: shape[4], Out: shape[0], StrideH: v.stride[1], StrideW: v.stride[2],
		DilH: v.dilation[1], DilW: v.dilation[2], Left: v.lo[2], Right: v.hi[2], Groups: groups,
	}
	if err := c.Validate(); err != nil {
		return err
	}
	if shape[1] != in/groups || in%groups != 0 {
		return fmt.Errorf("weights of shape %v do not fit %d channels in %d groups", shape, in, groups)
	}
	bias, err := o.biases(c.Out)
	if err != nil {
		return err
	}
	if err := o.spend(2*c.InLen() + c.OutLen()); err != nil {
		return err
	}
	// [Groups][Out/Groups][In/Groups][depth][positions] to [Groups][positions][depth][In/Groups][Out/Groups]
	to, index := permute([]int{groups, c.Out / groups, in / groups, deep, c.KH * c.KW}, []int{0, 4, 3, 2, 1})
	z, err := o.linear(t, v.blocks(c, in, block), c, (&constant{f: w}).view(to, index).f, bias)
	if err != nil {
		return err
	}
	var rows []int32
	for channel := range c.Out {
		for b := range v.out[0] {
			for y := range v.out[1] {
				for x := range v.out[2] {
					rows = append(rows, int32(((b*block/v.stride[1]+y)*v.out[2]+x)*c.Out+channel))
				}
			}
		}
	}
	result := []int{c.Out, v.out[0], v.out[1], v.out[2]}
	return o.set(o.view(&tensor{shape: []int{c.OutLen()}, val: z}, result, rows))
}

// blocks lists the elements of the operand, with in channels, that c convolves.
func (v *volume) blocks(c ring.Conv, in, block int) []int32 {
	deep, within := v.kernel[0], in/c.Groups
	index := make([]int32, 0, c.InLen())
	for row := range c.H {
		y := row%block - v.lo[1]
		for x := range c.W {
			for i := range c.In {
				channel := i/(deep*within)*within + i%within
				z := row/block*v.stride[0] - v.lo[0] + i/within%deep*v.dilation[0]
				j := int32(-1)
				if y >= 0 && y < v.n[1] && z >= 0 && z < v.n[0] {
					j = int32(((channel*v.n[0]+z)*v.n[1]+y)*v.n[2] + x)
				}
				index = append(index, j)
			}
		}
	}
	return index
}

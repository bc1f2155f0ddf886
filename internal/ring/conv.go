package ring

import "fmt"

// A Conv is the geometry of a two-dimensional convolution on tensors with the
// channels last: the input is H×W×In, the output of [Conv.Size] × Out. Group g
// maps In/Groups input channels to Out/Groups output channels.
//
// All linear layers are convolutions. A product of a T×K by a K×N matrix is a
// 1×1 kernel on a T×1 image with K channels; a 1-D convolution has H = KH = 1.
type Conv struct {
	H, W, In         int
	KH, KW, Out      int
	StrideH, StrideW int
	DilH, DilW       int
	Top, Left        int // zero padding
	Bottom, Right    int
	Groups           int
}

// MatMul is the geometry of a rows×k by k×n product.
func MatMul(rows, k, n int) Conv {
	return Conv{H: rows, W: 1, In: k, KH: 1, KW: 1, Out: n, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Groups: 1}
}

// Size returns the height and width of the output.
func (c Conv) Size() (h, w int) {
	h = (c.H+c.Top+c.Bottom-c.DilH*(c.KH-1)-1)/c.StrideH + 1
	w = (c.W+c.Left+c.Right-c.DilW*(c.KW-1)-1)/c.StrideW + 1
	return h, w
}

// InLen, OutLen and WeightLen are the numbers of elements of the operands.
func (c Conv) InLen() int { return c.H * c.W * c.In }

// OutLen is the number of elements of the output.
func (c Conv) OutLen() int {
	h, w := c.Size()
	return h * w * c.Out
}

// WeightLen is the number of weights, laid out as
// [Groups][KH][KW][In/Groups][Out/Groups].
func (c Conv) WeightLen() int { return c.KH * c.KW * c.In / c.Groups * c.Out }

// Products is the number of multiplications of one application, those with
// padding included.
func (c Conv) Products() int {
	h, w := c.Size()
	return h * w * c.WeightLen()
}

// Validate refuses impossible or absurdly large geometries, so that one from a
// file or a peer is safe to use.
func (c Conv) Validate() error {
	const limit = 1 << 24 // of a dimension; products of three stay below 2^63 by the next test
	for _, d := range []int{c.H, c.W, c.In, c.KH, c.KW, c.Out, c.StrideH, c.StrideW, c.DilH, c.DilW, c.Groups} {
		if d < 1 || d > limit {
			return fmt.Errorf("convolution: dimension %d is outside 1..%d", d, limit)
		}
	}
	for _, d := range []int{c.Top, c.Left, c.Bottom, c.Right} {
		if d < 0 || d > limit {
			return fmt.Errorf("convolution: padding %d is outside 0..%d", d, limit)
		}
	}
	if c.In%c.Groups != 0 || c.Out%c.Groups != 0 {
		return fmt.Errorf("convolution: %d and %d channels do not divide into %d groups", c.In, c.Out, c.Groups)
	}
	if c.DilH*(c.KH-1) >= c.H+c.Top+c.Bottom || c.DilW*(c.KW-1) >= c.W+c.Left+c.Right {
		return fmt.Errorf("convolution: a %dx%d kernel does not fit a %dx%d image", c.KH, c.KW, c.H, c.W)
	}
	h, w := c.Size()
	for _, dims := range [][]int{{c.H, c.W, c.In}, {h, w, c.Out}, {c.KH, c.KW, c.In / c.Groups, c.Out}} {
		n := 1
		for _, d := range dims {
			if n *= d; n > 1<<30 {
				return fmt.Errorf("convolution: a tensor of %v elements is too large", dims)
			}
		}
	}
	return nil
}

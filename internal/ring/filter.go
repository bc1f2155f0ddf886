package ring

import (
	"fmt"
	"runtime"
	"unsafe"
)

// A Filter holds the weights of a convolution in the layout of its kernel. It is
// immutable and may be used by several goroutines at once.
//
// The weights of a group are a matrix, with a row for each (ky, kx, input
// channel) and a column for each output channel, cut into strips of 8 columns, or
// of 16 where two weights share a word: a strip is a run of rows of 64 bytes,
// padded with zeros. Depthwise convolutions have a layout of their own,
// [newDepthwise].
type Filter struct {
	c    Conv // with groups of few output channels merged
	word word
	w    []uint64
}

// NewFilter lays out w, of c.WeightLen() elements mod 2ᵏ, for [Filter.MulAdd]
// with results mod 2ᵏ. A small k makes products faster: up to 32, and up to 52.
func NewFilter(c Conv, w []uint64, k int) *Filter {
	if k < 1 || k > 64 {
		panic(fmt.Sprintf("ring: a filter mod 2^%d", k))
	}
	if len(w) != c.WeightLen() {
		panic(fmt.Sprintf("ring: %d weights for %+v", len(w), c))
	}
	if c.depthwise() {
		return newDepthwise(c, w)
	}
	// Merging m groups fills a strip. The zeros between them cost no time, as
	// they take the place of padding.
	in, out, m := c.In/c.Groups, c.Out/c.Groups, 1
	f := &Filter{c: c, word: wordOf(k)}
	lanes := f.word.lanes()
	for d := 2; d*out <= lanes; d++ {
		if c.Groups%d == 0 {
			m = d
		}
	}
	f.c.Groups /= m
	taps := c.KH * c.KW
	rows, strips := f.rows(), f.strips()
	f.w = aligned(f.c.Groups * strips * rows * line)
	for g := range c.Groups {
		to := f.w[g/m*strips*rows*line:]
		for t := range taps {
			for i := range in {
				row := (t*m+g%m)*in + i
				from := w[((g*taps+t)*in+i)*out:][:out]
				for o, v := range from {
					col := g%m*out + o
					f.word.put(to[(col/lanes*rows+row)*line:], col%lanes, v)
				}
			}
		}
	}
	return f
}

// rows is the number of products in an output of the merged groups.
func (f *Filter) rows() int { return f.c.KH * f.c.KW * f.c.In / f.c.Groups }

func (f *Filter) strips() int {
	lanes := f.word.lanes()
	return (f.c.Out/f.c.Groups + lanes - 1) / lanes
}

// aligned returns n zero words that start on a cache line, for a row of a strip
// to be one.
func aligned(n int) []uint64 {
	b := make([]uint64, n+line-1)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) % 64 / 8)
	return b[skip : skip+n : skip+n]
}

// MulAdd computes z += x∗w mod 2ᵏ for batch inputs, one after the other. The bits
// of z above the k of [NewFilter] mean nothing afterwards: the caller reduces.
// Large products use all processors.
func (f *Filter) MulAdd(z, x []uint64, batch int) {
	in, out := f.c.InLen(), f.c.OutLen()
	if len(x) != batch*in || len(z) != batch*out {
		panic("ring: shape")
	}
	if f.c.depthwise() {
		f.mulAddDepthwise(z, x, batch)
		return
	}
	const limit = 1 << 21 // words of padded inputs at a time
	step := batch
	if f.padded() {
		step = max(1, limit/f.paddedLen())
	}
	for batch > 0 {
		n := min(step, batch)
		f.apply(z[:n*out], f.pad(x[:n*in], n), n)
		z, x, batch = z[n*out:], x[n*in:], batch-n
	}
}

// padded reports whether the kernel needs its inputs laid out anew.
func (f *Filter) padded() bool {
	c := f.c
	return c.Groups > 1 || c.Top|c.Left|c.Bottom|c.Right != 0
}

// paddedSize is the size of an input with its padding.
func (f *Filter) paddedSize() (h, w int) {
	c := f.c
	return c.Top + c.H + c.Bottom, c.Left + c.W + c.Right
}

func (f *Filter) paddedLen() int {
	h, w := f.paddedSize()
	return h * w * f.c.In
}

// pad lays out inputs as [batch][group][height][width][channel] with their
// padding.
func (f *Filter) pad(x []uint64, batch int) []uint64 {
	if !f.padded() {
		return x
	}
	c := f.c
	h, w := f.paddedSize()
	in := c.In / c.Groups
	p := make([]uint64, batch*f.paddedLen())
	for b := range batch {
		for g := range c.Groups {
			to := p[(b*c.Groups+g)*h*w*in:]
			for y := range c.H {
				row := to[((c.Top+y)*w+c.Left)*in:][:c.W*in]
				from := x[(b*c.H+y)*c.W*c.In+g*in:]
				if c.Groups == 1 {
					copy(row, from)
					continue
				}
				for i := 0; i < c.W; i++ {
					copy(row[i*in:][:in], from[i*c.In:])
				}
			}
		}
	}
	return p
}

// apply is [Filter.MulAdd] on the inputs laid out by [Filter.pad].
//
// An output row is a product of a matrix whose rows overlap in memory: the input
// under the kernel, which moves by one stride for each output. Where rows follow
// at equal distances, as in a product of matrices, several output rows or the
// whole batch are one such product.
func (f *Filter) apply(z, x []uint64, batch int) {
	c := f.c
	h, w := f.paddedSize()
	lines, n := c.Size()
	in := c.In / c.Groups
	step, lineStep, imageStep := c.StrideW*in, c.StrideH*w*in, c.Groups*h*w*in
	images := batch
	n, step, lines = merge(n, step, lines, lineStep)
	if lines == 1 {
		n, step, images = merge(n, step, images, imageStep)
	}
	p := product{Filter: f, step: step, group: h * w * in, parts: f.parts(w, n)}

	workers := 1
	if images*lines*n*len(f.w) >= worthSplitting() {
		workers = runtime.GOMAXPROCS(0)
	}
	strips, units := f.strips(), (n+7)/8
	switch {
	case lines*images > 1:
		parallel(lines*images, workers, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				at := i/lines*imageStep + i%lines*lineStep
				p.add(z[i*n*c.Out:hi*n*c.Out], x[at:], n, 0, strips, false)
			}
		})
	case units < 2*workers && c.Groups == 1:
		parallel(strips, workers, func(lo, hi int) { p.add(z, x, n, lo, hi, workers > 1) })
	default:
		parallel(units, workers, func(lo, hi int) {
			lo, hi = 8*lo, min(8*hi, n)
			p.add(z[lo*c.Out:hi*c.Out], x[lo*step:], hi-lo, 0, strips, false)
		})
	}
}

// merge joins m runs of n rows that are gap words apart into fewer runs, where
// the rows, step words apart, continue from one run to the next.
func merge(n, step, m, gap int) (int, int, int) {
	switch {
	case m == 1:
		return n, step, 1
	case n == 1:
		return m, gap, 1
	case gap == n*step:
		return n * m, step, 1
	}
	return n, step, m
}

// A part of the rows of the weights, in one call of a tile: from row on, segs
// runs of run rows. In the input the runs start at offset, seg words apart.
type part struct{ row, offset, run, segs, seg int }

// parts covers the rows of the weights, for inputs of width w and n rows of the
// product at a time.
func (f *Filter) parts(w, n int) []part {
	c := f.c
	in := c.In / c.Groups
	if c.DilW > 1 && c.KW > 1 { // a tap of the kernel at a time
		var parts []part
		for ky := range c.KH {
			parts = append(parts, part{ky * c.KW * in, ky * c.DilH * w * in, in, c.KW, c.DilW * in})
		}
		return parts
	}
	run, seg := c.KW*in, c.DilH*w*in
	if c.KH > 1 && seg != run {
		return []part{{0, 0, run, c.KH, seg}}
	}
	rows := f.rows() // one run
	if n <= 16 {
		return []part{{0, 0, rows, 1, 0}} // each weight is used once or so: read them in order
	}
	const most = 256 // rows of a strip that stay in the first cache
	var parts []part
	for r := 0; r < rows; r += most {
		parts = append(parts, part{r, r, min(most, rows-r), 1, 0})
	}
	return parts
}

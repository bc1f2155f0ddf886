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
	c     Conv // with groups of few output channels merged
	word  word
	w     []uint64
	parts [2][]part // for few rows of a product at a time, and for many
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
	f.parts = [2][]part{f.newParts(false), f.newParts(true)}
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
	if !f.padded() {
		f.apply(z, x, batch)
		return
	}
	const limit = 1 << 21 // words of padded inputs at a time
	step := min(batch, max(1, limit/f.paddedLen()))
	b := takeZeros(step * f.paddedLen())
	for batch > 0 {
		n := min(step, batch)
		f.pad(b.words, x[:n*in], n)
		f.apply(z[:n*out], b.words, n)
		z, x, batch = z[n*out:], x[n*in:], batch-n
	}
	b.giveBack()
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
// padding, which p has already.
func (f *Filter) pad(p, x []uint64, batch int) {
	c := f.c
	h, w := f.paddedSize()
	in := c.In / c.Groups
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
}

// splitFrom is the size of the work that several processors share. Only tests
// change it.
var splitFrom = worthSplitting

// apply is [Filter.MulAdd] on the inputs laid out by [Filter.pad].
//
// An output row is a product of a matrix whose rows overlap in memory: the input
// under the kernel, which moves by one stride for each output. Where rows follow
// at equal distances, as in a product of matrices, several output rows or the
// whole batch are one such product.
func (f *Filter) apply(z, x []uint64, batch int) {
	c := f.c
	h, w := f.paddedSize()
	p := product{Filter: f, images: batch, group: h * w * c.In / c.Groups}
	p.lines, p.n = c.Size()
	in := c.In / c.Groups
	p.step, p.lineStep, p.imageStep = c.StrideW*in, c.StrideH*w*in, c.Groups*h*w*in
	p.n, p.step, p.lines = merge(p.n, p.step, p.lines, p.lineStep)
	if p.lines == 1 {
		p.n, p.step, p.images = merge(p.n, p.step, p.images, p.imageStep)
	}
	p.parts = f.parts[0]
	if p.n > few {
		p.parts = f.parts[1]
	}
	if workers := runtime.GOMAXPROCS(0); workers > 1 && p.images*p.lines*p.n*len(f.w) >= splitFrom() {
		p.split(z, x, workers)
		return
	}
	p.addLines(z, x, 0, p.lines*p.images)
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

// few is the number of rows of a product that use each weight once or so.
const few = 16

// newParts covers the rows of the weights, for few or for many rows of the
// product at a time.
func (f *Filter) newParts(many bool) []part {
	c := f.c
	_, w := f.paddedSize()
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
	if !many {
		return []part{{0, 0, rows, 1, 0}} // each weight is used once or so: read them in order
	}
	const most = 256 // rows of a strip that stay in the first cache
	var parts []part
	for r := 0; r < rows; r += most {
		parts = append(parts, part{r, r, min(most, rows-r), 1, 0})
	}
	return parts
}

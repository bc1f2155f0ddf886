package ring

import "runtime"

// depthwise reports whether every channel is a group of its own. There is no
// matrix to multiply then, but there are vectors of channels.
func (c Conv) depthwise() bool { return c.Groups > 1 && c.Groups == c.In && c.Groups == c.Out }

// newDepthwise lays out w as [KH][KW][channel].
func newDepthwise(c Conv, w []uint64) *Filter {
	taps := c.KH * c.KW
	f := &Filter{c: c, w: make([]uint64, len(w))}
	for g := range c.Groups {
		for t := range taps {
			f.w[t*c.Groups+g] = w[g*taps+t]
		}
	}
	return f
}

func (f *Filter) mulAddDepthwise(z, x []uint64, batch int) {
	lines, _ := f.c.Size()
	lines *= batch
	if workers := runtime.GOMAXPROCS(0); workers > 1 && len(z)*f.c.KH*f.c.KW >= 1<<20 { // 0.4 ms or more
		parallel(lines, workers, func(lo, hi int) { f.depthwiseLines(z, x, lo, hi) })
		return
	}
	f.depthwiseLines(z, x, 0, lines)
}

// depthwiseLines does the lines lo to hi−1 of the output, counted over all inputs.
func (f *Filter) depthwiseLines(z, x []uint64, lo, hi int) {
	oh, ow := f.c.Size()
	for i := lo; i < hi; i++ {
		in := x[i/oh*f.c.InLen():][:f.c.InLen()]
		f.depthwiseRow(z[i*ow*f.c.Out:][:ow*f.c.Out], in, i%oh)
	}
}

// depthwiseRow adds row oy of the output for one input.
func (f *Filter) depthwiseRow(z, x []uint64, oy int) {
	c := f.c
	n := c.Groups
	for ky := range c.KH {
		y := oy*c.StrideH - c.Top + ky*c.DilH
		if y < 0 || y >= c.H {
			continue
		}
		for ox := range len(z) / n {
			for kx := range c.KW {
				at := ox*c.StrideW - c.Left + kx*c.DilW
				if at < 0 || at >= c.W {
					continue
				}
				mulAddElements(z[ox*n:][:n], x[(y*c.W+at)*n:], f.w[(ky*c.KW+kx)*n:])
			}
		}
	}
}

// mulAddElements sets z = z + x∘w.
func mulAddElements(z, x, w []uint64) {
	x, w = x[:len(z)], w[:len(z)]
	for i := range z {
		z[i] += x[i] * w[i]
	}
}

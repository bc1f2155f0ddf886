package triple

// An image packs a convolution without im2col, as Cheetah does, for iw images
// and cw channels at a time, mw output channels, and tiles of tr output rows,
// which are th = (tr−1)·stride + eh input rows of the padded width pw, where
// eh×ew is the kernel with its dilation:
//
//	a: pixel (image, c, y, x)    at (((image·cw + c)·th + y)·pw + x)·mw
//	b: kernel (c, o, ky, kx)     at (((cw−1−c)·th + eh−1−ky)·pw + ew−1−kx)·mw + o
//	z: output (image, o, y, x)   at (((image·cw + cw−1)·th + y+eh−1)·pw + x+ew−1)·mw + o
//
// with ky, kx and y, x at their places in the padded image. As for a matrix, no
// other pair of exponents adds up to that of an output, and what wraps around
// stays below the first.
type image struct {
	bundling
	cw, mw, tr int
}

func (p image) shape() shape {
	c, n := p.groups*p.in(), p.groups*p.out()
	return shape{p, p.mw, p.bundles(), ceil(c, p.cw), ceil(n, p.mw), p.iw() * p.th() * p.pw() * c}
}

func (p image) eh() int { return p.DilH*(p.KH-1) + 1 }
func (p image) ew() int { return p.DilW*(p.KW-1) + 1 }
func (p image) th() int { return (p.tr-1)*p.StrideH + p.eh() }
func (p image) pw() int { return p.W + p.Left + p.Right }

// iw is the number of images of a block, 0 if not one fits.
func (p image) iw() int { return degree / (p.cw * p.th() * p.pw() * p.mw) }

func (p image) tiles() int {
	h, _ := p.Size()
	return ceil(h, p.tr)
}

func (p image) rows(batch int) int { return p.tiles() * ceil(batch, p.iw()) }

func (p image) weights(w, b []uint64, bundle, kb, nb int) {
	clear(w)
	held := p.held(bundle)
	for c := range min(p.cw, held*p.in()-kb*p.cw) {
		for ky := range p.KH {
			for kx := range p.KW {
				e := ((p.cw-1-c)*p.th()+p.eh()-1-ky*p.DilH)*p.pw() + p.ew() - 1 - kx*p.DilW
				for o := range min(p.mw, held*p.out()-nb*p.mw) {
					if at, ok := p.weight(bundle, kb*p.cw+c, ky, kx, nb*p.mw+o); ok {
						w[e*p.mw+o] = b[at]
					}
				}
			}
		}
	}
}

func (p image) inputs(v, a []uint64, batch, bundle, mb, kb int) {
	clear(v)
	tile, first := mb%p.tiles(), mb/p.tiles()*p.iw()
	top := tile*p.tr*p.StrideH - p.Top
	channel := bundle*p.groups*p.in() + kb*p.cw
	channels := min(p.cw, p.held(bundle)*p.in()-kb*p.cw)
	for i := range min(p.iw(), batch-first) {
		img := a[(first+i)*p.InLen():][:p.InLen()]
		for y := max(top, 0); y < min(top+p.th(), p.H); y++ {
			for c := range channels {
				row := v[((i*p.cw+c)*p.th()+y-top)*p.pw()+p.Left:][:p.W]
				px := img[y*p.W*p.In+channel+c:]
				for x := range row {
					row[x] = px[x*p.In]
				}
			}
		}
	}
}

func (p image) outputs(index, place []int32, batch, bundle, mb, nb int) (_, _ []int32) {
	h, w := p.Size()
	tile, first := mb%p.tiles(), mb/p.tiles()*p.iw()
	channel := bundle*p.groups*p.out() + nb*p.mw
	channels := min(p.mw, p.held(bundle)*p.out()-nb*p.mw)
	for i := range min(p.iw(), batch-first) {
		for y := range min(p.tr, h-tile*p.tr) {
			for x := range w {
				e := ((i*p.cw+p.cw-1)*p.th()+y*p.StrideH+p.eh()-1)*p.pw() + x*p.StrideW + p.ew() - 1
				at := (((first+i)*h+tile*p.tr+y)*w+x)*p.Out + channel
				for o := range channels {
					index = append(index, int32(e*p.mw+o))
					place = append(place, int32(at+o))
				}
			}
		}
	}
	return index, place
}

package triple

// A matrix packs a product of matrices, after im2col. With kw, nw the block
// sizes of B, and mw = N/(kw·nw) that of A,
//
//	a = Σ A[i][l] X^((i·kw + l)·nw),  b = Σ B[l][j] X^((kw−1−l)·nw + j),
//
// and C[i][j] is coefficient ((i+1)·kw − 1)·nw + j of a·b: exponents of a·b are
// nw·(i·kw + kw−1 + l−l′) + j with |l−l′| < kw, which hits that one only for
// l = l′, and those that wrap around Xᴺ = −1 end below (kw−1)·nw.
//
// It is the packing of Cheetah with the roles of the exponents exchanged, so
// that a has only every nw-th coefficient.
type matrix struct {
	bundling
	kw, nw int
}

func (p matrix) shape() shape {
	k, n := p.groups*p.depth(), p.groups*p.out()
	mw := degree / (p.kw * p.nw)
	return shape{p, p.nw, p.bundles(), ceil(k, p.kw), ceil(n, p.nw), mw * k}
}

// depth is the number of inputs of one output.
func (p matrix) depth() int { return p.KH * p.KW * p.in() }

func (p matrix) positions() int {
	h, w := p.Size()
	return h * w
}

func (p matrix) mw() int { return degree / (p.kw * p.nw) }

func (p matrix) rows(batch int) int { return ceil(batch*p.positions(), p.mw()) }

func (p matrix) weights(w, b []uint64, bundle, kb, nb int) {
	clear(w)
	held := p.held(bundle)
	for l := range min(p.kw, held*p.depth()-kb*p.kw) {
		c, ky, kx := p.input(kb*p.kw + l)
		for j := range min(p.nw, held*p.out()-nb*p.nw) {
			if at, ok := p.weight(bundle, c, ky, kx, nb*p.nw+j); ok {
				w[(p.kw-1-l)*p.nw+j] = b[at]
			}
		}
	}
}

// input splits an inner index, in the order of a filter: group, kernel row,
// kernel column, channel of the group.
func (p matrix) input(l int) (c, ky, kx int) {
	g, l := l/p.depth(), l%p.depth()
	ky, l = l/(p.KW*p.in()), l%(p.KW*p.in())
	return g*p.in() + l%p.in(), ky, l / p.in()
}

func (p matrix) inputs(v, a []uint64, batch, bundle, mb, kb int) {
	clear(v)
	_, ow := p.Size()
	pos := p.positions()
	first := mb * p.mw()
	from, to := kb*p.kw, min((kb+1)*p.kw, p.held(bundle)*p.depth())
	for i := range min(p.mw(), batch*pos-first) {
		row := first + i
		y, x := row%pos/ow, row%pos%ow
		p.window(v[i*p.kw:], a[row/pos*p.InLen():][:p.InLen()], bundle, y, x, from, to)
	}
}

// window copies the inputs from..to of the output at (y, x), or zero for those
// in the padding.
func (p matrix) window(v, image []uint64, bundle, y, x, from, to int) {
	y, x = y*p.StrideH-p.Top, x*p.StrideW-p.Left
	for l := from; l < to; {
		c, ky, kx := p.input(l)
		run := min(p.in()-c%p.in(), to-l) // one position, consecutive channels
		yy, xx := y+ky*p.DilH, x+kx*p.DilW
		if yy >= 0 && yy < p.H && xx >= 0 && xx < p.W {
			copy(v[l-from:][:run], image[(yy*p.W+xx)*p.In+bundle*p.groups*p.in()+c:])
		}
		l += run
	}
}

func (p matrix) outputs(index, place []int32, batch, bundle, mb, nb int) (_, _ []int32) {
	first := mb * p.mw()
	cols := min(p.nw, p.held(bundle)*p.out()-nb*p.nw)
	channel := bundle*p.groups*p.out() + nb*p.nw
	for i := range min(p.mw(), batch*p.positions()-first) {
		for j := range cols {
			index = append(index, int32(((i+1)*p.kw-1)*p.nw+j))
			place = append(place, int32((first+i)*p.Out+channel+j))
		}
	}
	return index, place
}

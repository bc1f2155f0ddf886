package ring

import "sync/atomic"

// A product adds products of matrices to outputs: one for each line of each
// image, or for several of them together.
type product struct {
	*Filter
	n, lines, images          int // rows of a product, and their number
	step, lineStep, imageStep int // words of the input from one to the next
	group                     int // words of the input from a group to the next
	parts                     []part
}

// split is addLines for all lines, by several processors. It is apart from what
// calls it, for work that is not split allocates nothing.
func (p product) split(z, x []uint64, workers int) {
	lines, strips, units := p.lines*p.images, p.strips(), (p.n+7)/8
	switch {
	case lines > 1:
		parallel(lines, workers, func(lo, hi int) { p.addLines(z, x, lo, hi) })
	case units < 2*workers && p.c.Groups == 1:
		parallel(strips, workers, func(lo, hi int) { p.add(z, x, p.n, lo, hi, true) })
	default:
		parallel(units, workers, func(lo, hi int) {
			lo, hi = 8*lo, min(8*hi, p.n)
			p.add(z[lo*p.c.Out:hi*p.c.Out], x[lo*p.step:], hi-lo, 0, strips, false)
		})
	}
}

// addLines does the lines lo to hi−1, counted over all images.
func (p *product) addLines(z, x []uint64, lo, hi int) {
	size := p.n * p.c.Out
	for i := lo; i < hi; i++ {
		at := i/p.lines*p.imageStep + i%p.lines*p.lineStep
		p.add(z[i*size:hi*size], x[at:], p.n, 0, p.strips(), false)
	}
}

// add does n rows and the strips s0 to s1−1 of every group. z starts with the
// first row and ends with the last row that the caller may write. Where tiles are
// not masked, the padding of a narrow last strip adds zeros to the words behind it,
// which is harmless unless others write there at the same time: then shared is set.
func (p *product) add(z, x []uint64, n, s0, s1 int, shared bool) {
	const block = 96 // rows whose part of the input stays in the second cache
	out, rows, strips, lanes := p.c.Out/p.c.Groups, p.rows(), p.strips(), p.word.lanes()
	for g := range p.c.Groups {
		for i := 0; i < n; i += block {
			for _, t := range p.parts {
				a := x[g*p.group+i*p.step+t.offset:]
				for s := s0; s < s1; s++ {
					b := p.w[((g*strips+s)*rows+t.row)*line:]
					c := z[i*p.c.Out+g*out+s*lanes:]
					n, columns := min(block, n-i), out-s*lanes
					if s+1 < s1 && n >= 8 && p.word.pairs() {
						p.pair(c, a, b, t, n, min(2*lanes, columns))
						s++
						continue
					}
					p.strip(c, a, b, t, n, min(lanes, columns), shared)
				}
			}
		}
	}
}

// pair does n rows of two strips with the given number of columns, where tiles
// are masked.
func (p *product) pair(c, a, b []uint64, t part, n, columns int) {
	next := p.rows() * line
	for ; n >= 8; n -= 8 {
		p.word.tilePair(c, p.c.Out, columns, a, p.step, b, next, t)
		if n == 8 {
			return
		}
		c, a = c[8*p.c.Out:], a[8*p.step:]
	}
	p.strip(c, a, b, t, n, line, false)
	p.strip(c[line:], a, b[next:], t, n, columns-line, false)
}

// strip does n rows of one strip with the given number of columns.
func (p *product) strip(c, a, b []uint64, t part, n, columns int, shared bool) {
	ldc, lanes := p.c.Out, p.word.lanes()
	for {
		rows := p.word.tileRows(n)
		if columns == lanes || masked() || !shared && (rows-1)*ldc+lanes <= len(c) {
			p.word.tile(rows, c, ldc, columns, a, p.step, b, t)
		} else {
			p.narrow(rows, c, a, b, t, columns)
		}
		if n -= rows; n == 0 {
			return
		}
		c, a = c[rows*ldc:], a[rows*p.step:]
	}
}

// narrow writes the given columns of a tile and no others.
func (p *product) narrow(rows int, c, a, b []uint64, t part, columns int) {
	var sum [4 * 2 * line]uint64 // tiles that are not masked have 4 rows at most
	lanes := p.word.lanes()
	p.word.tile(rows, sum[:], lanes, lanes, a, p.step, b, t)
	for i := range rows {
		AddTo(c[i*p.c.Out:][:columns], sum[i*lanes:])
	}
}

// parallel runs f on the pieces of 0..n−1. The caller works through the pieces
// itself, and helpers that wake up in time take some: one that comes late finds
// nothing left, so that no call waits for a thread to start.
func parallel(n, workers int, f func(lo, hi int)) {
	if workers = min(workers, n); workers <= 1 {
		f(0, n)
		return
	}
	pieces := min(n, 4*workers)
	var next, finished atomic.Int64
	done := make(chan struct{})
	work := func() {
		for {
			i := int(next.Add(1)) - 1
			if i >= pieces {
				return
			}
			f(n*i/pieces, n*(i+1)/pieces)
			if int(finished.Add(1)) == pieces {
				close(done)
			}
		}
	}
	for range workers - 1 {
		go work()
	}
	work()
	<-done
}

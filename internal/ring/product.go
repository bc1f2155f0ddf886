package ring

import "sync/atomic"

// A product adds a matrix product to outputs.
type product struct {
	*Filter
	step  int // words of the input from a row of the matrix to the next
	group int // words of the input from a group to the next
	parts []part
}

// add does n rows and the strips s0 to s1−1 of every group. z starts with the
// first row and ends with the last row that the caller may write. The padding of
// a narrow last strip adds zeros to the words behind it, which is harmless unless
// others write there at the same time: then shared is set.
func (p *product) add(z, x []uint64, n, s0, s1 int, shared bool) {
	const block = 96 // rows whose part of the input stays in the second cache
	out, rows, strips := p.c.Out/p.c.Groups, p.rows(), p.strips()
	for g := range p.c.Groups {
		for i := 0; i < n; i += block {
			for _, t := range p.parts {
				a := x[g*p.group+i*p.step+t.offset:]
				for s := s0; s < s1; s++ {
					b := p.w[((g*strips+s)*rows+t.row)*lanes:]
					c := z[i*p.c.Out+g*out+s*lanes:]
					p.strip(c, a, b, t, min(block, n-i), min(lanes, out-s*lanes), shared)
				}
			}
		}
	}
}

// strip does n rows of one strip with the given number of columns.
func (p *product) strip(c, a, b []uint64, t part, n, columns int, shared bool) {
	ldc := p.c.Out
	for {
		rows := tileRows(n)
		if columns == lanes || !shared && (rows-1)*ldc+lanes <= len(c) {
			tile(rows, c, ldc, a, p.step, b, t)
		} else {
			var sum [8 * lanes]uint64
			tile(rows, sum[:], lanes, a, p.step, b, t)
			for i := range rows {
				for j := range columns {
					c[i*ldc+j] += sum[i*lanes+j]
				}
			}
		}
		if n -= rows; n == 0 {
			return
		}
		c, a = c[rows*ldc:], a[rows*p.step:]
	}
}

// tilePortable is the tile of one row: c += a·b for 8 columns.
func tilePortable(c, a, b []uint64, t part) {
	for s := range t.segs {
		run := a[s*t.seg:][:t.run]
		strip := b[s*t.run*lanes:][:t.run*lanes]
		sum4((*[4]uint64)(c), run, strip)
		sum4((*[4]uint64)(c[4:]), run, strip[4:])
	}
}

// sum4 does half a strip. It is a function of its own for the four sums to stay
// in registers.
//
//go:noinline
func sum4(c *[4]uint64, a, b []uint64) {
	c0, c1, c2, c3 := c[0], c[1], c[2], c[3]
	q := 0
	for _, x := range a {
		r := (*[4]uint64)(b[q:])
		c0 += x * r[0]
		c1 += x * r[1]
		c2 += x * r[2]
		c3 += x * r[3]
		q += lanes
	}
	c[0], c[1], c[2], c[3] = c0, c1, c2, c3
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

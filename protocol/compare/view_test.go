package compare

import (
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// A view is what an adversary sees, a column of bits for every bit that it sees
// of a comparison.
type view struct {
	columns [][]uint64
	next    int // column
	sample  int
}

func (v *view) bit(b uint64) {
	if v.next == len(v.columns) {
		v.columns = append(v.columns, make([]uint64, viewBatch*viewLen/64))
	}
	v.columns[v.next][v.sample/64] |= (b & 1) << (v.sample % 64)
	v.next++
}

func (v *view) word(x uint64, n int) {
	for k := range n {
		v.bit(x >> k)
	}
}

// A coalition are all parties but h, looking at elements that eval evaluates.
type coalition struct {
	sent    [][]map[string][][]byte
	kind    Kind
	h, eval int
}

// message returns what from sent to another party, in one message.
func (c coalition) message(run, from, to int, step string) []byte {
	return c.sent[from][to][fmt.Sprint(run, step)][0]
}

// add appends the view of a run to v, all of whose samples were begun.
func (c coalition) add(v *view, run int, s *seen) {
	products := c.products(run)
	start := v.next
	for b := range viewBatch {
		for e := range viewLen {
			v.sample, v.next = b*viewLen+e, start
			c.opened(v, run, s, b, e)
			for _, d := range products {
				v.word(d.words[b][e], d.width)
			}
			if c.eval == c.h {
				continue
			}
			for k := range viewClass(c.kind, 0).signs() {
				v.labels(c.labels(run, b, k), e)
				c.garbled(v, run, b, k, e)
			}
		}
	}
}

// opened adds c and e, the masked values of the gates, and all of them without
// what the coalition knows: its shares of r and of the masks.
func (c coalition) opened(v *view, run int, s *seen, b, e int) {
	class := viewClass(c.kind, 0)
	unit := (b*viewParties + c.eval) * class.signs()
	element := b*viewParties*viewLen + c.eval*viewLen + e
	var open, r, known uint64
	for p := range viewParties {
		to := (p + 1) % viewParties
		part := make([]uint64, 1)
		unpackAt(part, c.message(run, p, to, "test"+StepOpen), element, viewBits)
		open += part[0]
		if p == c.h {
			v.word(part[0], viewBits)
		}
		for k := range viewBits {
			bit := uint64(s.drawn[p][unit][k*viewLen+e]) << k
			r ^= bit
			if p != c.h {
				known ^= bit
			}
		}
	}
	v.word(open, viewBits)
	v.word(open-known, viewBits)
	v.word(open^known, viewBits)

	for k := range class.signs() {
		var bit [1]uint64
		unpackAt(bit[:], c.message(run, c.eval, (c.eval+1)%viewParties, "test"+StepBits), (b*class.signs()+k)*viewLen+e, 1)
		v.bit(bit[0])
		for p := range viewParties {
			if p != c.h {
				bit[0] ^= uint64(s.lambda[p][unit+k][e])
			}
		}
		v.bit(bit[0])
		if c.eval != c.h {
			c.gates(v, open-threshold(class, k), r, s.drawn[c.h][unit+k], e)
		}
	}
}

// threshold is what knot k compares c with, or 0.
func threshold(class Class, k int) uint64 {
	if class.Kind != KindSpline {
		return 0
	}
	return splineOf(class).Knots[k].threshold(class)
}

// gates adds the masked values of the gates that compare c with r, without what
// the coalition knows.
func (c coalition) gates(v *view, open, r uint64, drawn []uint8, e int) {
	borrow, mask := uint64(0), uint64(0)
	for k := range viewBits - 1 {
		and := (^open>>k&1 ^ borrow) & (r>>k&1 ^ borrow)
		own := uint64(drawn[(viewBits+k)*viewLen+e])
		borrow, mask = borrow^and, mask^own
		v.bit(and ^ own)
		v.bit(borrow ^ mask)
	}
}

// unpackAt reads the elements of width k from number i on.
func unpackAt(dst []uint64, src []byte, i, k int) {
	for d := range dst {
		dst[d] = 0
		for t := range k {
			bit := (i+d)*k + t
			dst[d] |= uint64(src[bit/8]>>(bit%8)&1) << t
		}
	}
}

// garbled adds some bits of each row of the honest garbler for knot knot.
func (c coalition) garbled(v *view, run, b, knot, e int) {
	// Gates with labels: G0 and K of the first, G0, G1, K of others, for two
	// owners, without one K. Then bits: three of the last gate, and corrections
	// from the first garbler.
	const vectors, rows = 3, 3 + 5*(viewBits-3)
	knots := viewClass(c.kind, 0).signs()
	job := b*knots + knot
	msg := c.message(run, c.h, c.eval, stepGenerate+": rows to evaluators")
	for k := range rows {
		v.word(uint64(msg[16*((job*rows+k)*viewLen+e)]), 6)
	}
	count := vectors
	if c.h == 0 || c.h == 1 && c.eval == 0 {
		count += viewBits - 2
	}
	tail := msg[16*rows*viewLen*viewBatch*knots:]
	for k := range count {
		i := (job*count+k)*viewLen + e
		v.bit(uint64(tail[i/8] >> (i % 8)))
	}
}

// labels returns the labels of c that the honest party sent for knot knot.
func (c coalition) labels(run, b, knot int) []byte {
	const size = 16 * (viewBits - 1) * viewLen
	return c.message(run, c.h, c.eval, "test"+StepLabels)[(b*viewClass(c.kind, 0).signs()+knot)*size:][:size]
}

// labels adds some bits of the labels of c of one element.
func (v *view) labels(msg []byte, e int) {
	for k := range viewBits - 1 {
		v.word(uint64(msg[16*(k*viewLen+e)]), 8)
	}
}

// A product is a vector of messages of one product, by inference.
type product struct {
	width int
	words [][]uint64
}

// products returns what the honest party sent in all products.
func (c coalition) products(run int) []product {
	var all []product
	class := viewClass(c.kind, 0)
	for _, step := range []string{stepBits, stepSelect} {
		var widths [][]int // by request of a unit
		if step == stepBits {
			for k := range viewBits {
				widths = append(widths, []int{class.rWidth() - k})
			}
		}
		if (step == stepSelect) == class.selects() {
			widths = append(widths, slices.Repeat([][]int{class.productWidths()}, class.signs())...)
		}
		if widths == nil {
			continue
		}
		for to := range viewParties {
			if to == c.h {
				continue
			}
			messages := c.sent[c.h][to][fmt.Sprint(run, step)]
			for t := range viewParties {
				var ps []product
				if ps, messages = c.round(messages, to, t, widths, step == stepBits); ps != nil {
					all = append(all, ps...)
				}
			}
		}
	}
	return all
}

// round reads the message of round t to a party, if there is one, and returns
// what is in it about the elements that eval evaluates.
func (c coalition) round(messages [][]byte, to, t int, widths [][]int, one bool) ([]product, [][]byte) {
	var ps []product
	var msg []byte
	for unit := range viewBatch * viewParties {
		eval := unit % viewParties
		recv, senders := turn(order(viewParties, eval), one, t)
		sends := false
		for _, j := range senders {
			sends = sends || j == c.h
		}
		if recv != to || !sends {
			continue
		}
		if msg == nil {
			msg, messages = messages[0], messages[1:]
		}
		i := 0
		for _, ws := range widths {
			for _, w := range ws {
				d := make([]uint64, viewLen)
				ring.Unpack(d, msg, w)
				msg = msg[ring.PackedLen(viewLen, w):]
				if eval != c.eval {
					continue
				}
				if unit < viewParties {
					ps = append(ps, product{width: w})
				}
				ps[i].words = append(ps[i].words, d)
				i++
			}
		}
	}
	return ps, messages
}

// sums counts the ones in every column and in the sum of every two columns.
func (v *view) sums() []int {
	var counts []int
	for i, x := range v.columns {
		n := 0
		for w := range x {
			n += bits.OnesCount64(x[w])
		}
		counts = append(counts, n)
		for _, y := range v.columns[:i] {
			n := 0
			for w := range x {
				n += bits.OnesCount64(x[w] ^ y[w])
			}
			counts = append(counts, n)
		}
	}
	return counts
}

// distance returns the largest number of standard deviations by which a bit, or
// the sum of two bits, differs between two views.
func distance(a, b *view) (worst, limit float64) {
	x, y := a.sums(), b.sums()
	for i := range x {
		worst = max(worst, math.Abs(float64(x[i]-y[i]))/math.Sqrt(viewBatch*viewLen/2))
	}
	return worst, chance(len(x))
}

// bias is the distance from uniform bits.
func bias(a *view) (worst, limit float64) {
	x := a.sums()
	for i := range x {
		worst = max(worst, math.Abs(float64(x[i])-viewBatch*viewLen/2)/math.Sqrt(viewBatch*viewLen/4))
	}
	return worst, chance(len(x))
}

// chance is what the largest of n normal deviations exceeds in about one of a
// hundred tests.
func chance(n int) float64 { return math.Sqrt(2 * math.Log(100*float64(n))) }

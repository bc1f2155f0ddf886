package compare

import (
	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/carry"
)

// vector returns what belongs to knot k, or 0, of inference b of a request in v,
// which has all elements for every knot of every inference.
func (c Class) vector(v []uint64, b, k int) []uint64 { return v[(b*c.signs()+k)*c.N:][:c.N] }

// signs finds e for all numbers c: see [Class.vector]. If they are garbled,
// garblers send the labels of c to the evaluators, who evaluate and tell e to all.
func (q *request) signs(c []uint64) error {
	q.e = resize(q.e, len(c))
	if q.class.carried() {
		return q.carriedSigns(c)
	}
	l := &q.labels
	l.begin(q)
	if err := q.exchangeLabels(c); err != nil {
		return err
	}
	class, self := q.class, q.m.Self()
	first, last := class.part(q.m.N(), self)
	l.own = resize(l.own, len(q.cs)*class.signs()*(last-first))
	for b := range q.cs {
		for i, t := range q.cs[b].tables {
			k := i % class.signs()
			lo := int(t.Element - class.element(q.cs[b].index, k, 0))
			for j := range l.got {
				if j != self {
					l.active[j], l.got[j] = l.got[j][:t.LabelLen()], l.got[j][t.LabelLen():]
				}
			}
			dst := l.own[(b*class.signs()+k)*(last-first)+lo-first:][:t.Len]
			l.out = resize(l.out, t.Len)
			t.EvalTo(l.out, l.active, l.complement(class.vector(c, b, k)[lo:lo+t.Len], class.In))
			for e, bit := range l.out {
				dst[e] = uint64(bit)
			}
		}
	}
	return q.exchangeBits()
}

// carriedSigns is [request.signs] on XOR shares.
func (q *request) carriedSigns(c []uint64) error {
	q.vectors = q.vectors[:0]
	for b := range q.cs {
		for k := range q.class.signs() {
			q.vectors = append(q.vectors, carry.Vector{
				K: k, Terms: q.cs[b].terms, C: q.class.vector(c, b, k), E: q.class.vector(q.e, b, k),
			})
		}
	}
	return carry.Signs(q.m, q.step, q.cs[0].tree, q.vectors)
}

// Labels are the memory of garbled comparisons in a request.
type labels struct {
	blocks   []prg.Block   // all labels, sent and received
	got      [][]prg.Block // labels of this party's part, by garbler
	active   [][]prg.Block // those of one block of elements
	bytes    []byte        // all bits e, packed
	msgs, in [][]byte
	own      []uint64 // e of this party's part
	flat     []uint8  // bits of ¬c
	bits     [][]uint8
	out      []uint8
	parts    []block
}

func (l *labels) begin(q *request) {
	n := q.m.N()
	l.got, l.active = resize(l.got, n), resize(l.active, n)
	l.msgs, l.in = resize(l.msgs, n), resize(l.in, n)
}

// erase forgets the labels.
func (l *labels) erase() {
	clear(l.blocks)
	clear(l.active)
	clear(l.got)
	l.blocks = l.blocks[:0]
}

// complement returns the bits of ¬c, as vectors.
func (l *labels) complement(c []uint64, m int) [][]uint8 {
	l.flat, l.bits = resize(l.flat, m*len(c)), resize(l.bits, m)
	for k := range l.bits {
		l.bits[k] = l.flat[k*len(c):][:len(c)]
		for i, v := range c {
			l.bits[k][i] = uint8(^v>>k) & 1
		}
	}
	return l.bits
}

// exchangeLabels sends every evaluator this party's labels of its part of c and
// gets what this party needs for its own.
func (q *request) exchangeLabels(c []uint64) error {
	class, n, self, l := q.class, q.m.N(), q.m.Self(), &q.labels
	size := func(p int) int { // blocks that party p gets from each garbler
		lo, hi := class.part(n, p)
		return len(q.cs) * class.signs() * (hi - lo) * (class.In - 1)
	}
	total := len(q.cs)*class.signs()*class.N*(class.In-1) + (n-2)*size(self)
	l.blocks = resize(l.blocks, total)
	rest := l.blocks
	for p := range n {
		if p == self {
			continue
		}
		sent := rest[:size(p)]
		l.got[p] = rest[len(sent):][:size(self)]
		rest = rest[len(sent)+size(self):]
		l.msgs[p], l.in[p] = prg.Bytes(sent), prg.Bytes(l.got[p])
		for b := range q.cs {
			l.parts = class.appendBlocks(l.parts[:0], n, p)
			for _, blk := range l.parts {
				for k := range class.signs() {
					at := class.at(n, self, q.cs[b].index, blk, k)
					bits := l.complement(class.vector(c, b, k)[blk.lo:blk.hi], class.In)
					at.Labels(sent[:at.LabelLen()], q.cs[b].seed, q.cs[b].delta, bits)
					sent = sent[at.LabelLen():]
				}
			}
		}
	}
	return q.m.Exchange(q.step+StepLabels, l.msgs, l.in)
}

// exchangeBits tells all parties the bits of this party's part and gets those of
// the others.
func (q *request) exchangeBits() error {
	class, n, self, l := q.class, q.m.N(), q.m.Self(), &q.labels
	vectors := len(q.cs) * class.signs()
	l.bytes = resize(l.bytes, vectors*class.N/8+n)
	own, rest := []byte(nil), l.bytes
	for p := range n {
		lo, hi := class.part(n, p)
		size := ring.PackedLen(vectors*(hi-lo), 1)
		if p == self {
			own = ring.AppendPacked(rest[:0:size], l.own, 1)
		}
		l.in[p], rest = rest[:size], rest[size:]
	}
	for p := range n {
		l.msgs[p] = own
	}
	if err := q.m.Exchange(q.step+StepBits, l.msgs, l.in); err != nil {
		return err
	}
	for p := range n {
		lo, hi := class.part(n, p)
		l.own = resize(l.own, vectors*(hi-lo))
		ring.Unpack(l.own, l.in[p], 1)
		for v := range vectors {
			copy(q.e[v*class.N+lo:v*class.N+hi], l.own[v*(hi-lo):])
		}
	}
	return nil
}

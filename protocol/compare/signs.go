package compare

import (
	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/carry"
	"github.com/tacit-mpc/tacit/transport"
)

// carriedSigns is [signs] on XOR shares.
func carriedSigns(m *transport.Mesh, step string, cs []content, c []uint64) ([]uint64, error) {
	class := cs[0].class
	var evals []*carry.Eval
	for b := range cs {
		for k := range class.signs() {
			evals = append(evals, class.tree().Start(k, cs[b].terms, class.vector(c, b, k), m.Self() == 0))
		}
	}
	planes, err := carry.Signs(m, step, evals)
	if err != nil {
		return nil, err
	}
	e := make([]uint64, len(c))
	for v, plane := range planes {
		for i := range class.N {
			e[v*class.N+i] = carry.Bit(plane, i)
		}
	}
	return e, nil
}

// vector returns what belongs to knot k, or 0, of inference b of a request in c,
// which has all elements for every knot of every inference.
func (c Class) vector(v []uint64, b, k int) []uint64 { return v[(b*c.signs()+k)*c.N:][:c.N] }

// signs returns e for all numbers c of a request: see [Class.vector]. If they are garbled, garblers send the
// labels of c to the evaluators, who evaluate and tell e to all.
func signs(m *transport.Mesh, step string, cs []content, c []uint64) ([]uint64, error) {
	if cs[0].class.carried() {
		return carriedSigns(m, step, cs, c)
	}
	labels, err := exchangeLabels(m, step, cs, c)
	if err != nil {
		return nil, err
	}
	class, n, self := cs[0].class, m.N(), m.Self()
	first, last := class.part(n, self)
	own := make([]uint64, len(cs)*class.signs()*(last-first))
	for b := range cs {
		for i, t := range cs[b].tables {
			k := i % class.signs()
			lo := int(t.Element - class.element(cs[b].index, k, 0))
			at := make([][]prg.Block, n)
			for j := range n {
				if j != self {
					at[j], labels[j] = labels[j][:t.LabelLen()], labels[j][t.LabelLen():]
				}
			}
			dst := own[(b*class.signs()+k)*(last-first)+lo-first:]
			for e, bit := range t.Eval(at, complement(class.vector(c, b, k)[lo:lo+t.Len], class.In)) {
				dst[e] = uint64(bit)
			}
		}
	}
	return exchangeBits(m, step, class, len(cs)*class.signs(), own)
}

// complement returns the bits of ¬c, as vectors.
func complement(c []uint64, m int) [][]uint8 {
	bits := make([][]uint8, m)
	for k := range bits {
		bits[k] = make([]uint8, len(c))
		for i, v := range c {
			bits[k][i] = uint8(^v>>k) & 1
		}
	}
	return bits
}

// exchangeLabels sends every evaluator this party's labels of its part of c and
// returns what this party gets for its own.
func exchangeLabels(m *transport.Mesh, step string, cs []content, c []uint64) ([][]prg.Block, error) {
	class, n := cs[0].class, m.N()
	size := func(p int) int { // blocks that party p gets from each garbler
		lo, hi := class.part(n, p)
		return len(cs) * class.signs() * (hi - lo) * (class.In - 1)
	}
	out, in, got := make([][]byte, n), make([][]byte, n), make([][]prg.Block, n)
	for p := range n {
		if p == m.Self() {
			continue
		}
		sent := make([]prg.Block, size(p))
		out[p] = prg.Bytes(sent)
		for b := range cs {
			for _, blk := range class.blocks(n, p) {
				for k := range class.signs() {
					batch := class.batch(n, m.Self(), cs[b].index, cs[b].id, blk, k)
					bits := complement(class.vector(c, b, k)[blk.lo:blk.hi], class.In)
					batch.Labels(sent[:batch.LabelLen()], cs[b].seed, cs[b].delta, bits)
					sent = sent[batch.LabelLen():]
				}
			}
		}
		got[p] = make([]prg.Block, size(m.Self()))
		in[p] = prg.Bytes(got[p])
	}
	if err := m.Exchange(step+StepLabels, out, in); err != nil {
		return nil, err
	}
	return got, nil
}

// exchangeBits tells all parties own, the bits of this party's part, and returns
// the bits of all elements of a request of batch vectors.
func exchangeBits(m *transport.Mesh, step string, class Class, batch int, own []uint64) ([]uint64, error) {
	n := m.N()
	out, in := make([][]byte, n), make([][]byte, n)
	msg := ring.AppendPacked(nil, own, 1)
	for p := range n {
		lo, hi := class.part(n, p)
		out[p], in[p] = msg, make([]byte, ring.PackedLen(batch*(hi-lo), 1))
	}
	if err := m.Exchange(step+StepBits, out, in); err != nil {
		return nil, err
	}
	in[m.Self()] = msg
	e := make([]uint64, batch*class.N)
	for p := range n {
		lo, hi := class.part(n, p)
		bits := make([]uint64, batch*(hi-lo))
		ring.Unpack(bits, in[p], 1)
		for b := range batch {
			copy(e[b*class.N+lo:b*class.N+hi], bits[b*(hi-lo):])
		}
	}
	return e, nil
}

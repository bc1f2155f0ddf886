package garble

import (
	"crypto/subtle"

	"github.com/tacit-mpc/tacit/circuits"
	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/protocol/ot"
)

// garble appends this garbler's rows to blocks and bits, in the order in which
// [Job.fold] takes them: gate by gate and owner by owner.
func (j *Job) garble(s Source, blocks []prg.Block, bits []uint8) ([]prg.Block, []uint8) {
	labels := j.wireLabels()
	hash := prg.NewHash(j.Key)
	delta := s.Delta()
	for _, g := range j.gates {
		j.completeXors(labels, g.out)
		if !g.labelled {
			bits = j.garbleBits(hash, delta, labels, g, bits)
			continue
		}
		blocks = j.garbleGate(hash, s, labels, g, blocks)
		if j.Self == j.garblers()[0] {
			for _, l := range labels[g.out] {
				bits = append(bits, uint8(l[0]&1))
			}
		}
	}
	return blocks, bits
}

// wireLabels returns a vector of zero labels for every wire, of which only
// those of the public inputs are set. Masked inputs keep nil: the zero string.
func (j *Job) wireLabels() [][]prg.Block {
	c := j.Circuit
	labels := make([][]prg.Block, len(c.Gates()))
	flat := make([]prg.Block, j.LabelLen())
	j.zeroLabels(flat, j.seed)
	for _, w := range c.Public() {
		if c.Class(w).Has(circuits.Label) {
			labels[w], flat = flat[:j.Len:j.Len], flat[j.Len:]
		}
	}
	return labels
}

// completeXors sets the labels of the sums before wire end.
func (j *Job) completeXors(labels [][]prg.Block, end circuits.Wire) {
	for ; j.done < end; j.done++ {
		g := j.Circuit.Gates()[j.done]
		if g.Op != circuits.Xor || !j.Circuit.Class(j.done).Has(circuits.Label) {
			continue
		}
		labels[j.done] = xor(labels[g.A], labels[g.B])
	}
}

// xor returns a ⊕ b, where nil is the zero vector.
func xor(a, b []prg.Block) []prg.Block {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	z := make([]prg.Block, len(a))
	subtle.XORBytes(prg.Bytes(z), prg.Bytes(a), prg.Bytes(b))
	return z
}

func (j *Job) garbleGate(hash *prg.Hash, s Source, labels [][]prg.Block, g gate, out []prg.Block) []prg.Block {
	row := func() []prg.Block {
		n := len(out)
		out = out[:n+j.Len]
		return out[n:]
	}
	k, hb := make([]prg.Block, j.Len), make([]prg.Block, j.Len)
	for _, i := range j.garblers() {
		g0 := row()
		hash.Pair(k, g0, labels[g.a], j.tweak(g, i, 0, j.Self), s.Delta())
		addShare(g0, s, j.masks[g.b], i)
		if g.varies {
			g1 := row()
			hash.Pair(hb, g1, labels[g.b], j.tweak(g, i, 1, j.Self), s.Delta())
			addShare(g1, s, j.masks[g.a], i)
			if i == j.Self {
				prg.XorInto(g1, labels[g.a])
			}
			prg.XorInto(k, hb)
		}
		addShare(k, s, j.sums[g.number], i)
		if i == j.Self {
			labels[g.out] = append([]prg.Block(nil), k...)
		} else {
			copy(row(), k)
		}
	}
	return out
}

// addShare adds this party's share of b·Δ of the owner to z. No bits are zero.
func addShare(z []prg.Block, s Source, b ot.Bits, owner int) {
	if b.X != nil {
		prg.XorInto(z, s.Share(b, owner))
	}
}

// garbleBits appends the rows of a gate of which only the masked bit is needed.
func (j *Job) garbleBits(hash *prg.Hash, delta prg.Block, labels [][]prg.Block, g gate, out []uint8) []uint8 {
	h0, hx := make([]prg.Block, j.Len), make([]prg.Block, j.Len)
	k := j.constant(g)
	half := func(w, mask circuits.Wire, half int) {
		hash.Pair(h0, hx, labels[w], j.tweak(g, 0, half, j.Self), delta)
		for e := range hx {
			bit := uint8(hx[e][0] & 1)
			if x := j.masks[mask].X; x != nil {
				bit ^= x[e]
			}
			out = append(out, bit)
			k[e] ^= uint8(h0[e][0] & 1)
		}
	}
	half(g.a, g.b, 0)
	if g.varies {
		half(g.b, g.a, 1)
	}
	return append(out, k...)
}

// constant returns this party's share of λa·λb ⊕ λc at a gate.
func (j *Job) constant(g gate) []uint8 {
	k := append([]uint8(nil), j.masks[g.out].X...)
	if g.product {
		for e, p := range j.products[g.number] {
			k[e] ^= p
		}
	}
	return k
}

// own sets the tables of the evaluator to its own shares.
func (j *Job) own(s Source) {
	t := newTables(j.Batch)
	rows, bits := t.rows, t.bits
	add := func(b ot.Bits, owner int) {
		addShare(rows[:j.Len], s, b, owner)
		rows = rows[j.Len:]
	}
	addBits := func(x []uint8) {
		copy(bits[:j.Len], x)
		bits = bits[j.Len:]
	}
	for _, g := range j.gates {
		if !g.labelled {
			addBits(j.masks[g.b].X)
			if g.varies {
				addBits(j.masks[g.a].X)
			}
			addBits(j.constant(g))
			continue
		}
		for _, i := range j.garblers() {
			add(j.masks[g.b], i)
			if g.varies {
				add(j.masks[g.a], i)
			}
			add(j.sums[g.number], i)
		}
		addBits(nil) // the correction comes from a garbler
	}
	j.tables = t
}

// fold adds the rows of garbler from to the tables and returns what it did
// not take.
func (j *Job) fold(from int, blocks []prg.Block, bits []uint8) ([]prg.Block, []uint8) {
	t := j.tables
	rows, kept := t.rows, t.bits
	designated := from == j.garblers()[0]
	for _, g := range j.gates {
		if n := g.bits() * j.Len; !g.labelled || designated {
			for e := range n {
				kept[e] ^= bits[e]
			}
			bits = bits[n:]
		}
		kept = kept[g.bits()*j.Len:]
		if !g.labelled {
			continue
		}
		for _, i := range j.garblers() {
			n := g.rows() * j.Len
			sent := n
			if i == from {
				sent -= j.Len // K is its own
			}
			prg.XorInto(rows[:sent], blocks[:sent])
			rows, blocks = rows[n:], blocks[sent:]
		}
	}
	return blocks, bits
}

package garble

import (
	"crypto/subtle"

	"github.com/tacit-mpc/tacit/circuits"
	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/protocol/ot"
)

// stretch is the number of elements that go through all gates together: what
// they need on the way stays in the cache.
const stretch = 256

// A mask is a vector of authenticated bits as a sum of up to two. Where there
// are none the mask is 0.
type mask [2]*ot.Bits

// A garbling is the state of a garbler within one job.
type garbling struct {
	*Job
	hash   *prg.Hash
	delta  prg.Block
	labels []prg.Block // zero labels of public inputs
	slots  []prg.Block // of other wires, for the present stretch
	spare  [6][]prg.Block
	hb     []prg.Block

	blocks []prg.Block // rows to send, vectors over all elements
	bits   []uint8
	lo, hi int // the present stretch
	row    int // vectors of blocks and of bits that are done in it
	bitRow int
}

// garble writes this garbler's rows to blocks and bits, in the order in which
// [Job.collect] takes them: gate by gate and owner by owner.
func (j *Job) garble(s Source, blocks []prg.Block, bits []uint8) {
	c := j.Circuit
	g := garbling{
		Job: j, hash: prg.NewHash(j.Key), delta: s.Delta(), blocks: blocks, bits: bits,
		labels: s.Blocks(j.LabelLen()), slots: s.Blocks(c.Slots() * stretch), hb: s.Blocks(stretch),
	}
	for i := range g.spare {
		g.spare[i] = s.Blocks(stretch)
	}
	j.zeroLabels(g.labels, j.seed)
	for lo := 0; lo < j.Len; lo += stretch {
		g.lo, g.hi, g.row, g.bitRow = lo, min(lo+stretch, j.Len), 0, 0
		next := 0
		for w, gate := range c.Gates() {
			switch {
			case gate.Op == circuits.Xor && sums(c, circuits.Wire(w)):
				z := g.label(circuits.Wire(w))
				subtle.XORBytes(prg.Bytes(z), prg.Bytes(g.label(gate.A)), prg.Bytes(g.label(gate.B)))
			case gate.Op == circuits.And && g.gates[next].labelled:
				g.labelledGate(g.gates[next])
				next++
			case gate.Op == circuits.And:
				g.bitGate(g.gates[next])
				next++
			}
		}
	}
}

// sums reports whether the label of wire w, an Xor, is made by adding labels.
func sums(c *circuits.Circuit, w circuits.Wire) bool {
	g := c.Gates()[w]
	return c.Class(w).Has(circuits.Label) && !c.Class(g.A).Has(circuits.Latent) && !c.Class(g.B).Has(circuits.Latent)
}

// label returns the zero labels of wire w in the present stretch, or room for
// them.
func (g *garbling) label(w circuits.Wire) []prg.Block {
	p := g.Circuit.Place(w)
	if p.Input >= 0 {
		return g.labels[p.Input*g.Len+g.lo : p.Input*g.Len+g.hi]
	}
	return g.slots[p.Slot*stretch:][:g.hi-g.lo]
}

// rowOut returns the place of the next row.
func (g *garbling) rowOut() []prg.Block {
	g.row++
	return g.blocks[(g.row-1)*g.Len+g.lo : (g.row-1)*g.Len+g.hi]
}

func (g *garbling) bitsOut() []uint8 {
	g.bitRow++
	return g.bits[(g.bitRow-1)*g.Len+g.lo : (g.bitRow-1)*g.Len+g.hi]
}

// share returns this party's shares of b·Δ of the owner in the present stretch,
// in room if they need any, and nil for no bits.
func (g *garbling) share(room []prg.Block, b *ot.Bits, owner int) []prg.Block {
	switch {
	case b == nil:
		return nil
	case owner != g.Self:
		return b.M[owner][g.lo:g.hi]
	}
	room = room[:g.hi-g.lo]
	b.Own(room, g.delta, g.lo)
	return room
}

// labelledGate garbles a gate whose output needs labels.
func (g *garbling) labelledGate(gate gate) {
	in := prg.Gates{A: g.label(gate.a), Delta: g.delta}
	if gate.varies {
		in.B = g.label(gate.b)
	}
	for _, i := range g.garblers() {
		in.TweakA, in.TweakB = g.at(g.tweak(gate, i, 0, g.Self)), g.at(g.tweak(gate, i, 1, g.Self))
		for t := range 2 {
			in.Add0[t] = g.share(g.spare[t], g.masks[gate.b][t], i)
			in.Add1[t] = g.share(g.spare[2+t], g.masks[gate.a][t], i)
			in.AddK[t] = g.share(g.spare[4+t], g.sums[gate.number][t], i)
		}
		if i == g.Self {
			in.Add1[1] = g.plus(in.Add1[1], in.A)
		}
		g0 := g.rowOut()
		var g1 []prg.Block
		if gate.varies {
			g1 = g.rowOut()
		}
		k := g.label(gate.out)
		if i != g.Self {
			k = g.rowOut()
		}
		if gate.varies {
			g.hash.HalfGates(g0, g1, k, &in)
			continue
		}
		g.hash.Pair(k, g0, in.A, in.TweakA, g.delta)
		for t := range 2 {
			prg.XorInto(g0, in.Add0[t])
			prg.XorInto(k, in.AddK[t])
		}
	}
	if g.Self == g.garblers()[0] {
		out := g.bitsOut()
		for e, l := range g.label(gate.out) {
			out[e] = uint8(l[0] & 1)
		}
	}
}

// plus returns z ⊕ a, in the memory of z, or a if z is nil.
func (g *garbling) plus(z, a []prg.Block) []prg.Block {
	if z == nil {
		return a
	}
	prg.XorInto(z, a)
	return z
}

// at counts a tweak up to the present stretch.
func (g *garbling) at(tweak prg.Block) prg.Block {
	return prg.Block{tweak[0] + uint64(g.lo), tweak[1]}
}

// bitGate garbles a gate of which only the masked bit is needed.
func (g *garbling) bitGate(gate gate) {
	n := g.hi - g.lo
	h0, hx, k := g.spare[0][:n], g.hb[:n], []uint8(nil)
	half := func(out []uint8, w circuits.Wire, mask mask, half int) {
		g.hash.Pair(h0, hx, g.label(w), g.at(g.tweak(gate, 0, half, g.Self)), g.delta)
		for e := range hx {
			out[e] = uint8(hx[e][0] & 1)
			k[e] ^= uint8(h0[e][0] & 1)
		}
		g.addBits(out, mask)
	}
	g0 := g.bitsOut()
	var g1 []uint8
	if gate.varies {
		g1 = g.bitsOut()
	}
	k = g.bitsOut()
	g.constant(k, gate)
	half(g0, gate.a, g.masks[gate.b], 0)
	if gate.varies {
		half(g1, gate.b, g.masks[gate.a], 1)
	}
}

func (g *garbling) addBits(z []uint8, m mask) { m.addTo(z, g.lo) }

// addTo adds this party's shares of the bits from lo on to z.
func (m mask) addTo(z []uint8, lo int) {
	for _, b := range m {
		if b != nil {
			subtle.XORBytes(z, z, b.X[lo:lo+len(z)])
		}
	}
}

// constant sets k to this party's shares of λa·λb ⊕ λc at a gate without labels.
func (j *Job) constantAt(k []uint8, gate gate, lo int) {
	clear(k)
	j.masks[gate.out].addTo(k, lo)
	if gate.product {
		subtle.XORBytes(k, k, j.products[gate.number][lo:lo+len(k)])
	}
}

func (g *garbling) constant(k []uint8, gate gate) { g.constantAt(k, gate, g.lo) }

// collect makes the tables of the evaluator: the sums of what the garblers sent
// and of its own shares. It returns what is left of blocks and bits, which are
// by garbler.
func (j *Job) collect(blocks [][]prg.Block, bits [][]uint8) {
	t := newTables(j.Batch)
	rows, kept := t.rows, t.bits
	terms := make([][]prg.Block, 0, 2+j.Parties)
	add := func(m mask, owner, absent int) {
		terms = terms[:0]
		for from := range blocks {
			if from != j.Eval && from != absent {
				terms = append(terms, blocks[from][:j.Len])
				blocks[from] = blocks[from][j.Len:]
			}
		}
		for _, b := range m {
			if b != nil {
				terms = append(terms, b.M[owner])
			}
		}
		if len(terms) > 0 {
			prg.Sum(rows[:j.Len], terms...)
		}
		rows = rows[j.Len:]
	}
	addBits := func(own func(z []uint8), all bool) {
		z := kept[:j.Len]
		own(z)
		for from := range bits {
			if from != j.Eval && (all || from == j.garblers()[0]) {
				subtle.XORBytes(z, z, bits[from][:j.Len])
				bits[from] = bits[from][j.Len:]
			}
		}
		kept = kept[j.Len:]
	}
	for _, g := range j.gates {
		if !g.labelled {
			addBits(func(z []uint8) { j.masks[g.b].addTo(z, 0) }, true)
			if g.varies {
				addBits(func(z []uint8) { j.masks[g.a].addTo(z, 0) }, true)
			}
			addBits(func(z []uint8) { j.constantAt(z, g, 0) }, true)
			continue
		}
		for _, i := range j.garblers() {
			add(j.masks[g.b], i, -1)
			if g.varies {
				add(j.masks[g.a], i, -1)
			}
			add(j.sums[g.number], i, i) // K is the owner's label
		}
		addBits(func([]uint8) {}, false) // the correction
	}
	j.tables = t
}

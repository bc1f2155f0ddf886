package garble

import (
	"crypto/subtle"
	"sync"

	"github.com/tacit-mpc/tacit/circuits"
	"github.com/tacit-mpc/tacit/internal/prg"
)

// words is a vector of bits of a stretch, packed as [prg.Lsbs] packs them.
type words = [stretch / 16]uint16

// An evaluation is the state of evaluating a batch, a stretch of elements at a
// time through all gates.
type evaluation struct {
	*Tables
	hash     prg.Hash
	garblers []int
	gates    []gate
	of       *circuits.Circuit // that the gates are of
	labels   [][]prg.Block     // of public inputs, by party

	lo, hi int         // the present stretch
	values []words     // masked values by wire
	slots  []prg.Block // labels of other wires, by slot and garbler
	hashed [stretch]prg.Block
	rows   int // vectors of rows and of bits that are done
	bits   int
}

// evaluations keeps the memory of evaluations that are over.
var evaluations = sync.Pool{New: func() any { return new(evaluation) }}

func (t *Tables) evaluate(out []uint8, labels [][]prg.Block, values [][]uint8) {
	e := evaluations.Get().(*evaluation)
	e.begin(t, labels)
	out = out[:t.Len]
	for e.lo = 0; e.lo < t.Len; e.lo += stretch {
		e.hi = min(e.lo+stretch, t.Len)
		e.stretch(values)
		unpackWords(out[e.lo:e.hi], &e.values[t.Circuit.Out()])
	}
	e.end()
	evaluations.Put(e)
}

func (e *evaluation) begin(t *Tables, labels [][]prg.Block) {
	c := t.Circuit
	e.Tables, e.labels = t, labels
	e.hash.Reset(t.Key)
	e.garblers = e.garblers[:0]
	for i := range t.Parties {
		if i != t.Batch.Eval {
			e.garblers = append(e.garblers, i)
		}
	}
	if e.of != c {
		e.gates, e.of = gates(c), c
	}
	e.values = grow(e.values, len(c.Gates()))
	e.slots = grow(e.slots, c.Slots()*len(e.garblers)*stretch)
}

// end forgets all secrets.
func (e *evaluation) end() {
	clear(e.values)
	clear(e.slots)
	clear(e.hashed[:])
	e.Tables, e.labels = nil, nil
	e.hash.Reset(prg.Block{})
}

// grow returns v with n entries.
func grow[T any](v []T, n int) []T {
	if cap(v) < n {
		return make([]T, n)
	}
	return v[:n]
}

// stretch evaluates the elements of the present stretch.
func (e *evaluation) stretch(values [][]uint8) {
	c := e.Circuit
	e.rows, e.bits = 0, 0
	for p, w := range c.Public() {
		packWords(&e.values[w], values[p][e.lo:e.hi])
	}
	next := 0
	for i, g := range c.Gates() {
		w := circuits.Wire(i)
		switch g.Op {
		case circuits.Xor:
			for k := range e.values[w] {
				e.values[w][k] = e.values[g.A][k] ^ e.values[g.B][k]
			}
			if !sums(c, w) {
				continue
			}
			for f := range e.garblers {
				subtle.XORBytes(prg.Bytes(e.label(w, f)), prg.Bytes(e.label(g.A, f)), prg.Bytes(e.label(g.B, f)))
			}
		case circuits.And:
			if g := e.gates[next]; g.labelled {
				e.labelledGate(g)
			} else {
				e.bitGate(g)
			}
			next++
		}
	}
}

// label returns the active labels of the f-th garbler at wire w, or room for
// them.
func (e *evaluation) label(w circuits.Wire, f int) []prg.Block {
	p, n := e.Circuit.Place(w), e.hi-e.lo
	if p.Input >= 0 {
		return e.labels[e.garblers[f]][p.Input*e.Len+e.lo:][:n]
	}
	return e.slots[(p.Slot*len(e.garblers)+f)*stretch:][:n]
}

// row returns the next vector of rows.
func (e *evaluation) row() []prg.Block {
	e.rows++
	return e.Tables.rows[(e.rows-1)*e.Len+e.lo:][:e.hi-e.lo]
}

// packedBits returns the next vector of bits.
func (e *evaluation) packedBits() (z words) {
	e.bits++
	packWords(&z, e.Tables.bits[(e.bits-1)*e.Len+e.lo:][:e.hi-e.lo])
	return z
}

// at counts a tweak up to the present stretch.
func (e *evaluation) at(tweak prg.Block) prg.Block {
	return prg.Block{tweak[0] + uint64(e.lo), tweak[1]}
}

// labelledGate sets the labels of the output of g, of all garblers, and its
// masked values.
func (e *evaluation) labelledGate(g gate) {
	for k, owner := range e.garblers {
		z := e.label(g.out, k)
		if !g.varies {
			e.sumOne(z, g, k)
			continue
		}
		rows := prg.Rows{G0: e.row(), G1: e.row(), K: e.row(), La: e.values[g.a][:], Lb: e.values[g.b][:]}
		e.add(z, rows, g, owner, k)
		for f := range e.garblers {
			if f != k {
				e.add(z, prg.Rows{}, g, owner, f)
			}
		}
	}
	v := e.packedBits()
	out := &e.values[g.out]
	prg.Lsbs(out[:], e.label(g.out, 0))
	for i := range out {
		out[i] ^= v[i]
	}
}

// add evaluates what the f-th garbler's labels contribute to those of an owner.
func (e *evaluation) add(z []prg.Block, rows prg.Rows, g gate, owner, f int) {
	from := e.garblers[f]
	rows.A, rows.B = e.label(g.a, f), e.label(g.b, f)
	rows.TweakA, rows.TweakB = e.at(e.tweak(g, owner, 0, from)), e.at(e.tweak(g, owner, 1, from))
	e.hash.Evaluate(z, &rows)
}

// sumOne sets z to the labels of the k-th garbler at a gate whose operand b is
// always 0.
func (e *evaluation) sumOne(z []prg.Block, g gate, k int) {
	g0, constant := e.row(), e.row()
	la := &e.values[g.a]
	for i := range z {
		m := -uint64(la[i/16] >> (i % 16) & 1)
		z[i] = prg.Block{constant[i][0] ^ m&g0[i][0], constant[i][1] ^ m&g0[i][1]}
	}
	for f, from := range e.garblers {
		h := e.hashed[:len(z)]
		e.hash.Sum(h, e.label(g.a, f), e.at(e.tweak(g, e.garblers[k], 0, from)))
		prg.XorInto(z, h)
	}
}

// bitGate sets the masked values of a gate of which no labels are needed.
func (e *evaluation) bitGate(g gate) {
	la, lb := &e.values[g.a], &e.values[g.b]
	g0 := e.packedBits()
	var g1 words
	if g.varies {
		g1 = e.packedBits()
	}
	v := e.packedBits()
	for i := range v {
		v[i] ^= la[i]&g0[i] ^ lb[i]&(g1[i]^la[i])
	}
	for f := range e.garblers {
		e.addBits(&v, g, g.a, 0, f)
		if g.varies {
			e.addBits(&v, g, g.b, 1, f)
		}
	}
	e.values[g.out] = v
}

// addBits adds the lowest bits of the hashes of a wire's labels to v.
func (e *evaluation) addBits(v *words, g gate, w circuits.Wire, half, f int) {
	h := e.hashed[:e.hi-e.lo]
	e.hash.Sum(h, e.label(w, f), e.at(e.tweak(g, 0, half, e.garblers[f])))
	var bits words
	prg.Lsbs(bits[:], h)
	for i := range v {
		v[i] ^= bits[i]
	}
}

// packWords sets dst to the lowest bits of x.
func packWords(dst *words, x []uint8) {
	var b [stretch / 8]byte
	prg.PackBits(b[:], x)
	for i := range dst {
		dst[i] = uint16(b[2*i]) | uint16(b[2*i+1])<<8
	}
}

// unpackWords is the inverse of [packWords].
func unpackWords(x []uint8, src *words) {
	var b [stretch / 8]byte
	for i, w := range src {
		b[2*i], b[2*i+1] = byte(w), byte(w>>8)
	}
	prg.UnpackBits(x, b[:])
}

package garble

import (
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/tacit-mpc/tacit/circuits"
	"github.com/tacit-mpc/tacit/internal/prg"
)

// Tables are what the evaluator keeps of one garbled batch: the sums of all
// rows and of its own shares. They are secret, and for one evaluation.
type Tables struct {
	Batch

	// By gate with labels and owner: ΣG0, ΣG1 where b varies, ΣK, each a vector
	// over the elements.
	rows []prg.Block
	// By gate, vectors over the elements: the lowest bits of the designated
	// garbler's zero labels, or the sums of the rows of a gate without labels.
	bits []uint8
}

func newTables(b Batch) *Tables {
	s := b.sizes()
	return &Tables{Batch: b, rows: make([]prg.Block, s.rows*b.Len), bits: make([]uint8, s.bits*b.Len)}
}

// Format hides t from every verb.
func (t *Tables) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Tables[%d]", t.Len) }

// TableLen is the length of the encoding of the tables of a batch of elements,
// for a circuit garbled among n parties.
func TableLen(c *circuits.Circuit, n, elements int) int {
	s := sizesOf(c, n)
	return size{s.rows * elements, s.bits * elements}.bytes()
}

// AppendBinary appends the encoding of t, of [TableLen] bytes.
func (t *Tables) AppendBinary(dst []byte) ([]byte, error) {
	dst = append(dst, prg.Bytes(t.rows)...)
	n := len(dst)
	dst = append(dst, make([]byte, (len(t.bits)+7)/8)...)
	prg.PackBits(dst[n:], t.bits)
	return dst, nil
}

// ParseTables returns the tables of batch b that data encodes.
func ParseTables(b Batch, data []byte) (*Tables, error) {
	if want := TableLen(b.Circuit, b.Parties, b.Len); len(data) != want {
		return nil, fmt.Errorf("garble: tables of %d bytes, want %d", len(data), want)
	}
	t := newTables(b)
	n := copy(prg.Bytes(t.rows), data)
	if used := len(t.bits) % 8; used > 0 && data[len(data)-1]>>used != 0 {
		return nil, errors.New("garble: tables with stray bits")
	}
	prg.UnpackBits(t.bits, data[n:])
	return t, nil
}

// Erase forgets the content of t.
func (t *Tables) Erase() {
	clear(t.rows)
	clear(t.bits)
	t.rows, t.bits = nil, nil
}

// Eval evaluates the batch and returns the masked outputs. labels[i] are the
// active labels of garbler i as [Batch.Labels] made them; values are those of
// the public inputs. Eval erases t.
func (t *Tables) Eval(labels [][]prg.Block, values [][]uint8) []uint8 {
	defer t.Erase()
	return t.evaluate(labels, values)
}

func (t *Tables) evaluate(labels [][]prg.Block, values [][]uint8) []uint8 {
	e := newEvaluation(t, labels, values)
	for w, g := range t.Circuit.Gates() {
		switch g.Op {
		case circuits.Xor:
			e.xor(circuits.Wire(w), g)
		case circuits.And:
			e.and(circuits.Wire(w))
		}
	}
	return e.values[t.Circuit.Out()]
}

// An evaluation holds the wires while a batch is evaluated.
type evaluation struct {
	*Tables
	garblers []int
	hash     *prg.Hash
	gates    []gate // those to come, with their rows and bits
	rows     []prg.Block
	bits     []uint8

	values [][]uint8       // masked values by wire, nil where always 0
	active [][][]prg.Block // labels by wire and garbler
	same   []circuits.Wire // the wire with the same labels: the other operand of a sum with a latent one
	last   []circuits.Wire // by wire that others are the same as: the last one to read its labels
	free   [][]prg.Block   // vectors to use again
	hashed []prg.Block
}

func newEvaluation(t *Tables, labels [][]prg.Block, values [][]uint8) *evaluation {
	n := len(t.Circuit.Gates())
	e := &evaluation{
		Tables: t, garblers: t.garblers(), hash: prg.NewHash(t.Key), gates: gates(t.Circuit),
		rows: t.rows, bits: t.bits,
		values: make([][]uint8, n), active: make([][][]prg.Block, n),
		same: make([]circuits.Wire, n), last: make([]circuits.Wire, n),
		hashed: make([]prg.Block, t.Len),
	}
	for w, g := range t.Circuit.Gates() {
		e.same[w] = circuits.Wire(w)
		if g.Op != circuits.Xor && g.Op != circuits.And {
			continue
		}
		e.last[e.same[g.A]], e.last[e.same[g.B]] = circuits.Wire(w), circuits.Wire(w)
		if g.Op == circuits.Xor && e.latent(g.A) {
			e.same[w] = e.same[g.B]
		} else if g.Op == circuits.Xor && e.latent(g.B) {
			e.same[w] = e.same[g.A]
		}
	}
	at := 0
	for p, w := range t.Circuit.Public() {
		e.values[w] = values[p][:t.Len]
		if !t.Circuit.Class(w).Has(circuits.Label) {
			continue
		}
		for _, i := range e.garblers {
			e.active[w] = append(e.active[w], labels[i][at:at+t.Len])
		}
		at += t.Len
	}
	return e
}

func (e *evaluation) latent(w circuits.Wire) bool { return e.Circuit.Class(w).Has(circuits.Latent) }

// labels returns the active labels of wire w, garbler by garbler.
func (e *evaluation) labels(w circuits.Wire) [][]prg.Block { return e.active[e.same[w]] }

// vectors returns a vector for every garbler.
func (e *evaluation) vectors() [][]prg.Block {
	n := len(e.garblers)
	for len(e.free) < n {
		e.free = append(e.free, make([]prg.Block, e.Len))
	}
	at := len(e.free) - n
	v := append([][]prg.Block(nil), e.free[at:]...)
	e.free = e.free[:at]
	return v
}

// release takes back the vectors of wire r if wire w was the last to read them.
func (e *evaluation) release(r, w circuits.Wire) {
	r = e.same[r]
	if e.last[r] != w || e.Circuit.Gates()[r].Op == circuits.Public {
		return
	}
	e.free = append(e.free, e.active[r]...)
	e.active[r] = nil
}

func (e *evaluation) xor(w circuits.Wire, g circuits.Gate) {
	switch a, b := e.values[g.A], e.values[g.B]; {
	case a == nil:
		e.values[w] = b
	case b == nil:
		e.values[w] = a
	default:
		v := make([]uint8, e.Len)
		subtle.XORBytes(v, a, b)
		e.values[w] = v
	}
	if e.same[w] == w && e.Circuit.Class(w).Has(circuits.Label) {
		e.active[w] = e.vectors()
		a, b := e.labels(g.A), e.labels(g.B)
		for k, v := range e.active[w] {
			subtle.XORBytes(prg.Bytes(v), prg.Bytes(a[k]), prg.Bytes(b[k]))
		}
	}
	e.release(g.A, w)
	e.release(g.B, w)
}

// and evaluates the next gate.
func (e *evaluation) and(w circuits.Wire) {
	g := e.gates[0]
	e.gates = e.gates[1:]
	bits := e.bits[:g.bits()*e.Len]
	e.bits = e.bits[len(bits):]
	if !g.labelled {
		e.values[w] = e.evalBits(g, bits)
		return
	}
	e.active[w] = e.vectors()
	for k := range e.garblers {
		e.evalLabel(e.active[w][k], g, k)
	}
	v := make([]uint8, e.Len)
	for i, l := range e.active[w][0] {
		v[i] = uint8(l[0]&1) ^ bits[i]
	}
	e.values[w] = v
	e.release(g.a, w)
	e.release(g.b, w)
}

// evalLabel sets z to the active labels of the k-th garbler at gate g.
func (e *evaluation) evalLabel(z []prg.Block, g gate, k int) {
	row := func() []prg.Block {
		r := e.rows[:e.Len]
		e.rows = e.rows[e.Len:]
		return r
	}
	a, b := e.labels(g.a), e.labels(g.b)
	la := e.values[g.a]
	r0 := row()
	if g.varies {
		r1, own := row(), a[k]
		lb := e.values[g.b]
		constant := row()
		for i := range z {
			ma, mb := -uint64(la[i]), -uint64(lb[i])
			z[i][0] = constant[i][0] ^ ma&r0[i][0] ^ mb&(r1[i][0]^own[i][0])
			z[i][1] = constant[i][1] ^ ma&r0[i][1] ^ mb&(r1[i][1]^own[i][1])
		}
	} else {
		constant := row()
		for i := range z {
			ma := -uint64(la[i])
			z[i][0] = constant[i][0] ^ ma&r0[i][0]
			z[i][1] = constant[i][1] ^ ma&r0[i][1]
		}
	}
	for f, from := range e.garblers {
		e.hash.Sum(e.hashed, a[f], e.tweak(g, e.garblers[k], 0, from))
		prg.XorInto(z, e.hashed)
		if g.varies {
			e.hash.Sum(e.hashed, b[f], e.tweak(g, e.garblers[k], 1, from))
			prg.XorInto(z, e.hashed)
		}
	}
}

// evalBits returns the masked values of a gate of which no labels are needed.
// Bits are the sums of the rows, as many vectors as the gate has.
func (e *evaluation) evalBits(g gate, bits []uint8) []uint8 {
	la, lb := e.values[g.a], e.values[g.b]
	v := append([]uint8(nil), bits[len(bits)-e.Len:]...)
	for i := range v {
		v[i] ^= la[i] & bits[i]
	}
	if g.varies {
		for i, b := range bits[e.Len : 2*e.Len] {
			v[i] ^= lb[i] & (b ^ la[i])
		}
	}
	add := func(labels []prg.Block, half, from int) {
		e.hash.Sum(e.hashed, labels, e.tweak(g, 0, half, from))
		for i, h := range e.hashed {
			v[i] ^= uint8(h[0] & 1)
		}
	}
	for f, from := range e.garblers {
		add(e.labels(g.a)[f], 0, from)
		if g.varies {
			add(e.labels(g.b)[f], 1, from)
		}
	}
	return v
}

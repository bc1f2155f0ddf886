package carry

import (
	"encoding/binary"
	"fmt"

	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

// Steps of [Signs], after the prefix of the caller.
const (
	StepCarries = ": carries"
	StepBits    = ": e"
)

// An Eval is one party's evaluation of a vector of comparisons.
type Eval struct {
	tree  *Tree
	k     int // which of those with one r
	len   int
	words int        // of a plane
	terms []uint64   // planes; folding overwrites those of the comparison alone
	group []uint64   // planes in which a group is folded
	not   [][]uint64 // planes of ¬c
	one   []uint64   // this party's share of the constant 1
	g, p  [][]uint64 // this party's shares, by node
	// Opened values G and P of the node's children, by node and child.
	openG, openP [][][]uint64
}

// Start begins comparison k of public numbers c, spending the terms that [Run]
// made for as many elements, one plane after the other. It computes level 0, and
// overwrites terms that no other comparison needs. First is set at one party, who
// adds public values to its share.
func (t *Tree) Start(k int, terms, c []uint64, first bool) *Eval {
	e := &Eval{
		tree: t, k: k, len: len(c), words: ot.PlaneWords(len(c)), terms: terms,
		g: make([][]uint64, len(t.nodes)), p: make([][]uint64, len(t.nodes)),
		openG: make([][][]uint64, len(t.nodes)), openP: make([][][]uint64, len(t.nodes)),
	}
	if len(terms) != t.Terms()*e.words {
		panic(fmt.Sprintf("carry: %d words of terms for %d comparisons", len(terms), len(c)))
	}
	e.not = complement(c, t.bits)
	e.one = make([]uint64, e.words)
	if first {
		for i := range e.one {
			e.one[i] = ^uint64(0)
		}
	}
	widest := t.nodes[0]
	for _, n := range t.nodes {
		if n.level == 0 && n.arity > widest.arity {
			widest = n
		}
	}
	e.group = make([]uint64, widest.size(max(widest.arity-2, 0))*e.words)
	for i, n := range t.nodes {
		if n.level == 0 {
			e.bits(i, n)
		}
		e.openG[i], e.openP[i] = make([][]uint64, n.arity), make([][]uint64, n.arity)
	}
	return e
}

// term returns a plane of terms.
func (e *Eval) term(i int) []uint64 { return e.terms[e.tree.of(e.k, i)*e.words:][:e.words] }

// plane returns a plane of zeros.
func (e *Eval) plane() []uint64 { return make([]uint64, e.words) }

// fold makes S_{t−1} of S_t and of the share one of S_t[1].
func (e *Eval) fold(n node, t int, p, one []uint64) {
	size := n.size(t - 1)
	for x := range size {
		mulAdd(e.term(n.at+x), p, e.term(n.at+size+1+x))
	}
	mulAdd(one, p, e.term(n.top(t)))
}

// bits computes g and p of a node over bits of r, where P_t = ¬c_t, and
// g_t = ¬c_t·r_t is of S_t[r_t]. As S_{d−1} is for other comparisons too, lists
// are folded elsewhere.
func (e *Eval) bits(i int, n node) {
	g, one := e.plane(), append([]uint64(nil), e.one...)
	list := e.terms[n.at*e.words:]
	for t := n.arity - 1; t > 0; t-- {
		not, size := e.not[n.first+t], n.size(t-1)
		r, folded := list[size*e.words:], e.group[:size*e.words]
		addMul(g, not, r)
		mulAdd(one, not, r)
		for x := 0; x < len(folded); x += e.words {
			mulAddTo(folded[x:x+e.words], not, list[x:], r[e.words+x:])
		}
		list = folded
	}
	not := e.not[n.first]
	addMul(g, not, list)
	mulAdd(one, not, list)
	e.g[i], e.p[i] = g, one
}

// inner computes g and p of a node above level 0 from what was opened.
func (e *Eval) inner(i int, n node) {
	openG, openP := e.openG[i], e.openP[i]
	last := n.arity - 1
	g, one := e.g[n.first+last], append([]uint64(nil), e.one...)
	for t := last; t > 0; t-- {
		if t < last {
			addMul(g, openG[t], one)
			add(g, e.term(n.alpha(t)))
		}
		e.fold(n, t, openP[t], one)
	}
	addMul(g, openG[0], one)
	add(g, e.term(n.alpha(0)))
	if n.prop {
		mulAdd(one, openP[0], e.term(n.beta(0)))
		e.p[i] = one
	}
	e.g[i] = g
}

// appendShares appends this party's shares of what the level opens.
func (e *Eval) appendShares(msg []byte, level int) []byte {
	e.tree.openings(level, func(i, child int, prop bool, mask int) {
		x := e.g
		if prop {
			x = e.p
		}
		msg = appendPlane(msg, e.len, x[e.tree.nodes[i].first+child], e.term(mask))
	})
	return msg
}

// take takes what the level opened from sum, and computes the level. It
// returns the rest of sum.
func (e *Eval) take(sum []byte, level int) []byte {
	e.tree.openings(level, func(i, child int, prop bool, _ int) {
		x := e.plane()
		sum = readPlane(x, sum, e.len)
		if prop {
			e.openP[i][child] = x
		} else {
			e.openG[i][child] = x
		}
	})
	for i, n := range e.tree.nodes {
		if n.level == level {
			e.inner(i, n)
		}
	}
	return sum
}

// appendSign appends this party's shares of e.
func (e *Eval) appendSign(msg []byte) []byte {
	top := e.plane()
	addMul(top, e.not[e.tree.bits-1], e.one)
	add(top, e.g[len(e.g)-1])
	return appendPlane(msg, e.len, top, e.term(e.tree.terms))
}

// Signs returns e of all evaluations, which have one tree, as planes.
//
// Rounds: 1 for every level of the tree, and 1 for e. Sends: a bit for each
// opened one to every party, the vectors of an evaluation padded to bytes.
func Signs(m *transport.Mesh, step string, evals []*Eval) ([][]uint64, error) {
	if len(evals) == 0 {
		return nil, nil
	}
	for level := 1; level <= evals[0].tree.levels; level++ {
		var msg []byte
		for _, e := range evals {
			msg = e.appendShares(msg, level)
		}
		sum, err := open(m, step+StepCarries, msg)
		if err != nil {
			return nil, err
		}
		for _, e := range evals {
			sum = e.take(sum, level)
		}
	}
	var msg []byte
	for _, e := range evals {
		msg = e.appendSign(msg)
	}
	sum, err := open(m, step+StepBits, msg)
	if err != nil {
		return nil, err
	}
	signs := make([][]uint64, len(evals))
	for i, e := range evals {
		signs[i] = e.plane()
		sum = readPlane(signs[i], sum, e.len)
	}
	return signs, nil
}

// open returns the XOR of the parties' messages.
func open(m *transport.Mesh, step string, msg []byte) ([]byte, error) {
	parts, err := m.Broadcast(step, msg)
	if err != nil {
		return nil, err
	}
	return xorAll(parts), nil
}

// Bit returns bit i of a plane.
func Bit(plane []uint64, i int) uint64 { return plane[i/64] >> (i % 64) & 1 }

// addMul adds x·y to z.
func addMul(z, x, y []uint64) {
	x, y = x[:len(z)], y[:len(z)]
	for i := range z {
		z[i] ^= x[i] & y[i]
	}
}

// mulAdd replaces z by x·z + y.
func mulAdd(z, x, y []uint64) {
	x, y = x[:len(z)], y[:len(z)]
	for i := range z {
		z[i] = z[i]&x[i] ^ y[i]
	}
}

// mulAddTo replaces z by p·x + y.
func mulAddTo(z, p, x, y []uint64) {
	p, x, y = p[:len(z)], x[:len(z)], y[:len(z)]
	for i := range z {
		z[i] = p[i]&x[i] ^ y[i]
	}
}

// add adds x to z.
func add(z, x []uint64) {
	x = x[:len(z)]
	for i := range z {
		z[i] ^= x[i]
	}
}

// appendPlane appends the n bits of x ⊕ y.
func appendPlane(msg []byte, n int, x, y []uint64) []byte {
	size := len(msg) + (n+7)/8
	for i := range x {
		msg = binary.LittleEndian.AppendUint64(msg, x[i]^y[i])
	}
	msg = msg[:size]
	if n%8 > 0 {
		msg[size-1] &= 1<<(n%8) - 1
	}
	return msg
}

// readPlane reads n bits and returns the rest of src.
func readPlane(x []uint64, src []byte, n int) []byte {
	size := (n + 7) / 8
	var last [8]byte
	for i := range x {
		if part := src[min(8*i, size):size]; len(part) >= 8 {
			x[i] = binary.LittleEndian.Uint64(part)
		} else {
			last = [8]byte{}
			copy(last[:], part)
			x[i] = binary.LittleEndian.Uint64(last[:])
		}
	}
	return src[size:]
}

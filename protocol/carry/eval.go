package carry

import (
	"encoding/binary"
	"fmt"

	"github.com/tacit-mpc/tacit/transport"
)

// Steps of [Signs], after the prefix of the caller.
const (
	StepCarries = ": carries"
	StepBits    = ": e"
)

// A Vector is a vector of comparisons: of public numbers C, as comparison K of
// those with one r, spending the Terms that [Run] made for as many elements, one
// plane after the other. Terms that no other comparison needs are overwritten.
// [Signs] sets E to e, which is 0 or 1.
type Vector struct {
	K     int
	Terms []uint64
	C, E  []uint64
}

// Format implements [fmt.Formatter] and hides v from every verb.
func (v Vector) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Vector[%d]", len(v.C)) }

// Signs compares all vectors, for which terms of tree t were made.
//
// Rounds: 1 for every level of the tree, and 1 for e. Sends: a bit for each
// opened one to every party, those of a vector padded to bytes.
func Signs(m *transport.Mesh, step string, t *Tree, vectors []Vector) error {
	if len(vectors) == 0 {
		return nil
	}
	s := spaces.Get().(*space)
	defer s.end()
	s.begin(t, vectors, m.Self() == 0)
	for level := 1; level <= t.levels; level++ {
		msg := s.lay(m, t.Opened(level))
		for i := range s.evals {
			msg = s.evals[i].putShares(msg, level)
		}
		sum, err := s.open(m, step+StepCarries)
		if err != nil {
			return err
		}
		for i := range s.evals {
			sum = s.evals[i].take(sum, level)
		}
	}
	msg := s.lay(m, 1)
	for i := range s.evals {
		msg = s.evals[i].putSign(msg)
	}
	sum, err := s.open(m, step+StepBits)
	if err != nil {
		return err
	}
	for _, v := range vectors {
		sum = spread(v.E, sum)
	}
	return nil
}

// An eval is one party's evaluation of a vector.
type eval struct {
	*Tree
	k      int // which of the comparisons with one r
	len    int
	words  int      // of a plane
	terms  []uint64 // planes; folding overwrites those of the comparison alone
	planes []uint64 // see [Tree.arrange]
	group  []uint64 // planes in which a group is folded
}

// start computes level 0. First is set at one party, who adds public values to
// its share.
func (e *eval) start(c []uint64, first bool) {
	if len(e.terms) != e.Terms()*e.words {
		panic(fmt.Sprintf("carry: %d words of terms for %d comparisons", len(e.terms), len(c)))
	}
	complement(e.planes, e.words, c, e.bits)
	one := e.plane(e.one)
	clear(one)
	if first {
		for i := range one {
			one[i] = ^uint64(0)
		}
	}
	for _, n := range e.nodes {
		if n.level == 0 {
			e.fromBits(n)
		}
	}
}

// plane returns a plane of the working memory, and term one of terms.
func (e *eval) plane(i int) []uint64 { return e.planes[i*e.words:][:e.words] }
func (e *eval) term(i int) []uint64  { return e.terms[e.of(e.k, i)*e.words:][:e.words] }

// fold makes S_{t−1} of S_t and of the share one of S_t[1].
func (e *eval) fold(n node, t int, p, one []uint64) {
	size := n.size(t - 1)
	for x := range size {
		mulAdd(e.term(n.at+x), p, e.term(n.at+size+1+x))
	}
	mulAdd(one, p, e.term(n.top(t)))
}

// fromBits computes g and p of a node over bits of r, where P_t = ¬c_t, and
// g_t = ¬c_t·r_t is of S_t[r_t]. As S_{d−1} is for other comparisons too, lists
// are folded elsewhere.
func (e *eval) fromBits(n node) {
	g, one := e.plane(n.g), e.plane(n.p)
	clear(g)
	copy(one, e.plane(e.one))
	list := e.terms[n.at*e.words:]
	for t := n.arity - 1; t > 0; t-- {
		not, size := e.plane(n.first+t), n.size(t-1)
		r, folded := list[size*e.words:], e.group[:size*e.words]
		addMul(g, not, r)
		mulAdd(one, not, r)
		for x := 0; x < len(folded); x += e.words {
			mulAddTo(folded[x:x+e.words], not, list[x:], r[e.words+x:])
		}
		list = folded
	}
	not := e.plane(n.first)
	addMul(g, not, list)
	mulAdd(one, not, list)
}

// inner computes g and p of a node above level 0 from what was opened. Its g is
// in the place of that of its last child.
func (e *eval) inner(n node) {
	last := n.arity - 1
	g, one := e.plane(n.g), e.plane(n.p)
	copy(one, e.plane(e.one))
	for t := last; t > 0; t-- {
		if t < last {
			addMul(g, e.plane(n.opened(t, false)), one)
			add(g, e.term(n.alpha(t)))
		}
		e.fold(n, t, e.plane(n.opened(t, true)), one)
	}
	addMul(g, e.plane(n.opened(0, false)), one)
	add(g, e.term(n.alpha(0)))
	if n.prop {
		mulAdd(one, e.plane(n.opened(0, true)), e.term(n.beta(0)))
	}
}

// putShares puts this party's shares of what the level opens at the start of
// msg, and returns the rest.
func (e *eval) putShares(msg []byte, level int) []byte {
	e.openings(level, func(n node, c int, prop bool, mask int) {
		child := e.nodes[n.first+c]
		x := child.g
		if prop {
			x = child.p
		}
		msg = putPlane(msg, e.len, e.plane(x), e.term(mask))
	})
	return msg
}

// take takes what the level opened from sum, and computes the level. It
// returns the rest of sum.
func (e *eval) take(sum []byte, level int) []byte {
	e.openings(level, func(n node, c int, prop bool, _ int) {
		sum = readPlane(e.plane(n.opened(c, prop)), sum, e.len)
	})
	for _, n := range e.nodes {
		if n.level == level {
			e.inner(n)
		}
	}
	return sum
}

// putSign puts this party's shares of e at the start of msg, and returns the
// rest.
func (e *eval) putSign(msg []byte) []byte {
	g := e.plane(e.nodes[len(e.nodes)-1].g)
	addMul(g, e.plane(e.bits-1), e.plane(e.one))
	return putPlane(msg, e.len, g, e.term(e.Tree.terms))
}

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

// putPlane puts the n bits of x ⊕ y at the start of msg and returns the rest.
func putPlane(msg []byte, n int, x, y []uint64) []byte {
	size := (n + 7) / 8
	for i := range n / 64 {
		binary.LittleEndian.PutUint64(msg[8*i:size], x[i]^y[i])
	}
	if n%64 > 0 {
		last := (x[n/64] ^ y[n/64]) & (1<<(n%64) - 1)
		for i := n / 64 * 8; i < size; i++ {
			msg[i] = byte(last)
			last >>= 8
		}
	}
	return msg[size:]
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

// spread sets x to the first bits of src, one in each word, and returns the rest
// of src.
func spread(x []uint64, src []byte) []byte {
	for i := range x {
		x[i] = uint64(src[i/8]>>(i%8)) & 1
	}
	return src[(len(x)+7)/8:]
}

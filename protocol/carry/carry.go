// Package carry compares a public number with a masked one on XOR shares: the
// alternative to garbled circuits (package garble) with few bytes and no keys.
//
// For public c and random bits r that the parties share, it tells the sign of
// c − r mod 2ᵐ, masked by a random bit λ:
//
//	e = ¬c_top ⊕ r_top ⊕ borrow ⊕ λ,   top = m−1
//
// where borrow says that c is below r without their top bits. Bit k generates a
// borrow if g = ¬cₖ·rₖ and propagates one if p = ¬cₖ ⊕ rₖ. For d neighbours 0
// (lowest) to d−1,
//
//	g = g_{d−1} ⊕ p_{d−1}·(g_{d−2} ⊕ p_{d−2}·( … ⊕ p₁·g₀)),   p = p_{d−1}⋯p₀
//
// A [Tree] computes them in nodes of several children, as carry look-ahead does,
// and not in a chain. A node needs no multiplication online:
//
//   - Level 0, up to 4 bits: g and p are multilinear in the bits of r, with
//     coefficients that depend on c alone. With shares of all products of these
//     bits, made beforehand, they are local.
//   - Above, up to 6 children: the parties open P = p ⊕ β and G = g ⊕ α, with α, β
//     random. Now g and p of the node are multilinear in the masks, with public
//     coefficients, and local with shares of the products of masks.
//
// So the levels cost one round each: none for m ≤ 5, one up to m = 25, two up to
// 64; then e is opened. A comparison of 20 bits opens 9 bits in 2 rounds.
//
// The products ([Run]) are those in the formula. With u_t for p's mask, or bit t
// of r, and leaves α_t (of g_t, t < d−1), and r₀ or β₀, list L₀ has the leaves of
// level 0, and
//
//	L_t = L_{t−1} ∪ {u_t} ∪ u_t·L_{t−1} ∪ {α_t}
//
// so that step t multiplies the one bit u_t with all of L_{t−1}: one correlated OT
// for each pair of parties ([ot.Session.AndEach]). Online the lists fold from the
// top: S_{t−1}[x] = P_t·S_t[x] ⊕ S_t[u_t·x] is a share of p_{d−1}⋯p_t·x if S_t[x] is
// one of p_{d−1}⋯p_{t+1}·x, and so is S_{t−1}[1] with x = 1.
//
// Several public numbers c − T_k may be compared with one r, as the thresholds of a
// spline are. Then the terms of level 0, which are of r alone, are made once and
// serve all comparisons, and groups are the larger the more there are; each
// comparison has masks α, β and λ of its own, with their products.
//
// Security: passive, up to n−1 corrupt parties. The products are those of
// package ot and stay shared. Opened are P, G and e. An honest party's message is
// its share of p, g or the sign, XORed with its share of β, α or λ, which it drew
// for this one opening and uses otherwise only in products: it is uniform and
// independent of all else that is seen. c is public. Terms are for one use: P
// under one β twice reveals the sum of two p, which are functions of r. Terms of
// level 0 are opened for nothing, only sums with such a mask are.
//
// Reference: D. Beaver, "Efficient Multiparty Protocols Using Circuit
// Randomization", CRYPTO '91; A. Ben-Efraim, M. Nielsen, E. Omri, "Turbospeedz",
// ACNS 2019, ePrint 2019/080, for masks made for the circuit; A. Patra, T.
// Schneider, A. Suresh, H. Yalame, "ABY2.0: Improved Mixed-Protocol Secure
// Two-Party Computation", USENIX Security 2021, ePrint 2020/1225, for And gates of
// many inputs with one opening; A. Weinberger, J. Smith, "A Logic for High-Speed
// Addition", 1958, for look-ahead.
//
// Deviations: instead of triples, products of the masks of a node, for n parties;
// the first four bits of look-ahead, or up to six where comparisons share r, are
// products of r itself, so that nothing is opened for them.
package carry

import "fmt"

const (
	groupBits = 4  // of r in a node of level 0, at most,
	wideGroup = 6  // and where several comparisons share it
	rootArity = 6  // children of the root, at most
	nodeArity = 4  // children of nodes between, at most
	maxBits   = 64 // of a comparison
)

// A Tree is the shape of comparisons of m bits with one r. It is not changed once
// made.
type Tree struct {
	bits   int
	times  int    // comparisons
	nodes  []node // children before parents, the root last
	levels int
	shared int // planes of nodes of level 0
	terms  int // planes of all nodes

	planes int // of an evaluation
	one    int // the plane of this party's shares of the constant 1
	room   int // planes in which a node of level 0 is folded
}

// A node combines neighbours, the lowest first.
type node struct {
	level int  // 0: its children are bits of r
	first int  // bit of r, or number of a node: the lowest child
	arity int  // d
	prop  bool // p is needed
	at    int  // its first term
	g, p  int  // planes of an evaluation: its own,
	open  int  // and the first of what its children open
}

// For returns the tree for comparisons of that many numbers of m bits, 2 to 64,
// with one r.
func For(m, times int) *Tree {
	if m < 2 || m > maxBits || times < 1 {
		panic(fmt.Sprintf("carry: %d comparisons of %d bits", times, m))
	}
	best := grow(m, times, groupBits)
	for group := groupBits + 1; times > 1 && group <= wideGroup; group++ {
		if t := grow(m, times, group); t.price() < best.price() {
			best = t
		}
	}
	return best
}

// price is what the terms take offline, about, in bits sent to each party: for
// a correlated OT as many as for 32 products.
func (t *Tree) price() int {
	tops := 0
	for _, n := range t.nodes {
		if n.level > 0 {
			tops += n.arity - 1
		}
	}
	return 32*t.times*tops + t.Products()
}

// grow returns the tree with groups of the given size.
func grow(m, times, group int) *Tree {
	t := &Tree{bits: m, times: times}
	children := t.add(0, 0, m-1, group)
	t.shared = t.terms
	for len(children) > 1 {
		t.levels++
		arity := nodeArity
		if len(children) <= rootArity {
			arity = rootArity
		}
		children = t.add(t.levels, children[0], len(children), arity)
	}
	t.arrange()
	return t
}

// arrange numbers the planes of an evaluation: those of ¬c, the constant 1, and g,
// p and what its children open of every node.
func (t *Tree) arrange() {
	t.one = t.bits
	t.planes = t.bits + 1
	for i := range t.nodes {
		n := &t.nodes[i]
		n.p = t.planes
		t.planes++
		if n.level > 0 { // the children's are not needed any more
			n.g = t.nodes[n.first+n.arity-1].g
			n.open = t.planes
			t.planes += 2 * n.arity
			continue
		}
		n.g = t.planes
		t.planes++
		t.room = max(t.room, n.size(max(n.arity-2, 0)))
	}
}

// opened returns the plane of what child c opens.
func (n node) opened(c int, prop bool) int {
	if prop {
		return n.open + 2*c + 1
	}
	return n.open + 2*c
}

// add makes a level of nodes, of about the same arity, over n children, and
// returns their numbers.
func (t *Tree) add(level, first, n, arity int) []int {
	var added []int
	count := (n + arity - 1) / arity
	for i := range count {
		lo, hi := i*n/count, (i+1)*n/count
		nd := node{level: level, first: first + lo, arity: hi - lo, prop: i > 0, at: t.terms}
		added = append(added, len(t.nodes))
		t.nodes = append(t.nodes, nd)
		t.terms += nd.size(nd.arity - 1)
	}
	return added
}

// size returns the length of list L_t of the node.
func (n node) size(t int) int {
	size := 1
	if n.level > 0 && n.prop {
		size = 2 // α₀, β₀
	}
	for i := 1; i <= t; i++ {
		size = 2*size + 1
		if n.level > 0 && i < n.arity-1 {
			size++ // α_i
		}
	}
	return size
}

// Within the terms of a node u_t, t ≥ 1, is number size(t−1), its products
// follow, and α_t comes last.
func (n node) top(t int) int { return n.at + n.size(t-1) }

func (n node) alpha(t int) int {
	if t == 0 {
		return n.at
	}
	return n.at + 2*n.size(t-1) + 1
}

// beta returns the number of the mask of p_t. Of p₀ there is one only if the
// node needs p.
func (n node) beta(t int) int {
	if t == 0 {
		return n.at + 1
	}
	return n.top(t)
}

// Levels returns the number of rounds between c and e.
func (t *Tree) Levels() int { return t.levels }

// Terms returns the number of planes that the comparisons spend: the terms of
// level 0, and for each the terms of other nodes and r_top ⊕ λ.
func (t *Tree) Terms() int { return t.shared + t.times*t.own() }

func (t *Tree) own() int { return t.terms - t.shared + 1 }

// of returns the place of a term in comparison k. Number terms is r_top ⊕ λ.
func (t *Tree) of(k, term int) int {
	if term < t.shared {
		return term
	}
	return term + k*t.own()
}

// each calls f for the nodes of level 0, and for the others with the number of
// every comparison.
func (t *Tree) each(f func(n node, k int)) {
	for _, n := range t.nodes {
		times := t.times
		if n.level == 0 {
			times = 1
		}
		for k := range times {
			f(n, k)
		}
	}
}

// Products returns the number of products of two bits made beforehand.
func (t *Tree) Products() int {
	p := 0
	t.each(func(n node, _ int) {
		for i := 1; i < n.arity; i++ {
			p += n.size(i - 1)
		}
	})
	return p
}

// Masks returns the number of random bits of the nodes above level 0, of all
// comparisons.
func (t *Tree) Masks() int {
	masks := 0
	for l := 1; l <= t.levels; l++ {
		masks += t.times * t.Opened(l)
	}
	return masks
}

// masks returns the terms of node n that are fresh random bits, if its level is
// above 0, with those that products start from, the u_t, apart.
func (n node) masks() (alphas, tops []int) {
	alphas = append(alphas, n.alpha(0))
	if n.prop {
		alphas = append(alphas, n.beta(0))
	}
	for t := 1; t < n.arity; t++ {
		tops = append(tops, n.top(t))
		if t < n.arity-1 {
			alphas = append(alphas, n.alpha(t))
		}
	}
	return alphas, tops
}

// openings calls f for everything that level opens: P_c or G_c of child c of
// node n, whose mask is a term.
func (t *Tree) openings(level int, f func(n node, c int, prop bool, mask int)) {
	for _, n := range t.nodes {
		if n.level != level {
			continue
		}
		for c := range n.arity {
			if c < n.arity-1 {
				f(n, c, false, n.alpha(c))
			}
			if c > 0 || n.prop {
				f(n, c, true, n.beta(c))
			}
		}
	}
}

// Opened returns the number of bits that level opens for a comparison, 1 to
// Levels.
func (t *Tree) Opened(level int) int {
	bits := 0
	t.openings(level, func(node, int, bool, int) { bits++ })
	return bits
}

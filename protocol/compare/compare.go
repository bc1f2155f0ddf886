// Package compare computes ReLU, the maximum, the sign, splines and the lift to
// another ring of secret-shared vectors: the nonlinear part of a network.
//
// An input x is shared mod 2ᵐ, m = [Class].In. With a random r that no party
// knows, all parties open c = x + r mod 2ᵐ. A garbled circuit on the public c and
// the masked bits of r (package garble) tells e = [x ≥ 0] ⊕ λ, with λ the mask of
// its output, and everything else is linear. With w = 2ᵐ·(1 − c_top), where top
// is bit m−1, the integer x ≥ 0 is c − r + w·r_top; with b = e + (1−2e)·λ,
//
//	ReLU(x) = c·b − (e·r + (1−2e)·λr) + w·(e·r_top + (1−2e)·λr_top)   mod 2ᵏ′
//
// in shares modulo 2ᵏ′, k′ = [Class].Out, the ring of the next layer. The parties
// make [r], [r_top], [λ], [λr] and [λr_top] beforehand; see [Generate]. Further
//
//	Lift(x)   = c − r + w·r_top − 2ᵐ⁻² with c = x + 2ᵐ⁻² + r, without a circuit
//	Max(x, y) = y + ReLU(x − y) in one ring, where r_top and w do not matter
//	Step(x)   = b, for which λ alone is needed in the ring of the result
//	y(x)      = piecewise linear by b for every knot, all from one c: EvalSpline
//
// The elements of a class are cut into n parts. Party p evaluates part p and
// garbles the others, so that work is even and all messages share rounds.
//
// That is the [Garbled] back end. The other one, [Carry], computes e on XOR
// shares (package carry), in 1 to 3 rounds, 2 for the common widths, and with a few
// bytes where labels take hundreds. All else is the same, and so are the results.
//
// ReLU and Step are exact for all x in [−2ᵐ⁻¹, 2ᵐ⁻¹), Lift and splines in
// [−2ᵐ⁻², 2ᵐ⁻²], Max for x − y in [−2ᵐ⁻¹, 2ᵐ⁻¹), so for x and y in [−2ᵐ⁻², 2ᵐ⁻²).
// Outside they are wrong, always or for some r, so that the planner of widths
// must exclude it.
//
// Security: passive, up to n−1 corrupt parties. Opened are c, masked by r, whose
// shares are padded pairwise by the products that made them, and e, masked by
// λ. Material is for one use: two values of c under the same labels reveal a
// Δ, and two inputs under the same r their difference. So knots of a spline have
// c and r in common, and neither labels nor masks. [Material] enforces that
// within the process; who stores material must enforce it across crashes.
//
// Reference: D. Escudero, S. Ghosh, M. Keller, R. Rachuri, P. Scholl, "Improved
// Primitives for MPC over Mixed Arithmetic-Binary Circuits", CRYPTO 2020,
// ePrint 2020/338, for masks that are shared in both worlds; A. Ben-Efraim,
// M. Nielsen, E. Omri, "Turbospeedz: Double Your Online SPDZ! Improving SPDZ
// using Function Dependent Preprocessing", ACNS 2019, ePrint 2019/080, for
// operating on masked values.
//
// Deviations: r is drawn as bits, each of which is converted to arithmetic shares
// modulo what it contributes to, so that no adder is needed; the comparison,
// the truncation's lift and the selection are one step with one opening.
package compare

import (
	"fmt"

	"github.com/tacit-mpc/tacit/circuits"
	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/protocol/carry"
	"github.com/tacit-mpc/tacit/protocol/garble"
)

// A Kind is a function of the package.
type Kind uint8

// The kinds.
const (
	KindReLU Kind = iota + 1
	KindMax
	KindLift
	KindStep
	KindSpline
)

func (k Kind) String() string {
	switch k {
	case KindReLU:
		return "relu"
	case KindMax:
		return "max"
	case KindLift:
		return "lift"
	case KindStep:
		return "step"
	case KindSpline:
		return "spline"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// A Backend is how comparisons are made. All parties use the same one.
type Backend uint8

// The back ends.
const (
	Garbled Backend = iota // circuits: package garble
	Carry                  // XOR shares: package carry
)

var backends = [...]string{Garbled: "garbled", Carry: "carry"}

// String returns the name of b, by which parties agree on it.
func (b Backend) String() string {
	if int(b) < len(backends) {
		return backends[b]
	}
	return fmt.Sprintf("back end %d", uint8(b))
}

// ParseBackend returns the back end of the given name.
func ParseBackend(name string) (Backend, error) {
	for b, n := range backends {
		if n == name {
			return Backend(b), nil
		}
	}
	return 0, fmt.Errorf("compare: no back end %q: want garbled or carry", name)
}

// A Class is the public part of the comparisons of one layer of one inference.
type Class struct {
	Kind  Kind
	In    int // m: the width of the comparison, of which inputs are reduced
	Out   int // k′: the width of the result; of Max it is In
	N     int // elements
	Layer int // number of the layer in the program
	Knots int // of a Spline, and 0 for other kinds

	Backend Backend // of no account for a Lift
}

// Validate tells what is wrong with c.
func (c Class) Validate() error {
	switch {
	case c.Kind < KindReLU || c.Kind > KindSpline:
		return fmt.Errorf("compare: unknown %v", c.Kind)
	case c.Backend > Carry:
		return fmt.Errorf("compare: %v with unknown %v", c.Kind, c.Backend)
	case c.In < 2 || c.In > circuits.MaxBits:
		return fmt.Errorf("compare: %v of %d bits, want 2 to %d", c.Kind, c.In, circuits.MaxBits)
	case c.Out < 1 || c.Out > 64 || c.Kind == KindMax && c.Out != c.In:
		return fmt.Errorf("compare: %v from %d to %d bits", c.Kind, c.In, c.Out)
	case (c.Kind == KindSpline) != (c.Knots > 0) || c.Knots < 0 || c.Knots > maxKnots:
		return fmt.Errorf("compare: %v of %d knots, want 1 to %d for a spline and none else", c.Kind, c.Knots, maxKnots)
	case c.N < 1 || c.N > maxElements/c.signs():
		return fmt.Errorf("compare: %v of %d elements", c.Kind, c.N)
	case c.Layer < 0 || c.Layer >= 1<<24:
		return fmt.Errorf("compare: layer %d", c.Layer)
	}
	return nil
}

const (
	maxElements   = 1 << 30 // of one class, times the signs of each
	maxKnots      = 1 << 10
	maxInferences = 1 << 30 // of one batch
	maxParties    = 64      // as sets of parties are words
)

// signed reports whether signs are compared, by one of the two back ends, and
// selects whether they select a number, so that λ is multiplied with it.
func (c Class) signed() bool  { return c.Kind != KindLift }
func (c Class) selects() bool { return c.signed() && c.Kind != KindStep }

// signs returns how often an element is compared, at least 1.
func (c Class) signs() int { return max(c.Knots, 1) }

// tree is the shape of the carried comparisons of one element.
func (c Class) tree() *carry.Tree { return carry.For(c.In, c.signs()) }
func (c Class) garbled() bool     { return c.signed() && c.Backend == Garbled }
func (c Class) carried() bool     { return c.signed() && c.Backend == Carry }

// Gates returns the number of And gates of an element: of its circuits, or
// products made beforehand.
func (c Class) Gates() int {
	switch {
	case c.garbled():
		return c.signs() * (c.In - 1)
	case c.carried():
		return c.tree().Products()
	}
	return 0
}

// rWidth is the width of the shares of r: c needs m bits of it, and the result
// k′ if r is part of it.
func (c Class) rWidth() int {
	if c.Kind == KindStep {
		return c.In
	}
	return max(c.In, c.Out)
}

// topWidth is the width of what is multiplied with w = 2ᵐ, or 0.
func (c Class) topWidth() int { return c.rWidth() - c.In }

// productWidths are the widths of λ, and where it selects of λr and, where it
// matters, λr_top.
func (c Class) productWidths() []int {
	if !c.selects() {
		return []int{c.Out}
	}
	w := []int{c.Out, c.Out}
	if c.topWidth() > 0 {
		w = append(w, c.topWidth())
	}
	return w
}

// part returns the elements [lo, hi) that party p evaluates.
func (c Class) part(n, p int) (lo, hi int) { return p * c.N / n, (p + 1) * c.N / n }

const (
	maxBlock   = 1 << 10 // elements garbled under one hash key, at most
	hashBudget = 1 << 20 // hashes under one key, at most, as far as n allows
	maxRun     = 1 << 12 // elements of a block of carried comparisons, at most
)

// blockLen returns how many elements, at most, are a block. If they are garbled
// it is under one hash key for each knot: a gate has 4 hashes for every garbler
// and owner. If they are carried it is whole blocks of planes. Where elements have
// many knots, a block keeps to a part of a chunk's memory.
func (c Class) blockLen(n int) int {
	size, least := maxBlock, 1
	if c.carried() {
		size, least = maxRun, 128
	}
	large := func() bool {
		return c.garbled() && size*4*(c.In-1)*(n-1)*(n-1) > hashBudget || c.Knots > 0 && size*c.memory(n) > chunkMemory/4
	}
	for size > least && large() {
		size /= 2
	}
	return size
}

// A block is a run of elements of one inference. Party eval evaluates it, if it
// is garbled, and else the parties take turns from there on.
type block struct{ eval, lo, hi int }

func (b block) len() int { return b.hi - b.lo }

// blocks returns the blocks of party eval.
func (c Class) blocks(n, eval int) []block {
	if c.carried() {
		return c.runs(n, eval)
	}
	return c.appendBlocks(nil, n, eval)
}

// appendBlocks appends the blocks of garbled comparisons, or lifts, that party
// eval evaluates.
func (c Class) appendBlocks(bs []block, n, eval int) []block {
	lo, hi := c.part(n, eval)
	for size := c.blockLen(n); lo < hi; lo += size {
		bs = append(bs, block{eval, lo, min(lo+size, hi)})
	}
	return bs
}

// runs returns the blocks of carried comparisons in which party eval is the
// last to have its turn. They start at whole blocks of planes.
func (c Class) runs(n, eval int) []block {
	var bs []block
	size := min(c.blockLen(n), ((c.N+n-1)/n+127)&^127)
	for lo := eval * size; lo < c.N; lo += n * size {
		bs = append(bs, block{eval, lo, min(lo+size, c.N)})
	}
	return bs
}

// A name is the public name of one batch of material, from which the keys of
// all hashes of its garbled circuits are derived.
type name [32]byte

// batch returns the garbling of knot k, or 0, of block b of inference number
// index.
func (c Class) batch(n, self, index int, id name, b block, k int) garble.Batch {
	batch := c.at(n, self, index, b, k)
	batch.Key = prg.DeriveBlock(id[:], "garble", uint64(c.Layer), uint64(b.eval), batch.Element)
	return batch
}

// at is batch without the key, as labels take it.
func (c Class) at(n, self, index int, b block, k int) garble.Batch {
	return garble.Batch{
		Circuit: circuits.Comparison(c.In), Parties: n, Self: self, Eval: b.eval,
		Layer: c.Layer, Element: c.element(index, k, b.lo), Len: b.len(),
	}
}

// masks returns the carried comparisons of block b of inference number index.
func (c Class) masks(n, index int, b block) carry.Batch {
	return carry.Batch{
		Bits: c.In, Times: c.signs(), Order: order(n, b.eval),
		Layer: c.Layer, Element: c.element(index, 0, b.lo), Stride: uint64(c.N), Len: b.len(),
	}
}

// element is the number in tweaks of knot k, or 0, of element i of inference
// number index.
func (c Class) element(index, k, i int) uint64 {
	return (uint64(index)*uint64(c.signs())+uint64(k))*uint64(c.N) + uint64(i)
}

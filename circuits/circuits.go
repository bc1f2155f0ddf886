// Package circuits describes straight-line Boolean circuits, evaluates them in
// the clear and tells what can be known about a wire before any input is.
//
// A circuit has two kinds of input bits. A public input is known to whoever
// evaluates the circuit. A masked input is a random bit that no party knows; it
// is shared among them, and it is what masks the secret of the computation.
package circuits

import (
	"fmt"
	"sync"
)

// MaxBits is the widest comparison.
const MaxBits = 64

// An Op is what defines a wire.
type Op uint8

// The definitions of a wire.
const (
	Public Op = iota // an input known to the evaluator
	Masked           // an input that is a shared random bit
	Xor
	And
)

// A Wire names a wire by its position in the circuit.
type Wire int

// A Gate defines one wire. A and B, wires before it, are used by Xor and And.
// Where only one operand of an And is latent, that is B.
type Gate struct {
	Op   Op
	A, B Wire
}

// A Class is what is known of a wire whatever the inputs are.
type Class uint8

// The bits of a Class.
const (
	// MaskZero is set where the mask of the wire is 0: public inputs and what is
	// computed from them alone.
	MaskZero Class = 1 << iota
	// Latent is set where the masked value of the wire is 0, so that its zero
	// label can be the zero string: masked inputs and sums of them.
	Latent
	// Label is set where an And reads the wire, directly or through Xors, so
	// that its labels are needed. Of other wires the masked bit is enough.
	Label
)

// Has reports whether all of d is set in c.
func (c Class) Has(d Class) bool { return c&d == d }

// A Circuit computes one bit. It is not changed once built.
type Circuit struct {
	gates    []Gate
	classes  []Class
	out      Wire
	public   []Wire
	masked   []Wire
	ands     []Wire
	labelled int // public inputs that need labels
	places   []Place
	slots    int
}

// A Place says where the label of a wire is found while one goes through the
// gates in order.
type Place struct {
	Input int // among the labels of public inputs, or −1
	Slot  int // among [Circuit.Slots] places that are used again, or −1
}

// Place returns the place of wire w, which needs labels. If it has none, its
// label is the zero string. A sum with a latent wire has the label, and so the
// place, of the other operand.
func (c *Circuit) Place(w Wire) Place { return c.places[w] }

// Slots is the number of places for labels that are not of inputs.
func (c *Circuit) Slots() int { return c.slots }

// Gates returns the definitions of all wires, in the order in which they can
// be evaluated.
func (c *Circuit) Gates() []Gate { return c.gates }

// Class returns what is known of wire w.
func (c *Circuit) Class(w Wire) Class { return c.classes[w] }

// Out is the output.
func (c *Circuit) Out() Wire { return c.out }

// Public, Masked and Ands return the wires of one kind, in order. A wire's
// place in Ands is its gate number.
func (c *Circuit) Public() []Wire { return c.public }

// Masked returns the masked inputs.
func (c *Circuit) Masked() []Wire { return c.masked }

// Ands returns the And gates.
func (c *Circuit) Ands() []Wire { return c.ands }

// Labelled returns how many public inputs need labels.
func (c *Circuit) Labelled() int { return c.labelled }

// HasProduct reports whether the product of the masks of the operands of the
// And gate w can be other than 0.
func (c *Circuit) HasProduct(w Wire) bool {
	g := c.gates[w]
	return !c.classes[g.A].Has(MaskZero) && !c.classes[g.B].Has(MaskZero)
}

// Products returns the number of And gates with a product of masks, and how
// many of these need it authenticated because their output needs labels.
func (c *Circuit) Products() (all, labelled int) {
	for _, w := range c.ands {
		if c.HasProduct(w) {
			all++
			if c.classes[w].Has(Label) {
				labelled++
			}
		}
	}
	return all, labelled
}

// Eval evaluates 64 instances of c side by side: bit t of every word belongs
// to instance t.
func (c *Circuit) Eval(public, masked []uint64) uint64 {
	if len(public) != len(c.public) || len(masked) != len(c.masked) {
		panic(fmt.Sprintf("circuits: %d public and %d masked inputs, want %d and %d",
			len(public), len(masked), len(c.public), len(c.masked)))
	}
	v := make([]uint64, len(c.gates))
	for w, g := range c.gates {
		switch g.Op {
		case Public:
			v[w], public = public[0], public[1:]
		case Masked:
			v[w], masked = masked[0], masked[1:]
		case Xor:
			v[w] = v[g.A] ^ v[g.B]
		case And:
			v[w] = v[g.A] & v[g.B]
		}
	}
	return v[c.out]
}

// Comparison returns the circuit that tells whether c − r, modulo 2ᵐ and read
// as a signed number, is at least 0. Its public inputs are the complements of
// the bits of c, its masked inputs the bits of r, lowest first. It is the
// borrow chain
//
//	borrow₀   = 0
//	borrowₖ₊₁ = borrowₖ ⊕ (¬cₖ ⊕ borrowₖ)·(rₖ ⊕ borrowₖ)
//	out       = ¬cₘ₋₁ ⊕ rₘ₋₁ ⊕ borrowₘ₋₁
//
// with m−1 And gates. It panics unless 2 ≤ m ≤ [MaxBits].
func Comparison(m int) *Circuit {
	if m < 2 || m > MaxBits {
		panic(fmt.Sprintf("circuits: comparison of %d bits", m))
	}
	return comparisons[m]()
}

// comparisons makes each circuit once.
var comparisons = func() (made [MaxBits + 1]func() *Circuit) {
	for m := range made {
		made[m] = sync.OnceValue(func() *Circuit { return comparison(m) })
	}
	return made
}()

func comparison(m int) *Circuit {
	var b Builder
	c, r := make([]Wire, m), make([]Wire, m)
	for k := range m {
		c[k], r[k] = b.Public(), b.Masked()
	}
	borrow := b.And(c[0], r[0])
	for k := 1; k < m-1; k++ {
		borrow = b.Xor(borrow, b.And(b.Xor(c[k], borrow), b.Xor(r[k], borrow)))
	}
	return b.Build(b.Xor(b.Xor(c[m-1], r[m-1]), borrow))
}

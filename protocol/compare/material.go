package compare

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/protocol/carry"
	"github.com/tacit-mpc/tacit/protocol/garble"
	"github.com/tacit-mpc/tacit/protocol/ot"
)

// Material is one party's part of what [Generate] made for one class of one
// inference. It is used once. Formatting it never shows its content.
type Material struct {
	_     noCopy
	spent atomic.Bool
	content
}

// The content of a Material, which moves to whoever spends it.
type content struct {
	class   Class
	n, self int
	index   int // of the inference in its batch
	id      name

	r, rTop []uint64 // shares; rTop and the products may be empty

	lambda, lambdaR, lambdaRTop []uint64 // by knot and element

	seed   [32]byte // of the labels of c where this party garbles
	delta  prg.Block
	tables []*garble.Tables // by block that this party evaluates, and knot

	terms []uint64 // of carried comparisons,
	tree  *carry.Tree
}

// noCopy makes go vet report copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// Format hides m from every verb.
func (m *Material) Format(f fmt.State, _ rune) {
	if m.spent.Load() {
		fmt.Fprint(f, "Material[spent]")
		return
	}
	fmt.Fprintf(f, "Material[%v, %d]", m.class.Kind, m.class.N)
}

// Format hides c from every verb.
func (c content) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "Material[%v, %d]", c.class.Kind, c.class.N)
}

func newMaterial(c Class, n, self, index int, id name, delta prg.Block, rng io.Reader) (*Material, error) {
	m := new(Material)
	m.content = content{class: c, n: n, self: self, index: index, id: id}
	m.allocate()
	if !c.garbled() {
		return m, nil
	}
	m.delta = delta
	if _, err := io.ReadFull(rng, m.seed[:]); err != nil {
		return nil, fmt.Errorf("draw seed: %w", err)
	}
	return m, nil
}

// allocate makes the vectors of the class.
func (c *content) allocate() {
	c.r = make([]uint64, c.class.N)
	if c.class.topWidth() > 0 {
		c.rTop = make([]uint64, c.class.N)
	}
	if c.class.carried() {
		c.tree = c.class.tree()
		c.terms = make([]uint64, c.tree.Terms()*ot.PlaneWords(c.class.N))
	}
	if !c.class.signed() {
		return
	}
	size := c.class.signs() * c.class.N
	c.lambda = make([]uint64, size)
	if c.class.selects() {
		c.lambdaR = make([]uint64, size)
	}
	if c.class.topWidth() > 0 {
		c.lambdaRTop = make([]uint64, size)
	}
}

// products returns λ and, as far as the class has them, λr and λr_top.
func (c *content) products() [][]uint64 {
	var p [][]uint64
	for _, v := range [][]uint64{c.lambda, c.lambdaR, c.lambdaRTop} {
		if v != nil {
			p = append(p, v)
		}
	}
	return p
}

// Class returns the class that m is for.
func (m *Material) Class() Class { return m.class }

// spend moves the content out of m. It panics if that was done before: the
// second use of a mask or a label reveals secrets.
func (m *Material) spend() content {
	if m.spent.Swap(true) {
		panic("compare: material is spent")
	}
	c := m.content
	m.content = content{class: c.class}
	return c
}

package product

import (
	"fmt"
	"sync/atomic"
)

// Material is one party's part of the triples that [Generate] made for one class of
// one inference. It is used once. Formatting it never shows its content.
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

	a, b, c []uint64 // shares; no b for squares
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
	fmt.Fprintf(f, "Material[%v]", m.class)
}

// Format hides c from every verb.
func (c content) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Material[%v]", c.class) }

// Class returns the class that m is for.
func (m *Material) Class() Class { return m.class }

// allocate makes the vectors of the class.
func (c *content) allocate() {
	c.a, c.c = make([]uint64, c.class.XLen()), make([]uint64, c.class.ZLen())
	if !c.class.Square {
		c.b = make([]uint64, c.class.YLen())
	}
}

// spend moves the content out of m. It panics if that was done before: the second
// use of a mask reveals secrets.
func (m *Material) spend() content {
	if m.spent.Swap(true) {
		panic("product: material is spent")
	}
	c := m.content
	m.content = content{class: c.class}
	return c
}

// spendAll spends the material of one request, which must be of one class.
func spendAll(n, self int, mats []*Material) []content {
	cs := make([]content, len(mats))
	for b, m := range mats {
		cs[b] = m.spend()
		switch c := cs[b]; {
		case c.n != n || c.self != self:
			panic("product: material of another party")
		case c.class != cs[0].class:
			panic("product: material of several classes")
		}
	}
	return cs
}

// eraseAll forgets what was spent, whatever became of the request.
func eraseAll(cs []content) {
	for _, c := range cs {
		clear(c.a)
		clear(c.b)
		clear(c.c)
	}
}

package ot

import (
	"unsafe"

	"github.com/tacit-mpc/tacit/internal/prg"
)

// slabLen is the least number of blocks that an arena takes from the heap.
const slabLen = 1 << 14

// An arena hands out vectors, which all end at once, and then the same memory
// again, which is not cleared in between. While it is closed they are ordinary
// vectors of the heap.
type arena struct {
	open  bool
	slabs [][]prg.Block
	place
}

// A place in an arena: the slab in use, of which used blocks are handed out.
type place struct{ at, used int }

// back ends all vectors that were handed out since p was the place.
func (a *arena) back(p place) { a.place = p }

// blocks returns a vector of n blocks of any content.
func (a *arena) blocks(n int) []prg.Block {
	if !a.open {
		return make([]prg.Block, n)
	}
	for ; a.at < len(a.slabs); a.at, a.used = a.at+1, 0 {
		if slab := a.slabs[a.at]; len(slab)-a.used >= n {
			a.used += n
			return slab[a.used-n : a.used : a.used]
		}
	}
	a.slabs = append(a.slabs, make([]prg.Block, max(n, slabLen)))
	a.used = n
	return a.slabs[a.at][:n:n]
}

// bytes returns a vector of n bytes of any content.
func (a *arena) bytes(n int) []byte { return prg.Bytes(a.blocks((n + 15) / 16))[:n:n] }

// words returns a vector of n words of any content.
func (a *arena) words(n int) []uint64 {
	b := a.blocks((n + 1) / 2)
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice(&b[0][0], 2*len(b))[:n:n]
}

// erase forgets the content of all vectors.
func (a *arena) erase() {
	for _, s := range a.slabs {
		clear(s)
	}
	*a = arena{}
}

// Scope calls f. Vectors that methods of s return while f runs (bits, shares,
// products, [Session.Blocks]) end with it: later scopes use their memory again.
// Scopes do not nest.
func (s *Session) Scope(f func() error) error {
	s.alive()
	if s.arena.open {
		panic("ot: scope within a scope")
	}
	s.arena.open = true
	defer func() { s.arena.open, s.arena.place = false, place{} }()
	return f()
}

// Blocks returns a vector of n blocks of any content.
func (s *Session) Blocks(n int) []prg.Block {
	s.alive()
	return s.arena.blocks(n)
}

// Bytes returns a vector of n bytes of any content.
func (s *Session) Bytes(n int) []byte {
	s.alive()
	return s.arena.bytes(n)
}

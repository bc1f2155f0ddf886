package ot

import (
	"unsafe"

	"github.com/tacit-mpc/tacit/internal/prg"
)

// slabLen is the number of blocks, and for longer vectors the unit of it, that
// an arena takes from the heap at a time.
const slabLen = 1 << 17

// An arena hands out vectors, which all end at once, and then the same memory
// again, which is not cleared in between. While it is closed they are ordinary
// vectors of the heap.
type arena struct {
	open  bool
	slabs []slab
}

type slab struct {
	memory []prg.Block
	used   int
}

// blocks returns a vector of n blocks of any content, from the first slab that
// has room: few are left half used where the vectors of a scope are a little
// longer than those of the last.
func (a *arena) blocks(n int) []prg.Block {
	if !a.open {
		return make([]prg.Block, n)
	}
	for i := range a.slabs {
		if s := &a.slabs[i]; len(s.memory)-s.used >= n {
			s.used += n
			return s.memory[s.used-n : s.used : s.used]
		}
	}
	memory := make([]prg.Block, (n+slabLen)/slabLen*slabLen)
	a.slabs = append(a.slabs, slab{memory, n})
	return memory[:n:n]
}

// release ends all vectors.
func (a *arena) release() {
	for i := range a.slabs {
		a.slabs[i].used = 0
	}
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
		clear(s.memory)
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
	defer func() {
		s.arena.open = false
		s.arena.release()
	}()
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

package ot

import (
	"crypto/subtle"
	"fmt"
	"math/bits"

	"github.com/tacit-mpc/tacit/internal/prg"
)

// A Set is a set of parties, by index.
type Set uint64

// All returns the set of the parties 0 to n−1.
func All(n int) Set { return Set(1)<<uint(n) - 1 }

// Has reports whether party i is in s.
func (s Set) Has(i int) bool { return s>>uint(i)&1 == 1 }

// With returns s with party i.
func (s Set) With(i int) Set { return s | 1<<uint(i) }

// Without returns s without party i.
func (s Set) Without(i int) Set { return s &^ (1 << uint(i)) }

// Len returns the number of parties in s.
func (s Set) Len() int { return bits.OnesCount64(uint64(s)) }

// Bits is one party's part of a vector of authenticated bits: each bit b is
// XOR-shared, b = ⊕ xᵢ, and for every i in Holders and j ≠ i in Keys, party i
// holds the MAC and party j the key of
//
//	M = K ⊕ xᵢ·Δⱼ
//
// They come from [Session.Authenticate] and [Session.Zero]. Vectors may share
// memory with those they were made from, and are not changed once made.
type Bits struct {
	// X is this party's share, a byte of value 0 or 1 for every bit. It is a
	// secret: mask with it, never branch or index on it. It is all zero at a
	// party that is not in Holders.
	X []uint8
	// M[j] are the MACs of X under Δⱼ, nil unless this party is in Holders and
	// another party j in Keys.
	M [][]prg.Block
	// K[j] are the keys of party j's share, nil unless this party is in Keys
	// and another party j in Holders.
	K [][]prg.Block

	Holders Set // parties whose share may be other than zero
	Keys    Set // parties that hold keys

	self int
}

// Len returns the number of bits.
func (b Bits) Len() int { return len(b.X) }

// Format hides b from every verb.
func (b Bits) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Bits[%d]", len(b.X)) }

// Slice returns the bits lo to hi−1.
func (b Bits) Slice(lo, hi int) Bits {
	cut := func(v [][]prg.Block) [][]prg.Block {
		out := make([][]prg.Block, len(v))
		for j, w := range v {
			if w != nil {
				out[j] = w[lo:hi:hi]
			}
		}
		return out
	}
	b.X, b.M, b.K = b.X[lo:hi:hi], cut(b.M), cut(b.K)
	return b
}

// Own sets z to the share x·Δ ⊕ ⊕ⱼ Kⱼ of the party that holds Δ = delta, of
// len(z) bits from lo on.
func (b Bits) Own(z []prg.Block, delta prg.Block, lo int) {
	hi := lo + len(z)
	var first [2][]prg.Block // added together
	for _, k := range b.K {
		if k != nil && first[0] == nil {
			first[0] = k[lo:hi]
		} else if k != nil && first[1] == nil {
			first[1] = k[lo:hi]
		}
	}
	prg.Deltas(z, b.X[lo:hi], delta, first[0], first[1])
	seen := 0
	for _, k := range b.K {
		if k == nil {
			continue
		}
		if seen++; seen > len(first) {
			prg.XorInto(z, k[lo:hi])
		}
	}
}

// Xor returns b ⊕ c, which is local. Its keys are held by the parties that
// hold keys of both.
func (b Bits) Xor(c Bits) Bits { return b.xor(c, new(arena)) }

// Xor returns b ⊕ c as [Bits.Xor] does.
func (s *Session) Xor(b, c Bits) Bits {
	s.alive()
	return b.xor(c, &s.arena)
}

func (b Bits) xor(c Bits, room *arena) Bits {
	if len(b.X) != len(c.X) || len(b.M) != len(c.M) {
		panic("ot: xor of vectors of different shape")
	}
	n := len(b.M)
	z := Bits{
		X: room.bytes(len(b.X)), M: make([][]prg.Block, n), K: make([][]prg.Block, n),
		Holders: b.Holders | c.Holders, Keys: b.Keys & c.Keys, self: b.self,
	}
	subtle.XORBytes(z.X, b.X, c.X)
	for j := range n {
		if z.Keys.Has(j) {
			z.M[j] = xorBlocks(b.M[j], c.M[j], room)
		}
		if z.Keys.Has(z.self) {
			z.K[j] = xorBlocks(b.K[j], c.K[j], room)
		}
	}
	return z
}

// xorBlocks returns a ⊕ b, where nil stands for zero.
func xorBlocks(a, b []prg.Block, room *arena) []prg.Block {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	z := room.blocks(len(a))
	subtle.XORBytes(prg.Bytes(z), prg.Bytes(a), prg.Bytes(b))
	return z
}

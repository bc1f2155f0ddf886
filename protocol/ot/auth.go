package ot

import (
	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/transport"
)

// A Request asks for the authentication of shared bits.
type Request struct {
	// X is this party's share. A party that is not in Holders gives a vector of
	// the same length, whose content is ignored.
	X       []uint8
	Holders Set // parties with a share; the share of others is zero by structure
	Keys    Set // parties that get keys
}

// Shape returns the public part of r.
func (r Request) Shape() AuthShape { return AuthShape{len(r.X), r.Holders, r.Keys} }

// between returns the number of correlated OTs in which party i gets MACs and
// party j keys.
func between(shapes []AuthShape, i, j int) int {
	n := 0
	for _, s := range shapes {
		n += s.cots(i, j)
	}
	return n
}

// Authenticate authenticates the bits of all requests, which have the same
// shape at all parties. For every ordered pair of a holder i and another party
// j with keys, one message of i makes correlated OTs with the choice bits xᵢ.
//
// With the sums u = Σ r_y, v_b = Σ y_b·r_y of the leaves of a tree, and w_b =
// v_b ⊕ Δ_b·u at party j, who misses leaf Δ:
//
//	c = u ⊕ x                 i → j, for every tree
//	M = v,  K = w ⊕ Δ·c       M = K ⊕ x·Δ
//
// Rounds: 1. Sends: 16/k bytes for every correlated OT, the total of a pair
// rounded up to 512 of them.
//
// Reference: Roy, "SoftSpokenOT: Quieter OT Extension from Small-Field Silent
// VOLE in the Minicrypt Model", CRYPTO 2022, ePrint 2022/192, with the
// repetition code and without the check for active security.
func (s *Session) Authenticate(m *transport.Mesh, step string, reqs []Request) ([]Bits, error) {
	s.alive()
	if len(reqs) == 0 {
		return nil, nil
	}
	shapes := make([]AuthShape, len(reqs))
	for r, req := range reqs {
		shapes[r] = req.Shape()
	}
	macs, keys, err := s.extend(m, step, reqs, shapes)
	if err != nil {
		return nil, err
	}
	bits := make([]Bits, len(reqs))
	for r, req := range reqs {
		b := Bits{
			X: req.X, M: make([][]prg.Block, s.n), K: make([][]prg.Block, s.n),
			Holders: req.Holders & All(s.n), Keys: req.Keys & All(s.n), self: s.self,
		}
		if !req.Holders.Has(s.self) {
			b.X = make([]uint8, len(req.X))
		}
		for j := range peers(s.self, s.n) {
			if req.Holders.Has(s.self) && req.Keys.Has(j) {
				b.M[j], macs[j] = split(macs[j], len(req.X))
			}
			if req.Holders.Has(j) && req.Keys.Has(s.self) {
				b.K[j], keys[j] = split(keys[j], len(req.X))
			}
		}
		bits[r] = b
	}
	return bits, nil
}

// extend returns the MACs and keys of all requests, concatenated, by peer.
func (s *Session) extend(m *transport.Mesh, step string, reqs []Request, shapes []AuthShape) (macs, keys [][]prg.Block, err error) {
	macs, keys = make([][]prg.Block, s.n), make([][]prg.Block, s.n)
	out, in := make([][]byte, s.n), make([][]byte, s.n)
	s.work.yield = m.Yield
	for j := range peers(s.self, s.n) {
		got := between(shapes, s.self, j)
		packed := s.arena.bytes(padded(got) / 8)
		clear(packed)
		at := 0
		for r, req := range reqs {
			if shapes[r].cots(s.self, j) > 0 {
				prg.PackBitsAt(packed, at, req.X)
				at += len(req.X)
			}
		}
		macs[j], out[j] = s.arena.blocks(padded(got)), s.arena.bytes(extendLen(s.depth, got))
		s.recv[j].extend(s.work, macs[j], packed, out[j])
		clear(packed)
		in[j] = s.arena.bytes(extendLen(s.depth, between(shapes, j, s.self)))
		s.counts.COTs += int64(got)
	}
	if err := m.Exchange(step, out, in); err != nil {
		return nil, nil, err
	}
	for j := range peers(s.self, s.n) {
		given := between(shapes, j, s.self)
		keys[j] = s.arena.blocks(padded(given))
		s.send[j].extend(s.work, keys[j], in[j])
		s.counts.Keys += int64(given)
	}
	return macs, keys, nil
}

// split cuts v after n blocks.
func split(v []prg.Block, n int) (head, tail []prg.Block) { return v[:n:n], v[n:] }

// Zero returns the vector of n public zero bits, to which every party holds
// keys.
func (s *Session) Zero(n int) Bits {
	s.alive()
	return Bits{
		X: make([]uint8, n), M: make([][]prg.Block, s.n), K: make([][]prg.Block, s.n),
		Keys: All(s.n), self: s.self,
	}
}

// Share returns this party's XOR share of b·Δ of party owner, who must hold
// keys:
//
//	share of i ≠ owner = Mᵢ,  share of owner = x·Δ ⊕ ⊕ⱼ Kⱼ
//
// It is local. The result may share memory with b and is not to be changed.
func (s *Session) Share(b Bits, owner int) []prg.Block {
	s.alive()
	if !b.Keys.Has(owner) {
		panic("ot: share of a product with the Δ of a party that holds no keys")
	}
	if owner != s.self {
		if b.M[owner] != nil {
			return b.M[owner]
		}
		return make([]prg.Block, len(b.X))
	}
	z := s.arena.blocks(len(b.X))
	b.Own(z, s.delta, 0)
	return z
}

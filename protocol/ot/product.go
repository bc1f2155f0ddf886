package ot

import "github.com/tacit-mpc/tacit/internal/prg"

const (
	// hashesPerKey bounds the sums of all parties under one hash key.
	hashesPerKey = 1 << 20
	// run is the number of elements that are hashed at a time: the buffers
	// of a run stay in the cache.
	run = 4096
)

// A piece is a run of elements of one request, whose hashes have their keys in
// common: one for every block of hash output that an element takes.
type piece struct {
	lo, hi int
	hashes []*prg.Hash
}

// pieces cuts the elements of requests into pieces. lens[r] is the number of
// elements of request r, per[r] the number of sums that one element takes under
// one key, of all parties together, and blocks[r] the number of keys.
//
// A key serves one call only, and at most 2²⁰ sums. As all parties make the
// same calls with requests of the same shape, they agree on the keys.
func (s *Session) pieces(lens, per, blocks []int) [][]piece {
	out := make([][]piece, len(lens))
	var hashes []*prg.Hash
	left := 0 // sums that the present keys still allow
	for r, n := range lens {
		for lo := 0; lo < n; {
			if left < per[r] || len(hashes) < blocks[r] {
				hashes, left = s.nextHashes(blocks[r]), hashesPerKey
			}
			hi := min(n, lo+run, lo+left/per[r])
			out[r] = append(out[r], piece{lo, hi, hashes})
			left -= (hi - lo) * per[r]
			lo = hi
		}
	}
	return out
}

// nextHashes returns hashes under new keys.
func (s *Session) nextHashes(n int) []*prg.Hash {
	h := make([]*prg.Hash, n)
	for b := range h {
		h[b] = prg.NewHash(prg.DeriveBlock(s.key, "ot: hash", s.chunk, uint64(b)))
	}
	s.chunk++
	return h
}

// buffers are two runs of hash outputs, and one of bits.
type buffers struct {
	h, x [run]prg.Block
	bits [run]uint8
}

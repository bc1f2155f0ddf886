package ot

import (
	"crypto/subtle"

	"github.com/tacit-mpc/tacit/internal/prg"
)

const (
	// unit is the number of correlated OTs that a message is padded to: 64
	// bytes of every leaf, the step of the kernels.
	unit = 512
	// chunk is the number of columns that are extended at a time: their rows
	// take 256 KiB and stay in the cache.
	chunk = 16384
)

// padded returns n rounded up to a whole number of units.
func padded(n int) int { return (n + unit - 1) &^ (unit - 1) }

// extendLen returns the length of the message for n correlated OTs.
func extendLen(k, n int) int { return kappa / k * padded(n) / 8 }

// A forest is what the two ends of an ordered pair have in common: κ/k trees,
// whose leaves are streams that go on from call to call.
type forest struct {
	k      int
	leaves [][]*prg.Stream // at the sender, leaf 0 of every tree is nil
}

// scratch is the working memory of extensions of one depth.
type scratch struct {
	rows  []prg.Block   // κ rows of chunk bits
	stack [][]prg.Block // sums of 2^l leaves, one for every l ≤ k
	tmp   []prg.Block
	yield func() // between chunks
}

func newScratch(k int) *scratch {
	w := &scratch{rows: make([]prg.Block, chunk), tmp: make([]prg.Block, chunk/128), yield: func() {}}
	for range k + 1 {
		w.stack = append(w.stack, make([]prg.Block, chunk/128))
	}
	return w
}

// erase forgets what is left of earlier extensions.
func (w *scratch) erase() {
	clear(w.rows)
	clear(w.tmp)
	for _, s := range w.stack {
		clear(s)
	}
}

// newForest makes streams of the leaves, of which the first of every tree is
// missing at the sender.
func newForest(k int, leaves [][]prg.Block, sender bool) forest {
	f := forest{k, make([][]*prg.Stream, len(leaves))}
	for t, tree := range leaves {
		f.leaves[t] = make([]*prg.Stream, len(tree))
		for y, leaf := range tree {
			if y > 0 || !sender {
				f.leaves[t][y] = prg.NewKeyStream(leaf)
			}
		}
	}
	return f
}

// tree expands tree t to the next 128·w columns: row b of its k rows becomes
// Σ r_y over the leaves y whose bit b is 1. It returns Σ r_y over all leaves,
// which is valid until the next call.
//
// Leaves are summed in pairs, pairs of pairs and so on, as one counts in
// binary, so that the k+1 sums together take 2ᵏ−1 passes.
func (f *forest) tree(s *scratch, t, w int) []prg.Block {
	rows := s.rows[t*f.k*w : (t+1)*f.k*w]
	clear(rows)
	for y, leaf := range f.leaves[t] {
		dst := s.tmp[:w]
		if y&1 == 0 {
			dst = s.stack[0][:w]
		}
		if leaf == nil {
			clear(dst)
		} else {
			leaf.Blocks(dst)
		}
		if y&1 == 0 {
			continue
		}
		prg.Fold(rows[:w], s.stack[0][:w], dst)
		l := 1
		for ; y>>l&1 == 1 && l < f.k; l++ {
			prg.Fold(rows[l*w:(l+1)*w], s.stack[l][:w], s.stack[l-1][:w])
		}
		s.stack[l-1], s.stack[l] = s.stack[l], s.stack[l-1]
	}
	return s.stack[f.k][:w]
}

// A receiver has chosen bits and gets their MACs.
type receiver struct{ forest }

// extend sets m to the MACs of the bits x, and msg to the message for the
// sender. len(m) is a whole number of units.
func (r *receiver) extend(s *scratch, m []prg.Block, x, msg []byte) {
	for len(m) > 0 {
		s.yield()
		n := min(chunk, len(m))
		w := n / 128
		for t := range r.leaves {
			u := prg.Bytes(r.tree(s, t, w))
			subtle.XORBytes(msg[t*n/8:(t+1)*n/8], u, x[:n/8])
		}
		prg.Transpose(m[:n], prg.Bytes(s.rows), n/8, n)
		m, x, msg = m[n:], x[n/8:], msg[extendLen(r.k, n):]
	}
}

// A sender has Δ and gets keys.
type sender struct {
	forest
	delta prg.Block
}

// extend sets q to the keys of the bits of the receiver's message. len(q) is a
// whole number of units.
func (d *sender) extend(s *scratch, q []prg.Block, msg []byte) {
	for len(q) > 0 {
		s.yield()
		n := min(chunk, len(q))
		w := n / 128
		c := s.tmp[:w]
		for t := range d.leaves {
			d.tree(s, t, w)
			copy(prg.Bytes(c), msg[t*n/8:(t+1)*n/8])
			for b := range d.k {
				i := t*d.k + b
				prg.MaskXor(s.rows[i*w:(i+1)*w], c, uint64(deltaBit(d.delta, i)))
			}
		}
		prg.Transpose(q[:n], prg.Bytes(s.rows), n/8, n)
		q, msg = q[n:], msg[extendLen(d.k, n):]
	}
}

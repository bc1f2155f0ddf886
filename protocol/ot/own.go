package ot

import (
	"fmt"
	"math/bits"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/transport"
)

const (
	// stripBlocks is the number of hash outputs of one element under one key, at
	// most, so that 64 parties keep to the bound of a key.
	stripBlocks = 128
	// runWords is the number of words that are worked on at a time.
	runWords = 8192
)

// An OwnShape is the public part of an [OwnRequest]: matrices X of Rows×Inner,
// one below the other, of which N elements from number First on are multiplied,
// row by row, with matrices V of Inner×Cols, modulo 2^Width. A party of Holders
// has numbers X of its own, a party of Keys a V of its own.
type OwnShape struct {
	First, N          int
	Rows, Inner, Cols int
	Width             int
	Holders, Keys     Set
}

// Auth returns the shape of the bits of X.
func (s OwnShape) Auth() AuthShape { return AuthShape{s.N * s.Width, s.Holders, s.Keys} }

// An OwnRequest asks for the products of numbers that one party knows with those
// that another one knows.
type OwnRequest struct {
	OwnShape
	// X are the bits of the elements that the holders have, see [OwnBits]. Each
	// party's own bits are meant, not their sum over the parties.
	X Bits
	// V are all matrices V of this party, one after the other.
	V []uint64
	// Z are all matrices that [Session.MulOwn] adds to, of Rows×Cols each, one
	// after the other.
	Z []uint64
	// Layer and the element Element of the first element of all matrices X name
	// the products: they are part of the tweaks. Within a call an element
	// appears once for each ordered pair of parties, and all requests of a layer
	// have the same Cols and Width.
	Layer   int
	Element uint64
}

// OwnBits sets dst to the low bits of the numbers x: bit k of x[e] is
// dst[k·len(x)+e].
func OwnBits(dst []uint8, x []uint64, width int) {
	for k := range width {
		plane := dst[k*len(x):][:len(x)]
		for e, v := range x {
			plane[e] = uint8(v>>k) & 1
		}
	}
}

// MulOwn adds to Z of every request this party's additive shares of the sum of
// Xᵢ·Vⱼ over all i in Holders and j ≠ i in Keys, modulo 2^Width; higher bits of Z
// are of any value. For bit k of every element x of Xᵢ, and the row v of Vⱼ that
// meets it:
//
//	d = H(K) − H(K ⊕ Δⱼ) + v      j → i, modulo 2^(Width−k)
//	i adds 2ᵏ·(H(M) + xₖ·d), j subtracts 2ᵏ·H(K)
//
// where M and K are of xₖ. As H(M) = H(K ⊕ xₖ·Δⱼ), the two shares add up to 2ᵏ·xₖ·v.
// Party i sees d, in which H at the input that it does not know, K ⊕ (1−xₖ)·Δⱼ, pads
// v; party j sees nothing. One correlated OT serves all columns.
//
// Rounds: 1. Sends: N·Cols elements d for each bit and each holder, packed to their
// widths.
//
// Reference: Gilboa, "Two Party RSA Key Generation", CRYPTO '99, Section 4.1, with
// the correlated OTs of Demmler, Schneider, Zohner, "ABY", NDSS 2015, Section
// III-A5.
func (s *Session) MulOwn(m *transport.Mesh, step string, reqs []OwnRequest) error {
	s.alive()
	if len(reqs) == 0 {
		return nil
	}
	shapes := make([]OwnShape, len(reqs))
	for r, req := range reqs {
		req.check(s.self, s.n)
		shapes[r] = req.OwnShape
	}
	cuts := s.ownPieces(shapes)
	out, in := make([][]byte, s.n), make([][]byte, s.n)
	for p := range peers(s.self, s.n) {
		out[p] = s.arena.bytes(ownBytes(shapes, s.self, p))[:0]
		in[p] = s.arena.bytes(ownBytes(shapes, p, s.self))
	}
	for r, req := range reqs {
		m.Yield()
		for p := range peers(s.self, s.n) {
			if req.sends(s.self, p) {
				out[p] = s.ownSend(out[p], req, p, cuts[r])
			}
		}
	}
	if err := m.Exchange(step, out, in); err != nil {
		return err
	}
	for r, req := range reqs {
		m.Yield()
		for p := range peers(s.self, s.n) {
			if req.sends(p, s.self) {
				in[p] = s.ownReceive(in[p], req, p, cuts[r])
				s.counts.Muls += req.muls()
			}
		}
	}
	return nil
}

func (s OwnShape) check(n int) {
	if s.First < 0 || s.N < 0 || s.Rows < 1 || s.Inner < 1 || s.Cols < 1 || s.Width < 1 || s.Width > 64 {
		panic(fmt.Sprintf("ot: mul own: shape %+v", s))
	}
	if all := All(n); s.Holders&^all != 0 || s.Keys&^all != 0 {
		panic("ot: mul own: parties that are not there")
	}
}

func (r OwnRequest) check(self, n int) {
	r.OwnShape.check(n)
	if r.X.Holders != r.Holders || r.X.Keys != r.Keys || r.X.Len() != r.N*r.Width {
		panic("ot: mul own: bits of another shape")
	}
	rows := (r.First + r.N + r.Inner - 1) / r.Inner
	if len(r.Z) < rows*r.Cols || r.Keys.Has(self) && len(r.V) < (rows+r.Rows-1)/r.Rows*r.Inner*r.Cols {
		panic("ot: mul own: matrices of another shape")
	}
	last, carry := bits.Add64(r.Element, uint64(r.First+r.N), 0)
	if over, _ := bits.Mul64(last, uint64(hashBlocks(r.Cols, r.Width))); carry|over != 0 {
		panic("ot: mul own: elements do not fit the tweak")
	}
}

// sends reports whether party j sends to party i.
func (s OwnShape) sends(j, i int) bool { return i != j && s.Holders.Has(i) && s.Keys.Has(j) }

// pairs returns the number of ordered pairs of a holder and a sender.
func (s OwnShape) pairs() int {
	return s.Holders.Len()*s.Keys.Len() - (s.Holders & s.Keys).Len()
}

// muls returns the number of products of a bit with a word, for one pair.
func (s OwnShape) muls() int64 { return int64(s.N) * int64(s.Width) * int64(s.Cols) }

// bytes returns the length of the message of one sender to one holder.
func (s OwnShape) bytes() int {
	b := 0
	for k := range s.Width {
		b += ring.PackedLen(s.N*s.Cols, s.Width-k)
	}
	return b
}

// ownBytes returns the number of bytes that party j sends to party i.
func ownBytes(shapes []OwnShape, j, i int) int {
	b := 0
	for _, s := range shapes {
		if s.sends(j, i) {
			b += s.bytes()
		}
	}
	return b
}

// PlanMulOwn returns the cost of [Session.MulOwn] for party self of n.
func PlanMulOwn(n, self int, shapes []OwnShape) Cost {
	if len(shapes) == 0 {
		return Cost{}
	}
	c := Cost{Rounds: 1}
	for _, s := range shapes {
		s.check(n)
		for p := range peers(self, n) {
			if s.sends(self, p) {
				c.Sent += int64(s.bytes())
			}
			if s.sends(p, self) {
				c.Received += int64(s.bytes())
				c.Muls += s.muls()
			}
		}
	}
	return c
}

// wordsPerHalf is the number of words of the given width that take disjoint bits
// of half a hash output.
func wordsPerHalf(width int) int { return 64 / width }

// hashBlocks is the number of hash outputs that mask some words.
func hashBlocks(words, width int) int {
	per := 2 * wordsPerHalf(width)
	return (words + per - 1) / per
}

// stripLen is the number of columns that are worked on together.
func stripLen(width int) int {
	per := 2 * wordsPerHalf(width)
	return per * min(stripBlocks, runWords/per)
}

// An ownPiece is bit k of the elements lo to hi−1 of a request times the columns
// c0 to c1−1.
type ownPiece struct {
	k, lo, hi, c0, c1 int
	hash              *prg.Hash
}

// ownPieces cuts requests into pieces with one hash key each. Keys serve this
// call only, and at most 2²⁰ sums of all parties. Rows longer than a strip are cut.
func (s *Session) ownPieces(shapes []OwnShape) [][]ownPiece {
	out := make([][]ownPiece, len(shapes))
	var hash *prg.Hash
	left := 0 // sums that the present key still allows
	for r, sh := range shapes {
		if sh.pairs() == 0 {
			continue
		}
		for k := range sh.Width {
			strip := stripLen(sh.Width - k)
			for lo, c0 := 0, 0; lo < sh.N; {
				p := ownPiece{k: k, lo: lo, hi: lo + 1, c0: c0, c1: min(c0+strip, sh.Cols)}
				blocks := hashBlocks(p.c1-c0, sh.Width-k)
				sums := 2 * sh.pairs() * blocks
				if left < sums {
					hash, left = s.nextHashes(1)[0], hashesPerKey
				}
				if sh.Cols <= strip {
					p.hi = lo + min(sh.N-lo, run/blocks, runWords/sh.Cols, left/sums)
				}
				left -= sums * (p.hi - lo)
				p.hash = hash
				out[r] = append(out[r], p)
				if c0 = p.c1; c0 == sh.Cols {
					lo, c0 = p.hi, 0
				}
			}
		}
	}
	return out
}

// tweak returns the tweak of the first block of a piece. The blocks of an
// element follow one another, and those of the next one them.
func (r OwnRequest) tweak(recv, send int, p ownPiece) prg.Block {
	width := r.Width - p.k
	element := r.Element + uint64(r.First+p.lo)
	at := element*uint64(hashBlocks(r.Cols, width)) + uint64(p.c0/(2*wordsPerHalf(width)))
	return prg.Tweak(prg.BitRing, recv, 0, send, r.Layer, p.k, at)
}

// ownSend appends the elements d for party recv to out and subtracts H(K) from Z.
func (s *Session) ownSend(out []byte, r OwnRequest, recv int, cuts []ownPiece) []byte {
	defer s.step.release()
	d := s.step.words(r.N * r.Cols)
	h0, h1 := s.step.words(runWords), s.step.words(runWords)
	for i, p := range cuts {
		if i == 0 || cuts[i-1].k != p.k {
			r.fill(d)
		}
		cols, n := p.c1-p.c0, p.hi-p.lo
		blocks := hashBlocks(cols, r.Width-p.k)
		src := s.spread(r.X.K[recv][p.k*r.N+p.lo:][:n], blocks)
		h, hx := s.buf.h[:len(src)], s.buf.x[:len(src)]
		p.hash.Pair(h, hx, src, r.tweak(recv, s.self, p), s.delta)
		prg.XorInto(hx, h)
		w0, w1 := h0[:n*cols], h1[:n*cols]
		hashWords(w0, h, cols, r.Width-p.k)
		hashWords(w1, hx, cols, r.Width-p.k)
		mine := d[p.lo*r.Cols+p.c0:][:len(w0)]
		for e, x := range w0 {
			mine[e] += x - w1[e]
			w0[e] = -x
		}
		r.add(w0, p)
		if i+1 == len(cuts) || cuts[i+1].k != p.k {
			out = ring.AppendPacked(out, d, r.Width-p.k)
		}
	}
	return out
}

// ownReceive adds to Z for the message of party send, which is cut off from msg.
func (s *Session) ownReceive(msg []byte, r OwnRequest, send int, cuts []ownPiece) []byte {
	defer s.step.release()
	d := s.step.words(r.N * r.Cols)
	h0 := s.step.words(runWords)
	for i, p := range cuts {
		if i == 0 || cuts[i-1].k != p.k {
			ring.Unpack(d, msg, r.Width-p.k)
			msg = msg[ring.PackedLen(len(d), r.Width-p.k):]
		}
		cols, n := p.c1-p.c0, p.hi-p.lo
		at := p.k*r.N + p.lo
		src := s.spread(r.X.M[send][at:][:n], hashBlocks(cols, r.Width-p.k))
		h := s.buf.h[:len(src)]
		p.hash.Sum(h, src, r.tweak(s.self, send, p))
		w := h0[:n*cols]
		hashWords(w, h, cols, r.Width-p.k)
		addScaled(w, d[p.lo*r.Cols+p.c0:][:len(w)], r.X.X[at:][:n], cols)
		r.add(w, p)
	}
	return msg
}

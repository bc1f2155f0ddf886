package ot

import (
	"encoding/binary"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/transport"
)

// maxEach is the largest number of vectors of an [EachRequest]: the bits of a
// hash.
const maxEach = 128

// PlaneWords returns the number of words of a plane of n bits: bit i is bit
// i%64 of word i/64, and planes are padded with zeros to whole blocks.
func PlaneWords(n int) int { return 2 * ((n + 127) / 128) }

// planeLen is the length of a plane of n bits in a message.
func planeLen(n int) int { return (n + 7) / 8 }

// An EachRequest asks for the products of the bits of A with those of every
// vector of B. All parties hold shares and keys of A. B are planes of this
// party's XOR shares, see [PlaneWords], at most 128 of them, and need no MACs.
// Layer, Gate and the elements Element, Element+1, … name the bits of A: they
// are part of the tweaks, and do not repeat within a call.
type EachRequest struct {
	A           Bits
	B           [][]uint64
	Layer, Gate int
	Element     uint64
}

// An EachShape is the public part of an [EachRequest].
type EachShape struct{ N, Vectors int }

// Shape returns the public part of r.
func (r EachRequest) Shape() EachShape { return EachShape{r.A.Len(), len(r.B)} }

func (s EachShape) bytes() int { return s.Vectors * planeLen(s.N) }

// AndEach returns this party's XOR shares of a ∧ b for every request, every
// vector b of B and the bits a of A, as planes. For every ordered pair of parties
// i, j and every w,
//
//	d_w = H_w(K) ⊕ H_w(K ⊕ Δⱼ) ⊕ b_wⱼ      j → i
//	share of i: H_w(M) ⊕ aᵢ·d_w,  share of j: H_w(K)
//
// where M and K are of aᵢ and H_w is bit w of the hash. Each party adds its
// aᵢ·b_wᵢ. One correlated OT for every ordered pair thus multiplies a bit with up
// to 128 others.
//
// The shares add up, as H_w(M) = H_w(K ⊕ aᵢ·Δⱼ) is H_w(K) if aᵢ = 0 and else
// H_w(K) ⊕ d_w ⊕ b_wⱼ, so that the two shares of a pair sum to aᵢ·b_wⱼ. Party i sees
// d_w, in which H_w at the input that it does not know, K ⊕ (1−aᵢ)·Δⱼ, pads b_wⱼ; the
// 128 bits of one hash are independent pads. Party j sees nothing.
//
// Rounds: 1. Sends: one bit for every product to every other party, each
// vector padded to a byte.
func (s *Session) AndEach(m *transport.Mesh, step string, reqs []EachRequest) ([][][]uint64, error) {
	s.alive()
	if len(reqs) == 0 {
		return nil, nil
	}
	size := 0
	for _, req := range reqs {
		req.check(s.n)
		size += req.Shape().bytes()
	}
	cuts := s.eachPieces(reqs)
	z, out, in := make([][][]uint64, len(reqs)), make([][]byte, s.n), make([][]byte, s.n)
	for j := range peers(s.self, s.n) {
		out[j], in[j] = make([]byte, size), make([]byte, size)
	}
	at := 0
	for r, req := range reqs {
		m.Yield()
		z[r] = req.own()
		shape := req.Shape()
		s.counts.Ands += int64(shape.N * shape.Vectors)
		for j := range peers(s.self, s.n) {
			s.eachSend(out[j][at:][:shape.bytes()], z[r], req, j, cuts[r])
		}
		at += shape.bytes()
	}
	if err := m.Exchange(step, out, in); err != nil {
		return nil, err
	}
	at = 0
	for r, req := range reqs {
		m.Yield()
		shape := req.Shape()
		for j := range peers(s.self, s.n) {
			s.eachReceive(z[r], in[j][at:][:shape.bytes()], req, j, cuts[r])
		}
		at += shape.bytes()
	}
	return z, nil
}

func (r EachRequest) check(n int) {
	if r.A.Holders != All(n) || r.A.Keys != All(n) {
		panic("ot: and each: all parties hold shares and keys")
	}
	if len(r.B) > maxEach {
		panic("ot: and each: more than 128 vectors")
	}
	for _, b := range r.B {
		if len(b) != PlaneWords(r.A.Len()) {
			panic("ot: and each: vectors of different length")
		}
	}
}

// own returns the products of this party's shares.
func (r EachRequest) own() [][]uint64 {
	words := PlaneWords(r.A.Len())
	a := Plane(r.A.X)
	flat := make([]uint64, words*len(r.B))
	z := make([][]uint64, len(r.B))
	for w, b := range r.B {
		z[w] = flat[w*words:][:words:words]
		for i := range a {
			z[w][i] = a[i] & b[i]
		}
	}
	clear(a)
	return z
}

// Plane packs bits, each a byte of value 0 or 1.
func Plane(x []uint8) []uint64 {
	packed := make([]byte, 8*PlaneWords(len(x)))
	packBits(packed, x)
	p := make([]uint64, len(packed)/8)
	for i := range p {
		p[i] = binary.LittleEndian.Uint64(packed[8*i:])
	}
	clear(packed)
	return p
}

// eachPieces cuts the elements of requests into pieces of whole blocks, of which a
// key serves one at least for up to 64 parties.
func (s *Session) eachPieces(reqs []EachRequest) [][]piece {
	out := make([][]piece, len(reqs))
	per := 2 * s.n * (s.n - 1)
	var hashes []*prg.Hash
	left := 0
	for r, req := range reqs {
		for lo, n := 0, req.A.Len(); lo < n; {
			if left < 128*per {
				hashes, left = s.nextHashes(1), hashesPerKey
			}
			hi := min(n, lo+run, lo+left/per&^127)
			out[r] = append(out[r], piece{lo, hi, hashes})
			left -= (hi - lo) * per
			lo = hi
		}
	}
	return out
}

func (r EachRequest) tweak(recv, send, lo int) prg.Block {
	return prg.Tweak(prg.BitAnd, recv, 0, send, r.Layer, r.Gate, r.Element+uint64(lo))
}

// eachSend writes the bits d for receiver recv to msg and adds H(K) to z.
func (s *Session) eachSend(msg []byte, z [][]uint64, req EachRequest, recv int, cuts []piece) {
	size := planeLen(req.A.Len())
	var h, x [maxEach]prg.Block
	for _, p := range cuts {
		n := p.hi - p.lo
		p.hashes[0].Pair(s.buf.h[:n], s.buf.x[:n], req.A.K[recv][p.lo:p.hi], req.tweak(recv, s.self, p.lo), s.delta)
		for lo := 0; lo < n; lo += 128 {
			keep := lowBlock(n - lo)
			bitPlanes(&h, s.buf.h[lo:lo+128], len(req.B))
			bitPlanes(&x, s.buf.x[lo:lo+128], len(req.B))
			at := (p.lo + lo) / 64
			for w, b := range req.B {
				d := prg.Block{x[w][0]&keep[0] ^ b[at], x[w][1]&keep[1] ^ b[at+1]}
				putBlock(msg[w*size:][(p.lo+lo)/8:size], d)
				z[w][at] ^= h[w][0] & keep[0]
				z[w][at+1] ^= h[w][1] & keep[1]
			}
		}
	}
}

// eachReceive adds to z for the bits d of sender send.
func (s *Session) eachReceive(z [][]uint64, msg []byte, req EachRequest, send int, cuts []piece) {
	size := planeLen(req.A.Len())
	a := Plane(req.A.X)
	var h [maxEach]prg.Block
	for _, p := range cuts {
		n := p.hi - p.lo
		p.hashes[0].Sum(s.buf.h[:n], req.A.M[send][p.lo:p.hi], req.tweak(s.self, send, p.lo))
		for lo := 0; lo < n; lo += 128 {
			keep := lowBlock(n - lo)
			bitPlanes(&h, s.buf.h[lo:lo+128], len(req.B))
			at := (p.lo + lo) / 64
			for w := range req.B {
				d := getBlock(msg[w*size:][(p.lo+lo)/8 : size])
				z[w][at] ^= h[w][0]&keep[0] ^ a[at]&d[0]
				z[w][at+1] ^= h[w][1]&keep[1] ^ a[at+1]&d[1]
			}
		}
	}
	clear(a)
}

// bitPlanes sets dst[w] to bit w of each of 128 blocks, for w < n at least.
func bitPlanes(dst *[maxEach]prg.Block, src []prg.Block, n int) {
	for w := 0; w < n; w += 8 {
		for half := range 2 {
			y := columns(src[64*half:64*half+64], w/64, w%64)
			for i, bits := range y {
				dst[w+i][half] = bits
			}
		}
	}
}

// columns returns eight columns of bits of 64 blocks: bit e of word i is bit
// shift+i of word half of src[e]. In each of the eight bytes of the words it
// transposes a square of eight rows (Warren, "Hacker's Delight", Section 7-3).
func columns(src []prg.Block, half, shift int) (y [8]uint64) {
	src = src[:64]
	for r := range y {
		for g := range 8 {
			y[r] |= src[8*g+r][half] >> shift & 0xff << (8 * g)
		}
	}
	for _, step := range [...]struct {
		j    int
		mask uint64
	}{{4, 0x0f0f0f0f0f0f0f0f}, {2, 0x3333333333333333}, {1, 0x5555555555555555}} {
		for k := 0; k < 8; k = (k + step.j + 1) &^ step.j {
			t := (y[k]>>step.j ^ y[k+step.j]) & step.mask
			y[k] ^= t << step.j
			y[k+step.j] ^= t
		}
	}
	return y
}

// lowBlock returns the block whose lowest n bits are 1, or all if n ≥ 128.
func lowBlock(n int) prg.Block {
	ones := func(n int) uint64 {
		if n <= 0 {
			return 0
		}
		return ^uint64(0) >> (64 - uint(min(n, 64)))
	}
	return prg.Block{ones(n), ones(n - 64)}
}

// putBlock writes as much of b as dst has room for.
func putBlock(dst []byte, b prg.Block) {
	if len(dst) >= 16 {
		binary.LittleEndian.PutUint64(dst, b[0])
		binary.LittleEndian.PutUint64(dst[8:], b[1])
		return
	}
	var all [16]byte
	putBlock(all[:], b)
	copy(dst, all[:])
}

// getBlock is the inverse of [putBlock]; what src lacks is zero.
func getBlock(src []byte) prg.Block {
	if len(src) < 16 {
		var all [16]byte
		copy(all[:], src)
		src = all[:]
	}
	return prg.Block{binary.LittleEndian.Uint64(src), binary.LittleEndian.Uint64(src[8:])}
}

// PlanAndEach returns the cost of [Session.AndEach] for one of n parties.
func PlanAndEach(n int, shapes []EachShape) Cost {
	if len(shapes) == 0 {
		return Cost{}
	}
	c := Cost{Rounds: 1}
	for _, s := range shapes {
		c.Ands += int64(s.N * s.Vectors)
		c.Sent += int64((n - 1) * s.bytes())
	}
	c.Received = c.Sent
	return c
}

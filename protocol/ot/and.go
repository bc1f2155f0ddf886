package ot

import (
	"crypto/subtle"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/transport"
)

// An AndRequest asks for the products of the bits of A and B. All parties hold
// shares of both; all but Eval, the evaluator, hold keys. AddA and AddB, unless
// empty, are added to A and B beforehand. Layer, Gate and the elements Element,
// Element+1, … name the products: they are part of the tweaks, and do not repeat
// within a call.
type AndRequest struct {
	A, B        Bits
	AddA, AddB  Bits
	Eval        int
	Layer, Gate int
	Element     uint64
}

// Shape returns the public part of r.
func (r AndRequest) Shape() AndShape { return AndShape{r.A.Len(), r.Eval} }

// A cross is a product of a bit of party recv and one of party send.
type cross struct {
	recv, send int
	half       int // 0: recv's bit is of a, 1: of b
}

// crosses lists the cross terms of a product. The sender needs keys of the
// receiver's share, so the evaluator receives both of its terms with every
// other party.
func crosses(n, eval int) []cross {
	var c []cross
	for j := range n {
		if j == eval {
			continue
		}
		c = append(c, cross{eval, j, 0}, cross{eval, j, 1})
		for i := range n {
			if i != j && i != eval {
				c = append(c, cross{i, j, 0})
			}
		}
	}
	return c
}

// And returns this party's XOR shares of a ∧ b for every request. For every
// cross term xᵢ·yⱼ, where x and y are a and b, or b and a:
//
//	d = H(K) ⊕ H(K ⊕ Δⱼ) ⊕ yⱼ      j → i, the lowest bit
//	share of i: H(M) ⊕ xᵢ·d,  share of j: H(K)
//
// where M and K are of xᵢ. Each party adds its aᵢ·bᵢ.
//
// Rounds: 1. Sends: one bit for every product to every other party but the
// evaluator, who gets two and sends none.
func (s *Session) And(m *transport.Mesh, step string, reqs []AndRequest) ([][]uint8, error) {
	s.alive()
	if len(reqs) == 0 {
		return nil, nil
	}
	cuts := s.andPieces(reqs)
	jobs, out := make([]andJob, len(reqs)), make([][]byte, s.n)
	sent, length := make([]int, s.n), make([]int, s.n) // bits
	for _, req := range reqs {
		for _, c := range crosses(s.n, req.Eval) {
			if c.send == s.self {
				sent[c.recv] += req.A.Len()
			} else if c.recv == s.self {
				length[c.send] += req.A.Len()
			}
		}
	}
	for j := range out {
		out[j] = s.arena.bytes((sent[j] + 7) / 8)
		clear(out[j])
		sent[j] = 0
	}
	for r, req := range reqs {
		m.Yield()
		req.check(s.n)
		jobs[r] = s.andJob(req, cuts[r])
		for _, c := range crosses(s.n, req.Eval) {
			if c.send == s.self {
				s.andSend(out[c.recv], sent[c.recv], jobs[r], c)
				sent[c.recv] += req.A.Len()
			}
		}
		s.counts.Ands += int64(req.A.Len())
	}
	in := make([][]byte, s.n)
	for j := range in {
		in[j] = s.arena.bytes((length[j] + 7) / 8)
	}
	if err := m.Exchange(step, out, in); err != nil {
		return nil, err
	}
	z, at := make([][]uint8, len(reqs)), make([]int, s.n)
	for r, req := range reqs {
		for _, c := range crosses(s.n, req.Eval) {
			if c.recv == s.self {
				s.andReceive(in[c.send], at[c.send], jobs[r], c)
				at[c.send] += req.A.Len()
			}
		}
		z[r] = jobs[r].z
	}
	return z, nil
}

func (r AndRequest) check(n int) {
	garblers := All(n).Without(r.Eval)
	for i, b := range []Bits{r.A, r.B, r.AddA, r.AddB} {
		if i >= 2 && b.M == nil {
			continue
		}
		if len(b.X) != len(r.A.X) || b.Holders != All(n) || b.Keys&garblers != garblers {
			panic("ot: and: all parties hold shares, all but the evaluator keys")
		}
	}
}

// An andJob is a request on its way.
type andJob struct {
	req  AndRequest
	x    [2][]uint8 // this party's shares of both operands
	z    []uint8    // and of the products
	cuts []piece
}

func (s *Session) andJob(req AndRequest, cuts []piece) andJob {
	j := andJob{req: req, x: [2][]uint8{req.A.X, req.B.X}, z: s.arena.bytes(len(req.A.X)), cuts: cuts}
	for half, add := range []Bits{req.AddA, req.AddB} {
		if add.M != nil {
			x := s.arena.bytes(len(j.z))
			subtle.XORBytes(x, j.x[half], add.X)
			j.x[half] = x
		}
	}
	a, b := j.x[0], j.x[1]
	for e := range j.z {
		j.z[e] = a[e] & b[e]
	}
	return j
}

func (s *Session) andPieces(reqs []AndRequest) [][]piece {
	lens, per, blocks := make([]int, len(reqs)), make([]int, len(reqs)), make([]int, len(reqs))
	for r, req := range reqs {
		lens[r], per[r], blocks[r] = req.A.Len(), 2*s.n*(s.n-1), 1
	}
	return s.pieces(lens, per, blocks)
}

// vectors returns the two vectors of which the receiver's operand is the sum.
func (r AndRequest) vectors(c cross) (x, add Bits) {
	if c.half == 0 {
		return r.A, r.AddA
	}
	return r.B, r.AddB
}

func (r AndRequest) tweak(c cross, lo int) prg.Block {
	return prg.Tweak(prg.BitAnd, c.recv, c.half, c.send, r.Layer, r.Gate, r.Element+uint64(lo))
}

// operand returns the sum of the blocks p of two vectors, in the buffer if need
// be.
func (s *Session) operand(p piece, x, add []prg.Block) []prg.Block {
	x = x[p.lo:p.hi]
	if add == nil {
		return x
	}
	prg.Sum(s.buf.h[:len(x)], x, add[p.lo:p.hi])
	return s.buf.h[:len(x)]
}

// andSend writes the bits d of one cross term to out, from bit at on, and adds
// to z.
func (s *Session) andSend(out []byte, at int, j andJob, c cross) {
	x, add := j.req.vectors(c)
	y := j.x[1-c.half]
	for _, p := range j.cuts {
		n := p.hi - p.lo
		h, hx, d := s.buf.h[:n], s.buf.x[:n], s.buf.bits[:n]
		p.hashes[0].Pair(h, hx, s.operand(p, x.K[c.recv], keysOf(add, c.recv)), j.req.tweak(c, p.lo), s.delta)
		z, y := j.z[p.lo:p.hi], y[p.lo:p.hi]
		for e := range d {
			d[e] = uint8(hx[e][0])&1 ^ y[e]
			z[e] ^= uint8(h[e][0]) & 1
		}
		prg.PackBitsAt(out, at+p.lo, d)
	}
}

// andReceive adds to z for the bits d of one cross term, which start at bit at
// of msg.
func (s *Session) andReceive(msg []byte, at int, j andJob, c cross) {
	x, add := j.req.vectors(c)
	var macs []prg.Block
	if add.M != nil {
		macs = add.M[c.send]
	}
	for _, p := range j.cuts {
		n := p.hi - p.lo
		h, d := s.buf.h[:n], s.buf.bits[:n]
		p.hashes[0].Sum(h, s.operand(p, x.M[c.send], macs), j.req.tweak(c, p.lo))
		prg.UnpackBitsAt(d, msg, at+p.lo)
		z, x := j.z[p.lo:p.hi], j.x[c.half][p.lo:p.hi]
		for e := range d {
			z[e] ^= uint8(h[e][0])&1 ^ x[e]&d[e]
		}
	}
}

func keysOf(b Bits, j int) []prg.Block {
	if b.K == nil {
		return nil
	}
	return b.K[j]
}

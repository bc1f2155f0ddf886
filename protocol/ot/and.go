package ot

import (
	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/transport"
)

// An AndRequest asks for the products of the bits of A and B. All parties hold
// shares of both; all but Eval, the evaluator, hold keys. Layer, Gate and the
// elements Element, Element+1, … name the products: they are part of the
// tweaks, and do not repeat within a call.
type AndRequest struct {
	A, B        Bits
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
	z, out := make([][]uint8, len(reqs)), make([][]uint8, s.n)
	length := make([]int, s.n) // bits to come
	for r, req := range reqs {
		req.check(s.n)
		z[r] = make([]uint8, req.A.Len())
		for e := range z[r] {
			z[r][e] = req.A.X[e] & req.B.X[e]
		}
		s.counts.Ands += int64(len(z[r]))
		for _, c := range crosses(s.n, req.Eval) {
			if c.send == s.self {
				out[c.recv] = s.andSend(out[c.recv], z[r], req, c, cuts[r])
			} else if c.recv == s.self {
				length[c.send] += len(z[r])
			}
		}
	}
	in, err := swapBits(m, step, out, length)
	if err != nil {
		return nil, err
	}
	for r, req := range reqs {
		for _, c := range crosses(s.n, req.Eval) {
			if c.recv == s.self {
				s.andReceive(in[c.send][:len(z[r])], z[r], req, c, cuts[r])
				in[c.send] = in[c.send][len(z[r]):]
			}
		}
	}
	return z, nil
}

func (r AndRequest) check(n int) {
	garblers := All(n).Without(r.Eval)
	for _, b := range []Bits{r.A, r.B} {
		if len(b.X) != len(r.A.X) || b.Holders != All(n) || b.Keys&garblers != garblers {
			panic("ot: and: all parties hold shares, all but the evaluator keys")
		}
	}
}

func (s *Session) andPieces(reqs []AndRequest) [][]piece {
	lens, per, blocks := make([]int, len(reqs)), make([]int, len(reqs)), make([]int, len(reqs))
	for r, req := range reqs {
		lens[r], per[r], blocks[r] = req.A.Len(), 2*s.n*(s.n-1), 1
	}
	return s.pieces(lens, per, blocks)
}

// operands returns the vectors of the receiver's and of the sender's bit.
func (r AndRequest) operands(c cross) (x, y Bits) {
	if c.half == 0 {
		return r.A, r.B
	}
	return r.B, r.A
}

func (r AndRequest) tweak(c cross, lo int) prg.Block {
	return prg.Tweak(prg.BitAnd, c.recv, c.half, c.send, r.Layer, r.Gate, r.Element+uint64(lo))
}

// andSend appends the bits d of one cross term to out and adds to z.
func (s *Session) andSend(out, z []uint8, req AndRequest, c cross, cuts []piece) []uint8 {
	x, y := req.operands(c)
	for _, p := range cuts {
		k := x.K[c.recv][p.lo:p.hi]
		p.hashes[0].Pair(s.buf.h[:], s.buf.x[:], k, req.tweak(c, p.lo), s.delta)
		for e := range k {
			out = append(out, uint8(s.buf.x[e][0])&1^y.X[p.lo+e])
			z[p.lo+e] ^= uint8(s.buf.h[e][0]) & 1
		}
	}
	return out
}

// andReceive adds to z for the bits d of one cross term.
func (s *Session) andReceive(d, z []uint8, req AndRequest, c cross, cuts []piece) {
	x, _ := req.operands(c)
	for _, p := range cuts {
		mac := x.M[c.send][p.lo:p.hi]
		p.hashes[0].Sum(s.buf.h[:len(mac)], mac, req.tweak(c, p.lo))
		for e := range mac {
			z[p.lo+e] ^= uint8(s.buf.h[e][0])&1 ^ x.X[p.lo+e]&d[p.lo+e]
		}
	}
}

// swapBits sends the bits out[j] to every peer j and returns the length[j] bits
// that it sent. It erases out.
func swapBits(m *transport.Mesh, step string, out [][]uint8, length []int) ([][]uint8, error) {
	sent, got := make([][]byte, len(out)), make([][]byte, len(out))
	for j := range out {
		sent[j], got[j] = make([]byte, (len(out[j])+7)/8), make([]byte, (length[j]+7)/8)
		packBits(sent[j], out[j])
		clear(out[j])
	}
	if err := m.Exchange(step, sent, got); err != nil {
		return nil, err
	}
	in := make([][]uint8, len(out))
	for j := range in {
		in[j] = make([]uint8, length[j])
		unpackBits(in[j], got[j])
	}
	return in, nil
}

package ot

import (
	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/transport"
)

// A MulRequest asks for the products of every bit of Beta with one or more ring
// elements. V[w] are this party's additive shares, modulo 2^Widths[w], of the
// elements that the bits are multiplied with. Layer, Gate and the elements
// Element, Element+1, … name the products: they are part of the tweaks, and do
// not repeat within a call.
type MulRequest struct {
	Beta   Bits
	V      [][]uint64 // nil if One
	Widths []int
	// Order lists all parties, in the order in which they receive. Each needs
	// to have keys of those who receive while it sends: of all others, or, if
	// One, of those that come later, so that the last one needs none.
	Order []int
	// One means that all elements are the public constant 1.
	One         bool
	Layer, Gate int
	Element     uint64
}

// Shape returns the public part of r.
func (r MulRequest) Shape() MulShape { return MulShape{r.Beta.Len(), r.Widths, r.Order, r.One} }

// Mul returns this party's additive shares of β·V[w] modulo 2^Widths[w] for
// every request and w. Starting from u = 0, party after party i replaces
//
//	u ← u + βᵢ·(v − 2u)
//
// so that in the end u = (⊕ βᵢ)·v. With tⱼ = vⱼ − 2uⱼ, for every other party j:
//
//	d = H(K) − H(K ⊕ Δⱼ) + tⱼ         j → i
//	i adds H(M) + βᵢ·d to uᵢ, j subtracts H(K) from uⱼ
//
// and i adds βᵢ·tᵢ. If v = 1 it is a share of the first party, whose step is
// then local, and parties that have not received yet have u = 0, by structure,
// and do not send.
//
// Rounds: n−1 if all requests are for One, else n. Sends: the elements d, every
// w packed to its width.
func (s *Session) Mul(m *transport.Mesh, step string, reqs []MulRequest) ([][][]uint64, error) {
	s.alive()
	jobs := s.jobs(reqs)
	rounds := 0
	for _, j := range jobs {
		rounds = max(rounds, j.shape.rounds())
	}
	for t := range rounds {
		out, in := make([][]byte, s.n), make([][]byte, s.n)
		for p := range in {
			out[p] = s.arena.bytes(mulBytes(jobs, t, s.self, p))[:0]
			in[p] = s.arena.bytes(mulBytes(jobs, t, p, s.self))
		}
		for _, j := range jobs {
			m.Yield()
			recv := j.shape.receiver(t)
			if j.shape.sends(t, s.self) {
				out[recv] = s.mulSend(out[recv], j, recv)
			}
		}
		if err := m.Exchange(step, out, in); err != nil {
			return nil, err
		}
		for _, j := range jobs {
			if j.shape.receiver(t) == s.self {
				s.mulReceive(in, j, t)
			}
		}
	}
	z := make([][][]uint64, len(jobs))
	for r, j := range jobs {
		for w := range j.u {
			ring.Reduce(j.u[w], j.req.Widths[w])
		}
		z[r] = j.u
	}
	return z, nil
}

// A mulJob is a request on its way.
type mulJob struct {
	req   MulRequest
	shape MulShape
	u     [][]uint64
	cuts  []piece
	slots []slot
}

func (s *Session) jobs(reqs []MulRequest) []*mulJob {
	jobs := make([]*mulJob, len(reqs))
	lens, per, blocks := make([]int, len(reqs)), make([]int, len(reqs)), make([]int, len(reqs))
	for r, req := range reqs {
		n := req.Beta.Len()
		j := &mulJob{req: req, shape: req.Shape(), u: make([][]uint64, len(req.Widths))}
		j.shape.check(s.n)
		j.check(s.n)
		j.slots, blocks[r] = slots(req.Widths)
		lens[r], per[r] = n, 2*s.n*(s.n-1)
		for w := range j.u {
			j.u[w] = s.arena.words(n)
			if !req.One || req.Order[0] != s.self {
				clear(j.u[w])
				continue
			}
			for e, x := range req.Beta.X {
				j.u[w][e] = uint64(x)
			}
		}
		s.counts.Muls += int64(n * len(req.Widths))
		jobs[r] = j
	}
	for r, cuts := range s.pieces(lens, per, blocks) {
		jobs[r].cuts = cuts
	}
	return jobs
}

func (j *mulJob) check(n int) {
	senders := All(n)
	if j.req.One {
		senders = senders.Without(j.req.Order[n-1])
	}
	if j.req.Beta.Holders != All(n) || j.req.Beta.Keys&senders != senders {
		panic("ot: mul: all parties hold shares, all that send hold keys")
	}
	if j.req.One {
		return
	}
	if len(j.req.V) != len(j.req.Widths) {
		panic("ot: mul: a width for every vector")
	}
	for _, v := range j.req.V {
		if len(v) != j.req.Beta.Len() {
			panic("ot: mul: vectors of different length")
		}
	}
}

// rest sets t = v − 2u for the elements lo, lo+1, … of vector w.
func (j *mulJob) rest(t []uint64, w, lo, self int) {
	u := j.u[w][lo : lo+len(t)]
	switch {
	case !j.req.One:
		copy(t, j.req.V[w][lo:])
	case j.req.Order[0] == self:
		for e := range t {
			t[e] = 1
		}
	default:
		clear(t)
	}
	for e := range t {
		t[e] -= 2 * u[e]
	}
}

// mulSend appends the elements d of one step to out and subtracts H(K) from u.
func (s *Session) mulSend(out []byte, j *mulJob, recv int) []byte {
	defer s.step.release()
	d := make([][]uint64, len(j.u))
	for w := range d {
		d[w] = s.step.words(j.req.Beta.Len())
	}
	keys := j.req.Beta.K[recv]
	for _, p := range j.cuts {
		for b, h := range p.hashes {
			k := keys[p.lo:p.hi]
			h.Pair(s.buf.h[:], s.buf.x[:], k, j.tweak(recv, s.self, b, p.lo), s.delta)
			for w, at := range j.slots {
				if at.block != b {
					continue
				}
				t, u := d[w][p.lo:p.hi], j.u[w][p.lo:p.hi]
				j.rest(t, w, p.lo, s.self)
				for e := range t {
					h0 := s.buf.h[e][at.half] >> at.shift
					h1 := (s.buf.h[e][at.half] ^ s.buf.x[e][at.half]) >> at.shift
					t[e] += h0 - h1
					u[e] -= h0
				}
			}
		}
	}
	for w := range d {
		out = ring.AppendPacked(out, d[w], j.req.Widths[w])
	}
	return out
}

// mulReceive takes step t of a request in which this party receives, and cuts
// off what it used of in.
func (s *Session) mulReceive(in [][]byte, j *mulJob, t int) {
	n := j.req.Beta.Len()
	defer s.step.release()
	own, d := s.step.words(n), s.step.words(n)
	for w := range j.u { // βᵢ·tᵢ, with u as it was before the others' parts
		j.rest(own, w, 0, s.self)
		addMasked(j.u[w], own, j.req.Beta.X)
	}
	for send := range s.n {
		if !j.shape.sends(t, send) {
			continue
		}
		for w, width := range j.req.Widths {
			ring.Unpack(d, in[send], width)
			in[send] = in[send][ring.PackedLen(n, width):]
			addMasked(j.u[w], d, j.req.Beta.X)
		}
		macs := j.req.Beta.M[send]
		for _, p := range j.cuts {
			for b, h := range p.hashes {
				h.Sum(s.buf.h[:p.hi-p.lo], macs[p.lo:p.hi], j.tweak(s.self, send, b, p.lo))
				j.addHashes(s.buf.h[:], b, p)
			}
		}
	}
}

// addHashes adds the outputs h of hash b to u.
func (j *mulJob) addHashes(h []prg.Block, b int, p piece) {
	for w, at := range j.slots {
		if at.block != b {
			continue
		}
		u := j.u[w][p.lo:p.hi]
		for e := range u {
			u[e] += h[e][at.half] >> at.shift
		}
	}
}

// addMasked adds x·bit to u, in constant time.
func addMasked(u, x []uint64, bit []uint8) {
	for e := range u {
		u[e] += x[e] & -uint64(bit[e])
	}
}

func (j *mulJob) tweak(recv, send, block, lo int) prg.Block {
	purpose := prg.BitRing
	if block > 0 { // under a key of its own
		purpose = prg.PayloadWord
	}
	return prg.Tweak(purpose, recv, 0, send, j.req.Layer, j.req.Gate, j.req.Element+uint64(lo))
}

// A slot says which bits of the hash outputs mask a word: they are disjoint
// for different words.
type slot struct {
	block, half int
	shift       uint
}

// slots places words of the given widths into halves of 128-bit blocks, in
// order, and returns how many blocks they take.
func slots(widths []int) ([]slot, int) {
	at := make([]slot, len(widths))
	half, used := 0, 0
	for w, width := range widths {
		if used+width > 64 {
			half, used = half+1, 0
		}
		at[w] = slot{half / 2, half % 2, uint(used)}
		used += width
	}
	return at, half/2 + 1
}

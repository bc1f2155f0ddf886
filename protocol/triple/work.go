package triple

import (
	"fmt"

	lattigo "github.com/ldsec/lattigo/v2/ring"
	"github.com/tacit-mpc/tacit/transport"
)

// makeReplies fills out, and subtracts the masks from z.
func (c *Context) makeReplies(m *transport.Mesh, jobs []job, seed [32]byte, a [][]uint64, batch int, out [][]byte, z [][]uint64) error {
	return parallel(m, len(jobs), func() func(int) error {
		var workers [len(suites)]*replier
		return func(i int) error {
			j := jobs[i]
			w := &workers[c.suite(j.layer)]
			if *w == nil {
				*w = newReplier(c, c.suites[c.suite(j.layer)])
			}
			(*w).multiply(j, a[j.layer], batch)
			for b := range j.blocks {
				s := (*w).eval.sampler(seed, labelReply, uint64(i), uint64(b))
				(*w).finish(j, b, s, batch, out, z[j.layer])
			}
			return nil
		}
	})
}

// A replier makes the replies of jobs of one suite, for all receivers. It
// serves one goroutine.
type replier struct {
	c            *Context
	keys         *keys
	eval         *evaluator
	acc          [][]*lattigo.Poly // by block of the job, then by party; ours is the common part
	v, t         []uint64          // the rows of A of a job, and their transforms
	factors      [][]uint64
	index, place []int32
	share        []uint64
	c1           []byte
}

func newReplier(c *Context, k *keys) *replier {
	return &replier{c: c, keys: k, eval: k.evaluator(), acc: make([][]*lattigo.Poly, c.together()), share: make([]uint64, degree)}
}

// multiply sets acc to Σ A·c1 and Σ A·c0ⱼ, transformed.
func (w *replier) multiply(j job, a []uint64, batch int) {
	s, b, width := w.c.shapes[j.layer], &w.c.masks[j.layer], w.c.layers[j.layer].Width
	points := degree / s.spread
	if n := s.inner * points; len(w.v) < n {
		w.v, w.t = make([]uint64, n), make([]uint64, n)
	}
	for kb := range s.inner {
		s.inputs(w.v[kb*points:][:points], a, batch, j.bundle, j.mb, kb)
	}
	for i := range j.blocks {
		for len(w.acc[i]) < w.c.n {
			w.acc[i] = append(w.acc[i], w.keys.r.NewPoly())
		}
	}
	for i := range w.keys.primes {
		for kb := range s.inner {
			w.eval.transform(w.t[kb*points:][:points], w.v[kb*points:][:points], width, i)
		}
		for n, block := range j.blocks {
			first := (j.bundle*s.cols + block.nb) * s.inner
			for p, acc := range w.acc[n] {
				w.factors = w.factors[:0]
				for _, c := range b.of(p)[first:][:s.inner] {
					w.factors = append(w.factors, c.Coeffs[i])
				}
				w.eval.products(acc.Coeffs[i], w.t, w.factors, s.spread, i)
			}
		}
	}
}

// of returns what is encrypted for party p, or the common part where that is us.
func (r *resident) of(p int) []*lattigo.Poly {
	if r.c0[p] == nil {
		return r.c1
	}
	return r.c0[p]
}

// finish writes the replies of block b of the job to all receivers, and
// subtracts the masks from z.
func (w *replier) finish(j job, b int, s *sampler, batch int, out [][]byte, z []uint64) {
	k, block, self := w.c.layers[j.layer].Width, j.blocks[b], w.c.self
	w.index, w.place = w.c.shapes[j.layer].outputs(w.index[:0], w.place[:0], batch, j.bundle, j.mb, block.nb)
	share := w.share[:len(w.index)]

	w.c1 = w.eval.common(w.c1[:0], w.acc[b][self], w.keys.public[self].p1, s, k)
	for p, msg := range out {
		if p == self {
			continue
		}
		dst := append(msg[block.at:block.at:block.end], w.c1...)
		w.c.made.Add(1)
		w.eval.private(dst, w.acc[b][p], w.keys.public[p].p0, s, w.index, k, share)
		for i, at := range w.place {
			z[at] += share[i]
		}
	}
}

// openReplies adds what the others sent to z.
func (c *Context) openReplies(m *transport.Mesh, jobs []job, batch int, in [][]byte, z [][]uint64) error {
	return parallel(m, len(jobs), func() func(int) error {
		var workers [len(suites)]*decryptor
		var index, place []int32
		share := make([]uint64, degree)
		return func(i int) error {
			j := jobs[i]
			d := &workers[c.suite(j.layer)]
			if *d == nil {
				k := c.suites[c.suite(j.layer)]
				*d = k.decryptor(k.secret)
			}
			for _, b := range j.blocks {
				index, place = c.shapes[j.layer].outputs(index[:0], place[:0], batch, j.bundle, j.mb, b.nb)
				for p, msg := range in {
					if p == c.self {
						continue
					}
					if err := (*d).open(msg[b.at:b.end], index, c.layers[j.layer].Width, share[:len(index)]); err != nil {
						return &transport.PeerError{Party: p, Step: stepReply, Err: fmt.Errorf("layer %d, block at byte %d: %w", j.layer, b.at, err)}
					}
					for n, at := range place {
						z[j.layer][at] += share[n]
					}
				}
			}
			return nil
		}
	})
}

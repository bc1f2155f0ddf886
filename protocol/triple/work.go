package triple

import (
	"fmt"

	"github.com/tacit-mpc/tacit/internal/ntt"
	"github.com/tacit-mpc/tacit/transport"
)

// A crew has the buffers of all goroutines that work for a batch. A Context
// keeps it, as the system takes longer to clear so much memory than the work for
// a small batch takes.
type crew struct {
	c         *Context
	repliers  [][len(suites)]*replier
	openers   [][len(suites)]*decryptor
	positions []positions
}

// positions are of the coefficients of a reply: see [packing].
type positions struct {
	index, place []int32
	share        []uint64
}

func newPositions() positions {
	return positions{make([]int32, 0, degree), make([]int32, 0, degree), make([]uint64, degree)}
}

func newCrew(c *Context, workers int) *crew {
	return &crew{c, make([][len(suites)]*replier, workers), make([][len(suites)]*decryptor, workers), make([]positions, workers)}
}

// crewOf returns a crew of so many goroutines at least.
func (c *Context) crewOf(workers int) *crew {
	if c.crew == nil || len(c.crew.repliers) < workers {
		c.crew = newCrew(c, workers)
	}
	return c.crew
}

// makeReplies fills out, and subtracts the masks from z.
func (w *crew) makeReplies(m *transport.Mesh, p piece, seed [32]byte, a [][]uint64, batch int, out [][]byte, z [][]uint64) error {
	return parallel(m, len(p.jobs), func(worker int) func(int) error {
		return func(i int) error {
			j := p.jobs[i]
			suite := w.c.suite(j.layer)
			r := &w.repliers[worker][suite]
			if *r == nil {
				*r = newReplier(w.c, w.c.suites[suite])
			}
			(*r).multiply(j, a[j.layer], batch)
			for b := range j.blocks {
				(*r).draw.restart(seed, labelReply, uint64(p.first+i), uint64(b))
				(*r).finish(j, b, batch, out, z[j.layer])
			}
			return nil
		}
	})
}

// A replier makes the replies of jobs of one suite, for all receivers. It
// serves one goroutine.
type replier struct {
	c    *Context
	keys *keys
	eval *evaluator
	draw *sampler
	acc  [][][]uint64 // by party, ours being the common part, then by prime: the blocks of a job
	v, t []uint64     // the rows of A of a job, and their transforms
	positions
	c1 []byte
}

func newReplier(c *Context, k *keys) *replier {
	w := &replier{c: c, keys: k, eval: k.evaluator(), positions: newPositions(), c1: make([]byte, 0, 12*degree)}
	w.draw = &sampler{k.scheme, nil, make([]byte, blindBytes*degree)}
	for range c.n {
		var acc [][]uint64
		for range k.primes {
			acc = append(acc, make([]uint64, c.together()*degree))
		}
		w.acc = append(w.acc, acc)
	}
	return w
}

// multiply sets acc to Σ A·c1 and Σ A·c0ⱼ, transformed, for all blocks of a job,
// those of a column next to each other.
func (w *replier) multiply(j job, a []uint64, batch int) {
	s, width := w.c.shapes[j.layer], w.c.layers[j.layer].Width
	points := degree / s.spread
	t := ntt.Factors{Step: points + ntt.Padding, Spread: s.spread}
	t.Row = s.inner * t.Step
	if n := j.rows * t.Row; len(w.t) < n {
		w.v, w.t = make([]uint64, n), make([]uint64, n)
	}
	t.V = w.t
	terms := j.rows * s.inner
	for i := range terms {
		s.inputs(w.v[i*points:][:points], a, batch, j.bundle, j.mb+i/s.inner, i%s.inner)
	}
	for i := range w.keys.primes {
		for n := range terms {
			w.keys.transform(w.t[n*t.Step:][:points], w.v[n*points:][:points], width, i)
		}
		for p, panels := range w.c.masks[j.layer].panels {
			acc := w.acc[p][i][:len(j.blocks)*degree]
			clear(acc)
			for col := range j.cols {
				panel := panels[j.bundle*s.cols+j.nb+col]
				w.keys.products(acc[col*j.rows*degree:], j.rows, t, panel, i)
			}
		}
	}
}

// finish writes the replies of block b of the job to all receivers, and
// subtracts the masks from z.
func (w *replier) finish(j job, b int, batch int, out [][]byte, z []uint64) {
	k, block, self := w.c.layers[j.layer].Width, j.blocks[b], w.c.self
	w.index, w.place = w.c.shapes[j.layer].outputs(w.index[:0], w.place[:0], batch, j.bundle, block.mb, block.nb)
	share := w.share[:len(w.index)]

	w.c1 = w.eval.common(w.c1[:0], w.block(self, b), w.keys.public[self].p1, w.draw, k)
	for p, msg := range out {
		if p == self {
			continue
		}
		dst := append(msg[block.at:block.at:block.end], w.c1...)
		w.c.made.Add(1)
		w.eval.private(dst, w.block(p, b), w.keys.public[p].p0, w.draw, w.index, k, share)
		for i, at := range w.place {
			z[at] += share[i]
		}
	}
}

// block returns the sums of block b for party p.
func (w *replier) block(p, b int) [][]uint64 {
	var sums [][]uint64
	for _, acc := range w.acc[p] {
		sums = append(sums, acc[b*degree:][:degree])
	}
	return sums
}

// openReplies adds what the others sent to z.
func (w *crew) openReplies(m *transport.Mesh, p piece, batch int, in [][]byte, z [][]uint64) error {
	return parallel(m, len(p.jobs), func(worker int) func(int) error {
		return func(i int) error {
			j := p.jobs[i]
			suite := w.c.suite(j.layer)
			d := &w.openers[worker][suite]
			if *d == nil {
				*d = w.c.suites[suite].decryptor(w.c.suites[suite].secret)
				w.positions[worker] = newPositions()
			}
			for _, b := range j.blocks {
				if err := w.open(*d, &w.positions[worker], j, b, batch, in, z[j.layer]); err != nil {
					return err
				}
			}
			return nil
		}
	})
}

// open adds one reply of every other party to z.
func (w *crew) open(d *decryptor, at *positions, j job, b block, batch int, in [][]byte, z []uint64) error {
	at.index, at.place = w.c.shapes[j.layer].outputs(at.index[:0], at.place[:0], batch, j.bundle, b.mb, b.nb)
	share := at.share[:len(at.index)]
	for p, msg := range in {
		if p == w.c.self {
			continue
		}
		if err := d.open(msg[b.at:b.end], at.index, w.c.layers[j.layer].Width, share); err != nil {
			return &transport.PeerError{Party: p, Step: stepReply, Err: fmt.Errorf("layer %d, row %d, column %d: %w", j.layer, b.mb, b.nb, err)}
		}
		for n, place := range at.place {
			z[place] += share[n]
		}
	}
	return nil
}

package triple

import (
	"fmt"
	"io"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/transport"
)

// limit is how many coefficients the keys may mask: M in doc.go, Security.
const limit = 1 << 35

// An ExhaustedError says that the keys would mask more coefficients than the
// flooding bound allows. Nothing was sent. The caller makes a new Setup, for
// new masks.
type ExhaustedError struct {
	Coefficients int64 // that the refused call would have reached
	Limit        int64
}

func (e *ExhaustedError) Error() string {
	return fmt.Sprintf("triple: %d coefficients under one key are more than the %d that the flooding hides", e.Coefficients, e.Limit)
}

// Multiply returns this party's share of a∗b for every layer, modulo its width.
// It takes its shares a[l] of fresh uniform inputs, batch of them one after the
// other, and uses its shares b of Setup. To every other party j goes, for
// every block of the result,
//
//	c1 = Σ A·c1 + u·p + e1              the same for all j
//	c0 = Σ A·c0ⱼ + u·pⱼ + e0 + Q·r/2ᵏ + f   where the result's coefficients are
//
// rounded to k+12 and k+4 bits, with fresh u, e1, e0, a mask r and flooding f.
// The share is aᵢ∗bᵢ − Σ r + Σ decryptions of what the others sent.
//
// A batch that failed is lost: a is never used again, with any party.
//
// Rounds: 1. Sends: what [PlanMultiply] says, to every other party.
func (c *Context) Multiply(m *transport.Mesh, rng io.Reader, a [][]uint64, batch int) ([][]uint64, error) {
	if err := c.check(a, batch); err != nil {
		return nil, err
	}
	total := c.counted + c.coefficients(batch)
	if total > limit {
		return nil, &ExhaustedError{total, limit}
	}
	jobs, length := c.jobs(batch)
	if err := checkLength(int64(length)); err != nil {
		return nil, err
	}
	seed, err := newSeed(rng)
	if err != nil {
		return nil, err
	}
	c.counted = total

	z, err := c.multiplyOwn(m, a, batch)
	if err != nil {
		return nil, err
	}
	out, in := make([][]byte, m.N()), make([][]byte, m.N())
	for j := range m.N() {
		if j != c.self {
			out[j], in[j] = make([]byte, length), make([]byte, length)
		}
	}
	if err := c.makeReplies(m, jobs, seed, a, batch, out, z); err != nil {
		return nil, err
	}
	if err := m.Exchange(stepReply, out, in); err != nil {
		return nil, err
	}
	if err := c.openReplies(m, jobs, batch, in, z); err != nil {
		return nil, err
	}
	for l := range z {
		ring.Reduce(z[l], c.layers[l].Width)
	}
	return z, nil
}

// check refuses inputs of the wrong shape, and batches that are out of
// question before anything is allocated for them.
func (c *Context) check(a [][]uint64, batch int) error {
	if err := validate(c.layers, batch); err != nil {
		return err
	}
	if err := checkLength(c.commonLength(batch)); err != nil {
		return err
	}
	if len(a) != len(c.masks) {
		return fmt.Errorf("triple: %d inputs for %d layers", len(a), len(c.masks))
	}
	for l, x := range a {
		if want := batch * c.layers[l].Conv.InLen(); len(x) != want {
			return fmt.Errorf("triple: layer %d: %d elements, want %d", l, len(x), want)
		}
	}
	return nil
}

// multiplyOwn returns the products of this party's shares.
func (c *Context) multiplyOwn(m *transport.Mesh, a [][]uint64, batch int) ([][]uint64, error) {
	z := make([][]uint64, len(a))
	parts := min(batch, m.Workers())
	for l, x := range a {
		in, out := c.layers[l].Conv.InLen(), c.layers[l].Conv.OutLen()
		z[l] = make([]uint64, batch*out)
		err := parallel(m, parts, func() func(int) error {
			return func(i int) error {
				from, to := i*batch/parts, (i+1)*batch/parts
				c.masks[l].own.MulAdd(z[l][from*out:to*out], x[from*in:to*in], to-from)
				return nil
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return z, nil
}

// A job is what one goroutine works on at a time: blocks of the result of one
// layer, of some rows and columns, so that A is encoded for all of them at once,
// and the ciphertexts of B are read for all of them at once.
type job struct {
	layer, bundle int
	mb, rows      int // of A: the first, how many
	nb, cols      int // of B
	blocks        []block
}

// A block is one ciphertext of a reply.
type block struct{ mb, nb, at, end int } // row and column; where in the message

// together is the most blocks of a job: sums for every party of up to 320 KB.
func (p *plan) together() int { return max(4, 16/p.n) }

// cut returns how many rows and columns a job has. Ciphertexts of B are read
// from memory once for all rows, four of which keep the processor busy.
func (p *plan) cut(s shape, batch int) (rows, cols int) {
	rows = min(4, ceil(s.rows(batch), 2))
	return rows, min(s.cols, p.together()/rows)
}

// commonLength is the length of the common parts of the replies for a batch.
func (p *plan) commonLength(batch int) (sum int64) {
	for l, s := range p.shapes {
		sum += int64(s.blocks(batch)) * int64(numbersLen(degree, p.layers[l].Width, extra1))
	}
	return sum
}

// jobs lists the work for a batch, in the order of the replies in the message,
// and returns the length of the message.
func (p *plan) jobs(batch int) (all []job, length int) {
	var index, place []int32
	for l, s := range p.shapes {
		height, width := p.cut(s, batch)
		for bundle := range s.bundles {
			for mb := 0; mb < s.rows(batch); mb += height {
				for nb := 0; nb < s.cols; nb += width {
					j := job{layer: l, bundle: bundle, mb: mb, nb: nb}
					j.rows, j.cols = min(height, s.rows(batch)-mb), min(width, s.cols-nb)
					for b := range j.rows * j.cols {
						row, col := mb+b%j.rows, nb+b/j.rows
						index, place = s.outputs(index[:0], place[:0], batch, bundle, row, col)
						end := length + replyLen(len(index), p.layers[l].Width)
						j.blocks = append(j.blocks, block{row, col, length, end})
						length = end
					}
					all = append(all, j)
				}
			}
		}
	}
	return all, length
}

package triple

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"sync"

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
// The replies travel in pieces of at most 4 MiB: while one does, the next is
// made, and the one before is opened. Beside a and the result, this takes at most
// [MultiplyMemory], whatever the batch.
//
// A batch that failed is lost: a is never used again, with any party.
//
// Rounds: 1 for every piece. Sends: what [PlanMultiply] says, to every other party.
func (c *Context) Multiply(m *transport.Mesh, rng io.Reader, a [][]uint64, batch int) ([][]uint64, error) {
	if err := c.check(a, batch); err != nil {
		return nil, err
	}
	seed, err := newSeed(rng)
	if err != nil {
		return nil, err
	}
	c.counted += c.coefficients(batch)

	z, err := c.multiplyOwn(m, a, batch)
	if err != nil {
		return nil, err
	}
	if err := c.multiplyOthers(m, seed, a, batch, z); err != nil {
		return nil, err
	}
	for l := range z {
		ring.Reduce(z[l], c.layers[l].Width)
	}
	return z, nil
}

// CheckBatch refuses what [Context.Multiply] would refuse for its size, before
// anything is allocated for it.
func (c *Context) CheckBatch(batch int) error {
	if err := validate(c.layers, batch); err != nil {
		return err
	}
	if err := checkLength(c.commonLength(batch)); err != nil {
		return err
	}
	if total := c.counted + c.coefficients(batch); total > limit {
		return &ExhaustedError{total, limit}
	}
	return nil
}

// check refuses inputs of the wrong shape.
func (c *Context) check(a [][]uint64, batch int) error {
	if err := c.CheckBatch(batch); err != nil {
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
		err := parallel(m, parts, func(int) func(int) error {
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

// multiplyOthers adds to z this party's shares of the products of its a by the
// masks of all others, and of its masks by theirs.
func (c *Context) multiplyOthers(m *transport.Mesh, seed [32]byte, a [][]uint64, batch int, z [][]uint64) error {
	pieces := c.pieces(batch)
	var buffers [2]struct{ out, in [][]byte } // in turn
	for i := range min(len(pieces), 2) {
		buffers[i].out, buffers[i].in = c.buffers(pieces[i:]), c.buffers(pieces[i:])
	}
	crew := c.crewOf(m.Workers())
	for i := range len(pieces) + 2 {
		var link sync.WaitGroup
		var sent error
		if at := i - 1; at >= 0 && at < len(pieces) {
			link.Go(func() {
				b, n := buffers[at%2], pieces[at].length
				sent = m.Exchange(stepReply, cut(b.out, n), cut(b.in, n))
			})
		}
		var err error
		if at := i - 2; at >= 0 {
			err = crew.openReplies(m, pieces[at], batch, cut(buffers[at%2].in, pieces[at].length), z)
		}
		if i < len(pieces) && err == nil {
			err = crew.makeReplies(m, pieces[i], seed, a, batch, cut(buffers[i%2].out, pieces[i].length), z)
		}
		link.Wait()
		if err := cmp.Or(sent, err); err != nil {
			return err
		}
	}
	return nil
}

// buffers returns one for every other party, for the longest of every second piece.
func (c *Context) buffers(pieces []piece) [][]byte {
	length := 0
	for i := 0; i < len(pieces); i += 2 {
		length = max(length, pieces[i].length)
	}
	all := make([][]byte, c.n)
	for j := range all {
		if j != c.self {
			all[j] = make([]byte, length)
		}
	}
	return all
}

// cut returns the first n bytes of every buffer.
func cut(all [][]byte, n int) [][]byte {
	part := slices.Clone(all)
	for j := range part {
		part[j] = part[j][:min(n, len(part[j]))] // ours is empty
	}
	return part
}

// A piece is the jobs whose replies travel together.
type piece struct {
	jobs   []job
	first  int // among all jobs
	length int
}

// pieceBytes is the most bytes of a piece, which is more than a job has.
const pieceBytes = 4 << 20

// pieces lists the work for a batch, in the order of the replies.
func (p *plan) pieces(batch int) (all []piece) {
	jobs := p.jobs(batch)
	for i, j := range jobs {
		length := 0
		for _, b := range j.blocks {
			length += b.end - b.at
		}
		if len(all) == 0 || all[len(all)-1].length+length > pieceBytes {
			all = append(all, piece{first: i})
		}
		now := &all[len(all)-1]
		for b := range j.blocks {
			j.blocks[b].at += now.length
			j.blocks[b].end += now.length
		}
		now.jobs = append(now.jobs, j)
		now.length += length
	}
	return all
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
type block struct{ mb, nb, at, end int } // row and column; where in the piece

// together is the most blocks of a job: sums for every party of up to 320 KB.
func (p *plan) together() int { return max(4, 16/p.n) }

// size returns how many rows and columns a job has. Ciphertexts of B are read
// from memory once for all rows, four of which keep the processor busy.
func (p *plan) size(s shape, batch int) (rows, cols int) {
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

// jobs lists the work for a batch. Blocks are at their places among those of
// their job.
func (p *plan) jobs(batch int) (all []job) {
	var index, place []int32
	for l, s := range p.shapes {
		height, width := p.size(s, batch)
		for bundle := range s.bundles {
			for mb := 0; mb < s.rows(batch); mb += height {
				for nb := 0; nb < s.cols; nb += width {
					j := job{layer: l, bundle: bundle, mb: mb, nb: nb}
					j.rows, j.cols = min(height, s.rows(batch)-mb), min(width, s.cols-nb)
					length := 0
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
	return all
}

package carry

import (
	"fmt"
	"io"

	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

// A Source makes the correlated randomness of one session: an [ot.Session].
type Source interface {
	Authenticate(m *transport.Mesh, step string, reqs []ot.Request) ([]ot.Bits, error)
	AndEach(m *transport.Mesh, step string, reqs []ot.EachRequest) ([][][]uint64, error)
}

// Steps of [Run], after the prefix of the caller.
const (
	StepMasks    = ": authenticate masks"
	StepProducts = ": products of masks"
)

// A Batch names a vector of r, and of comparisons of Bits bits with each.
type Batch struct {
	Bits  int
	Times int // comparisons with one r
	// Order lists the parties in the order in which they will convert the
	// bits of r to shares: the first one's part needs no keys there, and the
	// last one holds none. See [ot.MulRequest], One.
	Order   []int
	Layer   int    // for tweaks,
	Element uint64 // as is the number of the first comparison,
	Stride  uint64 // and what the next one with the same r has more
	Len     int
}

// A Job makes the terms of one batch.
type Job struct {
	Batch
	tree  *Tree
	words int
	terms []uint64 // planes
	drawn [][]uint64
	full  []int           // drawn bits that products start from, and λ
	out   []int           // drawn bits λ
	part  []int           // bits of r that are only converted to shares
	place map[int]int     // drawn bit of a term that products start from
	bits  map[int]ot.Bits // by drawn bit
	made  int
}

// Format implements [fmt.Formatter] and hides the job from every verb.
func (j *Job) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Job[%d]", j.Len) }

// New draws this party's shares of all masks of b from rng in one read: the
// bits of r, the masks of the nodes and λ, a plane each.
func New(b Batch, rng io.Reader) (*Job, error) {
	j := &Job{Batch: b, tree: For(b.Bits, b.Times), words: ot.PlaneWords(b.Len), place: map[int]int{}, bits: map[int]ot.Bits{}}
	j.terms = make([]uint64, j.tree.Terms()*j.words)
	count := j.layout()
	packed := make([]byte, 8*j.words*count)
	if _, err := io.ReadFull(rng, packed); err != nil {
		return nil, fmt.Errorf("draw masks: %w", err)
	}
	for i := range count {
		p := make([]uint64, j.words)
		readPlane(p, packed[8*j.words*i:], b.Len)
		if n := b.Len % 64; n > 0 {
			p[b.Len/64] &= 1<<n - 1
		}
		j.drawn = append(j.drawn, p)
	}
	clear(packed)
	j.fill()
	return j, nil
}

// layout numbers what is drawn: the bits of r, the masks of all nodes, α's
// before u's, and λ's. It returns how many there are.
func (j *Job) layout() int {
	next := j.Bits
	j.tree.each(func(n node, k int) {
		if n.level == 0 {
			j.part = append(j.part, n.first)
			for t := 1; t < n.arity; t++ {
				j.place[n.top(t)] = n.first + t
				j.full = append(j.full, n.first+t)
			}
			return
		}
		alphas, tops := n.masks()
		next += len(alphas)
		for _, top := range tops {
			j.place[j.tree.of(k, top)] = next
			j.full = append(j.full, next)
			next++
		}
	})
	j.part = append(j.part, j.Bits-1)
	for range j.Times {
		j.full, j.out = append(j.full, next), append(j.out, next)
		next++
	}
	return next
}

// fill copies what was drawn to the terms.
func (j *Job) fill() {
	next := j.Bits
	j.tree.each(func(n node, k int) {
		if n.level == 0 {
			for t := 1; t < n.arity; t++ {
				copy(j.term(n.top(t)), j.drawn[n.first+t])
			}
			copy(j.term(n.at), j.drawn[n.first])
			return
		}
		alphas, tops := n.masks()
		for _, mask := range append(alphas, tops...) {
			copy(j.term(j.tree.of(k, mask)), j.drawn[next])
			next++
		}
	})
	for k, number := range j.out {
		last := j.term(j.tree.of(k, j.tree.terms))
		copy(last, j.drawn[j.Bits-1])
		add(last, j.drawn[number])
	}
}

func (j *Job) term(i int) []uint64 { return j.terms[i*j.words:][:j.words] }

// Terms returns what [Tree.Start] spends, for Len elements.
func (j *Job) Terms() []uint64 { return j.terms }

// Made returns the number of products of two bits that were made.
func (j *Job) Made() int { return j.made }

// Masked returns bit k of r, with the MACs and keys that converting it in the
// order of the batch takes.
func (j *Job) Masked(k int) ot.Bits { return j.bits[k] }

// Out returns λ of comparison k. All parties hold keys.
func (j *Job) Out(k int) ot.Bits { return j.bits[j.out[k]] }

// Run makes the terms of all jobs. The requests ride along in its first round,
// and their bits are returned.
//
// Rounds: 1, and one more for every step of products: one less than the
// largest number of children of a node. Sends: see [Plan].
//
// Security: see the package comment.
func Run(m *transport.Mesh, s Source, step string, jobs []*Job, ride []ot.Request) ([]ot.Bits, error) {
	var reqs []ot.Request
	for _, j := range jobs {
		reqs = append(reqs, j.requests(m.N())...)
	}
	bits, err := s.Authenticate(m, step+StepMasks, append(reqs, ride...))
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		j.authenticated(bits[0], bits[1], m.N())
		bits = bits[2:]
	}
	for t := 1; ; t++ {
		var products []ot.EachRequest
		for _, j := range jobs {
			products = append(products, j.products(t)...)
		}
		if len(products) == 0 {
			return bits, nil
		}
		z, err := s.AndEach(m, step+StepProducts, products)
		if err != nil {
			return nil, err
		}
		for _, j := range jobs {
			z = j.store(t, z)
		}
	}
}

// shapes returns how the bits drawn are authenticated: those that products
// start from, and the others of r.
func (b Batch) shapes(n int) [2]ot.AuthShape {
	full, part := b.Times, 1 // λ, the top bit of r
	For(b.Bits, b.Times).each(func(nd node, _ int) {
		full += nd.arity - 1
		if nd.level == 0 {
			part++
		}
	})
	return [2]ot.AuthShape{
		{N: full * b.Len, Holders: ot.All(n), Keys: ot.All(n)},
		{N: part * b.Len, Holders: ot.All(n).Without(b.Order[0]), Keys: ot.All(n).Without(b.Order[n-1])},
	}
}

func (j *Job) requests(n int) []ot.Request {
	var reqs []ot.Request
	for i, numbers := range [][]int{j.full, j.part} {
		x := make([]uint8, len(numbers)*j.Len)
		for k, number := range numbers {
			unpack(x[k*j.Len:][:j.Len], j.drawn[number])
		}
		shape := j.shapes(n)[i]
		reqs = append(reqs, ot.Request{X: x, Holders: shape.Holders, Keys: shape.Keys})
	}
	return reqs
}

// authenticated takes the bits of [Job.requests].
func (j *Job) authenticated(full, part ot.Bits, n int) {
	for k, number := range j.full {
		j.bits[number] = full.Slice(k*j.Len, (k+1)*j.Len)
	}
	// The first party's share needs no key: its step is local.
	part.Holders = ot.All(n)
	for k, number := range j.part {
		b := part.Slice(k*j.Len, (k+1)*j.Len)
		b.X = make([]uint8, j.Len)
		unpack(b.X, j.drawn[number])
		j.bits[number] = b
	}
	j.drawn = nil
}

// products asks for the products of step t of all nodes.
func (j *Job) products(t int) []ot.EachRequest {
	var reqs []ot.EachRequest
	j.tree.each(func(n node, k int) {
		if t >= n.arity {
			return
		}
		top := n.top(t)
		req := ot.EachRequest{A: j.bits[j.place[j.tree.of(k, top)]], Layer: j.Layer, Gate: top, Element: j.Element + uint64(k)*j.Stride}
		for x := range n.size(t - 1) {
			req.B = append(req.B, j.term(j.tree.of(k, n.at+x)))
		}
		reqs = append(reqs, req)
	})
	return reqs
}

// store takes the results of step t and returns those of other jobs.
func (j *Job) store(t int, z [][][]uint64) [][][]uint64 {
	j.tree.each(func(n node, k int) {
		if t >= n.arity {
			return
		}
		for x, product := range z[0] {
			copy(j.term(j.tree.of(k, n.top(t)+1+x)), product)
			j.made += j.Len
		}
		z = z[1:]
	})
	return z
}

package compare

import (
	"fmt"
	"slices"
	"sync"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/carry"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport"
)

// A request is one call of a function of the package. Its memory, and that of
// its vectors and messages, is used again.
type request struct {
	m     *transport.Mesh
	step  string
	class Class
	cs    []content // of all inferences

	c       []uint64       // public, by inference and element
	less    []uint64       // what knots of a Spline compare with r: see [Class.vector]
	e       []uint64       // public: see [Class.vector]
	vectors []carry.Vector // of carried comparisons
	labels  labels         // of garbled ones
}

// Format hides q from every verb.
func (q *request) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "request[%v]", q.class.Kind) }

var requests = sync.Pool{New: func() any { return new(request) }}

// begin spends the material of one request, which must be of one class of the
// kind.
func begin(kind Kind, m *transport.Mesh, step string, mats []*Material) *request {
	q := requests.Get().(*request)
	q.m, q.step, q.cs = m, step, q.cs[:0]
	for _, mat := range mats {
		q.cs = append(q.cs, mat.spend())
		switch c := &q.cs[len(q.cs)-1]; {
		case c.class.Kind != kind:
			panic(fmt.Sprintf("compare: material for %v used for %v", c.class.Kind, kind))
		case c.n != m.N() || c.self != m.Self():
			panic("compare: material of another party")
		case c.class != q.cs[0].class:
			panic("compare: material of several classes")
		}
	}
	if len(q.cs) > 0 {
		q.class = q.cs[0].class
	}
	return q
}

// end forgets what was spent, whatever became of the request.
func (q *request) end() {
	for i := range q.cs {
		q.cs[i].erase()
	}
	clear(q.cs)
	clear(q.vectors)
	q.labels.erase()
	q.m, q.step = nil, ""
	requests.Put(q)
}

// erase forgets c.
func (c *content) erase() {
	for _, v := range [...][]uint64{c.r, c.rTop, c.lambda, c.lambdaR, c.lambdaRTop, c.terms} {
		clear(v)
	}
	clear(c.seed[:])
	c.delta = prg.Block{}
	for _, t := range c.tables {
		t.Erase()
	}
}

// resize returns v with n entries of any value.
func resize[T any](v []T, n int) []T { return slices.Grow(v[:0], n)[:n] }

// public returns 1 at the party that adds public terms, which count once.
func (q *request) public() uint64 {
	if q.m.Self() == 0 {
		return 1
	}
	return 0
}

// open opens c = x − y + offset + r mod 2ᵐ, where y may be nil.
func (q *request) open(x, y []uint64, offset uint64) error {
	if len(x) != len(q.cs)*q.class.N {
		panic(fmt.Sprintf("compare: %d elements for %d inferences of %d", len(x), len(q.cs), q.class.N))
	}
	q.c = append(q.c[:0], x...)
	if y != nil {
		ring.SubFrom(q.c, y)
	}
	for b := range q.cs {
		ring.AddTo(q.c[b*q.class.N:][:q.class.N], q.cs[b].r)
	}
	if offset *= q.public(); offset != 0 {
		for i := range q.c {
			q.c[i] += offset
		}
	}
	return share.OpenInPlace(q.m, q.step+StepOpen, share.Opening{X: q.c, Width: q.class.In})
}

// results calls f for every inference with the place for its result, its
// material, c and e, and returns all results. The place may be that of r, of which
// no element is needed after that of the result is there.
func (q *request) results(f func(z []uint64, m *content, c, e []uint64)) []uint64 {
	n, knots := q.class.N, q.class.signs()
	all := q.cs[0].r
	if len(q.cs) > 1 {
		all = make([]uint64, len(q.cs)*n)
	} else {
		defer func() { q.cs[0].r = nil }()
	}
	for b := range q.cs {
		var e []uint64
		if q.class.signed() {
			e = q.e[b*knots*n:][:knots*n]
		}
		f(all[b*n:][:n], &q.cs[b], q.c[b*n:][:n], e)
	}
	ring.Reduce(all, q.class.Out)
	return all
}

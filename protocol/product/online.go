package product

import (
	"fmt"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport"
)

// StepOpen is the step of [Multiply], after the prefix of the caller.
const StepOpen = ": open D, E"

// Multiply returns shares of Z = X·Y modulo 2ʷ and spends mats, one Material for every
// inference of the request. x and y hold shares modulo 2ʷ of the inferences' operands,
// one inference after the other and in each one product after the other; higher
// bits are ignored. Of squares, y is ignored too.
//
//	D = Open(X − A), E = Open(Y − B), Zᵢ = Cᵢ + D·Bᵢ + Aᵢ·E, and D·E at party 0
//	D = Open(X − A), Zᵢ = Cᵢ + 2·D·Aᵢ, and D² at party 0
//
// Rounds: 1. Sends: w bits for every element of X and Y, to every party.
func Multiply(m *transport.Mesh, step string, mats []*Material, x, y []uint64) ([]uint64, error) {
	cs := spendAll(m.N(), m.Self(), mats)
	if len(cs) == 0 {
		return nil, nil
	}
	defer eraseAll(cs)
	class := cs[0].class
	if len(x) != len(cs)*class.XLen() || !class.Square && len(y) != len(cs)*class.YLen() {
		panic(fmt.Sprintf("product: %d and %d elements for %d inferences of %v", len(x), len(y), len(cs), class))
	}
	d := make([]uint64, len(x))
	for i, c := range cs {
		subtract(d[i*len(c.a):][:len(c.a)], x[i*len(c.a):], c.a)
	}
	if class.Square {
		return squares(m, step, cs, d)
	}
	e := make([]uint64, len(y))
	for i, c := range cs {
		subtract(e[i*len(c.b):][:len(c.b)], y[i*len(c.b):], c.b)
	}
	opened, err := share.Open(m, step+StepOpen, share.Opening{X: d, Width: class.Width}, share.Opening{X: e, Width: class.Width})
	if err != nil {
		return nil, err
	}
	d, e = opened[0], opened[1]
	z := make([]uint64, len(cs)*class.ZLen())
	for i, c := range cs {
		z, d, e := z[i*len(c.c):][:len(c.c)], d[i*len(c.a):][:len(c.a)], e[i*len(c.b):][:len(c.b)]
		copy(z, c.c)
		if m.Self() == 0 { // D·(B + E) instead of D·B
			ring.AddTo(c.b, e)
			ring.Reduce(c.b, class.Width)
		}
		mulAdd(z, d, c.b, class.T, class.M, class.K, class.N, class.Width, m.Yield)
		mulAdd(z, c.a, e, class.T, class.M, class.K, class.N, class.Width, m.Yield)
	}
	ring.Reduce(z, class.Width)
	return z, nil
}

// squares opens D and returns the shares of the squares.
func squares(m *transport.Mesh, step string, cs []content, d []uint64) ([]uint64, error) {
	class := cs[0].class
	opened, err := share.Open(m, step+StepOpen, share.Opening{X: d, Width: class.Width})
	if err != nil {
		return nil, err
	}
	z := opened[0]
	var first uint64 // 1 at party 0, for the square of D
	if m.Self() == 0 {
		first = 1
	}
	for i, c := range cs {
		z := z[i*len(c.a):][:len(c.a)]
		for j, d := range z {
			z[j] = c.c[j] + d*(2*c.a[j]+first*d)
		}
	}
	ring.Reduce(z, class.Width)
	return z, nil
}

// subtract sets dst = x − y.
func subtract(dst, x, y []uint64) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = x[i] - y[i]
	}
}

package compare

import (
	"fmt"
	"io"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/carry"
	"github.com/tacit-mpc/tacit/protocol/garble"
	"github.com/tacit-mpc/tacit/protocol/ot"
)

// A masked has the random bits of a unit: those of r, and λ by knot.
type masked struct{ r, lambda []ot.Bits }

// masks draws the bits of r, makes what the comparisons take, and returns the
// random bits of every unit.
func (g *generation) masks(us []unit) ([]masked, error) {
	n := g.m.N()
	var garbled []*garble.Job
	var carried []*carry.Job
	var ride []ot.Request
	for _, u := range us {
		switch {
		case u.class.garbled():
			js, err := g.garbled(u)
			if err != nil {
				return nil, err
			}
			garbled = append(garbled, js...)
		case u.class.carried():
			j, err := carry.New(u.class.masks(n, u.inference, u.block), g.rng)
			if err != nil {
				return nil, err
			}
			carried = append(carried, j)
		default:
			x, err := randomBits(g.rng, u.class.In*u.len())
			if err != nil {
				return nil, err
			}
			ride = append(ride, ot.Request{X: x, Holders: liftShape(u, n).Holders, Keys: liftShape(u, n).Keys})
		}
	}
	rode, err := g.compare(garbled, carried, ride)
	if err != nil {
		return nil, err
	}
	bits := make([]masked, len(us))
	for i, u := range us {
		switch knots := u.class.signs(); {
		case u.class.garbled():
			bits[i] = g.keepGarbled(u, garbled[:knots])
			garbled = garbled[knots:]
		case u.class.carried():
			bits[i] = g.keepCarried(u, carried[0])
			carried = carried[1:]
		default:
			// The first party's share needs no key: its step is local.
			rode[0].X, rode[0].Holders = ride[0].X, ot.All(n)
			for k := range u.class.In {
				bits[i].r = append(bits[i].r, rode[0].Slice(k*u.len(), (k+1)*u.len()))
			}
			rode, ride = rode[1:], ride[1:]
		}
	}
	return bits, nil
}

// garbled starts the garbling of a unit, knot by knot on the same r.
func (g *generation) garbled(u unit) ([]*garble.Job, error) {
	mat := g.material(u)
	js := make([]*garble.Job, u.class.signs())
	for k := range js {
		var err error
		if js[k], err = garble.New(u.class.batch(g.m.N(), g.m.Self(), u.inference, mat.id, u.block, k), mat.seed, g.rng); err != nil {
			return nil, err
		}
		js[k].Share(js[0])
	}
	return js, nil
}

// compare runs the back ends that have jobs. The requests ride with the second,
// if it has.
func (g *generation) compare(garbled []*garble.Job, carried []*carry.Job, ride []ot.Request) (rode []ot.Bits, err error) {
	if len(garbled) > 0 || len(carried) == 0 {
		with := ride
		if len(carried) > 0 {
			with = nil
		}
		if rode, err = garble.Run(g.m, g.s, stepGenerate, garbled, with); err != nil {
			return nil, err
		}
	}
	if len(carried) > 0 {
		if rode, err = carry.Run(g.m, g.s, stepCarry, carried, ride); err != nil {
			return nil, err
		}
	}
	return rode, nil
}

// keepGarbled adds to the material of a unit what its jobs made, one for every
// knot, and returns its random bits.
func (g *generation) keepGarbled(u unit, js []*garble.Job) (b masked) {
	mat := g.material(u)
	for _, j := range js {
		g.work.Gates += int64(len(j.Circuit.Ands()) * j.Len)
		if u.eval == g.m.Self() {
			mat.tables = append(mat.tables, j.Tables())
		}
		b.lambda = append(b.lambda, j.Out())
	}
	for k := range u.class.In {
		b.r = append(b.r, js[0].Masked(k))
	}
	return b
}

// keepCarried is keepGarbled for the one job of carried comparisons.
func (g *generation) keepCarried(u unit, j *carry.Job) (b masked) {
	g.work.Gates += int64(j.Made())
	carry.Place(g.material(u).terms, u.class.N, u.lo, j.Terms(), u.len())
	for k := range u.class.signs() {
		b.lambda = append(b.lambda, j.Out(k))
	}
	for k := range u.class.In {
		b.r = append(b.r, j.Masked(k))
	}
	return b
}

// liftShape is how the bits of r are authenticated where there is no circuit: as
// far as the conversion to shares needs it.
func liftShape(u unit, n int) ot.AuthShape {
	o := order(n, u.eval)
	return ot.AuthShape{N: u.class.In * u.len(), Holders: ot.All(n).Without(o[0]), Keys: ot.All(n).Without(o[n-1])}
}

// randomBits draws n bits.
func randomBits(rng io.Reader, n int) ([]uint8, error) {
	packed, bits := make([]byte, (n+7)/8), make([]uint8, n)
	if _, err := io.ReadFull(rng, packed); err != nil {
		return nil, fmt.Errorf("draw bits: %w", err)
	}
	for i := range bits {
		bits[i] = packed[i/8] >> (i % 8) & 1
	}
	clear(packed)
	return bits, nil
}

// shares converts the bits of r and, where nothing is multiplied with it, λ.
func (g *generation) shares(us []unit, bits []masked) error {
	var reqs []ot.MulRequest
	for i, u := range us {
		convert := func(b ot.Bits, gate, width int) {
			reqs = append(reqs, ot.MulRequest{
				Beta: b, Widths: []int{width}, Order: order(g.m.N(), u.eval), One: true,
				Layer: u.class.Layer, Gate: gate, Element: u.class.element(u.inference, 0, u.lo),
			})
		}
		for k, b := range bits[i].r {
			convert(b, k, u.class.rWidth()-k)
		}
		if u.class.signed() && !u.class.selects() {
			convert(bits[i].lambda[0], u.class.In, u.class.Out)
		}
	}
	shares, err := g.s.Mul(g.m, stepBits, reqs)
	if err != nil {
		return err
	}
	for _, u := range us {
		mat := g.material(u)
		r := mat.r[u.lo:u.hi]
		for k := range u.class.In {
			for e, v := range shares[k][0] {
				r[e] += v << k
			}
		}
		ring.Reduce(r, u.class.rWidth())
		if w := u.class.topWidth(); w > 0 {
			top := mat.rTop[u.lo:u.hi]
			copy(top, shares[u.class.In-1][0])
			ring.Reduce(top, w)
		}
		shares = shares[u.class.In:]
		if u.class.signed() && !u.class.selects() {
			copy(mat.lambda[u.lo:u.hi], shares[0][0])
			ring.Reduce(mat.lambda[u.lo:u.hi], u.class.Out)
			shares = shares[1:]
		}
	}
	return nil
}

// products multiplies λ with 1, r and r_top.
func (g *generation) products(us []unit, bits []masked) error {
	var reqs []ot.MulRequest
	for i, u := range us {
		if !u.class.selects() {
			continue
		}
		mat, o := g.material(u), order(g.m.N(), u.eval)
		v := [][]uint64{make([]uint64, u.len()), mat.r[u.lo:u.hi]}
		if o[0] == g.m.Self() {
			for e := range v[0] {
				v[0][e] = 1
			}
		}
		if u.class.topWidth() > 0 {
			v = append(v, mat.rTop[u.lo:u.hi])
		}
		for k, lambda := range bits[i].lambda {
			reqs = append(reqs, ot.MulRequest{
				Beta: lambda, V: v, Widths: u.class.productWidths(), Order: o,
				Layer: u.class.Layer, Element: u.class.element(u.inference, k, u.lo),
			})
		}
	}
	if len(reqs) == 0 {
		return nil
	}
	shares, err := g.s.Mul(g.m, stepSelect, reqs)
	if err != nil {
		return err
	}
	for _, u := range us {
		if !u.class.selects() {
			continue
		}
		products, widths := g.material(u).products(), u.class.productWidths()
		for k := range u.class.signs() {
			for w, all := range products {
				dst := all[k*u.class.N:][u.lo:u.hi]
				copy(dst, shares[0][w])
				ring.Reduce(dst, widths[w])
			}
			shares = shares[1:]
		}
	}
	return nil
}

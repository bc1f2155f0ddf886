package model

import "math"

// step lowers 1 where x ≥ 0, else 0.
func (b *builder) step(n *node, x int) int {
	x = b.digits(x, exactWidth)
	v := b.values[x]
	z := like(v)
	z.op, z.frac = Op{Kind: Step, Name: n.name, In: []int{x}}, 0
	for i := range z.lo {
		z.lo[i], z.hi[i] = unitStep(v.lo[i]), unitStep(v.hi[i])
		if v.per[i] > 0 || v.con[i] > 0 { // at most one, and none if the range has one sign; see limit
			z.per[i], z.con[i] = 0, 1
		}
		// The number of the exact network is within quant of the range: it decides
		// otherwise only if 0 is between them.
		if z.quant[i] > 0 {
			z.quant[i] = unitStep(v.hi[i]+v.quant[i]) - unitStep(v.lo[i]-v.quant[i])
		}
	}
	return b.add(z)
}

// digits returns x as comparisons look at it: as it is if every engine computes it
// exactly, in no more than width bits, for its digits decide; else shifted.
func (b *builder) digits(x, width int) int {
	if v := b.values[x]; largest(v.per) > 0 || largest(v.con) > 0 || bits(least(v.lo), largest(v.hi)) > width {
		return b.shifted(x)
	}
	return x
}

// known narrows the range of v to what is known of it. Limits of real numbers hold
// for the plaintext engine up to quant, and for parties up to the bound on their
// error besides; other limits were found to hold for the numbers of every engine,
// but for room. The sum v of window numbers, of which one has those limits, may have
// others below 0.
func (b *builder) known(n *node, v *fixed, summands ...*fixed) {
	below := 0.0
	for _, u := range summands {
		below = float64(n.window-1) * max(0, -math.Ldexp(least(u.lo), v.frac-u.frac))
	}
	for i := range v.lo {
		room := math.Ldexp(n.room, v.frac-b.fraction)
		if n.real {
			room = (v.per[i]*MaxParties + v.con[i] + v.quant[i]) * slack
		}
		low := math.Floor(math.Ldexp(n.limits[0], v.frac) - room - below)
		high := math.Ceil(math.Ldexp(n.limits[1], v.frac) + room)
		lo, hi := max(v.lo[i], low), min(v.hi[i], high)
		v.lo[i], v.hi[i] = min(lo, hi), max(lo, hi)
		// The exact network keeps to limits, too.
		v.quant[i] = min(v.quant[i], max(v.hi[i], math.Ldexp(n.limits[1], v.frac))-min(v.lo[i], math.Ldexp(n.limits[0], v.frac)))
	}
	v.limit()
}

// exactWidth is the widest comparison of operands that were not shifted.
const exactWidth = 40

func unitStep(x float64) float64 {
	if x >= 0 {
		return 1
	}
	return 0
}

// product lowers products of two secrets. Both operands are shifted: the result
// has the fraction bits of both. An operand keeps more of them where it is
// multiplied with large numbers, if that fits.
func (b *builder) product(n *node, x, y int) (int, error) {
	for most := mostKept; ; most = 0 {
		u, v := b.factor(x, min(b.largeness(y), most)), b.factor(y, min(b.largeness(x), most))
		z := b.productBounds(n, u, v)
		if b.fits(z) {
			return b.add(z), nil
		}
		if most == 0 {
			return 0, errWide(z)
		}
	}
}

// mostKept bounds the fraction bits that a factor keeps beyond those of activations.
const mostKept = 8

// largeness returns the bits before the point of the usual values of x.
func (b *builder) largeness(x int) int {
	v := b.values[x]
	reach := math.Ldexp(v.magnitude(), -v.frac)
	if b.seen != nil {
		reach /= b.margin
	}
	if reach <= 1 {
		return 0
	}
	return exponent(reach) + 1
}

// factor returns x with up to the given number of fraction bits more than
// activations have, in a ring as wide as a product wants.
func (b *builder) factor(x, more int) int {
	v := b.values[x]
	f := max(v.frac-b.fraction-more, 0)
	key := [2]int{x, f}
	if z, ok := b.factors[key]; ok {
		return z
	}
	z := x
	if f > 0 {
		z = b.add(b.shiftBounds(x, f))
	}
	if b.values[z].narrow {
		l := like(b.values[z])
		l.op = Op{Kind: Lift, Name: b.values[z].op.Name, In: []int{z}}
		z = b.add(l)
	}
	b.factors[key] = z
	return z
}

func (b *builder) productBounds(n *node, x, y int) *fixed {
	v, u := b.values[x], b.values[y]
	dims := n.dims
	z := &fixed{op: Op{Kind: Product, Name: n.name, In: []int{x, y}, Dims: &dims}, len: n.len, frac: v.frac + u.frac}
	z.bounds(v, func([]float64) []float64 { return make([]float64, n.len) })
	square := z.op.Square()
	reach := func(v *fixed, quant bool) []float64 { // largest magnitude of every element
		m := make([]float64, v.len)
		for i := range m {
			if m[i] = max(-v.lo[i], v.hi[i], 0); quant {
				m[i] += v.quant[i]
			}
		}
		return m
	}
	sizeX, sizeY := reach(v, false), reach(u, false)
	for _, bound := range []struct{ z, x, y []float64 }{
		{z.per, v.per, u.per}, {z.con, v.con, u.con}, // each factor differs, the other is within its range
	} {
		matrices(n.dims, bound.z, bound.x, sizeY)
		matrices(n.dims, bound.z, sizeX, bound.y)
	}
	matrices(n.dims, z.quant, v.quant, sizeY)
	matrices(n.dims, z.quant, reach(v, true), u.quant)
	for t := range n.dims.T * n.dims.M {
		row, second := v.lo[t*n.dims.K:], t/n.dims.M*n.dims.K*n.dims.N
		for j := range n.dims.N {
			i := t*n.dims.N + j
			for k := range n.dims.K {
				e := second + k*n.dims.N + j
				a, c := t*n.dims.K+k, row[k]
				ends := []float64{c * u.lo[e], c * u.hi[e], v.hi[a] * u.lo[e], v.hi[a] * u.hi[e]}
				lo, hi := least(ends), largest(ends)
				if square {
					if lo = 0; v.lo[a] > 0 || v.hi[a] < 0 {
						lo = min(v.lo[a]*v.lo[a], v.hi[a]*v.hi[a])
					}
				}
				z.lo[i], z.hi[i] = z.lo[i]+lo, z.hi[i]+hi
			}
			slop := 1e-12 * (math.Abs(z.lo[i]) + math.Abs(z.hi[i])) // rounding of the bounds themselves
			z.lo[i], z.hi[i] = math.Floor(z.lo[i]-slop), math.Ceil(z.hi[i]+slop)
			z.per[i], z.con[i], z.quant[i] = z.per[i]*slack, z.con[i]*slack, z.quant[i]*slack
		}
	}
	return z
}

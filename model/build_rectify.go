package model

import "math"

// The lowerings here compute piecewise linear functions of one shifted value, so
// that every engine evaluates the same function of whole numbers exactly: errors
// are multiplied by its steepest slope and do not add up.

// clip lowers min(max(x, lo), hi) to
//
//	clip(x₀) + ReLU(x − lo) − ReLU(x − hi),
//
// where x₀ is the least value of x. Limits outside of the range of x are moved to
// its ends, so that the comparisons get no wider than those of x. Both ReLUs are
// one operation of twice the length.
func (b *builder) clip(n *node, x int) (int, error) {
	s := b.shifted(x)
	v := b.values[s]
	start, lo, hi := make([]float64, n.len), make([]float64, n.len), make([]float64, n.len)
	z := like(v)
	for i := range start {
		unit := func(c []float64, otherwise float64) float64 {
			if c == nil {
				return otherwise
			}
			return math.RoundToEven(math.Ldexp(c[i], v.frac))
		}
		low := unit(n.c, v.lo[i])
		high := unit(n.d, max(v.hi[i], low))
		clip := func(x float64) float64 { return min(max(x, low), high) }
		start[i], z.lo[i], z.hi[i] = clip(v.lo[i]), clip(v.lo[i]), clip(v.hi[i])
		if n.c == nil {
			start[i] = z.hi[i] // counted from the upper end
		}
		lo[i], hi[i] = min(max(low, v.lo[i]), v.hi[i]), min(max(high, v.lo[i]), v.hi[i])
		z.quant[i] += 0.5
	}
	r := 0
	switch {
	case n.d == nil:
		r = b.relu(n.name, b.plus(n.name, s, times(lo, 0), -1))
	case n.c == nil: // hi − ReLU(hi − x)
		r = b.signed(n.name, b.relu(n.name, b.plus(n.name, b.signed(n.name, s, -1), hi, 1)), -1)
	default:
		twice := append(iota32(n.len), iota32(n.len)...)
		both := b.relu(n.name, b.plus(n.name, b.gather(n.name, s, twice), append(times(lo, 0), hi...), -1))
		r = b.difference(n, both, z, start)
	}
	z.op = Op{Kind: AddParam, Name: n.name, In: []int{r}}
	for _, c := range start {
		if math.Abs(c) >= 1<<61 {
			return 0, errWide(z)
		}
		z.bias = append(z.bias, int64(c))
	}
	if !b.fits(z) {
		return 0, errWide(z)
	}
	return b.add(z), nil
}

// difference subtracts the second half of x from the first; z − start bounds it.
func (b *builder) difference(n *node, x int, z *fixed, start []float64) int {
	second := iota32(n.len)
	for i := range second {
		second[i] += int32(n.len)
	}
	d := b.sumOfTwoBounds(&node{name: n.name, len: n.len, negate: true}, b.gather(n.name, x, iota32(n.len)), b.gather(n.name, x, second))
	for i := range start {
		d.lo[i], d.hi[i] = z.lo[i]-start[i], z.hi[i]-start[i]
		d.per[i], d.con[i] = z.per[i], z.con[i]
	}
	return b.add(d)
}

// plus returns x + sign·c, for whole numbers c.
func (b *builder) plus(name string, x int, c []float64, sign float64) int {
	z := like(b.values[x])
	z.op, z.narrow = Op{Kind: AddParam, Name: name, In: []int{x}}, b.values[x].narrow
	for i, v := range c {
		z.lo[i], z.hi[i] = z.lo[i]+sign*v, z.hi[i]+sign*v
		z.bias = append(z.bias, int64(sign*v))
	}
	return b.add(z)
}

// signed returns x times every sign in turn, one after the other.
func (b *builder) signed(name string, x int, signs ...float64) int {
	n := &node{name: name, window: 1}
	for _, s := range signs {
		n.index = append(n.index, iota32(b.values[x].len)...)
		n.c = append(n.c, repeat(s, b.values[x].len)...)
	}
	n.len = len(n.c)
	z := b.sumBounds(n, x, 0)
	z.narrow = b.values[x].narrow
	return b.add(z)
}

// leaky lowers x for x > 0 and a·x for x ≤ 0 to ReLU(x) − a·ReLU(−x). Both ReLUs
// are one operation of twice the length. Public slopes are coefficients of a sum,
// secret ones the weights of a linear layer.
func (b *builder) leaky(n *node, x int) (int, error) {
	s := b.shifted(x)
	both := b.relu(n.name, b.signed(n.name, s, 1, -1))
	negated, second := make([]float64, n.len), make([]int32, n.len)
	for i, a := range n.c {
		negated[i], second[i] = -a, int32(n.len+i)
	}
	part := &node{name: n.name, len: n.len, window: 1, c: negated, index: second}
	var slope int
	if n.public {
		z := b.sumBounds(part, both, min(coefBits(n.c), b.slopeBits(n.c)))
		if !b.fits(z) {
			return 0, errWide(z)
		}
		slope = b.add(z)
	} else {
		l := scaleLayer(part)
		var err error
		if slope, err = b.linear(l, b.gather(n.name, both, second), b.slopeBits(n.c)); err != nil {
			return 0, err
		}
	}
	z := b.sumOfTwoBounds(&node{name: n.name, len: n.len}, b.gather(n.name, both, iota32(n.len)), slope)
	b.leakyBounds(n, b.values[s], b.values[slope], z)
	if !b.fits(z) {
		return 0, errWide(z)
	}
	return b.add(z), nil
}

// slopeBits chooses the fraction bits of slopes, which are rounded to 15
// significant bits, or to an eighth of an ulp for each unit of x.
func (b *builder) slopeBits(c []float64) int {
	return max(min(14-exponent(max(largest(c), -least(c))), b.fraction+2), 0)
}

// leakyBounds bounds z, the leaky ReLU of s, whose negative part is slope.
func (b *builder) leakyBounds(n *node, s, slope, z *fixed) {
	f := z.frac - s.frac
	one := math.Ldexp(1, f)
	for i := range z.lo {
		var a float64
		if slope.op.Kind == Sum {
			a = -float64(slope.op.Coef[i])
		} else {
			a = -float64(slope.weights[i%len(slope.weights)])
		}
		steepest := max(one, math.Abs(a))
		ends := []float64{max(s.lo[i], 0) * one, max(s.hi[i], 0) * one, min(s.lo[i], 0) * a, min(s.hi[i], 0) * a}
		z.lo[i], z.hi[i] = least(ends), largest(ends)
		z.per[i], z.con[i] = s.per[i]*steepest, s.con[i]*steepest
		off := math.Abs(a-n.c[i]*one) * (max(-s.lo[i], 0) + s.quant[i])
		z.quant[i] = s.quant[i]*max(one, math.Abs(n.c[i])*one, math.Abs(a)) + off
	}
}

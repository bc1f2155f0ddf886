package model

import (
	"fmt"
	"math"
)

// spline lowers a smooth function to a piecewise linear one of one shifted value,
// which all engines compute exactly: errors are multiplied by its slopes. It is the
// same for all elements, and fitted on the range of the tensor, rounded outwards to
// two digits: the program is public.
func (b *builder) spline(n *node, x int) (int, error) {
	x = b.finer(x, n.fn)
	v := b.values[x]
	d, err := b.domain(n, v)
	if err != nil {
		return 0, err
	}
	s, err := d.spline(math.Ldexp(wantedUlps, -b.fraction))
	if err != nil {
		return 0, err
	}
	z := &fixed{op: Op{Kind: Splined, Name: n.name, In: []int{x}, Spline: s.within(v.magnitude())}, len: v.len, frac: v.frac + s.bits}
	z.bounds(v, func([]float64) []float64 { return make([]float64, v.len) })
	w := newWaves(s, d)
	for i := range z.lo {
		w.bound(z, v, i)
	}
	if !b.fits(z) {
		return 0, errWide(z)
	}
	return b.add(z), nil
}

// finer returns x shifted to as many fraction bits as fn needs: where it is steep,
// more than activations have.
func (b *builder) finer(x int, fn *smooth) int {
	v := b.values[x]
	shift := v.frac - b.fraction - b.sharpness(v, fn)
	if shift <= 0 {
		return x
	}
	if shift == v.frac-b.fraction {
		return b.shifted(x)
	}
	return b.add(b.shiftBounds(x, shift))
}

// mostSharpness bounds the bits by which a comparison gets wider for precision.
const mostSharpness = 8

// sharpness returns the bits by which fn magnifies the error of its operand, next
// to the error that is allowed.
func (b *builder) sharpness(v *fixed, fn *smooth) int {
	lo, hi := math.Ldexp(least(v.lo), -v.frac), math.Ldexp(largest(v.hi), -v.frac)
	steps := []float64{lo, hi}
	for e := -b.fraction; e < 40; e++ {
		steps = append(steps, math.Ldexp(1, e), -math.Ldexp(1, e))
	}
	unit := math.Ldexp(1, -b.fraction)
	steep := 0.0
	for _, x := range steps {
		if x < lo || x > hi || x-unit <= fn.lo || x+unit >= fn.hi {
			continue
		}
		y := fn.f(x)
		steep = max(steep, math.Abs(fn.f(x+unit)-y)/unit/fn.weighted(y), math.Abs(y-fn.f(x-unit))/unit/fn.weighted(y))
	}
	if !(steep > 1) {
		return 0
	}
	return int(min(math.Ceil(math.Log2(steep)), mostSharpness))
}

// domain returns the whole numbers that v takes, and those that the exact network
// may have in their place.
func (b *builder) domain(n *node, v *fixed) (*domain, error) {
	fn := n.fn
	reach := math.Ceil(largest(v.quant)) + 1
	lo, hi := -coarseUp(reach-least(v.lo)), coarseUp(largest(v.hi)+reach)
	if d := largest(v.hi) + reach; d <= -1 {
		hi = -coarseDown(-d)
	}
	if d := least(v.lo) - reach; d >= 1 {
		lo = coarseDown(d)
	}
	if fn.both && largest(v.hi) > 0 && least(v.lo) <= 0 { // on which side it is, if on one
		if seen, ok := b.extremes(n.in[0]); ok && seen[1] < fn.lo {
			fn = fn.mirrored()
		}
	} else if fn.both && hi < 0 {
		fn = fn.mirrored()
	}
	if from := math.Ldexp(fn.lo, v.frac); least(v.lo)-reach >= from+1 {
		lo = max(lo, from+coarseDown(least(v.lo)-reach-from))
	}
	if to := math.Ldexp(fn.hi, v.frac); largest(v.hi)+reach <= to-1 {
		hi = min(hi, to-coarseDown(to-largest(v.hi)-reach))
	}
	if lo <= math.Ldexp(fn.lo, v.frac) || hi >= math.Ldexp(fn.hi, v.frac) {
		if fn = b.apart(n.in[0], fn, v.frac); fn == nil {
			return nil, fmt.Errorf("%s is not defined everywhere from %.4g to %.4g, and its operand may reach the pole; put a Clip or an epsilon before it, or give calibration rows",
				n.fn.name, math.Ldexp(least(v.lo), -v.frac), math.Ldexp(largest(v.hi), -v.frac))
		}
	}
	if hi-lo > math.Ldexp(1, 52) {
		return nil, errWide(v)
	}
	return &domain{fn, v.frac, int64(math.Floor(lo)), int64(math.Ceil(hi))}, nil
}

// mirrored returns fn on the other side of its pole.
func (fn *smooth) mirrored() *smooth {
	c := *fn
	c.lo, c.hi = -fn.hi, -fn.lo
	return &c
}

// coarseDown rounds x ≥ 1 down to a power of two.
func coarseDown(x float64) float64 { return math.Ldexp(1, exponent(x)) }

// apart returns fn of numbers limited to what is away from its poles, as the values
// of its operand in the calibration rows are. It returns nil if they are not.
func (b *builder) apart(operand int, fn *smooth, frac int) *smooth {
	seen, ok := b.extremes(operand)
	if !ok || seen[0] <= fn.lo || seen[1] >= fn.hi {
		return nil
	}
	gap := func(value, pole float64) float64 {
		return math.Ldexp(coarseDown(max(math.Ldexp(math.Abs(value-pole)/b.margin, frac), 1)), -frac)
	}
	return fn.between(fn.lo+gap(seen[0], fn.lo), fn.hi-gap(seen[1], fn.hi))
}

// extremes returns the smallest and the largest value of node i in the
// calibration rows, if there are any.
func (p *plan) extremes(i int) ([2]float64, bool) {
	z := [2]float64{math.Inf(1), math.Inf(-1)}
	for _, row := range p.o.Calibration {
		err := p.g.each(row, func(values [][]float64) {
			z[0], z[1] = min(z[0], least(values[i])), max(z[1], largest(values[i]))
		})
		if err != nil {
			return z, false
		}
	}
	return z, len(p.o.Calibration) > 0
}

// between returns fn of numbers limited to lo..hi.
func (fn *smooth) between(lo, hi float64) *smooth {
	c := *fn
	c.f = func(x float64) float64 { return fn.f(min(max(x, lo), hi)) }
	c.bends = func(from, to float64) []float64 {
		v := fn.bends(max(from, lo), min(to, hi))
		return append(append([]float64(nil), v...), lo, hi)
	}
	if !math.IsInf(lo, 0) {
		c.left = &tail{0, fn.f(lo), lo}
	}
	if !math.IsInf(hi, 0) {
		c.right = &tail{0, fn.f(hi), hi}
	}
	c.lo, c.hi = math.Inf(-1), math.Inf(1)
	return &c
}

// waves bounds what a spline makes of errors.
type waves struct {
	*fitted
	lo, hi float64         // the domain
	places int             // fraction bits of values
	near   float64         // of the function
	swing  map[int]float64 // largest difference of two values this many sixteenths of an octave apart
}

func newWaves(s *fitted, d *domain) *waves {
	return &waves{s, float64(d.lo), float64(d.hi), d.frac + s.bits, d.fn.near, map[int]float64{}}
}

// swings bounds the difference of values at numbers that are at most δ apart. It is
// largest with one of them at a knot or at an end.
func (w *waves) swings(delta float64) float64 {
	if delta == 0 {
		return 0
	}
	octave := int(math.Ceil(16 * math.Log2(delta)))
	if s, ok := w.swing[octave]; ok {
		return s
	}
	delta = math.Exp2(float64(octave) / 16)
	s := 0.0
	inside := func(x float64) float64 { return w.value(min(max(x, w.lo), w.hi)) }
	for _, x := range append([]int64{int64(w.hi)}, w.from...) {
		y := w.value(float64(x))
		s = max(s, math.Abs(inside(float64(x)+delta)-y), math.Abs(inside(float64(x)-delta)-y))
	}
	w.swing[octave] = s * slack
	return w.swing[octave]
}

// over returns what is true of numbers from lo to hi.
func (w *waves) over(lo, hi float64) (least, most, steep, err, all float64) {
	least, most = w.value(lo), w.value(lo)
	for i := w.segment(lo); i < len(w.from) && float64(w.from[i]) <= hi; i++ {
		if x := float64(w.from[i]); x >= lo {
			least, most = min(least, w.y[i]), max(most, w.y[i])
		}
		steep, err, all = max(steep, math.Abs(w.slope[i])), max(err, w.err[i]), max(all, w.all[i])
	}
	y := w.value(hi)
	return min(least, y), max(most, y), steep, err, all
}

// bound sets the bounds of element i of z, the spline of v.
func (w *waves) bound(z, v *fixed, i int) {
	lo, hi, steep, _, _ := w.over(v.lo[i], v.hi[i])
	z.lo[i], z.hi[i] = math.Floor(lo*(1-1e-12*sign(lo))), math.Ceil(hi*(1+1e-12*sign(hi)))
	z.per[i], z.con[i] = steep*v.per[i], steep*v.con[i]
	if s := w.swings(v.per[i]*MaxParties + v.con[i]); s < (z.per[i]*MaxParties+z.con[i])/2 {
		z.per[i], z.con[i] = 0, s
	}
	q := v.quant[i]
	// The exact operand is within q: either its own value is compared, or that of a
	// whole number next to it, between whose values that of a monotone function is.
	_, _, steep, err, all := w.over(v.lo[i]-math.Ceil(q), v.hi[i]+math.Ceil(q))
	z.quant[i] = all + min(steep*q, w.swings(q))
	if w.monotone {
		z.quant[i] = min(z.quant[i], err+min(steep*math.Ceil(q), w.swings(math.Ceil(q))))
	}
	off := math.Ldexp(1, w.places) + math.Ldexp(max(-v.lo[i], v.hi[i])+q, w.bits)
	z.quant[i] = (z.quant[i] + w.near*off) * slack
}

func sign(x float64) float64 {
	if x < 0 {
		return -1
	}
	return 1
}

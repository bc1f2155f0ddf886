package model

import (
	"errors"
	"fmt"
	"math"
)

// shifted returns x with fraction bits as activations have them.
func (b *builder) shifted(x int) int {
	v := b.values[x]
	f := v.frac - b.fraction
	if f <= 0 {
		return x
	}
	if z, ok := b.shifts[x]; ok {
		return z
	}
	b.shifts[x] = b.add(b.shiftBounds(x, f))
	return b.shifts[x]
}

// shiftBounds returns x without its low f bits.
func (b *builder) shiftBounds(x, f int) *fixed {
	v := b.values[x]
	z := like(v)
	z.op = Op{Kind: Shift, Name: v.op.Name, In: []int{x}, Bits: f}
	z.frac, z.narrow = v.frac-f, true
	// A secure shift is within n/2·(1−2^−f) + 2^−(f+1) of the quotient, the
	// plaintext engine's within 1/2.
	for i := range z.lo {
		z.lo[i] = math.Floor(math.Ldexp(v.lo[i], -f) - MaxParties/2.0)
		z.hi[i] = math.Ceil(math.Ldexp(v.hi[i], -f) + MaxParties/2.0)
		z.per[i] = math.Ldexp(v.per[i], -f) + (1-math.Ldexp(1, -f))/2
		z.con[i] = math.Ldexp(v.con[i], -f) + 0.5 + math.Ldexp(1, -f-1)
		z.quant[i] = math.Ldexp(v.quant[i], -f) + 0.5
	}
	return z
}

// lifted returns x, shifted, in a ring as wide as its consumers want.
func (b *builder) lifted(x int) int {
	if z, ok := b.lifts[x]; ok {
		return z
	}
	s := b.shifted(x)
	z := like(b.values[s])
	z.op = Op{Kind: Lift, Name: b.values[s].op.Name, In: []int{s}}
	b.lifts[x] = b.add(z)
	return b.lifts[x]
}

// wide returns x fit for consumers that need a wider ring than its range.
func (b *builder) wide(x int) int {
	if b.values[x].narrow {
		return b.lifted(x)
	}
	return x
}

// fits narrows z, the value of the current node, to its calibrated range and
// reports that it leaves room in 64 bits.
func (b *builder) fits(z *fixed) bool {
	b.calibrated(z)
	return z.frac <= capacity && bits(least(z.lo), largest(z.hi)) <= capacity
}

// errWide is the refusal of values that no ring holds.
func errWide(v *fixed) error {
	return fmt.Errorf("its values reach 2^%d with %d fraction bits, too wide for 64 bits; %s",
		bits(least(v.lo), largest(v.hi))-1-v.frac, v.frac, narrower)
}

// narrower says what makes the values of a program narrower.
const narrower = "use fewer fraction bits, give calibration rows, or scale the model"

func (b *builder) linear(n *node, x, f int) (int, error) {
	x = b.wide(x)
	for {
		z, err := b.linearBounds(n, x, f)
		if err != nil {
			return 0, err
		}
		switch {
		case b.fits(z):
			return b.add(z), nil
		case b.values[x].frac > b.fraction && x > 0:
			x = b.lifted(x)
		case f > 8:
			f = max(f-max(bits(least(z.lo), largest(z.hi))-capacity, 1), 8)
		default:
			return 0, errWide(z)
		}
	}
}

// linearBounds quantises the layer n for operand x and bounds its output.
func (b *builder) linearBounds(n *node, x, f int) (*fixed, error) {
	v := b.values[x]
	conv := n.conv
	z := &fixed{op: Op{Kind: Linear, Name: n.name, In: []int{x}, Conv: &conv}, len: n.len, frac: v.frac + f}
	w, size := make([]float64, len(n.w)), make([]float64, len(n.w))
	z.weights = make([]int64, len(n.w))
	for i, a := range n.w {
		w[i] = math.RoundToEven(math.Ldexp(a, f))
		size[i] = math.Abs(w[i])
		z.weights[i] = int64(w[i])
	}
	z.bias = make([]int64, len(n.b))
	for i, a := range n.b {
		a = math.RoundToEven(math.Ldexp(a, z.frac))
		if math.Abs(a) >= 1<<61 {
			return nil, errors.New("the bias is too large for its fraction bits; scale the model")
		}
		z.bias[i] = int64(a)
	}
	m := conv.InLen()
	middle, in := make([]float64, m), make([]float64, 0, 4*m)
	half := make([]float64, m) // what one unit of half an ulp of a weight moves
	for i := range middle {
		middle[i] = (v.lo[i] + v.hi[i]) / 2
		half[i] = (max(-v.lo[i], v.hi[i]) + v.quant[i]) / 2
		in = append(in, (v.hi[i]-v.lo[i])/2)
	}
	in = append(append(append(in, v.per...), v.con...), v.quant...)
	center, radius := make([]float64, n.len), make([]float64, 4*n.len)
	convolve(conv, center, middle, w)
	convolve(conv, radius, in, size)
	z.per, z.con, z.quant = radius[n.len:2*n.len], radius[2*n.len:3*n.len], radius[3*n.len:]
	ones := repeat(1, len(w))
	for i, a := range w {
		if a == math.Ldexp(n.w[i], f) { // exact
			ones[i] = 0
		}
	}
	convolve(conv, z.quant, half, ones)
	z.lo, z.hi = make([]float64, n.len), make([]float64, n.len)
	for i := range center {
		c := center[i] + float64(z.bias[i%len(z.bias)])
		r := radius[i] + 1 + 1e-12*(math.Abs(c)+radius[i]) // rounding of the bounds themselves
		z.lo[i], z.hi[i] = math.Floor(c-r), math.Ceil(c+r)
		z.quant[i] = z.quant[i]*slack + 0.5
	}
	return z, nil
}

func (b *builder) offset(n *node, x int) (int, error) {
	x = b.wide(x)
	z := like(b.values[x])
	z.op = Op{Kind: AddParam, Name: n.name, In: []int{x}}
	z.bias = make([]int64, n.len)
	for i, c := range n.c {
		c = math.RoundToEven(math.Ldexp(c, z.frac))
		if math.Abs(c) >= 1<<61 {
			return 0, errWide(z)
		}
		z.bias[i] = int64(c)
		z.lo[i], z.hi[i] = z.lo[i]+c, z.hi[i]+c
		z.quant[i] += 0.5
	}
	if !b.fits(z) {
		return 0, errWide(z)
	}
	return b.add(z), nil
}

func (b *builder) gather(name string, x int, index []int32) int {
	v := b.values[x]
	z := &fixed{op: Op{Kind: Gather, Name: name, In: []int{x}, Index: index}, len: len(index), frac: v.frac, narrow: v.narrow}
	z.bounds(v, func(x []float64) []float64 {
		y := make([]float64, len(index))
		gather(y, x, index)
		return y
	})
	return b.add(z)
}

// sum lowers sums times public coefficients, which cost fraction bits only where
// they are not whole.
func (b *builder) sum(n *node, x int) (int, error) {
	x = b.wide(x)
	for {
		z := b.sumBounds(n, x, coefBits(n.c))
		switch {
		case b.fits(z):
			return b.add(z), nil
		case b.values[x].frac > b.fraction && x > 0:
			x = b.lifted(x)
		default:
			return 0, errWide(z)
		}
	}
}

// coefBits returns the fewest fraction bits with which all public coefficients
// are exact, or those that leave the largest one 15 significant bits.
func coefBits(c []float64) int {
	limit := 14 - exponent(max(largest(c), -least(c)))
	for f := range max(limit, 0) {
		exact := true
		for _, v := range c {
			v = math.Ldexp(v, f)
			exact = exact && v == math.RoundToEven(v)
		}
		if exact {
			return f
		}
	}
	return max(limit, 0)
}

func (b *builder) sumBounds(n *node, x, f int) *fixed {
	v := b.values[x]
	z := &fixed{op: Op{Kind: Sum, Name: n.name, In: []int{x}, Index: n.index, Window: n.window}, len: n.len, frac: v.frac + f}
	z.bounds(v, func(x []float64) []float64 {
		y := make([]float64, n.len)
		for i := range y {
			y[i] = math.Abs(math.RoundToEven(math.Ldexp(n.c[i], f))) * sum(x, n.index[i*n.window:][:n.window])
		}
		return y
	})
	for i, c := range n.c {
		k := math.RoundToEven(math.Ldexp(c, f))
		z.op.Coef = append(z.op.Coef, int64(k))
		if k < 0 {
			z.lo[i], z.hi[i] = -z.hi[i], -z.lo[i]
		}
		off := math.Abs(k - math.Ldexp(c, f))
		for _, j := range n.index[i*n.window:][:n.window] {
			if j >= 0 {
				z.quant[i] += off * (max(-v.lo[j], v.hi[j]) + v.quant[j])
			}
		}
	}
	return z
}

func (b *builder) sumOfTwo(n *node, x, y int) (int, error) {
	x, y = b.wide(x), b.wide(y)
	for {
		z := b.sumOfTwoBounds(n, x, y)
		switch vx, vy := b.values[x], b.values[y]; {
		case b.fits(z):
			return b.add(z), nil
		case vx.frac > b.fraction && vx.frac >= vy.frac:
			x = b.lifted(x)
		case vy.frac > b.fraction:
			y = b.lifted(y)
		default:
			return 0, errWide(z)
		}
	}
}

func (b *builder) sumOfTwoBounds(n *node, x, y int) *fixed {
	v, u := b.values[x], b.values[y]
	frac := max(v.frac, u.frac)
	sv, su := frac-v.frac, frac-u.frac
	z := &fixed{op: Op{Kind: Add, Name: n.name, In: []int{x, y}, Shl: [2]int{sv, su}, Negate: n.negate}, len: n.len, frac: frac}
	z.bounds(v, func(x []float64) []float64 { return make([]float64, n.len) })
	for i := range z.lo {
		lo, hi := math.Ldexp(u.lo[i], su), math.Ldexp(u.hi[i], su)
		if n.negate {
			lo, hi = -hi, -lo
		}
		z.lo[i], z.hi[i] = math.Ldexp(v.lo[i], sv)+lo, math.Ldexp(v.hi[i], sv)+hi
		z.per[i] = math.Ldexp(v.per[i], sv) + math.Ldexp(u.per[i], su)
		z.con[i] = math.Ldexp(v.con[i], sv) + math.Ldexp(u.con[i], su)
		z.quant[i] = math.Ldexp(v.quant[i], sv) + math.Ldexp(u.quant[i], su)
	}
	return z
}

func (b *builder) relu(name string, x int) int {
	x = b.shifted(x)
	z := like(b.values[x])
	z.op = Op{Kind: ReLU, Name: name, In: []int{x}}
	for i := range z.lo {
		z.lo[i], z.hi[i] = max(z.lo[i], 0), max(z.hi[i], 0)
		if z.hi[i] == 0 { // every engine computes 0
			z.per[i], z.con[i] = 0, 0
		}
	}
	return b.add(z)
}

func (b *builder) max(name string, x, y int) int {
	v, u := b.values[x], b.values[y]
	z := like(v)
	z.op = Op{Kind: Max, Name: name, In: []int{x, y}}
	z.narrow = true
	for i := range z.lo {
		z.lo[i], z.hi[i] = max(v.lo[i], u.lo[i]), max(v.hi[i], u.hi[i])
		z.per[i], z.con[i] = max(v.per[i], u.per[i]), max(v.con[i], u.con[i])
		z.quant[i] = max(v.quant[i], u.quant[i])
	}
	return b.add(z)
}

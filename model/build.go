package model

import (
	"fmt"
	"math"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// A fixed is a value of the program being built. Bounds are per element, in
// units of its last place.
type fixed struct {
	op      Op // Params and widths are filled in at the end
	len     int
	frac    int
	narrow  bool      // its ring is as narrow as its range: wide consumers need a lift
	lo, hi  []float64 // of any engine, with up to MaxParties parties
	per     []float64 // |private − plaintext| ≤ per·n + con
	con     []float64
	quant   []float64 // |plaintext − exact network|
	weights []int64
	bias    []int64
}

func (v *fixed) magnitude() float64 { return max(-least(v.lo), largest(v.hi), 0) }

// A builder makes the program for one number of fraction bits.
type builder struct {
	*plan
	fraction int
	values   []*fixed
	alias    []int          // itself, or the operand of a lift left out
	shifts   map[int]int    // memo of shifted
	lifts    map[int]int    // memo of lifted
	factors  map[[2]int]int // memo of factor
	output   int
	current  int   // node being lowered
	numbers  []int // the value of every node
	places   []int // of every value in the program; 0 if it has none
}

// capacity is the width that accumulators may reach before their operands are
// shortened; what follows them may need a little more.
const capacity = 60

func (p *plan) build(fraction int) (*builder, error) {
	b := &builder{plan: p, fraction: fraction, shifts: map[int]int{}, lifts: map[int]int{}, factors: map[[2]int]int{}}
	number := make([]int, len(p.g.nodes))
	number[0] = b.input()
	for i := range p.g.nodes[1:] {
		b.current = i + 1
		n := &p.g.nodes[i+1]
		var in []int
		for _, j := range n.in {
			in = append(in, number[j])
		}
		z, err := b.node(n, in)
		if err != nil {
			return nil, fmt.Errorf("node %q: %w", n.name, err)
		}
		b.calibrated(b.values[z])
		number[i+1] = z
	}
	b.numbers = number
	last := b.shifted(number[len(number)-1])
	if last != len(b.values)-1 {
		last = b.gather("output", last, iota32(b.values[last].len))
	}
	b.output = last
	_, err := b.widths()
	return b, err
}

// calibrated narrows the range of v, the value of the current node, to what
// the calibration rows suggest.
func (b *builder) calibrated(v *fixed) {
	if b.seen == nil || v.frac == 0 { // whole numbers are counts, of which rows tell little
		return
	}
	least := math.Ldexp(usual, -b.small) // a tensor that was all zero need not stay so
	top := math.Ldexp(b.margin*max(largest(b.seen[b.current]), least), v.frac)
	for i := range v.lo {
		lo, hi := max(v.lo[i], -top), min(v.hi[i], top)
		v.lo[i], v.hi[i] = min(lo, hi), max(lo, hi) // exchanged only if the static range lies outside
		// Rows tell how far the exact network goes: no farther from a value than the range is wide.
		v.quant[i] = min(v.quant[i], max(v.hi[i], top)-min(v.lo[i], -top))
	}
	v.limit()
}

// limit caps the error of every element at the width of its range, which holds
// the values of all engines.
func (v *fixed) limit() {
	for i := range v.lo {
		if span := v.hi[i] - v.lo[i]; v.per[i]*MaxParties+v.con[i] > span {
			v.per[i], v.con[i] = 0, span
		}
	}
}

// add appends v, with its op's operands, and returns its number.
func (b *builder) add(v *fixed) int {
	v.limit()
	b.values = append(b.values, v)
	b.alias = append(b.alias, len(b.alias))
	return len(b.values) - 1
}

// like returns a value with the format and copies of the bounds of x.
func like(x *fixed) *fixed {
	z := &fixed{len: x.len, frac: x.frac}
	z.bounds(x, func(v []float64) []float64 { return append([]float64(nil), v...) })
	return z
}

// bounds sets every bound of z to f of that of x.
func (v *fixed) bounds(x *fixed, f func([]float64) []float64) {
	v.lo, v.hi, v.per, v.con, v.quant = f(x.lo), f(x.hi), f(x.per), f(x.con), f(x.quant)
}

func (b *builder) input() int {
	n := b.g.nodes[0].len
	frac := b.fraction + b.inputBits()
	lo, hi, quant := b.ends(frac)
	return b.add(&fixed{
		op: Op{Name: b.g.InputName}, len: n, frac: frac,
		lo: lo, hi: hi, per: make([]float64, n), con: make([]float64, n), quant: quant,
	})
}

// inputBits returns how many more fraction bits than activations the input
// has: its rounding is multiplied by the weights of the first layer, which are
// large where that layer also scales a small input up.
func (b *builder) inputBits() int {
	moved := make([]bool, len(b.g.nodes))
	moved[0] = true
	norm := 0.0
	for i := range b.g.nodes[1:] {
		n := &b.g.nodes[i+1]
		if !moved[n.in[0]] && (len(n.in) < 2 || !moved[n.in[1]]) {
			continue
		}
		switch n.kind {
		case gatherNode:
			moved[i+1] = true
		case linearNode:
			if n.whole { // features of trees, each of its own size: as fine as comparisons allow
				return b.roomFor(exactWidth - 4)
			}
			norm = max(norm, rowNorm(n))
		case scaleNode:
			norm = max(norm, largest(n.c), -least(n.c))
		default:
			return 0
		}
	}
	if moved[len(moved)-1] || norm == 0 {
		return 0
	}
	return min(max(int(math.Ceil(math.Log2(norm)))-1, 0), 10)
}

// roomFor returns how many more fraction bits than activations the input can have
// in a ring of width bits.
func (b *builder) roomFor(width int) int {
	reach := 1.0
	for _, p := range b.parts {
		reach = max(reach, -p.Lo, p.Hi)
	}
	return max(width-2-b.fraction-exponent(reach), 0)
}

// rowNorm returns the largest Euclidean norm of the weights of one output.
func rowNorm(n *node) float64 {
	out := n.conv.Out / n.conv.Groups
	block := len(n.w) / n.conv.Groups
	squares := make([]float64, n.conv.Out)
	for i, v := range n.w {
		squares[i/block*out+i%out] += v * v
	}
	return math.Sqrt(largest(squares))
}

func (b *builder) node(n *node, in []int) (int, error) {
	switch n.kind {
	case linearNode:
		return b.linear(n, in[0], b.weightBits(n))
	case scaleNode:
		l := scaleLayer(n)
		return b.linear(l, in[0], b.weightBits(l))
	case offsetNode:
		return b.offset(n, in[0])
	case gatherNode:
		return b.gather(n.name, in[0], n.index), nil
	case sumNode:
		return b.sum(n, in[0])
	case addNode:
		return b.sumOfTwo(n, in[0], in[1])
	case reluNode:
		return b.relu(n.name, in[0]), nil
	case maxPoolNode:
		return b.maxPool(n, in[0])
	case clipNode:
		return b.clip(n, in[0])
	case leakyNode:
		return b.leaky(n, in[0])
	case stepNode:
		return b.step(n, in[0]), nil
	case splineNode:
		return b.spline(n, in[0])
	case productNode:
		return b.product(n, in[0], in[1])
	case roundNode:
		return b.digits(in[0], exactWidth-1), nil
	case knownNode:
		var summands []*fixed
		for _, i := range in[1:] {
			summands = append(summands, b.values[i])
		}
		b.known(n, b.values[in[0]], summands...)
		return in[0], nil
	}
	return 0, fmt.Errorf("unknown node")
}

// scaleLayer returns the scale n as a depthwise 1×1 convolution with as few
// channels as repeat.
func scaleLayer(n *node) *node {
	period := 1
	for ; period < n.len; period++ {
		if n.len%period == 0 {
			if _, ok := channels(n.c, period); ok {
				break
			}
		}
	}
	c := ring.MatMul(n.len/period, period, period)
	c.Groups = period
	return &node{kind: linearNode, name: n.name, in: n.in, len: n.len, conv: c, w: n.c[:period], b: make([]float64, period)}
}

// exponent returns ⌊log₂ x⌋ for x > 0.
func exponent(x float64) int {
	_, e := math.Frexp(x)
	return e - 1
}

// weightBits chooses the fraction bits of a layer's weights: 15 significant
// bits for the largest, more where inputs of very different size meet.
func (b *builder) weightBits(n *node) int {
	if n.whole {
		return 0
	}
	top, small := 0.0, math.Inf(1)
	for _, v := range n.w {
		if a := math.Abs(v); a > 0 {
			top, small = max(top, a), min(small, a)
		}
	}
	if top == 0 {
		return 0
	}
	base := 14 - exponent(top)
	f := base
	if n.conv.In == n.conv.Groups && n.conv.KH*n.conv.KW == 1 { // every weight counts alone
		f = max(f, min(9-exponent(small), base+16))
	}
	if b.seen != nil { // rounding of the weights below 4 ulp of the output, root mean square
		squares := 0.0
		seen := b.seen[n.in[0]]
		for _, v := range seen {
			squares += v * v
		}
		fan := float64(len(n.w)/n.conv.Out) * squares / float64(len(seen))
		if fan > 0 {
			f = max(f, min(b.fraction-3+exponent(math.Sqrt(fan))+1, base+12))
		}
	}
	return min(max(f, 0), 40)
}

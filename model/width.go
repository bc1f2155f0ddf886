package model

import (
	"fmt"
	"math"
)

// bits returns the smallest w ≥ 2 with −2^(w−1) ≤ lo and hi < 2^(w−1).
func bits(lo, hi float64) int {
	w := 2
	for w < 100 && !(lo >= -math.Ldexp(1, w-1) && hi <= math.Ldexp(1, w-1)-1) {
		w++
	}
	return w
}

// shiftBits returns the smallest ring in which values within ±bound can be
// shifted by f by up to MaxParties parties: bound ≤ 2^(k−1) − n·2^(f−1).
func shiftBits(bound float64, f int) int {
	k := f + 2
	for k < 100 && bound > math.Ldexp(1, k-1)-MaxParties*math.Ldexp(1, f-1) {
		k++
	}
	return k
}

// compares reports that operations of a kind open a masked operand of [Op].Bits bits.
func compares(k Kind) bool {
	switch k {
	case ReLU, Max, Lift, Step, Splined:
		return true
	}
	return false
}

// own returns the width that the precondition of value i itself asks of its
// first operand: comparisons and shifts are wrong outside of it.
func (b *builder) own(i int) int {
	v := b.values[i]
	if v.op.Kind == Linear || len(v.op.In) == 0 {
		return 0
	}
	x := b.values[v.op.In[0]]
	switch v.op.Kind {
	case Shift:
		return shiftBits(x.magnitude(), v.op.Bits)
	case ReLU, Step:
		return bits(least(x.lo), largest(x.hi))
	case Lift, Splined: // |x| ≤ 2^(m−2)
		return max(bits(-x.magnitude(), x.magnitude()-1)+1, 3)
	case Max: // −2^(m−2) ≤ x, y < 2^(m−2)
		y := b.values[v.op.In[1]]
		return bits(min(least(x.lo), least(y.lo)), max(largest(x.hi), largest(y.hi))) + 1
	}
	return 0
}

// widths returns the ring of every value that is used: what its widest
// consumer needs. Lifts that would widen a value by little are left out, and
// the comparison or shift before them is made wider instead.
func (b *builder) widths() ([]int, error) {
	own := make([]int, len(b.values))
	for i := range b.values {
		own[i] = b.own(i)
	}
	for {
		need := b.backward(own)
		dropped := false
		for i, v := range b.values {
			const cheap = 2 // bits
			if v.op.Kind == Lift && need[i] > 0 && need[i] <= own[i]+cheap {
				b.alias[i] = v.op.In[0]
				dropped = true
			}
		}
		if dropped {
			continue
		}
		for i, w := range need {
			if w > 64 {
				return nil, fmt.Errorf("node %q: values of %d bits do not fit a ring of 64; %s", b.values[i].op.Name, w, narrower)
			}
			if v := &b.values[i].op; compares(v.Kind) && v.Kind != Max {
				v.Bits = own[i]
			}
		}
		return need, nil
	}
}

// backward propagates widths from the output to the input.
func (b *builder) backward(own []int) []int {
	need := make([]int, len(b.values))
	out := b.values[b.output]
	need[b.output] = bits(least(out.lo), largest(out.hi))
	for i := len(b.values) - 1; i > 0; i-- {
		if need[i] == 0 || b.alias[i] != i {
			continue
		}
		v := b.values[i]
		ask := need[i]
		switch v.op.Kind {
		case Shift:
			need[i] = max(need[i], own[i]-v.op.Bits)
			ask = need[i] + v.op.Bits
		case ReLU, Lift, Step, Splined:
			ask = own[i]
		case Max:
			need[i] = max(need[i], own[i])
			ask = need[i]
		}
		for _, j := range v.op.In {
			j = b.resolve(j)
			need[j] = max(need[j], ask)
		}
	}
	return need
}

// resolve follows the lifts that were left out.
func (b *builder) resolve(i int) int {
	for b.alias[i] != i {
		i = b.alias[i]
	}
	return i
}

// widest returns the width of the widest comparison, or of the output.
func (b *builder) widest() int {
	w := 0
	for i, v := range b.values {
		if compares(v.op.Kind) {
			w = max(w, b.own(i))
		}
	}
	if w == 0 {
		out := b.values[b.output]
		w = bits(least(out.lo), largest(out.hi))
	}
	return w
}

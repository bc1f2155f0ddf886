package model

import (
	"errors"
	"fmt"
	"math"
)

// What a client can do to its own view of the output is done there when nothing
// follows it. The functions here do it inside, among the parties, where the
// network goes on or the output must not show more.

// inside returns t with the steps that wait for the client done by the parties.
func (o *operator) inside(t *tensor) (*tensor, error) {
	z := &tensor{shape: []int{size(t.base)}, val: t.val, view: t.view}
	for _, p := range t.post {
		var err error
		if z, err = o.insideStep(z, p); err != nil {
			return nil, err
		}
	}
	return &tensor{shape: t.shape, val: z.val, view: z.view}, nil
}

func (o *operator) insideStep(t *tensor, p Post) (*tensor, error) {
	t = &tensor{shape: []int{p.Outer, p.Count, p.Inner}, val: t.val, view: t.view}
	var z *tensor
	var err error
	switch p.Op {
	case PostSigmoid:
		t.shape = []int{o.count(t)}
		z = o.smoothOf(t, sigmoidFn())
	case PostGather:
		t.shape = []int{o.count(t)}
		z = o.view(t, []int{len(p.Index)}, p.Index)
	case PostComplement:
		t.shape = []int{o.count(t)}
		sign, offset := repeat(1, t.shape[0]), make([]float64, t.shape[0])
		for _, i := range p.Index {
			sign[i], offset[i] = -1, 1
		}
		z, err = o.elementwise(offsetNode, o.public(t, sign), offset)
	case PostSoftmax, PostLogSoftmax:
		z, err = o.softmaxOf(t, p.Op == PostLogSoftmax)
	case PostArgMax:
		z, err = o.argMaxOf(t, p.Last)
	default:
		z, err = o.normalised(t, p.Op)
	}
	if err != nil {
		return nil, err
	}
	return &tensor{shape: []int{size(z.shape)}, val: z.val, view: z.view}, nil
}

// smallest is what is added to norms, of which rows of zeros have none: the sum of
// squares for L2.
const smallest = 1.0 / (1 << 10)

// normalised divides by a norm along axis 1 of three.
func (o *operator) normalised(t *tensor, norm string) (z *tensor, err error) {
	var fn *smooth
	switch norm {
	case PostNorm1: // |x| = 2·ReLU(x) − x
		z = o.same(o.bijection(t), node{kind: reluNode})
		z, err = o.added(o.public(z, repeat(2, size(t.shape))), t, true)
		fn = reciprocalFn()
	case PostNorm2:
		z, err = o.squared(t)
		fn = rsqrtFn(smallest)
	default:
		err = errors.New("a Normalizer to MAX may only be followed by what the client can do; move it to the end of the model")
	}
	if err != nil {
		return nil, err
	}
	s, err := o.taken(o.sumOver(z, []int{1 + o.lead}, true, false))
	if err != nil {
		return nil, err
	}
	if norm == PostNorm1 {
		if s, err = o.affineOf(o.within(s, 0, math.Inf(1)), 1, smallest); err != nil {
			return nil, err
		}
	}
	return o.multiplied(t, o.smoothOf(s, fn))
}

// count returns the number of elements of a tensor whose shape is not known.
func (o *operator) count(t *tensor) int {
	if t.view != nil {
		return len(t.view)
	}
	return o.g.nodes[t.val].len
}

// within adds what is known of real numbers in place of the elements of t, beyond
// what follows from the ranges of its operands. Engines may exceed the limits by
// the error of an element.
func (o *operator) within(t *tensor, lo, hi float64) *tensor {
	return o.knownAs(t, node{limits: [2]float64{lo, hi}, real: true})
}

// always adds limits that hold for the numbers of every engine, for up to
// MaxParties parties, but for room units of the last place of activations.
func (o *operator) always(t *tensor, lo, hi, room float64) *tensor {
	return o.knownAs(t, node{limits: [2]float64{lo, hi}, room: room})
}

func (o *operator) knownAs(t *tensor, n node) *tensor {
	t = o.bijection(t)
	n.kind, n.name, n.in, n.len = knownNode, o.name, []int{t.val}, size(t.shape)
	return &tensor{shape: t.shape, val: o.g.add(n), view: t.view}
}

// rounded returns t with no more digits than comparisons look at, so that several
// comparisons of one number agree with each other.
func (o *operator) rounded(t *tensor) *tensor {
	return o.same(o.bijection(t), node{kind: roundNode})
}

// slop is the room that limits of real numbers leave.
const slop = 1.0 / 32

// decayFn returns scale·exp x of numbers that are not positive, but for errors.
func decayFn(scale float64) *smooth {
	const top = 1.0 / 8
	s := everywhere(fmt.Sprintf("%g·exp", scale), func(x float64) float64 { return scale * math.Exp(min(x, top)) })
	s.bends, s.left, s.right, s.trend = at(top), level(0), &tail{0, s.f(top), top}, 1
	return s
}

// maxSoftmax bounds the elements over which a softmax is taken inside: errors of
// the exponential add up over them.
const maxSoftmax = 1 << 10

// leastSum is less than any sum of the exponentials of a softmax.
const leastSum = 0.5

// softmaxOf lowers the softmax, or its logarithm, along axis 1 of three:
//
//	d = x − max x, e = exp d, s = Σ e, softmax = e·(1/s), its logarithm d − ln s
func (o *operator) softmaxOf(t *tensor, logarithm bool) (*tensor, error) {
	n := t.shape[1]
	if n > maxSoftmax {
		return nil, fmt.Errorf("a Softmax of %d elements inside the network is more than %d", n, maxSoftmax)
	}
	axis := []int{1 + o.lead}
	top, err := o.taken(o.largestOver(t, axis, true, false))
	if err != nil {
		return nil, err
	}
	d, err := o.added(t, top, true)
	if err != nil {
		return nil, err
	}
	// An engine's maximum is that of its own x, shifted: within half of shifting, in
	// units of the last place, of the largest of them. So d is at most that much
	// above 0, and not much more below it for the largest, of which e, rounded once
	// more, is then at least 15/16 less shifting; and s at least that, less what
	// other e may be below 0.
	const shifting = MaxParties + 2
	d = o.always(d, math.Inf(-1), 0, shifting/2.0)
	e := o.smoothOf(d, decayFn(1))
	s, err := o.taken(o.sumOver(e, axis, true, false))
	if err != nil {
		return nil, err
	}
	s = o.always(s, 1-1.0/16, math.Inf(1), shifting)
	last := &o.g.nodes[s.val]
	last.in, last.window = append(last.in, e.val), n
	// Without samples, the bound on errors may reach down to 0: s does not.
	if logarithm {
		return o.added(d, o.smoothOf(s, logFn().between(leastSum, math.Inf(1))), true)
	}
	r := o.smoothOf(s, reciprocalFn().between(leastSum, math.Inf(1)))
	z, err := o.multiplied(e, r)
	if err != nil {
		return nil, err
	}
	// e/s is at most 1 for the e and s of one engine, and s and e lose at most
	// shifting/2 units each before the product: a quarter, from 9 fraction bits on.
	return o.always(z, -slop, 1.25, shifting), nil
}

// scores compares all pairs along axis 1 of three and returns how many others
// each element is not less than; of equal ones the first counts as greater, or the
// last one. Every engine compares the same rounded numbers again and again, so that
// its comparisons never contradict each other, and its scores are 0 to count − 1,
// each of them once.
func (o *operator) scores(t *tensor, last bool) (*tensor, error) {
	outer, n, inner := t.shape[0], t.shape[1], t.shape[2]
	pairs := n * (n - 1) / 2
	if n < 2 || outer*inner*pairs > maxPairs {
		return nil, fmt.Errorf("%d times the order of %d elements is not supported; it takes from 1 to %d comparisons", outer*inner, n, maxPairs)
	}
	if err := o.spend(8 * outer * inner * pairs); err != nil {
		return nil, err
	}
	var first, second []int32 // the pairs, of all groups
	terms := make([][]int32, size(t.shape))
	sign := make([][]int32, size(t.shape))
	for a := range outer {
		for c := range inner {
			at := func(i int) int { return (a*n+i)*inner + c }
			for i := range n {
				for j := i + 1; j < n; j++ {
					p := int32(len(first))
					x, y := at(i), at(j)
					if last {
						x, y = y, x
					}
					first, second = append(first, int32(x)), append(second, int32(y))
					terms[x], sign[y] = append(terms[x], p), append(sign[y], p)
				}
			}
		}
	}
	t = o.rounded(t)
	m := []int{len(first)}
	d, err := o.added(o.view(t, m, first), o.view(t, m, second), true)
	if err != nil {
		return nil, err
	}
	b := o.bijection(o.step(d)) // 1 where the first of a pair is not less
	total := func(lists [][]int32, c float64) int {
		z := node{kind: sumNode, name: o.name, in: []int{b.val}, len: len(lists), window: n, c: repeat(c, len(lists))}
		for _, l := range lists {
			for k := range n {
				j := int32(-1)
				if k < len(l) {
					j = b.at(int(l[k]))
				}
				z.index = append(z.index, j)
			}
		}
		return o.g.add(z)
	}
	won := &tensor{shape: t.shape, val: total(terms, 1)}
	lost := &tensor{shape: t.shape, val: total(sign, 1)}
	z, err := o.added(won, lost, true)
	if err != nil {
		return nil, err
	}
	offset := make([]float64, size(t.shape)) // every comparison not won by the other is won
	for i, l := range sign {
		offset[i] = float64(len(l))
	}
	if z, err = o.elementwise(offsetNode, z, offset); err != nil {
		return nil, err
	}
	return z, nil
}

// maxPairs bounds the comparisons of one operator that orders elements.
const maxPairs = 1 << 20

// argMaxOf returns the number of the largest element along axis 1 of three.
func (o *operator) argMaxOf(t *tensor, last bool) (*tensor, error) {
	z, err := o.ranked(t, 1, last)
	if err != nil {
		return nil, err
	}
	return o.positions(z)
}

// ranked returns, along axis 1 of three, k vectors, in place of each element 1
// where it is the largest, the second, and so on, else 0: of shape outer, k,
// count, inner.
func (o *operator) ranked(t *tensor, k int, last bool) (*tensor, error) {
	outer, n, inner := t.shape[0], t.shape[1], t.shape[2]
	if n == 1 {
		z, err := o.affineOf(t, 0, 1)
		if err != nil {
			return nil, err
		}
		return &tensor{shape: []int{outer, 1, 1, inner}, val: z.val, view: z.view}, nil
	}
	s, err := o.scores(t, last)
	if err != nil {
		return nil, err
	}
	if k == 1 { // the score n−1: ReLU(score − (n−2))
		if s, err = o.affineOf(s, 1, float64(2-n)); err != nil {
			return nil, err
		}
		z := o.same(o.bijection(s), node{kind: reluNode})
		return &tensor{shape: []int{outer, 1, n, inner}, val: z.val, view: z.view}, nil
	}
	atLeast := make([]*tensor, k) // 1 for the j+1 largest
	for j := range atLeast {
		d, err := o.affineOf(s, 1, float64(j+1-n))
		if err != nil {
			return nil, err
		}
		atLeast[j] = o.step(d)
	}
	parts := make([]*tensor, k)
	for j := range parts {
		if parts[j] = atLeast[j]; j > 0 {
			if parts[j], err = o.added(atLeast[j], atLeast[j-1], true); err != nil {
				return nil, err
			}
		}
	}
	return o.stacked(parts, []int{outer, n, inner}), nil
}

// stacked joins tensors of one shape outer, count, inner along a new axis after
// the first.
func (o *operator) stacked(parts []*tensor, shape []int) *tensor {
	outer, block := shape[0], size(shape[1:])
	k := len(parts)
	val := -1
	for j, t := range parts {
		index := make([]int32, outer*k*block)
		for i := range index {
			index[i] = -1
		}
		for a := range outer {
			for e := range block {
				index[(a*k+j)*block+e] = t.at(a*block + e)
			}
		}
		o.budget -= len(index)
		z := o.g.add(node{kind: gatherNode, name: o.name, in: []int{t.val}, len: len(index), index: index})
		if val >= 0 {
			z = o.g.add(node{kind: addNode, name: o.name, in: []int{val, z}, len: len(index)})
		}
		val = z
	}
	return &tensor{shape: append([]int{outer, k}, shape[1:]...), val: val}
}

// positions returns Σ i·t[i] along axis 2 of four, for t of which one is 1 and the
// others are 0: an element is summed up as often as its number says.
func (o *operator) positions(t *tensor) (*tensor, error) {
	groups, n, inner := t.shape[0]*t.shape[1], t.shape[2], t.shape[3]
	window := max(n*(n-1)/2, 1)
	if err := o.spend(groups * inner * window); err != nil {
		return nil, err
	}
	z := node{kind: sumNode, name: o.name, in: []int{t.val}, len: groups * inner, window: window, c: repeat(1, groups*inner)}
	for g := range groups {
		for c := range inner {
			if n == 1 {
				z.index = append(z.index, -1)
			}
			for i := range n {
				for range i {
					z.index = append(z.index, t.at((g*n+i)*inner+c))
				}
			}
		}
	}
	p := &tensor{shape: []int{t.shape[0], t.shape[1], inner}, val: o.g.add(z)}
	return o.always(p, 0, float64(n-1), 0), nil
}

// topK lowers TopK along one axis: the values, and the numbers of their elements.
func (o *operator) topK() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	a, err := o.inner(o.int("axis", -1), t)
	if err != nil {
		return err
	}
	k := o.int("k", 0)
	if o.input(1) != "" {
		c, err := o.fixed(1)
		if err != nil {
			return err
		}
		v, err := c.wholes()
		if err != nil || len(v) != 1 {
			return errors.New("k is not one whole number")
		}
		k = v[0]
	}
	if k < 1 || k > t.shape[a] {
		return fmt.Errorf("the %d largest of %d elements", k, t.shape[a])
	}
	three := &tensor{shape: []int{size(t.shape[:a]), t.shape[a], size(t.shape[a+1:])}, val: t.val, view: t.view}
	order := three
	if o.int("largest", 1) == 0 {
		order = o.public(three, repeat(-1, size(t.shape)))
	}
	hot, err := o.ranked(order, k, false)
	if err != nil {
		return err
	}
	shape := append([]int{}, t.shape...)
	shape[a] = k
	if out := o.n.Output; len(out) > 1 && out[1] != "" {
		p, err := o.positions(hot)
		if err != nil {
			return err
		}
		if err := o.define(1, &tensor{shape: shape, val: p.val, view: p.view}, nil); err != nil {
			return err
		}
	}
	z, err := o.einsumOf([2]*tensor{hot, three}, [2]string{"aknc", "anc"}, "akc", false)
	if err != nil {
		return err
	}
	return o.set(&tensor{shape: shape, val: z.val, view: z.view})
}

package model

import (
	"errors"
	"fmt"
)

// normOf lowers the reductions that apply a function before or after a sum, and
// the product:
//
//	L1 = Σ |x|, L2 = √Σ x², SumSquare = Σ x², LogSum = ln Σ x, LogSumExp = ln Σ eˣ
func (o *operator) normOf(t *tensor, axes []int, keep bool) (*tensor, error) {
	var err error
	switch kind := o.n.GetOpType(); kind {
	case "ReduceProd":
		return o.productOver(t, axes, keep)
	case "ReduceLogSumExp":
		return o.logSumExp(t, axes, keep)
	case "ReduceL1":
		t, err = o.absolute(t)
	case "ReduceL2", "ReduceSumSquare":
		t, err = o.squared(t)
	}
	if err != nil {
		return nil, err
	}
	z, err := o.taken(o.sumOver(t, axes, keep, false))
	if err != nil {
		return nil, err
	}
	switch o.n.GetOpType() {
	case "ReduceL2":
		z = o.smoothOf(z, sqrtFn())
	case "ReduceLogSum":
		z = o.smoothOf(z, logFn())
	}
	return z, nil
}

// absolute returns |t| = 2·ReLU(t) − t.
func (o *operator) absolute(t *tensor) (*tensor, error) {
	t = o.bijection(t)
	n := size(t.shape)
	if err := o.spend(3 * n); err != nil {
		return nil, err
	}
	r := o.same(t, node{kind: reluNode}).val
	twice := o.g.add(node{kind: addNode, name: o.name, in: []int{r, r}, len: n})
	z := o.g.add(node{kind: addNode, name: o.name, in: []int{twice, t.val}, len: n, negate: true})
	return &tensor{shape: t.shape, val: z, view: t.view}, nil
}

// grouped returns t as rows of the elements that each result is made of.
func (o *operator) grouped(t *tensor, r *reduction) *tensor {
	n, k := len(r.bases), len(r.within)
	index := make([]int32, 0, n*k)
	for _, base := range r.bases {
		for _, d := range r.within {
			index = append(index, base+d)
		}
	}
	return o.view(t, []int{n, k, 1}, index)
}

// logSumExp is x − ln softmax(x), for the first x of every group.
func (o *operator) logSumExp(t *tensor, axes []int, keep bool) (*tensor, error) {
	r, err := o.reduction(t, axes, keep)
	if err != nil {
		return nil, err
	}
	x := o.grouped(t, r)
	l, err := o.softmaxOf(x, true)
	if err != nil {
		return nil, err
	}
	first := make([]int32, len(r.bases))
	for i := range first {
		first[i] = int32(i * len(r.within))
	}
	return o.added(o.view(x, r.shape, first), o.view(l, r.shape, first), true)
}

// maxFactors bounds the factors of a product: its range grows with each of them.
const maxFactors = 16

// productOver multiplies along axes of the file, as a tree.
func (o *operator) productOver(t *tensor, axes []int, keep bool) (*tensor, error) {
	r, err := o.reduction(t, axes, keep)
	if err != nil {
		return nil, err
	}
	n, k := len(r.bases), len(r.within)
	if k > maxFactors {
		return nil, fmt.Errorf("a product of %d factors is not supported, only of up to %d; add logarithms instead", k, maxFactors)
	}
	// Groups last: each half of the factors is then one block.
	z := o.grouped(t, r)
	shape, index := permute([]int{n, k}, []int{1, 0})
	z = o.view(z, shape, index)
	for k > 1 {
		half := k / 2
		block := func(from, count int) *tensor {
			v := iota32(count * n)
			for i := range v {
				v[i] += int32(from * n)
			}
			return o.view(z, []int{count, n}, v)
		}
		p, err := o.multiplied(block(0, half), block(half, half))
		if err != nil {
			return nil, err
		}
		if k%2 == 1 { // the last factor joins the first product
			first := iota32(n)
			head := o.view(p, []int{1, n}, first)
			if head, err = o.multiplied(head, block(k-1, 1)); err != nil {
				return nil, err
			}
			if half == 1 {
				p = head
			} else {
				rest := make([]int32, (half-1)*n)
				for i := range rest {
					rest[i] = int32(i + n)
				}
				p = o.joined([]*tensor{head, o.view(p, []int{half - 1, n}, rest)}, []int{half, n})
			}
		}
		z, k = p, half
	}
	return &tensor{shape: r.shape, val: z.val, view: z.view}, nil
}

// joined returns the elements of all parts, one part after the other, in shape.
func (o *operator) joined(parts []*tensor, shape []int) *tensor {
	val, at, n := -1, 0, size(shape)
	for _, t := range parts {
		x := o.arrange(t, placed(1, size(t.shape), at, n))
		if at += size(t.shape); val >= 0 {
			x = o.g.add(node{kind: addNode, name: o.name, in: []int{val, x}, len: n})
		}
		val = x
		o.budget -= 2 * n
	}
	return &tensor{shape: shape, val: val}
}

// cumSum lowers CumSum along a constant axis.
func (o *operator) cumSum() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	by, err := o.fixed(1)
	if err != nil {
		return err
	}
	if by == nil || by.len() != 1 {
		return errors.New("the axis is not one number")
	}
	f, err := by.wholes()
	if err != nil {
		return err
	}
	a, err := o.inner(f[0], t)
	if err != nil {
		return err
	}
	n, inner, count := t.shape[a], size(t.shape[a+1:]), size(t.shape)
	if err := o.spend(count * n); err != nil {
		return err
	}
	exclusive, reverse := o.int("exclusive", 0) != 0, o.int("reverse", 0) != 0
	z := node{kind: sumNode, name: o.name, in: []int{t.val}, len: count, window: n, c: repeat(1, count)}
	for e := range count {
		p := e / inner % n
		for k := range n {
			j := int32(-1)
			if k == p && !exclusive || reverse && k > p || !reverse && k < p {
				j = t.at(e + (k-p)*inner)
			}
			z.index = append(z.index, j)
		}
	}
	return o.set(&tensor{shape: t.shape, val: o.g.add(z)})
}

// argMin is ArgMax of −t.
func (o *operator) argMin() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	a, err := o.inner(o.int("axis", 0), t)
	if err != nil {
		return err
	}
	p := Post{Op: PostArgMax, Outer: size(t.shape[:a]), Count: t.shape[a], Inner: size(t.shape[a+1:]), Last: o.int("select_last_index", 0) != 0}
	shape := append([]int{}, t.shape[:a]...)
	if o.int("keepdims", 1) != 0 {
		shape = append(shape, 1)
	}
	if t, err = o.elementwise(scaleNode, t, repeat(-1, size(t.shape))); err != nil {
		return err
	}
	return o.after(t, p, append(shape, t.shape[a+1:]...), true)
}

// hardmax lowers Hardmax: 1 in place of the first largest element, else 0.
func (o *operator) hardmax() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	otherwise := -1
	if o.opset < 13 {
		otherwise = 1
	}
	a, err := o.inner(o.int("axis", otherwise), t)
	if err != nil {
		return err
	}
	three := []int{size(t.shape[:a]), t.shape[a], size(t.shape[a+1:])}
	if o.opset < 13 {
		three[1], three[2] = three[1]*three[2], 1
	}
	z, err := o.ranked(&tensor{shape: three, val: t.val, view: t.view}, 1, false)
	if err != nil {
		return err
	}
	return o.set(&tensor{shape: t.shape, val: z.val, view: z.view})
}

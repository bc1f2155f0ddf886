package model

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// linear adds the convolution c of the elements of t that index names (nil:
// all, in order) with weights w, laid out as in ring.Filter, and biases b.
func (o *operator) linear(t *tensor, index []int32, c ring.Conv, w, b []float64) (int, error) {
	if err := c.Validate(); err != nil {
		return 0, err
	}
	if o.products += c.Products(); o.products > maxProductsLoaded {
		return 0, errors.New("the layers of the model need more products than supported")
	}
	if err := o.spend(c.InLen() + c.OutLen() + c.WeightLen()); err != nil {
		return 0, err
	}
	for _, s := range [][]float64{w, b} {
		for _, v := range s {
			if math.IsNaN(v) || math.Abs(v) > maxMagnitude {
				return 0, fmt.Errorf("the weight %v is too large; scale the model", v)
			}
		}
	}
	// One row against a matrix: reorder the weights, not the row.
	if c.H*c.W == 1 && c.Groups == 1 && index == nil && t.view != nil && o.bijective(t) {
		moved := make([]float64, len(w))
		for i, j := range t.view {
			copy(moved[int(j)*c.Out:][:c.Out], w[i*c.Out:])
		}
		return o.g.add(node{kind: linearNode, name: o.name, in: []int{t.val}, len: c.OutLen(), conv: c, w: moved, b: b}), nil
	}
	return o.g.add(node{kind: linearNode, name: o.name, in: []int{o.arrange(t, index)}, len: c.OutLen(), conv: c, w: w, b: b}), nil
}

// maxProductsLoaded bounds the work of loading and analysing a model.
const maxProductsLoaded = 1 << 36

func (o *operator) gemm() error {
	if o.consts[o.input(0)] != nil {
		return o.gemmLeft()
	}
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	m, w, err := o.numbers(1)
	if err != nil {
		return err
	}
	if o.lead > 0 && o.int("transA", 0) != 0 || o.rank(t) != 2 || len(m.shape) != 2 {
		return errors.New("it must multiply rows by a matrix; transA and other ranks mix rows")
	}
	if o.int("transA", 0) != 0 {
		shape, index := permute(t.shape, []int{1, 0})
		t = o.view(t, shape, index)
	}
	if o.int("transB", 0) != 0 {
		shape, index := permute(m.shape, []int{1, 0})
		m = (&constant{shape: m.shape, f: w}).view(shape, index)
		w = m.f
	}
	k, n := m.shape[0], m.shape[1]
	if k != t.shape[1-o.lead] {
		return fmt.Errorf("rows of %d do not fit a matrix of %dx%d", t.shape[1-o.lead], k, n)
	}
	rows := 1
	if o.lead == 0 {
		rows = t.shape[0]
	}
	bias, all, err := o.gemmBias(rows, n)
	if err != nil {
		return err
	}
	z, err := o.linear(t, nil, ring.MatMul(rows, k, n), o.scaled(w), bias)
	if err != nil {
		return err
	}
	return o.gemmResult(&tensor{shape: []int{rows, n}[o.lead:], val: z}, all)
}

// gemmLeft lowers A·X with constant A as the transpose of Xᵀ·Aᵀ.
func (o *operator) gemmLeft() error {
	t, err := o.secret(1)
	if err != nil {
		return err
	}
	m, w, err := o.numbers(0)
	if err != nil {
		return err
	}
	if len(t.shape) != 2 || len(m.shape) != 2 {
		return errors.New("a constant from the left would mix rows; transpose the product")
	}
	if o.int("transB", 0) != 0 {
		shape, index := permute(t.shape, []int{1, 0})
		t = o.view(t, shape, index)
	}
	if o.int("transA", 0) != 0 {
		shape, index := permute(m.shape, []int{1, 0})
		m = (&constant{shape: m.shape, f: w}).view(shape, index)
		w = m.f
	}
	_, all, err := o.gemmBias(0, m.shape[0])
	if err != nil {
		return err
	}
	z, err := o.timesLeft(t, m.shape, o.scaled(w))
	if err != nil {
		return err
	}
	return o.gemmResult(z, all)
}

// scaled returns alpha·w.
func (o *operator) scaled(w []float64) []float64 {
	alpha := o.float("alpha", 1)
	z := make([]float64, len(w))
	for i, v := range w {
		z[i] = alpha * v
	}
	return z
}

// gemmBias returns beta times operand 2: one number for each of the n outputs of a
// row, or zeros and, as all says, an operand to add to the result.
func (o *operator) gemmBias(rows, n int) (bias []float64, all bool, err error) {
	bias = make([]float64, n)
	if o.input(2) == "" {
		return bias, false, nil
	}
	if o.consts[o.input(2)] == nil && o.tensors[o.input(2)] != nil || rows == 0 {
		return bias, true, nil
	}
	c, f, err := o.numbers(2)
	if err != nil {
		return nil, false, err
	}
	if len(c.shape) == 2 && c.shape[0] != 1 && o.lead == 0 {
		return bias, true, nil
	}
	if len(c.shape) > 2 || len(c.shape) == 2 && c.shape[0] != 1 {
		return nil, false, fmt.Errorf("a bias of shape %v differs from row to row", c.shape)
	}
	_, _, index, err := o.broadcast([]int{1, n}, c.shape)
	if err != nil || len(index) != n {
		return nil, false, fmt.Errorf("a bias of shape %v does not fit %d outputs", c.shape, n)
	}
	for i, j := range index {
		bias[i] = f[j] * o.float("beta", 1)
	}
	return bias, false, nil
}

// gemmResult defines the output as z, plus beta times operand 2 if all is set.
func (o *operator) gemmResult(z *tensor, all bool) error {
	if !all {
		return o.set(z)
	}
	beta := o.float("beta", 1)
	shape := z.shape
	if o.consts[o.input(2)] != nil {
		t, c, err := o.against(z, 2)
		if err != nil {
			return err
		}
		for i := range c {
			c[i] *= beta
		}
		if z, err = o.elementwise(offsetNode, t, c); err != nil {
			return err
		}
	} else {
		t, err := o.secret(2)
		if err == nil && beta != 1 {
			t, err = o.elementwise(scaleNode, t, repeat(beta, size(t.shape)))
		}
		if err == nil {
			z, err = o.added(z, t, false)
		}
		if err != nil {
			return err
		}
	}
	if !slices.Equal(z.shape, shape) {
		return fmt.Errorf("a bias does not fit a result of shape %v", shape)
	}
	return o.set(z)
}

func (o *operator) matMul() error {
	switch x, y := o.consts[o.input(0)], o.consts[o.input(1)]; {
	case x == nil && y == nil:
		return o.matMulSecrets()
	case x != nil:
		return o.matMulLeft()
	}
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	m, w, err := o.numbers(1)
	if err != nil {
		return err
	}
	s := m.shape
	for len(s) > 2 && s[0] == 1 && len(m.shape) <= o.rank(t) {
		s = s[1:]
	}
	vector := len(s) == 1
	if vector {
		s = []int{s[0], 1}
	}
	if len(t.shape) == 0 {
		return errors.New("rows of one number do not multiply a matrix")
	}
	if len(s) != 2 {
		z, err := o.matMulBatch(t, s, w)
		if err != nil {
			return err
		}
		return o.set(z)
	}
	last := len(t.shape) - 1
	if t.shape[last] != s[0] {
		return fmt.Errorf("rows of %d do not fit a matrix of %dx%d", t.shape[last], s[0], s[1])
	}
	z, err := o.linear(t, nil, ring.MatMul(size(t.shape[:last]), s[0], s[1]), w, make([]float64, s[1]))
	if err != nil {
		return err
	}
	shape := append([]int{}, t.shape[:last]...)
	if !vector {
		shape = append(shape, s[1])
	}
	return o.set(&tensor{shape: shape, val: z})
}

// matMulBatch lowers X·W with a constant W of shape s, a matrix for every position of
// the axes before, to a layer with a group for each of them.
func (o *operator) matMulBatch(t *tensor, s []int, w []float64) (*tensor, error) {
	last := len(s) - 2
	x := t.shape
	if len(x) == 1 && o.lead == 0 {
		x = []int{1, x[0]}
	}
	if len(x) < 2 || o.lead > 0 && len(s) > len(x) || x[len(x)-1] != s[last] {
		return nil, fmt.Errorf("rows of shape %v do not fit matrices of shape %v", t.shape, s)
	}
	m, k, n := x[len(x)-2], s[last], s[last+1]
	batch, ix, iw, err := o.broadcast(x[:len(x)-2], s[:last])
	if err != nil {
		return nil, err
	}
	// The positions of an axis share a matrix where W has one only.
	own := append(slices.Repeat([]int{1}, len(batch)-last), s[:last]...)
	var groups, shared []int
	for a, d := range own {
		if d == 1 {
			shared = append(shared, a)
		} else {
			groups = append(groups, a)
		}
	}
	order := append(append([]int{}, shared...), groups...)
	to, from := permute(batch, order) // batch positions, groups last
	g := size(to[len(shared):])
	c := ring.MatMul(size(to)/g*m, g*k, g*n)
	c.Groups = g
	if err := o.spend(size(to)*m*(k+n) + g*k*n); err != nil {
		return nil, err
	}
	in := make([]int32, 0, c.InLen())
	for p := range size(to) / g {
		for row := range m {
			for q := range g {
				for i := range k {
					in = append(in, ix[from[p*g+q]]*int32(m*k)+int32(row*k+i))
				}
			}
		}
	}
	weights := make([]float64, 0, g*k*n)
	for q := range g {
		weights = append(weights, w[int(iw[from[q]])*k*n:][:k*n]...)
	}
	z, err := o.linear(t, in, c, weights, make([]float64, g*n))
	if err != nil {
		return nil, err
	}
	out := make([]int32, size(to)*m*n)
	for b, p := range from {
		at, q := b/g, b%g
		for row := range m {
			for i := range n {
				out[(int(p)*m+row)*n+i] = int32(((at*m+row)*g+q)*n + i)
			}
		}
	}
	shape := append(batch, m, n)
	if len(t.shape) == 1 {
		shape = append(batch, n)
	}
	return o.view(&tensor{shape: []int{c.OutLen()}, val: z}, shape, out), nil
}

// matMulLeft lowers A·X with constant A: the columns of X are the rows of a
// product with the transpose of A.
func (o *operator) matMulLeft() error {
	t, err := o.secret(1)
	if err != nil {
		return err
	}
	m, w, err := o.numbers(0)
	if err != nil {
		return err
	}
	a, x := m.shape, t.shape
	for len(a) > 2 && a[0] == 1 && len(a) <= o.rank(t) {
		a = a[1:]
	}
	row, column := len(a) == 1, len(x) == 1 && o.lead == 0
	if row {
		a = []int{1, a[0]}
	}
	if column {
		x = []int{x[0], 1}
	}
	if len(x) < 2 {
		return errors.New("a constant from the left would mix rows; transpose the product")
	}
	t = o.view(t, x, iota32(size(x)))
	z, err := (*tensor)(nil), error(nil)
	if len(a) == 2 {
		z, err = o.timesLeft(t, a, w)
	} else { // (Xᵀ·Aᵀ)ᵀ
		shape, index := turned(a)
		w = (&constant{f: w}).view(nil, index).f
		to, from := turned(x)
		if z, err = o.matMulBatch(o.view(t, to, from), shape, w); err == nil {
			to, from = turned(z.shape)
			z = o.view(z, to, from)
		}
	}
	if err != nil {
		return err
	}
	shape := append([]int{}, z.shape[:len(x)-2]...)
	if !row {
		shape = append(shape, a[len(a)-2])
	}
	if !column {
		shape = append(shape, x[len(x)-1])
	}
	return o.reshaped(z, shape)
}

// timesLeft returns A·X for all matrices X of t and constant A of shape a.
func (o *operator) timesLeft(t *tensor, a []int, w []float64) (*tensor, error) {
	last := len(t.shape) - 1
	batch, k, n := size(t.shape[:last-1]), t.shape[last-1], t.shape[last]
	if a[1] != k {
		return nil, fmt.Errorf("shapes %v and %v do not fit", a, t.shape)
	}
	_, index := permute(a, []int{1, 0})
	_, order := permute([]int{batch, k, n}, []int{0, 2, 1})
	z, err := o.linear(t, order, ring.MatMul(batch*n, k, a[0]), (&constant{f: w}).view(nil, index).f, make([]float64, a[0]))
	if err != nil {
		return nil, err
	}
	_, back := permute([]int{batch, n, a[0]}, []int{0, 2, 1})
	shape := append(append([]int{}, t.shape[:last-1]...), a[0], n)
	return o.view(&tensor{shape: []int{len(back)}, val: z}, shape, back), nil
}

// turned returns the transposition of the matrices of a tensor of shape.
func turned(shape []int) (to []int, index []int32) {
	perm := make([]int, len(shape))
	for i := range perm {
		perm[i] = i
	}
	last := len(shape) - 1
	perm[last-1], perm[last] = last, last-1
	return permute(shape, perm)
}

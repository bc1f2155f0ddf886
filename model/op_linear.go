package model

import (
	"errors"
	"fmt"
	"math"

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
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	m, w, err := o.numbers(1)
	if err != nil {
		return err
	}
	if o.int("transA", 0) != 0 || len(t.shape) != 1 || len(m.shape) != 2 {
		return errors.New("it must multiply rows by a matrix; transA and other ranks mix rows")
	}
	if o.int("transB", 0) != 0 {
		shape, index := permute(m.shape, []int{1, 0})
		m = (&constant{shape: m.shape, f: w}).view(shape, index)
		w = m.f
	}
	k, n := m.shape[0], m.shape[1]
	if k != t.shape[0] {
		return fmt.Errorf("rows of %d do not fit a matrix of %dx%d", t.shape[0], k, n)
	}
	bias := make([]float64, n)
	if o.input(2) != "" {
		c, f, err := o.numbers(2)
		if err != nil {
			return err
		}
		if len(c.shape) > 2 || len(c.shape) == 2 && c.shape[0] != 1 {
			return fmt.Errorf("a bias of shape %v differs from row to row", c.shape)
		}
		_, _, index, err := o.broadcast([]int{1, n}, c.shape)
		if err != nil || len(index) != n {
			return fmt.Errorf("a bias of shape %v does not fit %d outputs", c.shape, n)
		}
		for i, j := range index {
			bias[i] = f[j] * o.float("beta", 1)
		}
	}
	alpha := o.float("alpha", 1)
	scaled := make([]float64, len(w))
	for i, v := range w {
		scaled[i] = alpha * v
	}
	z, err := o.linear(t, nil, ring.MatMul(1, k, n), scaled, bias)
	if err != nil {
		return err
	}
	return o.set(&tensor{shape: []int{n}, val: z})
}

func (o *operator) matMul() error {
	if o.consts[o.input(0)] != nil {
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
	for len(s) > 2 && s[0] == 1 {
		s = s[1:]
	}
	vector := len(s) == 1
	if vector {
		s = []int{s[0], 1}
	}
	if len(s) != 2 || len(t.shape) == 0 || len(m.shape) > len(t.shape)+1 {
		return fmt.Errorf("a matrix of shape %v is not supported; use one of two axes", m.shape)
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
	if len(m.shape) != 2 || len(t.shape) != 2 {
		return errors.New("a constant from the left would mix rows; transpose the product")
	}
	if m.shape[1] != t.shape[0] {
		return fmt.Errorf("shapes %v and %v do not fit", m.shape, t.shape)
	}
	_, index := permute(m.shape, []int{1, 0})
	w = (&constant{f: w}).view(nil, index).f
	_, order := permute(t.shape, []int{1, 0})
	z, err := o.linear(t, order, ring.MatMul(t.shape[1], m.shape[1], m.shape[0]), w, make([]float64, m.shape[0]))
	if err != nil {
		return err
	}
	shape, back := permute([]int{t.shape[1], m.shape[0]}, []int{1, 0})
	return o.set(o.view(&tensor{shape: []int{t.shape[1], m.shape[0]}, val: z}, shape, back))
}

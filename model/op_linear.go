package model

import (
	"errors"
	"fmt"
	"math"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// sumOrDifference lowers Add and Sub, of two tensors or with a constant.
func (o *operator) sumOrDifference() error {
	minus := o.n.GetOpType() == "Sub"
	x, y := o.consts[o.input(0)], o.consts[o.input(1)]
	if x != nil && y != nil {
		return o.arithmetic(x, y)
	}
	if x == nil && y == nil {
		return o.addSecrets(minus)
	}
	at, sign := 0, 1.0
	if x != nil {
		at = 1
	}
	t, c, err := o.withConstant(at, 1-at)
	if err != nil {
		return err
	}
	if minus && at == 1 { // c − t
		if t, err = o.elementwise(scaleNode, t, repeat(-1, len(c))); err != nil {
			return err
		}
	} else if minus {
		sign = -1
	}
	for i := range c {
		c[i] *= sign
	}
	if t, err = o.elementwise(offsetNode, t, c); err != nil {
		return err
	}
	return o.set(t)
}

// product lowers Mul and Div by a constant.
func (o *operator) product() error {
	div := o.n.GetOpType() == "Div"
	x, y := o.consts[o.input(0)], o.consts[o.input(1)]
	if x != nil && y != nil {
		return o.arithmetic(x, y)
	}
	if x == nil && y == nil || div && x != nil {
		return errors.New("a product or quotient of two secret values is not supported; only one by a constant is")
	}
	at := 0
	if x != nil {
		at = 1
	}
	t, c, err := o.withConstant(at, 1-at)
	if err != nil {
		return err
	}
	for i := range c {
		if div {
			c[i] = 1 / c[i]
		}
	}
	if t, err = o.elementwise(scaleNode, t, c); err != nil {
		return err
	}
	return o.set(t)
}

func (o *operator) negate() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	if t, err = o.elementwise(scaleNode, t, repeat(-1, size(t.shape))); err != nil {
		return err
	}
	return o.set(t)
}

func repeat(v float64, n int) []float64 {
	z := make([]float64, n)
	for i := range z {
		z[i] = v
	}
	return z
}

// withConstant returns secret operand s and constant operand k, broadcast to
// each other.
func (o *operator) withConstant(s, k int) (*tensor, []float64, error) {
	t, err := o.secret(s)
	if err != nil {
		return nil, nil, err
	}
	c, f, err := o.numbers(k)
	if err != nil {
		return nil, nil, err
	}
	row := c.shape
	if len(row) > len(t.shape) {
		for _, d := range row[:len(row)-len(t.shape)] {
			if d != 1 {
				return nil, nil, fmt.Errorf("the constant of shape %v differs from row to row; make axis 0 of it 1", c.shape)
			}
		}
		if len(row) > len(t.shape)+1 {
			return nil, nil, fmt.Errorf("the constant of shape %v would put an axis before the batch; reshape it", c.shape)
		}
		row = row[len(row)-len(t.shape):]
	}
	shape, it, ic, err := o.broadcast(t.shape, row)
	if err != nil {
		return nil, nil, err
	}
	z := make([]float64, len(ic))
	for i, j := range ic {
		z[i] = f[j]
	}
	return o.view(t, shape, it), z, nil
}

// elementwise adds a scale or offset by c.
func (o *operator) elementwise(kind nodeKind, t *tensor, c []float64) (*tensor, error) {
	for _, v := range c {
		if math.IsNaN(v) || math.Abs(v) > maxMagnitude {
			return nil, fmt.Errorf("the constant %v is too large; scale the model", v)
		}
	}
	n := len(c)
	if err := o.spend(2 * n); err != nil {
		return nil, err
	}
	z := &tensor{shape: t.shape}
	if !o.bijective(t) {
		t = &tensor{shape: t.shape, val: o.materialise(t)}
	}
	if t.view != nil {
		moved := make([]float64, n)
		for i, j := range t.view {
			moved[j] = c[i]
		}
		c, z.view = moved, t.view
	}
	z.val = o.g.add(node{kind: kind, name: o.name, in: []int{t.val}, len: n, c: c})
	return z, nil
}

// maxMagnitude bounds weights: beyond it fixed point cannot follow.
const maxMagnitude = 1 << 40

func (o *operator) addSecrets(minus bool) error {
	x, err := o.secret(0)
	if err != nil {
		return err
	}
	y, err := o.secret(1)
	if err != nil {
		return err
	}
	if len(x.shape) != len(y.shape) {
		return fmt.Errorf("rows of shapes %v and %v would mix; reshape one of them", x.shape, y.shape)
	}
	shape, ix, iy, err := o.broadcast(x.shape, y.shape)
	if err != nil {
		return err
	}
	x, y = o.view(x, shape, ix), o.view(y, shape, iy)
	n := size(shape)
	if !o.bijective(x) {
		x = &tensor{shape: shape, val: o.materialise(x)}
	}
	order := make([]int32, n) // of the elements of y, as the node of x has them
	for i := range order {
		order[x.at(i)] = int32(i)
	}
	z := &tensor{shape: shape, view: x.view}
	z.val = o.g.add(node{kind: addNode, name: o.name, in: []int{x.val, o.arrange(y, order)}, len: n, negate: minus})
	return o.set(z)
}

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

func (o *operator) batchNorm() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	if o.int("training_mode", 0) != 0 || o.opset < 14 && len(o.n.Output) > 1 {
		return errors.New("it is in training mode; export the model for inference (model.eval())")
	}
	if len(t.shape) == 0 {
		return errors.New("rows without channels")
	}
	var p [4][]float64 // scale, offset, mean, variance
	for i := range p {
		if _, p[i], err = o.numbers(i + 1); err != nil {
			return err
		}
		if len(p[i]) != t.shape[0] {
			return fmt.Errorf("%d parameters for %d channels", len(p[i]), t.shape[0])
		}
	}
	n := size(t.shape)
	scale, offset := make([]float64, n), make([]float64, n)
	for i := range n {
		c := i / (n / t.shape[0])
		scale[i] = p[0][c] / math.Sqrt(p[3][c]+o.float("epsilon", 1e-5))
		offset[i] = p[1][c] - p[2][c]*scale[i]
	}
	if t, err = o.elementwise(scaleNode, t, scale); err != nil {
		return err
	}
	if t, err = o.elementwise(offsetNode, t, offset); err != nil {
		return err
	}
	o.unused(1)
	return o.set(t)
}

func (o *operator) relu() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	n := o.g.nodes[t.val].len
	if n > size(t.shape) {
		t = &tensor{shape: t.shape, val: o.materialise(t)}
		n = size(t.shape)
	}
	o.budget -= n
	z := o.g.add(node{kind: reluNode, name: o.name, in: []int{t.val}, len: n})
	return o.set(&tensor{shape: t.shape, val: z, view: t.view})
}

func (o *operator) clip() error {
	lo, hi := o.float("min", math.Inf(-1)), o.float("max", math.Inf(1))
	for i, v := range []*float64{&lo, &hi} {
		if o.input(i+1) == "" {
			continue
		}
		_, f, err := o.numbers(i + 1)
		if err != nil {
			return err
		}
		if len(f) != 1 {
			return errors.New("a limit is not one number")
		}
		*v = f[0]
	}
	const infinite = 1e30 // PyTorch writes the largest float32 for no limit
	switch {
	case lo == 0 && hi > infinite:
		return o.relu()
	case lo < -infinite && hi > infinite:
		return o.identity()
	}
	return fmt.Errorf("limits %v and %v are not supported; only Clip(0, infinity) is, as Relu", lo, hi)
}

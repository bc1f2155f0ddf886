package model

import (
	"errors"
	"fmt"
	"math"
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
	if t := o.tensors[o.input(1)]; minus && t != nil && t.post != nil {
		return o.complement(t, x)
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
	o.mask(c)
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
	if div && (o.whole(0) || o.whole(1)) {
		return errors.New("a quotient of whole numbers drops its fraction; cast them to floating-point numbers before")
	}
	switch {
	case div && y == nil:
		return o.quotient()
	case x == nil && y == nil:
		return o.productOfSecrets()
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

// scaler lowers Scaler of scikit-learn: (x − offset)·scale.
func (o *operator) scaler() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	n := size(t.shape)
	var c [2][]float64
	for i, name := range []string{"offset", "scale"} {
		a := o.attrs[name]
		if len(t.shape) != 1 || a == nil || len(a.Floats) != 1 && len(a.Floats) != n {
			return fmt.Errorf("its attribute %s does not fit rows of shape %v", name, t.shape)
		}
		for j := range n {
			c[i] = append(c[i], float64(a.Floats[j%len(a.Floats)]))
		}
	}
	for i := range c[0] {
		c[0][i] = -c[0][i]
	}
	if t, err = o.elementwise(offsetNode, t, c[0]); err != nil {
		return err
	}
	if t, err = o.elementwise(scaleNode, t, c[1]); err != nil {
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
	return o.against(t, k)
}

// against returns t and constant operand k, broadcast to each other.
func (o *operator) against(t *tensor, k int) (*tensor, []float64, error) {
	c, f, err := o.numbers(k)
	if err != nil {
		return nil, nil, err
	}
	return o.alike(t, &constant{shape: c.shape, f: f})
}

// alike returns t and the numbers of c, broadcast to each other.
func (o *operator) alike(t *tensor, c *constant) (*tensor, []float64, error) {
	f, row := c.f, c.shape
	if o.lead > 0 && len(row) > len(t.shape) {
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
	t = o.bijection(t)
	z := &tensor{shape: t.shape, view: t.view}
	z.val = o.g.add(node{kind: kind, name: o.name, in: []int{t.val}, len: n, c: t.ordered(c)})
	return z, nil
}

// bijection returns t as a node in some order.
func (o *operator) bijection(t *tensor) *tensor {
	if o.bijective(t) {
		return t
	}
	return &tensor{shape: t.shape, val: o.materialise(t)}
}

// ordered returns c, a number for every element of t, in the order of its node.
func (t *tensor) ordered(c []float64) []float64 {
	if t.view == nil || c == nil {
		return c
	}
	moved := make([]float64, len(c))
	for i, j := range t.view {
		moved[j] = c[i]
	}
	return moved
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
	z, err := o.added(x, y, minus)
	if err != nil {
		return err
	}
	return o.set(z)
}

// added returns x + y or x − y, broadcast to each other.
func (o *operator) added(x, y *tensor, minus bool) (*tensor, error) {
	if o.lead > 0 && len(x.shape) != len(y.shape) {
		return nil, fmt.Errorf("rows of shapes %v and %v would mix; reshape one of them", x.shape, y.shape)
	}
	shape, ix, iy, err := o.broadcast(x.shape, y.shape)
	if err != nil {
		return nil, err
	}
	x, y = o.bijection(o.view(x, shape, ix)), o.view(y, shape, iy)
	n := size(shape)
	order := make([]int32, n) // of the elements of y, as the node of x has them
	for i := range order {
		order[x.at(i)] = int32(i)
	}
	z := &tensor{shape: shape, view: x.view}
	z.val = o.g.add(node{kind: addNode, name: o.name, in: []int{x.val, o.arrange(y, order)}, len: n, negate: minus})
	return z, nil
}

// total lowers Sum and Mean of tensors and constants.
func (o *operator) total() error {
	z, err := o.combined(func(x, y *tensor) (*tensor, error) { return o.added(x, y, false) }, func(t *tensor, c []float64) (*tensor, error) {
		return o.elementwise(offsetNode, t, c)
	})
	if err != nil {
		return err
	}
	if k := len(o.n.Input); o.n.GetOpType() == "Mean" && k > 1 {
		n := size(z.shape)
		if err := o.spend(2 * n); err != nil {
			return err
		}
		z = o.bijection(z)
		mean := o.g.add(node{kind: sumNode, name: o.name, in: []int{z.val}, len: n, window: 1, index: iota32(n), c: repeat(1/float64(k), n)})
		z = &tensor{shape: z.shape, val: mean, view: z.view}
	}
	return o.set(z)
}

// combined applies two to all operands that are tensors, one after the other, and
// then constant to the result and every operand that is not.
func (o *operator) combined(two func(x, y *tensor) (*tensor, error), constant func(*tensor, []float64) (*tensor, error)) (*tensor, error) {
	var z *tensor
	for i, name := range o.n.Input { // tensors first: constants have no rows
		if o.tensors[name] == nil {
			continue
		}
		t, err := o.secret(i)
		if err == nil && z != nil {
			t, err = two(z, t)
		}
		if z = t; err != nil {
			return nil, err
		}
	}
	if z == nil {
		return nil, errors.New("all operands are constants; fold constants before the export")
	}
	for i, name := range o.n.Input {
		if o.tensors[name] != nil {
			continue
		}
		t, c, err := o.against(z, i)
		if err != nil {
			return nil, err
		}
		if z, err = constant(t, c); err != nil {
			return nil, err
		}
	}
	return z, nil
}

func (o *operator) batchNorm() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	test := o.opset < 7 && o.int("is_test", 0) != 0
	if o.int("training_mode", 0) != 0 || o.opset < 14 && len(o.n.Output) > 1 && !test {
		return errors.New("it is in training mode; export the model for inference (model.eval())")
	}
	if len(t.shape) == 0 {
		return errors.New("rows without channels")
	}
	n, count := size(t.shape), t.shape[0]
	if o.opset < 9 && o.int("spatial", 1) == 0 { // every element is a channel
		count = n
	}
	var p [4][]float64 // scale, offset, mean, variance
	for i := range p {
		if _, p[i], err = o.numbers(i + 1); err != nil {
			return err
		}
		if len(p[i]) != count {
			return fmt.Errorf("%d parameters for %d channels", len(p[i]), count)
		}
	}
	scale, offset := make([]float64, n), make([]float64, n)
	for i := range n {
		c := i / (n / count)
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

package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// The operators here compute with constants alone: the arithmetic of shapes
// that exporters put before a Reshape.

func (o *operator) constant() error {
	if a := o.attrs["value"]; a != nil && a.T != nil {
		c, err := o.decode(a.T)
		if err != nil {
			return err
		}
		return o.setConst(c)
	}
	c := &constant{shape: []int{}}
	switch a := o.attrs["value_float"]; {
	case a != nil:
		c.f = []float64{float64(a.GetF())}
		return o.setConst(c)
	case o.attrs["value_int"] != nil:
		c.d = []dim{{n: o.attrs["value_int"].GetI()}}
		return o.setConst(c)
	case o.attrs["value_floats"] != nil:
		c.f = []float64{}
		for _, v := range o.attrs["value_floats"].Floats {
			c.f = append(c.f, float64(v))
		}
		c.shape = []int{len(c.f)}
		return o.setConst(c)
	case o.attrs["value_ints"] != nil:
		c.d = []dim{}
		for _, v := range o.attrs["value_ints"].Ints {
			c.d = append(c.d, dim{n: v})
		}
		c.shape = []int{len(c.d)}
		return o.setConst(c)
	}
	return errors.New("the constant has no numeric value")
}

func (o *operator) constantOfShape() error {
	s, err := o.fixed(0)
	if err != nil {
		return err
	}
	if s == nil || s.d == nil {
		return errors.New("the shape is missing")
	}
	d := s.d
	if len(d) > 1 && d[0] == (dim{1, true}) { // a constant is the same for all rows
		d = append([]dim{{n: 1}}, d[1:]...)
	}
	shape, err := (&constant{d: d}).wholes()
	if err != nil {
		return err
	}
	if err := checkShape(shape); err != nil {
		return err
	}
	v := &constant{f: []float64{0}}
	if a := o.attrs["value"]; a != nil && a.T != nil {
		if v, err = o.decode(a.T); err != nil {
			return err
		}
	}
	if v.len() != 1 {
		return errors.New("the value is not one number")
	}
	if err := o.spend(size(shape)); err != nil {
		return err
	}
	return o.setConst(v.view(shape, make([]int32, size(shape))))
}

func (o *operator) shapeOf() error {
	t, c, err := o.any()
	if err != nil {
		return err
	}
	var d []dim
	if c != nil {
		for _, n := range c.shape {
			d = append(d, dim{n: int64(n)})
		}
	} else {
		for range o.lead {
			d = append(d, dim{n: 1, rows: true})
		}
		for _, n := range t.shape {
			d = append(d, dim{n: int64(n)})
		}
	}
	clip := func(i int) int {
		if i < 0 {
			i += len(d)
		}
		return min(max(i, 0), len(d))
	}
	start, end := clip(o.int("start", 0)), clip(o.int("end", len(d)))
	d = d[start:max(start, end)]
	return o.setConst(&constant{shape: []int{len(d)}, d: append([]dim{}, d...)})
}

// folded returns operand 0 of an operator that works on constants only.
func (o *operator) folded(hint string) (*constant, error) {
	if o.tensors[o.input(0)] != nil {
		return nil, fmt.Errorf("it is supported on constants only; %s", hint)
	}
	c, err := o.fixed(0)
	if err == nil && c == nil {
		err = errors.New("operand 0 is missing")
	}
	return c, err
}

func (o *operator) concat() error {
	if slices.ContainsFunc(o.n.Input, func(name string) bool { return o.tensors[name] != nil }) {
		return o.concatSecrets()
	}
	first, err := o.folded("concatenate before the model")
	if err != nil {
		return err
	}
	a, err := axis(o.int("axis", 0), len(first.shape))
	if err != nil {
		return err
	}
	shape := append([]int{}, first.shape...)
	shape[a] = 0
	all := &constant{f: []float64{}}
	if first.d != nil {
		all = &constant{d: []dim{}}
	}
	var index []int32
	outer := size(first.shape[:a])
	parts := make([][]int32, outer) // elements of all operands, by outer position
	for i := range o.n.Input {
		c, err := o.fixed(i)
		if err != nil {
			return err
		}
		if c == nil || len(c.shape) != len(shape) || (c.d == nil) != (first.d == nil) {
			return errors.New("the operands differ in type or rank")
		}
		for b := range shape {
			if b != a && shape[b] != c.shape[b] {
				return fmt.Errorf("shapes %v and %v differ at axis %d", first.shape, c.shape, b)
			}
		}
		shape[a] += c.shape[a]
		block := c.len() / max(outer, 1)
		for p := range parts {
			for k := range block {
				parts[p] = append(parts[p], int32(len(all.f)+len(all.d)+p*block+k))
			}
		}
		all.f, all.d = append(all.f, c.f...), append(all.d, c.d...)
		if err := o.spend(c.len()); err != nil {
			return err
		}
	}
	for _, p := range parts {
		index = append(index, p...)
	}
	if first.d == nil {
		all.d = nil
	}
	return o.setConst(all.view(shape, index))
}

// arithmetic folds Add, Sub, Mul and Div of two constants.
func (o *operator) arithmetic(x, y *constant) error {
	shape, ix, iy, err := o.broadcast(x.shape, y.shape)
	if err != nil {
		return err
	}
	x, y = x.view(shape, ix), y.view(shape, iy)
	z := &constant{shape: shape}
	if x.d != nil && y.d != nil {
		z.d = make([]dim, len(x.d))
		for i := range z.d {
			if z.d[i], err = wholeArithmetic(o.n.GetOpType(), x.d[i], y.d[i]); err != nil {
				return err
			}
		}
		return o.setConst(z)
	}
	xf, err := x.floats()
	if err != nil {
		return err
	}
	yf, err := y.floats()
	if err != nil {
		return err
	}
	z.f = make([]float64, len(xf))
	for i := range z.f {
		switch a, b := xf[i], yf[i]; o.n.GetOpType() {
		case "Add":
			z.f[i] = a + b
		case "Sub":
			z.f[i] = a - b
		case "Mul":
			z.f[i] = a * b
		default:
			z.f[i] = a / b
		}
		if math.IsNaN(z.f[i]) {
			return errors.New("a constant becomes NaN")
		}
	}
	return o.setConst(z)
}

func wholeArithmetic(kind string, a, b dim) (dim, error) {
	if max(a.n, -a.n, b.n, -b.n) > maxWhole || min(a.n, b.n) < -maxWhole {
		return dim{}, errors.New("a whole number is too large")
	}
	switch {
	case kind == "Mul" && !(a.rows && b.rows):
		return dim{a.n * b.n, a.rows || b.rows}, nil
	case kind == "Div" && b.n != 0 && !b.rows && (!a.rows || a.n%b.n == 0):
		return dim{a.n / b.n, a.rows}, nil
	case kind == "Div" && a.rows && b.rows && b.n != 0 && a.n%b.n == 0:
		return dim{n: a.n / b.n}, nil
	case kind == "Add" && a.rows == b.rows:
		return dim{a.n + b.n, a.rows}, nil
	case kind == "Sub" && a.rows == b.rows:
		return dim{a.n - b.n, a.rows && a.n != b.n}, nil
	}
	return dim{}, errors.New("the arithmetic of shapes is not supported; export the model with fixed shapes")
}

// broadcast returns the common shape and, for every element of it, the element
// of each operand.
func (l *loader) broadcast(x, y []int) (shape []int, ix, iy []int32, err error) {
	rank := max(len(x), len(y))
	pad := func(s []int) []int {
		p := make([]int, rank-len(s), rank)
		for i := range p {
			p[i] = 1
		}
		return append(p, s...)
	}
	px, py := pad(x), pad(y)
	shape = make([]int, rank)
	sx, sy := strides(px), strides(py)
	n := 1
	for i := range shape {
		switch {
		case px[i] == py[i]:
			shape[i] = px[i]
		case px[i] == 1:
			shape[i], sx[i] = py[i], 0
		case py[i] == 1:
			shape[i], sy[i] = px[i], 0
		default:
			return nil, nil, nil, fmt.Errorf("shapes %v and %v do not broadcast", x, y)
		}
		if n *= shape[i]; n > maxTensor {
			return nil, nil, nil, errTooLarge
		}
	}
	if err := l.spend(2 * n); err != nil {
		return nil, nil, nil, err
	}
	return shape, walk(shape, sx), walk(shape, sy), nil
}

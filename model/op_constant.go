package model

import (
	"maps"
	"math"
)

// folding lowers a node whose operands are all constants, for operators that take a
// tensor: one operand becomes the input of a network of this node alone, which is
// evaluated at once.
func (o *operator) folding(f func(*operator) error) bool {
	for i := range o.n.Input {
		c := o.consts[o.input(i)]
		if c == nil {
			continue
		}
		x, err := c.floats()
		if err == nil && c.len() > 0 && o.foldOne(f, i, c, x) {
			return true
		}
	}
	return false
}

// foldOne is folding with operand i, the numbers x in the shape of c.
func (o *operator) foldOne(f func(*operator) error, i int, c *constant, x []float64) bool {
	l := &loader{
		g: &Graph{}, opset: o.opset, budget: o.budget, products: o.products,
		consts: map[string]*constant{}, tensors: map[string]*tensor{}, types: maps.Clone(o.types), failed: map[string]bool{},
	}
	defer func() { o.budget, o.products = l.budget, l.products }()
	for k := range o.n.Input {
		if name := o.input(k); k != i && o.consts[name] != nil && name != o.input(i) {
			l.consts[name] = o.consts[name]
		}
	}
	val := l.g.add(node{kind: inputNode, len: len(x)})
	l.tensors[o.input(i)] = &tensor{shape: c.shape, val: val}
	at := *o
	at.loader = l
	if f(&at) != nil {
		return false
	}
	done := false
	for k, name := range o.n.Output {
		t := l.tensors[name]
		if t == nil || name == "" {
			continue
		}
		z, ok := evaluated(l, t, x)
		if !ok || o.spend(len(z)) != nil {
			return false
		}
		out := &constant{shape: t.shape, f: z}
		if _, whole := wholeTypes[at.outputType(k)]; whole && c.d != nil {
			out = &constant{shape: t.shape}
			for _, v := range z {
				out.d = append(out.d, dim{n: int64(math.Round(v))})
			}
		}
		o.consts[name] = out
		done = true
	}
	return done
}

// evaluated returns t for the input x.
func evaluated(l *loader, t *tensor, x []float64) ([]float64, bool) {
	base := *t
	if t.post != nil {
		base.shape = t.base
	}
	at := l.materialise(&base)
	values := make([][]float64, at+1)
	values[0] = x
	for i := 1; i <= at; i++ {
		values[i] = l.g.nodes[i].float(values)
	}
	z := values[at]
	for _, p := range t.post {
		z = p.apply(z)
	}
	for _, v := range z {
		if math.IsNaN(v) {
			return nil, false
		}
	}
	return z, true
}

package model

import (
	"math"
	"slices"
	"strings"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// apart lowers a model whose number of rows is free, but whose nodes move their axis
// for a while, such as an attention that puts the sequence first: as a whole, of one
// row. It is refused if of two rows, each does not have its own result.
func apart(m *onnx.ModelProto, output string, budget int) (*loader, error) {
	rows := freeRows(m.Graph)
	bind(rows, 2)
	two, _, second := lowered(m, output, budget, 0)
	bind(rows, 1) // for good: what is cut out of the file later has one row, too
	one, _, err := lowered(m, output, budget, 0)
	if err != nil {
		return nil, err
	}
	if second != nil || !separate(one.g, two.g) {
		return nil, errMixes
	}
	one.g.withoutRows()
	return one, nil
}

// freeRows lists axis 0 of the inputs that leave it free.
func freeRows(g *onnx.GraphProto) (rows []*onnx.TensorShapeProto_Dimension) {
	for _, in := range g.Input {
		dims := in.GetType().GetTensorType().GetShape().GetDim()
		if len(dims) == 0 {
			continue
		}
		if _, fixed := dims[0].Value.(*onnx.TensorShapeProto_Dimension_DimValue); !fixed {
			rows = append(rows, dims[0])
		}
	}
	return rows
}

func bind(dims []*onnx.TensorShapeProto_Dimension, n int64) {
	for _, d := range dims {
		d.Value = &onnx.TensorShapeProto_Dimension_DimValue{DimValue: n}
	}
}

// withoutRows leaves out axis 0, of one row, of all shapes.
func (g *Graph) withoutRows() {
	for i := range g.Inputs {
		g.Inputs[i].Shape = g.Inputs[i].Shape[1:]
	}
	if len(g.Inputs) == 1 {
		g.Input = g.Inputs[0].Shape
	}
	g.Output, g.Result = g.Output[1:], g.Result[1:]
}

// separate reports that two computes on two rows what one does on each.
func separate(one, two *Graph) bool {
	counts := func(a, b []int) bool {
		return len(a) > 0 && len(a) == len(b) && a[0] == 1 && b[0] == 2 && slices.Equal(a[1:], b[1:])
	}
	if !counts(one.Output, two.Output) || !counts(one.Result, two.Result) || len(one.Inputs) != len(two.Inputs) {
		return false
	}
	for i, p := range one.Inputs {
		if !counts(p.Shape, two.Inputs[i].Shape) {
			return false
		}
	}
	for trial := range 3 {
		var x [2][]float32
		var both []float32
		for _, p := range one.Inputs {
			for r := range x {
				v := p.example(trial*2 + r)
				x[r], both = append(x[r], v...), append(both, v...)
			}
		}
		if !matching(two.results(both), slices.Concat(one.results(x[0]), one.results(x[1]))) {
			return false
		}
	}
	return true
}

// example makes up values of an input, others for every k.
func (p Part) example(k int) []float32 {
	v := make([]float32, p.Len())
	for i := range v {
		a := 1.5 * math.Sin(float64(i+1)*(1.3+0.7*float64(k)))
		if p.Whole {
			a = math.Round(math.Abs(a) / 2)
		}
		v[i] = float32(a)
	}
	return v
}

// results computes the output for x, with what the client does; nil if x is no input.
func (g *Graph) results(x []float32) []float64 {
	values, err := g.row(x)
	if err != nil {
		return nil
	}
	z := values[len(values)-1]
	for _, p := range g.Post {
		z = p.apply(z)
	}
	return z
}

// matching reports that numbers differ by rounding only.
func matching(x, y []float64) bool {
	return slices.EqualFunc(x, y, func(a, b float64) bool {
		return a == b || math.Abs(a-b) <= 1e-9*(1+math.Abs(a)) || math.IsNaN(a) && math.IsNaN(b)
	})
}

// fewer reports that a names fewer nodes than b.
func fewer(a, b error) bool { return strings.Count(a.Error(), "\n") < strings.Count(b.Error(), "\n") }

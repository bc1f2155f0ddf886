package model

import (
	"fmt"
	"math"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// A Graph is a loaded network, reduced to a few operations on the elements of
// one row. Shapes are gone: a node holds a flat vector, images with the
// channels last, and a node that moves elements around lists where from.
type Graph struct {
	Name       string
	InputName  string
	OutputName string
	Input      []int // shape of one input row; of several inputs, the number of all elements
	Inputs     []Part
	Output     []int // shape of one output row, before Post
	Result     []int // shape of one output row, after Post
	Post       []Post
	Policy     Policy // what of the output the client sees; see Reveal
	Edge       *Edge  // what the client runs before; rows are those of its inputs then

	nodes []node // node 0 is the input, the last one the output
}

type nodeKind uint8

const (
	inputNode nodeKind = iota
	linearNode
	scaleNode  // c[i]·x[i]
	offsetNode // x[i] + c[i]
	gatherNode // x[index[i]], or 0 at −1
	sumNode    // c[i]·Σ x[index[i·window+t]]
	addNode    // x ± y
	reluNode
	maxPoolNode
	clipNode    // min(max(x[i], c[i]), d[i]); no limit where c or d is nil
	leakyNode   // x[i] where it is positive, c[i]·x[i] where it is not
	stepNode    // 1 where x[i] ≥ 0, else 0
	splineNode  // fn(x[i])
	productNode // x[t]·y[t], matrices of two tensors
	knownNode   // x[i], which is within limits that do not follow from the ranges of its operands
	roundNode   // x[i], with no more digits than comparisons look at
	lookupNode  // w[x[i]], rows of a table; clients only
)

// A node computes the vector of its own number from those of the nodes in.
type node struct {
	kind   nodeKind
	name   string // of the ONNX node
	in     []int
	len    int
	conv   ring.Conv // linear; the windows of maxpool, with In = Out = Groups
	w, b   []float64 // linear: weights as in ring.Filter, bias per output channel; lookup: the table
	c, d   []float64
	public bool // leaky: the slopes need not be secret
	index  []int32
	window int
	negate bool
	fn     *smooth    // spline
	dims   Dims       // product
	whole  bool       // linear: the weights are whole numbers, which need no fraction bits
	limits [2]float64 // known: of real numbers, if real is set; else of all engines' numbers,
	real   bool       //
	room   float64    // which may be outside by as many units of the last place of activations
}

// add appends n and returns its number.
func (g *Graph) add(n node) int {
	g.nodes = append(g.nodes, n)
	return len(g.nodes) - 1
}

// uses counts the consumers of every node; the output has one more.
func (g *Graph) uses() []int {
	uses := make([]int, len(g.nodes))
	for _, n := range g.nodes {
		for _, i := range n.in {
			uses[i]++
		}
	}
	uses[len(uses)-1]++
	return uses
}

// Float evaluates the network in float64 on rows, one after the other, and
// returns the outputs after Post.
func (g *Graph) Float(rows []float32) ([]float32, error) {
	out := []float32{}
	err := g.each(rows, func(values [][]float64) {
		row := values[len(values)-1]
		for _, p := range g.Post {
			row = p.apply(row)
		}
		for _, v := range row {
			out = append(out, float32(v))
		}
	})
	return out, err
}

// Raw is [Graph.Float] before Post, unrounded.
func (g *Graph) Raw(rows []float32) ([]float64, error) {
	out := []float64{}
	err := g.each(rows, func(values [][]float64) {
		out = append(out, values[len(values)-1]...)
	})
	return out, err
}

// each calls f with the values of all nodes for every row.
func (g *Graph) each(rows []float32, f func(values [][]float64)) error {
	var err error
	if g.Edge != nil {
		if rows, err = g.Edge.Run(rows); err != nil {
			return err
		}
	}
	n := g.nodes[0].len
	if len(rows)%n != 0 {
		return fmt.Errorf("%d values are not rows of %d (shape %v)", len(rows), n, g.Input)
	}
	for i := 0; len(rows) > 0; i, rows = i+1, rows[n:] {
		values, err := g.row(rows[:n])
		if err != nil {
			return fmt.Errorf("row %d, %w", i, err)
		}
		f(values)
	}
	return nil
}

// row returns the values of all nodes for one row of the input.
func (g *Graph) row(row []float32) ([][]float64, error) {
	values := make([][]float64, len(g.nodes))
	values[0] = make([]float64, len(row))
	for i, v := range row {
		values[0][i] = float64(v)
	}
	for i := 1; i < len(g.nodes); i++ {
		n := &g.nodes[i]
		if n.kind == lookupNode {
			if err := n.outside(values[n.in[0]]); err != nil {
				return nil, err
			}
		}
		values[i] = n.float(values)
	}
	return values, nil
}

func (n *node) float(values [][]float64) []float64 {
	x := values[n.in[0]]
	z := make([]float64, n.len)
	switch n.kind {
	case linearNode:
		convolve(n.conv, z, x, n.w)
		for i := range z {
			z[i] += n.b[i%len(n.b)]
		}
	case scaleNode:
		for i := range z {
			z[i] = x[i] * n.c[i]
		}
	case offsetNode:
		for i := range z {
			z[i] = x[i] + n.c[i]
		}
	case gatherNode:
		gather(z, x, n.index)
	case sumNode:
		for i := range z {
			z[i] = n.c[i] * sum(x, n.index[i*n.window:][:n.window])
		}
	case addNode:
		for i, y := range values[n.in[1]] {
			if n.negate {
				y = -y
			}
			z[i] = x[i] + y
		}
	case reluNode:
		for i := range z {
			z[i] = max(x[i], 0)
		}
	case maxPoolNode:
		n.maxPool(z, x)
	case clipNode:
		for i := range z {
			z[i] = n.clip(i, x[i])
		}
	case leakyNode:
		for i := range z {
			if z[i] = x[i]; x[i] < 0 {
				z[i] *= n.c[i]
			}
		}
	case stepNode:
		for i := range z {
			if x[i] >= 0 {
				z[i] = 1
			}
		}
	case splineNode:
		for i := range z {
			z[i] = n.fn.f(x[i])
		}
	case knownNode, roundNode:
		copy(z, x)
	case productNode:
		matrices(n.dims, z, x, values[n.in[1]])
	case lookupNode:
		n.lookup(z, x)
	}
	return z
}

// clip limits element i to its range.
func (n *node) clip(i int, x float64) float64 {
	if n.c != nil {
		x = max(x, n.c[i])
	}
	if n.d != nil {
		x = min(x, n.d[i])
	}
	return x
}

func gather(z, x []float64, index []int32) {
	for i, j := range index {
		z[i] = 0
		if j >= 0 {
			z[i] = x[j]
		}
	}
}

func sum(x []float64, index []int32) float64 {
	s := 0.0
	for _, j := range index {
		if j >= 0 {
			s += x[j]
		}
	}
	return s
}

func (n *node) maxPool(z, x []float64) {
	c := n.conv
	_, w := c.Size()
	for o := range z {
		ch, ox, oy := o%c.In, o/c.In%w, o/c.In/w
		best := math.Inf(-1)
		for ky := range c.KH {
			for kx := range c.KW {
				y, xx := oy*c.StrideH-c.Top+ky*c.DilH, ox*c.StrideW-c.Left+kx*c.DilW
				if y >= 0 && y < c.H && xx >= 0 && xx < c.W {
					best = max(best, x[(y*c.W+xx)*c.In+ch])
				}
			}
		}
		z[o] = best
	}
}

// convolve adds x∗w to z, for len(x)/c.InLen() inputs one after the other.
func convolve(c ring.Conv, z, x, w []float64) {
	n, m := c.InLen(), c.OutLen()
	for ; len(x) > 0; x, z = x[n:], z[m:] {
		convolveOne(c, z[:m], x[:n], w)
	}
}

func convolveOne(c ring.Conv, z, x, w []float64) {
	oh, ow := c.Size()
	in, out := c.In/c.Groups, c.Out/c.Groups
	for oy := range oh {
		for ky := range c.KH {
			y := oy*c.StrideH - c.Top + ky*c.DilH
			if y < 0 || y >= c.H {
				continue
			}
			for ox := range ow {
				for kx := range c.KW {
					xx := ox*c.StrideW - c.Left + kx*c.DilW
					if xx < 0 || xx >= c.W {
						continue
					}
					for g := range c.Groups {
						px := x[(y*c.W+xx)*c.In+g*in:][:in]
						pw := w[((g*c.KH+ky)*c.KW+kx)*in*out:][:in*out]
						addProduct(z[(oy*ow+ox)*c.Out+g*out:][:out], px, pw)
					}
				}
			}
		}
	}
}

// addProduct adds x·w to z, for a matrix w with rows as long as z.
func addProduct(z, x, w []float64) {
	for _, v := range x {
		row := w[:len(z)]
		w = w[len(z):]
		if v == 0 {
			continue
		}
		for o := range z {
			z[o] += v * row[o]
		}
	}
}

package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// An Edge is the beginning of a network that its owner makes public. The client
// computes it in the clear, so that the parties begin with what it returns. It is
// part of the manifest, and so of its digest. Parties never evaluate it.
type Edge struct {
	Model  []byte `json:"model"`           // ONNX; its outputs are the parts of the input of the program
	Inputs []Part `json:"inputs"`          // what a row of the client consists of
	Whole  bool   `json:"whole,omitempty"` // a row is all inputs as a whole: no axis counts rows

	once sync.Once // reads Model
	net  *edgeNet
	err  error
}

// Limits of an edge.
const (
	maxEdge       = 64 << 20 // bytes of ONNX
	maxEdgeLoaded = 1 << 26  // elements of all tensors made while loading
	maxEdgeOuts   = 16
)

// An edgeNet is an edge that was read: a network for each of its outputs.
type edgeNet struct {
	len  int // of a row
	outs []edgeOut
}

type edgeOut struct {
	g    *Graph
	from []int // where its input is in the row: first element and length of each part
	len  int   // of its output, after Post
}

// validate checks what can be checked without reading the model.
func (e *Edge) validate() error {
	if e == nil {
		return nil
	}
	if len(e.Model) > maxEdge {
		return fmt.Errorf("%d bytes are more than the %d allowed", len(e.Model), maxEdge)
	}
	if len(e.Inputs) < 1 || len(e.Inputs) > maxParts {
		return fmt.Errorf("%d inputs", len(e.Inputs))
	}
	_, err := measured(e.Inputs)
	return err
}

// RowParts returns what a row of the client consists of: the inputs of the edge,
// or else of the program.
func (m *Manifest) RowParts() []Part {
	if m.Edge != nil {
		return m.Edge.Inputs
	}
	return m.InputParts()
}

// RowShape is the shape of a row of the client; of several inputs, the number of
// all elements.
func (m *Manifest) RowShape() []int { return rowShape(m.RowParts()) }

// RowLen is the number of elements of a row of the client.
func (m *Manifest) RowLen() int { return size(m.RowShape()) }

// RowParts returns what a row consists of: the inputs of the edge, or else of the
// network.
func (g *Graph) RowParts() []Part {
	if g.Edge != nil {
		return g.Edge.Inputs
	}
	return g.Inputs
}

func rowShape(parts []Part) []int {
	if len(parts) == 1 {
		return parts[0].Shape
	}
	total := 0
	for _, p := range parts {
		total += p.Len()
	}
	return []int{total}
}

// Run computes the rows of the program's input from those of the client.
func (e *Edge) Run(rows []float32) ([]float32, error) {
	net, err := e.load()
	if err != nil {
		return nil, fmt.Errorf("edge: %w", err)
	}
	if len(rows) == 0 || len(rows)%net.len != 0 {
		return nil, fmt.Errorf("edge: %d values are not rows of %d (shape %v); pass whole rows", len(rows), net.len, rowShape(e.Inputs))
	}
	var z []float32
	for i := 0; len(rows) > 0; i, rows = i+1, rows[net.len:] {
		if err := e.refuse(rows[:net.len]); err != nil {
			return nil, fmt.Errorf("edge: row %d, %w", i, err)
		}
		for _, out := range net.outs {
			if z, err = out.run(z, rows[:net.len]); err != nil {
				return nil, fmt.Errorf("edge: row %d, %w", i, err)
			}
		}
	}
	return z, nil
}

// refuse returns why a row is none of the inputs, or nil.
func (e *Edge) refuse(row []float32) error {
	for _, p := range e.Inputs {
		if p.Lo == p.Hi { // the type has no range
			p.Lo, p.Hi = -math.MaxFloat32, math.MaxFloat32
		}
		for column, v := range row[:p.Len()] {
			if err := p.refuse(v); err != nil {
				return fmt.Errorf("input %q, column %d: %w", p.Name, column, err)
			}
		}
		row = row[p.Len():]
	}
	return nil
}

// run appends the output for one row of the client to z.
func (o *edgeOut) run(z, row []float32) ([]float32, error) {
	var x []float32
	for i := 0; i < len(o.from); i += 2 {
		x = append(x, row[o.from[i]:][:o.from[i+1]]...)
	}
	values, err := o.g.row(x)
	if err != nil {
		return nil, err
	}
	y := values[len(values)-1]
	for _, p := range o.g.Post {
		y = p.apply(y)
	}
	for _, v := range y {
		z = append(z, float32(v))
	}
	return z, nil
}

// load reads the model, once.
func (e *Edge) load() (*edgeNet, error) {
	e.once.Do(func() { e.net, e.err = e.read() })
	return e.net, e.err
}

func (e *Edge) read() (*edgeNet, error) {
	if err := e.validate(); err != nil {
		return nil, err
	}
	var m onnx.ModelProto
	if err := proto.Unmarshal(e.Model, &m); err != nil || m.Graph == nil {
		return nil, errors.New("not an ONNX model")
	}
	if n := len(m.Graph.Output); n < 1 || n > maxEdgeOuts {
		return nil, fmt.Errorf("%d outputs are not 1 to %d", n, maxEdgeOuts)
	}
	lead := 1
	if e.Whole {
		lead = 0
	}
	net, budget := &edgeNet{}, maxEdgeLoaded
	at, used := map[string]int{}, map[string]bool{}
	for _, p := range e.Inputs {
		at[p.Name] = net.len
		net.len += p.Len()
	}
	for _, out := range m.Graph.Output {
		l, _, err := lowered(&m, out.GetName(), budget, lead)
		if err != nil {
			return nil, err
		}
		budget = l.budget
		o := edgeOut{g: l.g, len: size(l.g.Result)}
		for _, p := range l.g.Inputs {
			if !slices.ContainsFunc(e.Inputs, p.equal) {
				return nil, fmt.Errorf("input %q differs from its description", p.Name)
			}
			used[p.Name] = true
			o.from = append(o.from, at[p.Name], p.Len())
		}
		net.outs = append(net.outs, o)
	}
	if len(used) != len(e.Inputs) {
		return nil, fmt.Errorf("%d inputs are described, %d are used", len(e.Inputs), len(used))
	}
	return net, nil
}

func (p Part) equal(q Part) bool {
	return p.Name == q.Name && slices.Equal(p.Shape, q.Shape) && p.Whole == q.Whole && p.Lo == q.Lo && p.Hi == q.Hi
}

// behind compiles g, whose rows and calibration rows are those of edge, if there
// is one.
func behind(edge *Edge, g *Graph, o Options) (*Model, error) {
	if edge == nil {
		return compile(g, o)
	}
	rest := *g
	rest.Edge = nil
	if n := size(rowShape(edge.Inputs)); len(o.Calibration) > 0 {
		for i, row := range o.Calibration {
			if len(row) != n {
				return nil, fmt.Errorf("calibration row %d has %d values, not %d (shape %v)", i, len(row), n, rowShape(edge.Inputs))
			}
		}
		x, err := edge.Run(slices.Concat(o.Calibration...))
		if err != nil {
			return nil, fmt.Errorf("calibration: %w", err)
		}
		o.Calibration = slices.Collect(slices.Chunk(x, len(x)/len(o.Calibration)))
	}
	image := o.Image
	o.Image = nil // describes rows of the edge
	m, err := compile(&rest, o)
	if err != nil {
		return nil, err
	}
	m.graph.Edge, m.Manifest.Edge, m.Manifest.Image = edge, edge, image
	return m, m.check()
}

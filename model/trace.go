package model

import (
	"errors"
	"math"
	"math/rand/v2"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// A Point is a tensor of the network as it was compiled: after batch
// normalisation and scales vanished into the layers beside them.
type Point struct {
	Name  string  `json:"name"` // of the ONNX node
	Kind  string  `json:"kind"`
	Len   int     `json:"elements"`
	Lo    float64 `json:"lo"` // its range, in which all parties' values are
	Hi    float64 `json:"hi"`
	Width int     `json:"width"`    // bits of its ring
	Frac  int     `json:"fraction"` // fraction bits
	Error Error   `json:"error"`    // bounds
	node  int
	value int
}

// An Error bounds, or states, by how much values differ.
type Error struct {
	PerParty float64 `json:"per_party"` // private from plaintext, for each party,
	Const    float64 `json:"constant"`  // and in any case
	Rounding float64 `json:"rounding"`  // plaintext from real numbers
}

// Private bounds the difference between n parties' values and plaintext ones.
func (e Error) Private(n int) float64 { return e.PerParty*float64(n) + e.Const }

var kindNames = map[nodeKind]string{
	inputNode: "input", linearNode: "linear", scaleNode: "scale", offsetNode: "offset", gatherNode: "gather", sumNode: "sum", addNode: "add",
	reluNode: "relu", maxPoolNode: "max", clipNode: "clip", leakyNode: "leaky relu", stepNode: "step", splineNode: "spline", productNode: "product",
}

// points describes the values of all nodes that the program computes.
func (b *builder) points() []Point {
	var all []Point
	for i, n := range b.g.nodes {
		v := b.values[b.numbers[i]]
		at := b.places[b.resolve(b.numbers[i])]
		if i > 0 && at == 0 || n.kind == knownNode {
			continue
		}
		unit := math.Ldexp(1, -v.frac)
		p := Point{Name: n.name, Kind: kindNames[n.kind], Len: n.len, Lo: least(v.lo) * unit, Hi: largest(v.hi) * unit, Frac: v.frac, node: i, value: at}
		if n.kind == splineNode {
			p.Kind = n.fn.name
		}
		p.Error = Error{largest(v.per) * unit, largest(v.con) * unit, largest(v.quant) * unit}
		all = append(all, p)
	}
	return all
}

// Points lists the tensors of the network in order, with ranges, formats and
// bounds. They are for the owner of the model: ranges follow from the weights.
func (m *Model) Points() []Point {
	p := append([]Point(nil), m.points...)
	for i := range p {
		p[i].Width = m.Manifest.Program.Values[p[i].value].Width
	}
	return p
}

// A Difference is by how much values of a tensor differ, at most.
type Difference struct {
	Point   Point   `json:"tensor"`
	Largest float64 `json:"largest"` // magnitude of the real numbers
	Fixed   float64 `json:"fixed"`   // plaintext in fixed point from real numbers
	Private float64 `json:"private"` // as parties compute it, from plaintext in fixed point
}

// Diverges reports that fixed point is further from real numbers than a
// hundredth of the largest of them.
func (d Difference) Diverges() bool { return d.Fixed+d.Private > math.Max(d.Largest, 1e-6)/100 }

// errUnknown means that a model was read, not compiled.
var errUnknown = errors.New("the model was not compiled here, so that its network is not known")

// Differences runs rows through the network in real numbers, in fixed point, and
// with every shift done on random shares of the given number of parties, which is
// what the protocols compute, and compares all tensors.
func (m *Model) Differences(rows []float32, parties int, rng *rand.Rand) ([]Difference, error) {
	if m.graph == nil {
		return nil, errUnknown
	}
	x, err := m.Manifest.Encode(rows)
	if err != nil {
		return nil, err
	}
	batch := len(rows) / m.Manifest.RowLen()
	clear, err := runAll(plain{m, batch}, &m.Manifest.Program, x)
	if err != nil {
		return nil, err
	}
	shared, err := runAll(sharing{plain{m, batch}, parties, rng}, &m.Manifest.Program, x)
	if err != nil {
		return nil, err
	}
	all := make([]Difference, len(m.points))
	for i, p := range m.Points() {
		all[i].Point = p
	}
	row := 0
	err = m.graph.each(rows, func(values [][]float64) {
		for i := range all {
			d := &all[i]
			v := m.Manifest.Program.Values[d.Point.value]
			for e, want := range values[d.Point.node] {
				a, b := clear[d.Point.value][row*v.Len+e], shared[d.Point.value][row*v.Len+e]
				d.Largest = max(d.Largest, math.Abs(want))
				d.Fixed = max(d.Fixed, math.Abs(v.minus(a, want)))
				d.Private = max(d.Private, math.Abs(math.Ldexp(float64(ring.Signed(b-a, v.Width)), -v.Frac)))
			}
		}
		row++
	})
	return all, err
}

// minus returns the number that x stands for less y. Sums may leave their ring on
// the way to a result that does not, so that the difference is that in the ring.
func (v Value) minus(x uint64, y float64) float64 {
	whole := math.RoundToEven(math.Ldexp(y, v.Frac))
	return math.Ldexp(float64(ring.Signed(x-uint64(int64(whole)), v.Width))+whole, -v.Frac) - y
}

// sharing evaluates a program as n parties do: shifts act on random shares.
type sharing struct {
	plain
	n   int
	rng *rand.Rand
}

func (e sharing) Shift(op *Op, x []uint64) ([]uint64, error) {
	return shiftShares(op, e.out(op), x, e.n, e.rng.Uint64), nil
}

// shiftShares splits x among n parties, who shift their shares, and adds up what
// they have then.
func shiftShares(op *Op, z Value, x []uint64, n int, draw func() uint64) []uint64 {
	k, f := z.Width+op.Bits, uint(op.Bits)
	out := make([]uint64, len(x))
	for i, v := range x {
		last := v
		for range n - 1 {
			s := draw()
			last -= s
			out[i] += s & ring.Mask(k) >> f
		}
		out[i] += (last + Half(n, op.Bits)) & ring.Mask(k) >> f
	}
	ring.Reduce(out, z.Width)
	return out
}

// Float evaluates the network in real numbers, as [Graph.Float] does.
func (m *Model) Float(rows []float32) ([]float32, error) {
	if m.graph == nil {
		return nil, errUnknown
	}
	return m.graph.Float(rows)
}

// Simulate evaluates the network as the given number of parties do, with every
// shift on random shares, and decodes the outputs.
func (m *Model) Simulate(rows []float32, parties int, rng *rand.Rand) ([]float32, error) {
	x, err := m.Manifest.Encode(rows)
	if err != nil {
		return nil, err
	}
	y, err := Run(sharing{plain{m, len(rows) / m.Manifest.RowLen()}, parties, rng}, &m.Manifest.Program, x)
	if err != nil {
		return nil, err
	}
	return m.Manifest.Decode(y), nil
}

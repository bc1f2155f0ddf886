package model

import (
	"cmp"
	"fmt"
	"math"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// Options steer [Compile].
type Options struct {
	Name         string      // of the model, for the manifest; default the graph's
	FractionBits int         // of activations and outputs; 0 chooses
	Calibration  [][]float32 // sample rows; without them, ranges are worst cases
	Margin       float64     // times the largest value seen in Calibration; 0 means DefaultMargin
	InputLo      *float64    // declared input range, both or none
	InputHi      *float64
	Ranges       map[string][2]float64 // of inputs by name, in place of InputLo and InputHi
	Comparison   string                // Garbled or Carry; default Carry
	Policy       Policy                // what of the output the client sees; default that of the graph
	Image        *Image                // how pictures become rows, for the manifest
	MaxError     float64               // chooses the fewest FractionBits with which outputs, before Post, err by no more; 0 is no wish
}

// What is assumed when Options leave it open.
const (
	DefaultMargin = 4   // activations may exceed the largest calibration value by this factor
	InputWidening = 0.5 // of the calibration inputs' span, allowed beyond both of its ends
	AssumedInput  = 8   // inputs lie in ±AssumedInput if nothing says otherwise
)

// Fraction bits that are tried when none are asked for.
const (
	startFraction = 13
	leastFraction = 8
	aimedWidth    = 20 // of comparisons
)

// Compile turns a graph into a fixed-point program and its parameters. It
// refuses a network whose ranges do not fit 64 bits.
func Compile(g *Graph, o Options) (*Model, error) {
	m, err := behind(g.Edge, g, o)
	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	return m, nil
}

func compile(g *Graph, o Options) (*Model, error) {
	if o.Policy.Reveal != "" {
		var err error
		if g, err = g.Reveal(o.Policy); err != nil {
			return nil, err
		}
	}
	if err := g.private(); err != nil {
		return nil, err
	}
	p := &plan{g: g.fold(), o: o}
	if err := p.ranges(); err != nil {
		return nil, err
	}
	if o.MaxError != 0 {
		return p.exact()
	}
	f := o.FractionBits
	if f < 0 || f > 30 {
		return nil, fmt.Errorf("%d fraction bits are outside 1..30", f)
	}
	if f > 0 {
		b, err := p.build(f)
		if err != nil {
			return nil, err
		}
		return p.finish(b)
	}
	start := startFraction + p.small
	b, err := p.build(start)
	if err == nil {
		if better := min(max(start+aimedWidth-b.widest(), start-1), start+1); better != start {
			if c, err := p.build(better); err == nil {
				b = c
			}
		}
		return p.finish(b)
	}
	for f := start - 1; f >= leastFraction; f-- {
		if b, less := p.build(f); less == nil {
			return p.finish(b)
		}
	}
	return nil, err
}

// A plan is what does not depend on the number of fraction bits.
type plan struct {
	g      *Graph // folded
	o      Options
	parts  []Part      // of the input, with their ranges
	seen   [][]float64 // largest magnitude of every element of every node, or nil
	small  int         // fraction bits more, as the values seen are that small
	margin float64
}

// usual is the least magnitude that activations and outputs have in networks
// whose weights were initialised as usual; smaller ones need more fraction bits.
const usual = 0.25

// maxSmall bounds the fraction bits that small values add.
const maxSmall = 16

// smallness returns how many bits the output or all activations seen are below
// the usual.
func (p *plan) smallness() int {
	top := 0.0
	for i, n := range p.g.nodes {
		switch n.kind {
		case reluNode, maxPoolNode, clipNode, leakyNode:
			top = max(top, largest(p.seen[i]))
		}
	}
	out := largest(p.seen[len(p.seen)-1])
	if top == 0 || out > 0 && out < top {
		top = out
	}
	if top == 0 || top >= usual {
		return 0
	}
	return min(int(math.Ceil(math.Log2(usual/top))), maxSmall)
}

// finish makes the model of a built program.
func (p *plan) finish(b *builder) (*Model, error) {
	program, params, err := b.emit()
	if err != nil {
		return nil, err
	}
	out := b.values[b.output]
	lo, hi, parts := p.declared()
	name := p.o.Name
	if name == "" {
		name = p.g.Name
	}
	scale := math.Ldexp(1, -out.frac)
	// The range that the format itself has: a closer one would tell weights.
	ends := math.Ldexp(1, program.Output().Width-1-out.frac)
	m := &Model{Params: params, floatBound: largest(out.quant) * scale, graph: p.g, points: b.points()}
	m.Manifest = Manifest{
		Format: ManifestFormat, Name: clipName(name), Program: *program,
		Comparison: cmp.Or(p.o.Comparison, Carry), Depth: 4,
		Input:        p.tensor(p.g.InputName, p.g.Input, program.Values[0], lo, hi),
		Parts:        parts,
		Image:        p.o.Image,
		Output:       p.tensor(p.g.OutputName, p.g.Output, program.Output(), -ends, ends),
		Post:         p.g.Post,
		Result:       p.g.Result,
		Policy:       Policy{cmp.Or(p.g.Policy.Reveal, RevealScores), p.g.Policy.K, p.g.Policy.Threshold},
		Ulp:          Ulp{PerParty: coarseUp(largest(out.per) * slack), Const: coarseUp(largest(out.con) * slack)},
		FractionBits: b.fraction,
		Assumed:      p.assumed(),
	}
	if p.seen != nil {
		m.Manifest.Calibrated, m.Manifest.Margin = true, p.margin
		if p.o.InputLo == nil {
			m.Manifest.Widening = InputWidening
		}
	}
	return m, m.check()
}

func (p *plan) tensor(name string, shape []int, v Value, lo, hi float64) Tensor {
	return Tensor{Name: clipName(name), Shape: shape, Frac: v.Frac, Width: v.Width, Lo: lo, Hi: hi}
}

// slack covers the rounding of bounds computed in float64.
const slack = 1 + 1e-9

// coarseUp rounds up to two significant bits: x comes from weights or samples,
// and the manifest is public.
func coarseUp(x float64) float64 {
	if x == 0 {
		return 0
	}
	unit := math.Ldexp(1, exponent(math.Abs(x))-1)
	return math.Ceil(x/unit) * unit
}

func clipName(s string) string { return s[:min(len(s), maxName)] }

func largest(v []float64) float64 {
	m := math.Inf(-1)
	for _, x := range v {
		m = max(m, x)
	}
	return m
}

func least(v []float64) float64 {
	m := math.Inf(1)
	for _, x := range v {
		m = min(m, x)
	}
	return m
}

// FloatBound bounds the difference between [Model.Eval] and the network in
// real numbers, before Post, for inputs in the declared range.
func (m *Model) FloatBound() float64 { return m.floatBound }

// emit runs the backward pass over the widths and writes the program.
func (b *builder) emit() (*Program, [][]uint64, error) {
	need, err := b.widths()
	if err != nil {
		return nil, nil, err
	}
	p := &Program{}
	var params [][]uint64
	number := make([]int, len(b.values))
	param := func(name string, v []int64, width int) int {
		z := make([]uint64, len(v))
		for i, x := range v {
			z[i] = uint64(x) & ring.Mask(width)
		}
		params = append(params, z)
		p.Params = append(p.Params, Param{Name: clipName(name), Len: len(v), Width: width})
		return len(params) - 1
	}
	for i, v := range b.values {
		if need[i] == 0 && i > 0 {
			continue // nobody uses it
		}
		w := max(need[i], 2)
		number[i] = len(p.Values)
		p.Values = append(p.Values, Value{Len: v.len, Width: w, Frac: v.frac})
		if i == 0 {
			continue
		}
		op := v.op
		op.In = make([]int, len(v.op.In))
		for k, j := range v.op.In {
			op.In[k] = number[b.resolve(j)]
		}
		op.Out, op.Name = number[i], clipName(op.Name)
		switch op.Kind {
		case Linear:
			op.Weights = param(op.Name+" weights", v.weights, w)
			op.Bias = param(op.Name+" bias", v.bias, w)
		case AddParam:
			op.Bias = param(op.Name+" offset", v.bias, w)
		case Max:
			op.Bits = w
		}
		p.Ops = append(p.Ops, op)
	}
	b.places = number
	return p, params, nil
}

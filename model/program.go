// Package model turns an ONNX file into a straight-line program over
// fixed-point numbers, and runs programs in the clear.
//
//	ONNX --Load--> Graph --Compile--> Model = Manifest (public) + Params (secret)
//
// [Load] reduces the operators of ONNX to a few on flat vectors, images with the
// channels last; what only reshapes, transposes or pads costs nothing. [Compile]
// folds batch normalisation and scales into the linear layers beside them and
// pools before ReLU, then chooses formats:
//
//   - Activations and the output have FractionBits fraction bits; the largest
//     weight of a layer has 15 significant bits or more; biases and residual sums
//     are at the scale of the accumulator, which is shifted before comparisons.
//   - Every element has a range, from interval arithmetic, and with calibration
//     rows at most Margin times the largest magnitude seen in its tensor. Ranges
//     hold for up to [MaxParties] parties and keep the preconditions of the
//     comparison: a shift by f of values within 2^(k−1) − n·2^(f−1); a ReLU of
//     values in [−2^(m−1), 2^(m−1)), a maximum in [−2^(m−2), 2^(m−2)), a lift in
//     [−2^(m−2), 2^(m−2)].
//   - Widths follow from the end to the start: a ReLU or lift writes the ring that
//     its widest consumer needs, and the others reduce. Accumulators that would
//     not fit 64 bits are shifted and lifted, or the network is refused.
//
// Every element also has a bound on the difference between a private and a
// plaintext evaluation, linear in the number of parties: a secure shift errs by
// at most n/2·(1−2^−f) + 2^−(f+1), the rounding of the plaintext engine by 1/2;
// linear layers multiply by the sum of the magnitudes of their weights, ReLU and
// maximum do not expand. It is never more than the width of the range.
//
// A [Manifest] is public. Besides architecture and shapes its formats and bounds
// tell the order of magnitude of weights and activations.
package model

import (
	"fmt"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// A Kind names an operation.
type Kind string

const (
	// Linear is a convolution with secret weights and a secret bias: Out =
	// In∗Params[Weights] + Params[Bias], modulo 2^Width of Out. Bias is added to
	// every output position; it has Conv.Out elements.
	Linear Kind = "linear"
	// AddParam is Out = In + Params[Bias], where Bias has In's length.
	AddParam Kind = "add-param"
	// Gather is Out[i] = In[Index[i]], or 0 where Index[i] = −1.
	Gather Kind = "gather"
	// Sum is Out[i] = Coef[i]·Σ In[Index[i·Window+t]] over t < Window, where
	// Index = −1 contributes nothing: pooling by averages.
	Sum Kind = "sum"
	// Add is Out = In[0]·2^Shl[0] ± In[1]·2^Shl[1]; Negate subtracts.
	Add Kind = "add"
	// Shift drops the low Bits bits: Out ≈ In/2^Bits, in a ring that is Bits
	// bits narrower.
	Shift Kind = "shift"
	// ReLU is Out = max(In, 0), lifted from the ring of In to the ring of Out.
	ReLU Kind = "relu"
	// Max is Out = max(In[0], In[1]), without a lift: all three in one ring.
	Max Kind = "max"
	// Lift is Out = In, from the ring of In to the ring of Out.
	Lift Kind = "lift"
	// Step is Out = 1 where In ≥ 0, else 0, in the ring of Out.
	Step Kind = "step"
	// Splined is Out = Spline(In), from the ring of In to the ring of Out.
	Splined Kind = "spline"
	// Product is Out[t] = In[0][t]·In[1][t] for Dims.T matrices of two secrets, modulo
	// 2^Width of Out. With Dims 1, 1, 1 it multiplies elements.
	Product Kind = "product"
)

// Dims are the shapes of a [Product]: T matrices of M×K by T matrices of K×N, one
// after the other, rows first.
type Dims struct {
	T int `json:"t"`
	M int `json:"m"`
	K int `json:"k"`
	N int `json:"n"`
}

// A Spline is a continuous piecewise linear function of whole numbers,
//
//	Base + Slope·x + Σ Delta·max(x − At, 0).
//
// It is public: the functions that networks use are known.
type Spline struct {
	Base  int64  `json:"base"`
	Slope int64  `json:"slope"`
	Knots []Knot `json:"knots"` // by increasing At
}

// A Knot is a place where the slope changes by Delta.
type Knot struct {
	At    int64 `json:"at"`
	Delta int64 `json:"delta"`
}

// Eval returns the value at x modulo 2⁶⁴.
func (s *Spline) Eval(x int64) int64 {
	y := s.Base + s.Slope*x
	for _, k := range s.Knots {
		if x > k.At {
			y += k.Delta * (x - k.At)
		}
	}
	return y
}

// A Value is a tensor of the program, of one inference. Its elements are
// two's complement integers of Width bits, which stand for multiples of
// 2^−Frac.
type Value struct {
	Len   int `json:"len"`
	Width int `json:"width"` // shares are modulo 2^Width
	Frac  int `json:"frac"`  // fraction bits
}

// An Op computes the value Out from the values In. Which of the other fields
// are used depends on the kind.
type Op struct {
	Kind    Kind       `json:"kind"`
	Name    string     `json:"name"` // of the ONNX node, for tables and errors
	In      []int      `json:"in"`
	Out     int        `json:"out"`
	Weights int        `json:"weights,omitempty"` // index of a Param
	Bias    int        `json:"bias,omitempty"`    // index of a Param
	Conv    *ring.Conv `json:"conv,omitempty"`
	Index   []int32    `json:"index,omitempty"`
	Window  int        `json:"window,omitempty"`
	Coef    []int64    `json:"coef,omitempty"`
	Shl     [2]int     `json:"shl,omitzero"`
	Negate  bool       `json:"negate,omitempty"`
	Bits    int        `json:"bits,omitempty"`
	Spline  *Spline    `json:"spline,omitempty"` // |At| and |In| are at most 2^(Bits−2)
	Dims    *Dims      `json:"dims,omitempty"`
}

// Square reports that a product multiplies every element with itself.
func (op *Op) Square() bool {
	return op.Kind == Product && op.In[0] == op.In[1] && op.Dims.M == 1 && op.Dims.K == 1 && op.Dims.N == 1
}

// A Param is a secret tensor of the model owner. Only its shape is public.
type Param struct {
	Name  string `json:"name"`
	Len   int    `json:"len"`
	Width int    `json:"width"` // shared modulo 2^Width
}

// A Program is a straight-line list of operations. Value 0 is the input and
// every Op defines the next value: Ops[i].Out = i+1. The last value is the
// output. A Program is public; the weights are in a [Model].
type Program struct {
	Values []Value `json:"values"`
	Ops    []Op    `json:"ops"`
	Params []Param `json:"params"`
}

// Output returns the last value.
func (p *Program) Output() Value { return p.Values[len(p.Values)-1] }

// Half is the constant that centres the error of a shift by bits among n
// parties: one party adds it to its share first. See docs/protocols.md, Shift.
func Half(n, bits int) uint64 { return uint64(n) * (1<<uint(bits) - 1) / 2 }

// An Engine evaluates operations on values of type V: ring elements in the
// clear, shares, or costs. Values hold a whole batch, one inference after the
// other.
type Engine[V any] interface {
	Linear(op *Op, x V) (V, error)
	AddParam(op *Op, x V) (V, error)
	Gather(op *Op, x V) (V, error)
	Sum(op *Op, x V) (V, error)
	Add(op *Op, x, y V) (V, error)
	Shift(op *Op, x V) (V, error)
	ReLU(op *Op, x V) (V, error)
	Max(op *Op, x, y V) (V, error)
	Lift(op *Op, x V) (V, error)
	Step(op *Op, x V) (V, error)
	Spline(op *Op, x V) (V, error)
	Product(op *Op, x, y V) (V, error)
}

// Run evaluates p with engine e. There is one Run for every engine, so that
// the reference, the cost and the secure computation cannot disagree about
// what is computed.
func Run[V any](e Engine[V], p *Program, input V) (V, error) {
	v, err := runAll(e, p, input)
	return v[len(v)-1], err
}

// runAll is [Run] but returns all values, as far as it came.
func runAll[V any](e Engine[V], p *Program, input V) ([]V, error) {
	v := make([]V, 1, len(p.Values))
	v[0] = input
	for i := range p.Ops {
		op := &p.Ops[i]
		var z V
		var err error
		x := v[op.In[0]]
		switch op.Kind {
		case Linear:
			z, err = e.Linear(op, x)
		case AddParam:
			z, err = e.AddParam(op, x)
		case Gather:
			z, err = e.Gather(op, x)
		case Sum:
			z, err = e.Sum(op, x)
		case Add:
			z, err = e.Add(op, x, v[op.In[1]])
		case Shift:
			z, err = e.Shift(op, x)
		case ReLU:
			z, err = e.ReLU(op, x)
		case Max:
			z, err = e.Max(op, x, v[op.In[1]])
		case Lift:
			z, err = e.Lift(op, x)
		case Step:
			z, err = e.Step(op, x)
		case Splined:
			z, err = e.Spline(op, x)
		case Product:
			z, err = e.Product(op, x, v[op.In[1]])
		default:
			err = fmt.Errorf("unknown operation %q", op.Kind)
		}
		if err != nil {
			return v, fmt.Errorf("%s %q: %w", op.Kind, op.Name, err)
		}
		v = append(v, z)
	}
	return v, nil
}

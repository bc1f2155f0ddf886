// Package infer evaluates a secret-shared model on secret-shared inputs.
//
// It is the online phase: package model walks the program, and for each
// operation the engine here either computes on its own shares or runs one
// protocol with the other parties, spending material of package prep.
//
// Security: passive, up to n−1 corrupt parties together with any subset of
// {model owner, client}. Parties see openings that are masked by fresh uniform
// values only. The functionality is the fixed-point network in which each shift
// returns Σᵢ (xᵢ >> f) for the shares xᵢ of the parties: the output is defined up
// to that rounding, and no claim is made that the rounding is independent of
// corrupt parties. Output shares are re-randomised by a fresh sharing of zero,
// so that who sees all of them learns their sum and nothing else.
//
// Reference: docs/protocols.md.
//
// Deviations: none beyond those of packages linear, product and compare.
package infer

import (
	"fmt"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/compare"
	"github.com/tacit-mpc/tacit/protocol/linear"
	"github.com/tacit-mpc/tacit/protocol/prep"
	"github.com/tacit-mpc/tacit/protocol/product"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport"
)

// Run returns a share of the outputs of program for len(mats) inputs, of which x
// is this party's share, one after the other. It spends mats, which are the
// same inferences in the same order at all parties.
//
// Rounds: 1 for every linear layer, product and lift, 3 for every ReLU and maximum, or 2 to
// 4 with [compare.Carry].
// Sends: see [Plan].
func Run(m *transport.Mesh, program *model.Program, w *Weights, mats []*prep.Inference, x share.Share) (share.Share, error) {
	if want := len(mats) * program.Values[0].Len; len(x) != want {
		return nil, fmt.Errorf("input: a share of %d elements, want %d", len(x), want)
	}
	e := &engine{mesh: m, program: program, weights: w, batch: len(mats)}
	zero := make([][]share.Seed, len(mats))
	for i, mat := range mats {
		c := mat.Spend()
		e.masks, e.products, e.mats, zero[i] = append(e.masks, c.Masks), append(e.products, c.Products), append(e.mats, c.Mats), c.Zero
	}
	y, err := model.Run(e, program, x)
	if err != nil {
		return nil, err
	}
	out := program.Output()
	for i, seeds := range zero {
		if err := share.Zero(y[i*out.Len:][:out.Len], m.Self(), seeds, "output", 0, out.Width); err != nil {
			return nil, err
		}
	}
	return y, nil
}

// An engine is one party's evaluation of a program on one batch.
type engine struct {
	mesh     *transport.Mesh
	program  *model.Program
	weights  *Weights
	batch    int
	masks    [][]*linear.Mask      // [inference][linear layer]
	products [][]*product.Material // [inference][product of secrets]
	mats     [][]*compare.Material // [inference][comparison]
	layer    int                   // linear layers so far
	product  int                   // products so far
	class    int                   // comparisons so far
}

const stepOpenD = ": open D"

// Step returns the prefix of the names of the steps of op.
func Step(op *model.Op) string { return fmt.Sprintf("op %d %s", op.Out, op.Kind) }

func (e *engine) out(op *model.Op) model.Value { return e.program.Values[op.Out] }

func (e *engine) Linear(op *model.Op, x share.Share) (share.Share, error) {
	masks := make([]*linear.Mask, e.batch)
	for i := range masks {
		masks[i] = e.masks[i][e.layer]
	}
	w := e.weights.Linear[e.layer]
	e.layer++

	z, err := w.Apply(e.mesh, Step(op)+stepOpenD, masks, x)
	if err != nil {
		return nil, err
	}
	return model.AddParamOf(e.out(op), z, e.weights.biases[op.Bias]), nil
}

// next returns the material of the comparison that comes next, by inference.
func (e *engine) next() []*compare.Material {
	mats := make([]*compare.Material, e.batch)
	for i := range mats {
		mats[i] = e.mats[i][e.class]
	}
	e.class++
	return mats
}

func (e *engine) ReLU(op *model.Op, x share.Share) (share.Share, error) {
	z, err := compare.ReLU(e.mesh, Step(op), e.next(), x)
	return z, err
}

func (e *engine) Max(op *model.Op, x, y share.Share) (share.Share, error) {
	z, err := compare.Max(e.mesh, Step(op), e.next(), x, y)
	return z, err
}

func (e *engine) Lift(op *model.Op, x share.Share) (share.Share, error) {
	z, err := compare.Lift(e.mesh, Step(op), e.next(), x)
	return z, err
}

func (e *engine) Step(op *model.Op, x share.Share) (share.Share, error) {
	z, err := compare.Step(e.mesh, Step(op), e.next(), x)
	return z, err
}

func (e *engine) Spline(op *model.Op, x share.Share) (share.Share, error) {
	s := compare.Spline{Base: op.Spline.Base, Slope: op.Spline.Slope}
	for _, k := range op.Spline.Knots {
		s.Knots = append(s.Knots, compare.Knot(k))
	}
	z, err := compare.EvalSpline(e.mesh, Step(op), e.next(), &s, x)
	return z, err
}

func (e *engine) Product(op *model.Op, x, y share.Share) (share.Share, error) {
	mats := make([]*product.Material, e.batch)
	for i := range mats {
		mats[i] = e.products[i][e.product]
	}
	e.product++
	z, err := product.Multiply(e.mesh, Step(op), mats, x, y)
	return z, err
}

// The other operations are linear maps that all parties apply to their shares.

func (e *engine) AddParam(op *model.Op, x share.Share) (share.Share, error) {
	return model.AddParamOf(e.out(op), x, e.weights.biases[op.Bias]), nil
}

func (e *engine) Gather(op *model.Op, x share.Share) (share.Share, error) {
	return model.GatherOf(op, e.out(op), x, e.batch), nil
}

func (e *engine) Sum(op *model.Op, x share.Share) (share.Share, error) {
	return model.SumOf(op, e.out(op), x, e.batch), nil
}

func (e *engine) Add(op *model.Op, x, y share.Share) (share.Share, error) {
	return model.AddOf(op, e.out(op), x, y), nil
}

// Shift drops op.Bits bits of every share. The sum of the shifted shares is
// wrong by the carries that are lost; half of the worst case, added by party 0
// before, centres that error.
func (e *engine) Shift(op *model.Op, x share.Share) (share.Share, error) {
	mask := ring.Mask(e.out(op).Width + op.Bits)
	var half uint64
	if e.mesh.Self() == 0 {
		half = model.Half(e.mesh.N(), op.Bits)
	}
	z := make(share.Share, len(x))
	for i, v := range x {
		z[i] = (v + half) & mask >> uint(op.Bits)
	}
	return z, nil
}

package infer

import (
	"fmt"
	"io"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/linear"
	"github.com/tacit-mpc/tacit/protocol/prep"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport"
)

// Weights is one party's part of a secret-shared model.
type Weights struct {
	// Linear has the resident weights of the linear layers, in the order of
	// prep.Count.
	Linear []*linear.Weights
	// biases[i] is the share of Params[i] if some operation adds it, else nil.
	biases []share.Share
}

// Format implements [fmt.Formatter] and hides the weights from every verb.
func (w *Weights) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Weights[%d layers]", len(w.Linear)) }

// Deal turns this party's shares of program.Params into resident weights. All
// parties call it once for each version of a model.
//
// Rounds: 1. Sends: [DealSize] bytes, to every party.
func Deal(m *transport.Mesh, rand io.Reader, program *model.Program, params []share.Share) (*Weights, error) {
	w := &Weights{biases: make([]share.Share, len(program.Params))}
	var matrices []share.Share
	for _, op := range program.Ops {
		if op.Kind == model.Linear {
			matrices = append(matrices, params[op.Weights])
		}
		if adds(op.Kind) {
			w.biases[op.Bias] = params[op.Bias]
		}
	}
	if len(matrices) == 0 {
		return w, nil
	}
	var err error
	w.Linear, err = linear.Deal(m, rand, prep.Count(program).Layers, matrices)
	return w, err
}

// DealSize returns the bytes that Deal sends to every party.
func DealSize(program *model.Program) int { return linear.DealSize(prep.Count(program).Layers) }

// adds says whether operations of a kind add a parameter.
func adds(k model.Kind) bool { return k == model.Linear || k == model.AddParam }

// AppendBinary appends the weights of program for [ParseWeights].
func (w *Weights) AppendBinary(program *model.Program, b []byte) ([]byte, error) {
	for i, x := range w.biases {
		if x != nil {
			b = ring.AppendPacked(b, x, program.Params[i].Width)
		}
	}
	var err error
	for _, l := range w.Linear {
		if b, err = l.AppendBinary(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// ParseWeights reads what AppendBinary wrote at party self.
func ParseWeights(self int, program *model.Program, b []byte) (*Weights, error) {
	w := &Weights{biases: make([]share.Share, len(program.Params))}
	used := make([]bool, len(program.Params))
	for _, op := range program.Ops {
		if adds(op.Kind) {
			used[op.Bias] = true
		}
	}
	for i, p := range program.Params {
		if !used[i] {
			continue
		}
		size := ring.PackedLen(p.Len, p.Width)
		if len(b) < size {
			return nil, fmt.Errorf("bias %d: %w", i, linear.ErrTruncated)
		}
		w.biases[i] = make(share.Share, p.Len)
		ring.Unpack(w.biases[i], b, p.Width)
		b = b[size:]
	}
	for i, l := range prep.Count(program).Layers {
		lw, rest, err := linear.ParseWeights(self, l, b)
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i, err)
		}
		w.Linear, b = append(w.Linear, lw), rest
	}
	if len(b) != 0 {
		return nil, fmt.Errorf("weights: %d bytes too many", len(b))
	}
	return w, nil
}

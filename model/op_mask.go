package model

import (
	"math"
	"slices"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// largestMask is the largest constant that is kept as it is where only a Softmax
// looks at it: what is added to, or put in place of, the scores that it must leave out.
const largestMask = 1 << 14

// passing are the operators that leave scores and masks what they are.
var passing = map[string]bool{"Add": true, "Where": true, "Cast": true, "Identity": true, "Dropout": true, "Reshape": true, "Transpose": true, "Unsqueeze": true, "Squeeze": true}

// onlySoftmax returns the tensors of which nothing is computed but a Softmax.
func onlySoftmax(nodes []*onnx.NodeProto, output string) map[string]bool {
	only := map[string]bool{}
	other := map[string]bool{output: true}
	for _, n := range slices.Backward(nodes) {
		kind := n.GetOpType()
		follows := passing[kind] && len(n.Output) > 0 && only[n.Output[0]] && !other[n.Output[0]]
		for _, in := range n.Input {
			if kind == "Softmax" || follows {
				only[in] = true
			} else {
				other[in] = true
			}
		}
	}
	for name := range other {
		delete(only, name)
	}
	return only
}

// mask bounds the numbers of a constant that is added to operand 0, or put in its
// place: those that are too large for fixed point, or for the scores of a Softmax.
func (o *operator) mask(c []float64) {
	if !o.masks[o.n.Output[0]] {
		return
	}
	for i, v := range c {
		if math.Abs(v) > largestMask {
			c[i] = math.Copysign(fill, v)
		}
	}
}

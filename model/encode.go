package model

import (
	"fmt"
	"math"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// A Post is a step that the client applies to its own view of the output. It
// sees a row as Outer×Count×Inner elements and works along Count.
type Post struct {
	Op    string  `json:"op"` // one of the constants below
	Outer int     `json:"outer,omitempty"`
	Count int     `json:"count,omitempty"`
	Inner int     `json:"inner,omitempty"`
	Last  bool    `json:"last,omitempty"`  // argmax: the last of equal values, not the first
	Index []int32 `json:"index,omitempty"` // gather: out[i] = in[Index[i]]; complement: the elements that become 1 − in
}

// The steps a client can apply.
const (
	PostSoftmax    = "softmax"
	PostLogSoftmax = "log-softmax"
	PostSigmoid    = "sigmoid"
	PostArgMax     = "argmax"
	PostGather     = "gather"
	PostComplement = "complement"
	PostNorm1      = "norm-1"   // divides by Σ|x|, unless that is 0
	PostNorm2      = "norm-2"   // by √Σx²
	PostNormMax    = "norm-max" // by the maximum
)

// maxPost is the largest number of steps after the output.
const maxPost = 16

func (m *Manifest) validatePost() error {
	if len(m.Post) > maxPost {
		return fmt.Errorf("%d steps at the client are more than %d", len(m.Post), maxPost)
	}
	n := m.Output.Len()
	for i, p := range m.Post {
		var err error
		if n, err = p.check(n); err != nil {
			return fmt.Errorf("step %d at the client: %w", i, err)
		}
	}
	if err := checkShape(m.Result); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	if size(m.Result) != n {
		return fmt.Errorf("result: shape %v has %d elements, not %d", m.Result, size(m.Result), n)
	}
	return nil
}

// check returns the number of elements that p makes of n.
func (p Post) check(n int) (int, error) {
	switch p.Op {
	case PostSigmoid:
		return n, nil
	case PostGather, PostComplement:
		if len(p.Index) < 1 || len(p.Index) > maxTensor {
			return 0, fmt.Errorf("%s of %d elements", p.Op, len(p.Index))
		}
		for _, j := range p.Index {
			if j < 0 || int(j) >= n {
				return 0, fmt.Errorf("%s: index %d is outside 0..%d", p.Op, j, n-1)
			}
		}
		if p.Op == PostComplement {
			return n, nil
		}
		return len(p.Index), nil
	case PostSoftmax, PostLogSoftmax, PostArgMax, PostNorm1, PostNorm2, PostNormMax:
		if err := checkShape([]int{p.Outer, p.Count, p.Inner}); err != nil {
			return 0, err
		}
		if p.Outer*p.Count*p.Inner != n {
			return 0, fmt.Errorf("%s of %dx%dx%d elements, not %d", p.Op, p.Outer, p.Count, p.Inner, n)
		}
		if p.Op == PostArgMax {
			return p.Outer * p.Inner, nil
		}
		return n, nil
	}
	return 0, fmt.Errorf("unknown operation %q", p.Op)
}

// apply runs the step on one row.
func (p Post) apply(x []float64) []float64 {
	switch p.Op {
	case PostSigmoid:
		z := make([]float64, len(x))
		for i, v := range x {
			z[i] = 1 / (1 + math.Exp(-v))
		}
		return z
	case PostGather:
		z := make([]float64, len(p.Index))
		for i, j := range p.Index {
			z[i] = x[j]
		}
		return z
	case PostComplement:
		z := append([]float64(nil), x...)
		for _, j := range p.Index {
			z[j] = 1 - x[j]
		}
		return z
	case PostArgMax:
		z := make([]float64, 0, p.Outer*p.Inner)
		for o := range p.Outer {
			for i := range p.Inner {
				z = append(z, float64(p.argmax(x[o*p.Count*p.Inner+i:])))
			}
		}
		return z
	}
	z := make([]float64, len(x))
	for o := range p.Outer {
		for i := range p.Inner {
			at := o*p.Count*p.Inner + i
			if p.Op == PostSoftmax || p.Op == PostLogSoftmax {
				p.softmax(z[at:], x[at:])
			} else {
				p.normalize(z[at:], x[at:])
			}
		}
	}
	return z
}

func (p Post) argmax(x []float64) int {
	best := 0
	for c := 1; c < p.Count; c++ {
		v, b := x[c*p.Inner], x[best*p.Inner]
		if v > b || p.Last && v == b {
			best = c
		}
	}
	return best
}

func (p Post) softmax(z, x []float64) {
	top := x[p.argmax(x)*p.Inner]
	sum := 0.0
	for c := range p.Count {
		sum += math.Exp(x[c*p.Inner] - top)
	}
	for c := range p.Count {
		v := x[c*p.Inner] - top
		if p.Op == PostLogSoftmax {
			z[c*p.Inner] = v - math.Log(sum)
		} else {
			z[c*p.Inner] = math.Exp(v) / sum
		}
	}
}

// normalize divides by the norm of x.
func (p Post) normalize(z, x []float64) {
	sum := 0.0
	for c := range p.Count {
		switch v := x[c*p.Inner]; p.Op {
		case PostNorm1:
			sum += math.Abs(v)
		case PostNorm2:
			sum += v * v
		}
	}
	switch p.Op {
	case PostNorm2:
		sum = math.Sqrt(sum)
	case PostNormMax:
		sum = x[p.argmax(x)*p.Inner]
	}
	if sum == 0 {
		sum = 1
	}
	for c := range p.Count {
		z[c*p.Inner] = x[c*p.Inner] / sum
	}
}

// Encode turns rows as clients have them, one after the other, into fixed-point
// ring elements of the input. It runs the edge, if there is one, and refuses what
// the ranges of the program were not planned for.
func (m *Manifest) Encode(rows []float32) ([]uint64, error) {
	if m.Edge == nil {
		return m.EncodeInput(rows)
	}
	x, err := m.Edge.Run(rows)
	if err != nil {
		return nil, err
	}
	if n := len(rows) / m.RowLen(); len(x) != n*m.Input.Len() {
		return nil, fmt.Errorf("edge: it makes %d values of %d rows, the program takes %d for each", len(x), n, m.Input.Len())
	}
	z, err := m.EncodeInput(x)
	if err != nil {
		return nil, fmt.Errorf("what the edge makes of the rows: %w", err)
	}
	return z, nil
}

// EncodeInput is [Manifest.Encode] for rows of the input of the program, as the
// edge makes them.
func (m *Manifest) EncodeInput(rows []float32) ([]uint64, error) {
	n := m.Input.Len()
	if len(rows) == 0 || len(rows)%n != 0 {
		return nil, fmt.Errorf("input: %d values are not rows of %d (shape %v); pass whole rows", len(rows), n, m.Input.Shape)
	}
	if err := m.checkRanges(rows); err != nil {
		return nil, err
	}
	scale := math.Ldexp(1, m.Input.Frac)
	mask := ring.Mask(m.Input.Width)
	z := make([]uint64, len(rows))
	for i, v := range rows {
		z[i] = uint64(int64(math.RoundToEven(float64(v)*scale))) & mask
	}
	return z, nil
}

// Decode turns output ring elements of whole rows into numbers and applies the
// steps in Post. The result has the shape rows × Result.
func (m *Manifest) Decode(out []uint64) []float32 {
	n := m.Output.Len()
	z := make([]float32, 0, len(out)/n*size(m.Result))
	row := make([]float64, n)
	for ; len(out) >= n; out = out[n:] {
		for i, v := range out[:n] {
			row[i] = math.Ldexp(float64(ring.Signed(v, m.Output.Width)), -m.Output.Frac)
		}
		for _, v := range m.post(row) {
			z = append(z, float32(v))
		}
	}
	return z
}

// Fixed returns the numbers that the output elements stand for, before Post:
// what errors in units of the last place are measured on.
func (m *Manifest) Fixed(out []uint64) []float64 {
	z := make([]float64, len(out))
	for i, v := range out {
		z[i] = math.Ldexp(float64(ring.Signed(v, m.Output.Width)), -m.Output.Frac)
	}
	return z
}

func (m *Manifest) post(row []float64) []float64 {
	for _, p := range m.Post {
		row = p.apply(row)
	}
	return row
}

// Limit is from where on a single output says yes: 1/2 of a probability, else 0.
func (m *Manifest) Limit() float64 {
	if m.Policy.Reveal == RevealProbabilities {
		return 0.5
	}
	for _, p := range m.Post {
		if p.Op == PostSigmoid {
			return 0.5
		}
	}
	return 0
}

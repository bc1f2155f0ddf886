package model

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// Support vector machines: sums of a kernel of the row x and support vectors s,
//
//	LINEAR   x·s                    POLY      (γ·x·s + c)^d
//	RBF      exp(−γ·‖x − s‖²)       SIGMOID   tanh(γ·x·s + c)
//
// of which the vectors and coefficients are weights. The kernel is public, except γ
// and c of those that scale and offset x·s. Of RBF, ‖x − s‖² = ‖x‖² + ‖s‖² − 2·x·s:
// the squares of the row, and one layer.

// A machine is the part that classifiers and regressors share.
type machine struct {
	kernel  string
	gamma   float64
	coef0   float64
	degree  float64
	vectors []float64 // one after the other
	count   int
}

// machine reads the support vectors for rows t.
func (o *operator) machine(t *tensor, count int) (*machine, error) {
	m := &machine{kernel: o.string("kernel_type", "LINEAR"), gamma: 1, degree: 3, count: count, vectors: o.list("support_vectors")}
	if p := o.list("kernel_params"); len(p) == 3 {
		m.gamma, m.coef0, m.degree = p[0], p[1], p[2]
	} else if len(p) != 0 || m.kernel != "LINEAR" {
		return nil, fmt.Errorf("%d kernel_params, not γ, coef0 and degree", len(p))
	}
	if len(t.shape) != 1 || count < 1 || count > maxLeaves || len(m.vectors) != count*t.shape[0] {
		return nil, fmt.Errorf("%d numbers are not %d support vectors for rows of shape %v", len(m.vectors), count, t.shape)
	}
	return m, nil
}

// kernels returns the kernel of t and every support vector.
func (o *operator) kernels(t *tensor, m *machine) (*tensor, error) {
	switch m.kernel {
	case "POLY", "SIGMOID":
		z, err := o.scaledDots(t, m, m.gamma, repeat(m.coef0, m.count))
		if err != nil {
			return nil, err
		}
		if m.kernel == "SIGMOID" {
			return o.smoothOf(z, tanhFn()), nil
		}
		return o.powerOf(z, m.degree)
	case "RBF":
		return o.radial(t, m)
	}
	return nil, fmt.Errorf("kernel %.40s is not one of LINEAR, POLY, RBF and SIGMOID", m.kernel)
}

// scaledDots returns scale·(x·s) plus an offset for every support vector.
func (o *operator) scaledDots(t *tensor, m *machine, scale float64, offset []float64) (*tensor, error) {
	n := t.shape[0]
	_, index := permute([]int{m.count, n}, []int{1, 0})
	w := (&constant{f: m.vectors}).view(nil, index).f
	for i := range w {
		w[i] *= scale
	}
	z, err := o.linear(t, nil, ring.MatMul(1, n, m.count), w, offset)
	return &tensor{shape: []int{m.count}, val: z}, err
}

// radial returns exp(2γ·x·s − γ·‖s‖² − γ·‖x‖²).
func (o *operator) radial(t *tensor, m *machine) (*tensor, error) {
	if !(m.gamma > 0) {
		return nil, fmt.Errorf("γ = %v of an RBF kernel is not positive", m.gamma)
	}
	n := t.shape[0]
	own := make([]float64, m.count)
	for i, v := range m.vectors {
		own[i/n] -= m.gamma * v * v
	}
	dots, err := o.scaledDots(t, m, 2*m.gamma, own)
	if err != nil {
		return nil, err
	}
	square, err := o.squared(t)
	if err != nil {
		return nil, err
	}
	norm, err := o.affine(square, 1, repeat(m.gamma, n), nil) // γ is a weight, too
	if err != nil {
		return nil, err
	}
	d, err := o.added(dots, norm, true)
	if err != nil {
		return nil, err
	}
	fn := decayFn(radialScale)
	fn.knots = manyKnots
	z := o.smoothOf(o.within(d, -maxMagnitude, 0), fn)
	return o.public(z, repeat(1.0/radialScale, m.count)), nil
}

// radialScale multiplies exponentials while they are splines: the errors of many
// support vectors add up.
const radialScale = 4

// decisionsOf returns functions Σ c·kernel + offset; c has a row for every function.
func (o *operator) decisionsOf(t *tensor, m *machine, c, offset []float64) (*tensor, error) {
	if m.kernel != "LINEAR" {
		k, err := o.kernels(t, m)
		if err != nil {
			return nil, err
		}
		return o.affine(k, len(offset), c, offset)
	}
	n := t.shape[0]
	w := make([]float64, len(offset)*n)
	for i, v := range c {
		f, s := i/m.count, i%m.count
		for k := range n {
			w[f*n+k] += v * m.vectors[s*n+k]
		}
	}
	return o.affine(t, len(offset), w, offset)
}

// svmRegressor lowers SVMRegressor. One of one class tells on which side of 0 the
// function is.
func (o *operator) svmRegressor() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	c, rho, n := o.list("coefficients"), o.list("rho"), o.int("n_supports", 0)
	var z *tensor
	if n == 0 {
		if kernel := o.string("kernel_type", "LINEAR"); kernel != "LINEAR" {
			return fmt.Errorf("kernel %.40s without support vectors", kernel)
		}
		z, err = o.affine(t, 1, c, rho)
	} else {
		var m *machine
		if m, err = o.machine(t, n); err != nil {
			return err
		}
		if len(c) != n || len(rho) != 1 {
			return fmt.Errorf("%d coefficients and %d offsets for %d support vectors", len(c), len(rho), n)
		}
		z, err = o.decisionsOf(t, m, c, rho)
	}
	if err != nil {
		return err
	}
	if o.int("one_class", 0) != 0 { // 1 where it is positive, else −1
		if z, err = o.affineOf(o.step(o.negative(z)), -2, 1); err != nil {
			return err
		}
		return o.set(z)
	}
	if z, err = o.transformed(z); err != nil {
		return err
	}
	return o.set(z)
}

// svmClassifier lowers SVMClassifier of support vectors: a function for every pair
// of classes, which votes for the first one where it is positive. The scores are
// those functions, −s and s for two classes, or probabilities of two classes by
// Platt's logistic function.
func (o *operator) svmClassifier() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	starts, pairs, err := o.votes()
	if err != nil {
		return err
	}
	count := len(starts) - 1
	m, err := o.machine(t, starts[count])
	if err != nil {
		return err
	}
	coef, rho := o.list("coefficients"), o.list("rho")
	if len(coef) != (count-1)*m.count || len(rho) != len(pairs) {
		return fmt.Errorf("%d coefficients and %d offsets for %d classes of %d support vectors", len(coef), len(rho), count, m.count)
	}
	c := make([]float64, len(pairs)*m.count)
	for p, pair := range pairs {
		for i, other := range []int{pair[1] - 1, pair[0]} { // row of the coefficients against the other class
			for v := starts[pair[i]]; v < starts[pair[i]+1]; v++ {
				c[p*m.count+v] = coef[other*m.count+v]
			}
		}
	}
	s, err := o.decisionsOf(t, m, c, rho)
	if err != nil {
		return err
	}
	scores, err := o.pairScores(s, count)
	if err != nil {
		return err
	}
	decide := s
	if count == 2 { // class 0 where s is positive
		decide = o.both(s, 1, -1)
	} else if len(o.n.Output) > 0 && o.n.Output[0] != "" {
		if decide, err = o.elected(s, pairs, count); err != nil {
			return err
		}
	}
	return o.classified(scores, decide, o.integers("classlabels_ints"), count)
}

// votes returns where the support vectors of every class start, and all pairs of
// classes.
func (o *operator) votes() (starts []int, pairs [][2]int, err error) {
	per := o.integers("vectors_per_class")
	count := max(len(o.integers("classlabels_ints")), len(o.names("classlabels_strings")))
	if len(per) < 2 || len(per) > 64 || count != len(per) {
		return nil, nil, fmt.Errorf("vectors of %d classes for %d names; it takes from 2 to 64; for linear ones use LinearSVC or LogisticRegression", len(per), count)
	}
	starts = []int{0}
	for i, n := range per {
		if n < 0 || n > maxLeaves {
			return nil, nil, fmt.Errorf("class %d has %d support vectors", i, n)
		}
		starts = append(starts, starts[i]+int(n))
		for j := i + 1; j < count; j++ {
			pairs = append(pairs, [2]int{i, j})
		}
	}
	return starts, pairs, nil
}

// both returns a·s and b·s, for one number s.
func (o *operator) both(s *tensor, a, b float64) *tensor {
	return o.public(o.view(s, []int{2}, []int32{0, 0}), []float64{a, b})
}

// pairScores returns what a classifier of count classes shows of the functions s.
func (o *operator) pairScores(s *tensor, count int) (*tensor, error) {
	a, b := o.list("prob_a"), o.list("prob_b")
	post := o.string("post_transform", "NONE")
	switch {
	case len(a) == 0 && post != "NONE":
		return nil, fmt.Errorf("post_transform %.40s of support vectors is not supported; use NONE", post)
	case len(a) == 0 && count == 2:
		return o.both(s, -1, 1), nil
	case len(a) == 0:
		return s, nil
	case count > 2 || len(a) != 1 || len(b) != 1 || post != "NONE":
		return nil, errors.New("probabilities of more than two classes are not supported; export it without (probability=False)")
	}
	two := o.view(s, []int{2}, []int32{0, 0})
	z, err := o.elementwise(scaleNode, two, []float64{-a[0], a[0]})
	if err != nil {
		return nil, err
	}
	if z, err = o.elementwise(offsetNode, z, []float64{-b[0], b[0]}); err != nil {
		return nil, err
	}
	return &tensor{shape: z.shape, val: z.val, view: z.view, base: z.shape, post: []Post{{Op: PostSigmoid}}}, nil
}

// elected counts the votes for every class.
func (o *operator) elected(s *tensor, pairs [][2]int, count int) (*tensor, error) {
	second := o.step(o.negative(s)) // 1 for the second of a pair
	both := o.signed(second)
	n := len(pairs)
	z := node{kind: sumNode, name: o.name, in: []int{both}, len: count, window: count - 1, c: repeat(1, count)}
	offset := make([]float64, count)
	for class := range count {
		for p, pair := range pairs {
			switch class {
			case pair[0]:
				z.index = append(z.index, int32(n+p))
				offset[class]++
			case pair[1]:
				z.index = append(z.index, int32(p))
			}
		}
	}
	return o.elementwise(offsetNode, &tensor{shape: []int{count}, val: o.g.add(z)}, offset)
}

// normKinds are the norms of Normalizer.
var normKinds = []string{"MAX", "L1", "L2"}

// normalizer lowers Normalizer, at the client. See insideStep for another place.
func (o *operator) normalizer() error {
	t := o.tensors[o.input(0)]
	if t == nil {
		return errors.New("operand 0 must depend on the input of the model")
	}
	i := slices.Index(normKinds, o.string("norm", "MAX"))
	if i < 0 || len(t.shape) != 1 || t.label {
		return fmt.Errorf("norm %q of rows of shape %v is not supported", o.string("norm", "MAX"), t.shape)
	}
	op := []string{PostNormMax, PostNorm1, PostNorm2}[i]
	return o.client(Post{Op: op, Outer: 1, Count: t.shape[0], Inner: 1}, t.shape, false)
}

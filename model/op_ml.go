package model

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// The operators here are those of ai.onnx.ml that are linear, as scikit-learn
// models have them. What follows the linear part happens at the client.

// affine adds k linear functions of the rows t, with weights k×len(t) and offsets b.
func (o *operator) affine(t *tensor, k int, w, b []float64) (*tensor, error) {
	if len(t.shape) != 1 || k < 1 || len(w) != k*t.shape[0] || len(b) != 0 && len(b) != k {
		return nil, fmt.Errorf("%d coefficients and %d intercepts do not give %d functions of rows of shape %v", len(w), len(b), k, t.shape)
	}
	if len(b) == 0 {
		b = make([]float64, k)
	}
	n := t.shape[0]
	_, index := permute([]int{k, n}, []int{1, 0})
	z, err := o.linear(t, nil, ring.MatMul(1, n, k), (&constant{f: w}).view(nil, index).f, b)
	return &tensor{shape: []int{k}, val: z}, err
}

// list returns the floating-point numbers of an attribute.
func (o *operator) list(name string) []float64 {
	var v []float64
	if a := o.attrs[name]; a != nil {
		for _, x := range a.Floats {
			v = append(v, float64(x))
		}
	}
	return v
}

// transformed returns t after what post_transform asks of the client.
func (o *operator) transformed(t *tensor) (*tensor, error) {
	z := *t
	z.base = t.shape
	switch kind := o.string("post_transform", "NONE"); kind {
	case "NONE":
		return t, nil
	case "LOGISTIC":
		z.post = []Post{{Op: PostSigmoid}}
	case "SOFTMAX":
		z.post = []Post{{Op: PostSoftmax, Outer: 1, Count: size(t.shape), Inner: 1}}
	default:
		return nil, fmt.Errorf("post_transform %s is not supported; use NONE, LOGISTIC or SOFTMAX", kind)
	}
	return &z, nil
}

// linearRegressor lowers LinearRegressor.
func (o *operator) linearRegressor() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	if t, err = o.affine(t, o.int("targets", 1), o.list("coefficients"), o.list("intercepts")); err != nil {
		return err
	}
	if t, err = o.transformed(t); err != nil {
		return err
	}
	return o.set(t)
}

// linearClassifier lowers LinearClassifier: the scores are output 1, and output 0
// is the number of the largest, where the classes are called 0, 1, 2, ….
func (o *operator) linearClassifier() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	w := o.list("coefficients")
	k := len(w) / max(size(t.shape), 1)
	if t, err = o.affine(t, k, w, o.list("intercepts")); err != nil {
		return err
	}
	scores, err := o.transformed(t)
	if err != nil {
		return err
	}
	var labels []int64
	count := 0
	if a := o.attrs["classlabels_ints"]; a != nil {
		labels, count = a.Ints, len(a.Ints)
	} else if a := o.attrs["classlabels_strings"]; a != nil {
		count = len(a.Strings)
	}
	if k == 1 && count == 2 {
		return errors.New("one function for two classes is not supported; export the model with a function for each class")
	}
	if count != k {
		return fmt.Errorf("%d functions for %d classes", k, count)
	}
	if len(o.n.Output) > 1 && o.n.Output[1] != "" {
		if err := o.define(1, scores, nil); err != nil {
			return err
		}
	}
	for i := range count {
		if labels == nil || labels[i] != int64(i) {
			o.failed[o.n.Output[0]] = true // names of classes are up to the application
			return nil
		}
	}
	return o.after(t, Post{Op: PostArgMax, Outer: 1, Count: k, Inner: 1}, []int{}, true)
}

// svmRegressor lowers SVMRegressor with a linear kernel: Σ cⱼ·⟨sⱼ, x⟩ + ρ for
// support vectors s, which is one linear function.
func (o *operator) svmRegressor() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	if kernel := o.string("kernel_type", "LINEAR"); kernel != "LINEAR" || o.int("one_class", 0) != 0 {
		return fmt.Errorf("kernel %s with one_class %d is not supported; only LINEAR regression is", kernel, o.int("one_class", 0))
	}
	c, s, n := o.list("coefficients"), o.list("support_vectors"), o.int("n_supports", 0)
	w := c
	if n != 0 {
		if len(c) != n || len(t.shape) != 1 || len(s) != n*t.shape[0] {
			return fmt.Errorf("%d coefficients and %d numbers are not %d support vectors of shape %v", len(c), len(s), n, t.shape)
		}
		w = make([]float64, t.shape[0])
		for i, v := range s {
			w[i%len(w)] += c[i/len(w)] * v
		}
	}
	if t, err = o.affine(t, 1, w, o.list("rho")); err != nil {
		return err
	}
	if t, err = o.transformed(t); err != nil {
		return err
	}
	return o.set(t)
}

// normalizer lowers Normalizer, which divides at the client only.
func (o *operator) normalizer() error {
	t := o.tensors[o.input(0)]
	if t == nil {
		return errors.New("operand 0 must depend on the input of the model")
	}
	norms := []string{"MAX", "L1", "L2"}
	i := slices.Index(norms, o.string("norm", "MAX"))
	if i < 0 || len(t.shape) != 1 || t.label {
		return fmt.Errorf("norm %q of rows of shape %v is not supported", o.string("norm", "MAX"), t.shape)
	}
	op := []string{PostNormMax, PostNorm1, PostNorm2}[i]
	return o.client(Post{Op: op, Outer: 1, Count: t.shape[0], Inner: 1}, t.shape, false)
}

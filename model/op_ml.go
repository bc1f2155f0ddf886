package model

import (
	"errors"
	"fmt"

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
	return o.classified(scores, t, labels, count)
}

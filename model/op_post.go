package model

import (
	"errors"
	"slices"
)

// client appends a step that the client runs on its own view of the output.
func (o *operator) client(p Post, shape []int, label bool) error {
	t := o.tensors[o.input(0)]
	if t == nil {
		return errors.New("operand 0 must depend on the input of the model")
	}
	return o.after(t, p, shape, label)
}

// after defines the output as t after the step p.
func (o *operator) after(t *tensor, p Post, shape []int, label bool) error {
	z := *t
	if z.post == nil {
		z.base = t.shape
	}
	if len(z.post) > maxPost {
		return errors.New("too many steps after the network")
	}
	z.post = append(slices.Clone(z.post), p)
	z.shape, z.label = shape, label
	return o.set(&z)
}

func (o *operator) sigmoid() error {
	t := o.tensors[o.input(0)]
	if t == nil {
		return errors.New("operand 0 must depend on the input of the model")
	}
	return o.client(Post{Op: PostSigmoid}, t.shape, false)
}

// softmax lowers Softmax and LogSoftmax. Up to opset 12 they work on
// everything from the axis on, by default 1; later along one axis, by default
// the last.
func (o *operator) softmax() error {
	t := o.tensors[o.input(0)]
	if t == nil {
		return errors.New("operand 0 must depend on the input of the model")
	}
	otherwise := -1
	if o.opset < 13 {
		otherwise = 1
	}
	a, err := o.inner(o.int("axis", otherwise), t)
	if err != nil {
		return err
	}
	p := Post{Op: PostSoftmax, Outer: size(t.shape[:a]), Count: t.shape[a], Inner: size(t.shape[a+1:])}
	if o.n.GetOpType() == "LogSoftmax" {
		p.Op = PostLogSoftmax
	}
	if o.opset < 13 {
		p.Count, p.Inner = p.Count*p.Inner, 1
	}
	return o.client(p, t.shape, false)
}

func (o *operator) argMax() error {
	t := o.tensors[o.input(0)]
	if t == nil {
		return errors.New("operand 0 must depend on the input of the model")
	}
	a, err := o.inner(o.int("axis", 0), t)
	if err != nil {
		return err
	}
	p := Post{Op: PostArgMax, Outer: size(t.shape[:a]), Count: t.shape[a], Inner: size(t.shape[a+1:]), Last: o.int("select_last_index", 0) != 0}
	shape := append([]int{}, t.shape[:a]...)
	if o.int("keepdims", 1) != 0 {
		shape = append(shape, 1)
	}
	return o.client(p, append(shape, t.shape[a+1:]...), true)
}

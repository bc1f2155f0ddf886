package model

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// The operators here are recurrent layers over a fixed number of steps, unrolled:
// every step is a linear layer of the state, smooth functions, and products.

// A recurrence is one direction of a recurrent layer.
type recurrence struct {
	hidden, batch, steps int
	gates                int
	inputs               *tensor   // of all steps: X·Wᵀ plus biases, of shape steps, batch, gates·hidden
	r                    []float64 // gates·hidden by hidden
	rb                   []float64 // biases of the state's part, where they are not in inputs
	p                    []float64 // peepholes of an LSTM, or nil
	functions            []string
	h, c                 *tensor // the state, of shape batch, hidden; nil is 0
	bound                float64 // of the numbers of the first h
}

// recurrent lowers LSTM, GRU and RNN.
func (o *operator) recurrent() error {
	x, err := o.secret(0)
	if err != nil {
		return err
	}
	layout := o.int("layout", 0)
	switch {
	case o.lead > 0 && layout == 0:
		return fmt.Errorf("its batch is axis 1, so that %w", errMixes)
	case o.lead > 0 && len(x.shape) == 2: // a row is a batch of 1
		x = o.view(x, []int{x.shape[0], 1, x.shape[1]}, iota32(size(x.shape)))
	case layout == 1 && len(x.shape) == 3:
		shape, index := permute(x.shape, []int{1, 0, 2})
		x = o.view(x, shape, index)
	}
	if len(x.shape) != 3 {
		return fmt.Errorf("an operand of shape %v, not steps, batch and inputs", x.shape)
	}
	if o.attrs["clip"] != nil || o.int("input_forget", 0) != 0 {
		return errors.New("clip and input_forget are not supported")
	}
	if lengths, err := o.fixed(4); err != nil {
		return err
	} else if lengths != nil && slices.ContainsFunc(lengths.d, func(d dim) bool { return d.rows || d.n != int64(x.shape[0]) }) {
		return errors.New("sequences of different lengths are not supported; pad them before the model")
	}
	directions, err := o.directions()
	if err != nil {
		return err
	}
	var all [3][]*tensor // by output: of the directions
	for d, reverse := range directions {
		r, err := o.recurrence(x, d, len(directions))
		if err != nil {
			return err
		}
		y, err := o.unroll(r, reverse)
		if err != nil {
			return err
		}
		for i, t := range []*tensor{y, r.h, r.c} {
			all[i] = append(all[i], t)
		}
	}
	return o.recurrentOutputs(all, layout)
}

// directions says of every direction whether it is backwards.
func (o *operator) directions() ([]bool, error) {
	switch d := o.string("direction", "forward"); d {
	case "forward":
		return []bool{false}, nil
	case "reverse":
		return []bool{true}, nil
	case "bidirectional":
		return []bool{false, true}, nil
	default:
		return nil, fmt.Errorf("the direction %q is not known", d)
	}
}

// gatesOf are the numbers of gates, and functionsOf the default functions.
var (
	gatesOf     = map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4}
	functionsOf = map[string][]string{"RNN": {"Tanh"}, "GRU": {"Sigmoid", "Tanh"}, "LSTM": {"Sigmoid", "Tanh", "Tanh"}}
)

// direction returns the numbers of operand i, of n numbers for each direction, for
// direction d; nil if it is left out.
func (o *operator) direction(i, d, directions, n int) ([]float64, error) {
	if o.input(i) == "" {
		return nil, nil
	}
	c, f, err := o.numbers(i)
	if err != nil {
		return nil, err
	}
	if len(f) != directions*n {
		return nil, fmt.Errorf("operand %d of shape %v does not fit %d directions of %d numbers", i, c.shape, directions, n)
	}
	return f[d*n:][:n], nil
}

// recurrence reads the weights of direction d and adds the layer of the inputs.
func (o *operator) recurrence(x *tensor, d, directions int) (*recurrence, error) {
	kind := o.n.GetOpType()
	r := &recurrence{hidden: o.int("hidden_size", 0), steps: x.shape[0], batch: x.shape[1], gates: gatesOf[kind], functions: functionsOf[kind], bound: 1}
	in := x.shape[2]
	if r.hidden < 1 || r.hidden > maxTensor/64 {
		return nil, fmt.Errorf("a hidden size of %d", r.hidden)
	}
	if a := o.attrs["activations"]; a != nil {
		if len(a.Strings) != directions*len(r.functions) {
			return nil, fmt.Errorf("%d functions for %d directions", len(a.Strings), directions)
		}
		n := len(r.functions)
		r.functions = nil
		for _, s := range a.Strings[d*n:][:n] {
			r.functions = append(r.functions, string(s))
		}
	}
	width := r.gates * r.hidden
	w, err := o.direction(1, d, directions, width*in)
	if err != nil {
		return nil, err
	}
	if r.r, err = o.direction(2, d, directions, width*r.hidden); err != nil {
		return nil, err
	}
	both, err := o.direction(3, d, directions, 2*width)
	if err != nil {
		return nil, err
	}
	if w == nil || r.r == nil {
		return nil, errors.New("the weights are missing")
	}
	bias := make([]float64, width)
	r.rb = make([]float64, width)
	if both != nil {
		copy(bias, both)
		copy(r.rb, both[width:])
	}
	for i := range bias {
		if kind == "GRU" && o.int("linear_before_reset", 0) != 0 && i >= 2*r.hidden {
			continue
		}
		bias[i], r.rb[i] = bias[i]+r.rb[i], 0
	}
	if kind == "LSTM" {
		if r.p, err = o.direction(7, d, directions, 3*r.hidden); err != nil {
			return nil, err
		}
	}
	if err := o.initial(r, x, d, directions); err != nil {
		return nil, err
	}
	z, err := o.linear(x, iota32(size(x.shape)), ring.MatMul(r.steps*r.batch, in, width), flipped(w, width, in), bias)
	r.inputs = &tensor{shape: []int{r.steps, r.batch, width}, val: z}
	return r, err
}

// flipped returns a matrix of h rows with rows and columns exchanged.
func flipped(w []float64, h, width int) []float64 {
	t := make([]float64, len(w))
	for i := range w {
		t[i%width*h+i/width] = w[i]
	}
	return t
}

// initial sets the first state, which must be constant. A row of a model that keeps
// rows apart begins with the same one as all.
func (o *operator) initial(r *recurrence, x *tensor, d, directions int) error {
	n := r.batch * r.hidden
	states := []**tensor{&r.h}
	if r.gates == 4 {
		states = append(states, &r.c)
	}
	for i, s := range states {
		f, err := o.direction(5+i, d, directions, n)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(f, func(v float64) bool { return v != 0 }) {
			continue
		}
		zero := o.public(o.view(x, []int{r.batch, r.hidden}, make([]int32, n)), make([]float64, n))
		if *s, err = o.elementwise(offsetNode, zero, f); err != nil {
			return err
		}
		if i == 0 {
			r.bound = max(r.bound, slices.Max(f), -slices.Min(f))
		}
	}
	return nil
}

// unroll runs all steps and returns the states h of all of them.
func (o *operator) unroll(r *recurrence, reverse bool) (*tensor, error) {
	block := r.batch * r.gates * r.hidden
	outputs := make([]*tensor, r.steps)
	for i := range r.steps {
		at := i
		if reverse {
			at = r.steps - 1 - i
		}
		index := iota32(block)
		for k := range index {
			index[k] += int32(at * block)
		}
		if err := o.spend(16 * block); err != nil {
			return nil, err
		}
		x := o.view(r.inputs, []int{r.batch, r.gates * r.hidden}, index)
		var err error
		switch r.gates {
		case 1:
			err = o.stepRNN(r, x)
		case 3:
			err = o.stepGRU(r, x)
		default:
			err = o.stepLSTM(r, x)
		}
		if err != nil {
			return nil, err
		}
		outputs[at] = r.h
	}
	if err := o.spend(2 * r.steps * r.steps * r.batch * r.hidden); err != nil {
		return nil, err
	}
	return o.joined(outputs, []int{r.steps, r.batch, r.hidden}), nil
}

// gate returns columns from of gates first to last, exclusive, of t.
func (r *recurrence) gate(o *operator, t *tensor, first, last int) *tensor {
	width := t.shape[1]
	var index []int32
	for b := range r.batch {
		for k := first * r.hidden; k < last*r.hidden; k++ {
			index = append(index, int32(b*width+k))
		}
	}
	return o.view(t, []int{r.batch, (last - first) * r.hidden}, index)
}

// times returns h·Rᵀ plus its bias, for the rows of R of gates first to last,
// exclusive, plus x; x alone where h is 0.
func (o *operator) times(r *recurrence, h, x *tensor, first, last int) (*tensor, error) {
	width := (last - first) * r.hidden
	b := r.rb[first*r.hidden:][:width]
	z := x
	if h != nil {
		w := flipped(r.r[first*r.hidden*r.hidden:][:width*r.hidden], width, r.hidden)
		val, err := o.linear(h, iota32(r.batch*r.hidden), ring.MatMul(r.batch, r.hidden, width), w, b)
		if err != nil {
			return nil, err
		}
		z = &tensor{shape: []int{r.batch, width}, val: val}
		if x == nil {
			return z, nil
		}
		return o.added(z, x, false)
	}
	return z, nil
}

// apply returns function i of t.
func (o *operator) apply(r *recurrence, i int, t *tensor) (*tensor, error) {
	switch f := r.functions[i]; f {
	case "Sigmoid":
		return o.smoothOf(t, sigmoidFn()), nil
	case "Tanh":
		return o.smoothOf(t, tanhFn()), nil
	case "Relu":
		return o.same(o.bijection(t), node{kind: reluNode}), nil
	default:
		return nil, fmt.Errorf("the function %s is not supported; use Sigmoid, Tanh or Relu", f)
	}
}

// stepRNN is h = f(x + h·Rᵀ).
func (o *operator) stepRNN(r *recurrence, x *tensor) error {
	z, err := o.times(r, r.h, x, 0, 1)
	if err != nil {
		return err
	}
	r.h, err = o.apply(r, 0, z)
	return err
}

// stepGRU is, for gates z, r and h of x,
//
//	z = f(x_z + h·R_zᵀ), r = f(x_r + h·R_rᵀ), h′ = g(x_h + (r∘h)·R_hᵀ), h = h′ + z∘(h − h′)
//
// or with r∘(h·R_hᵀ) in h′, if linear_before_reset is set.
func (o *operator) stepGRU(r *recurrence, x *tensor) error {
	zr, err := o.times(r, r.h, r.gate(o, x, 0, 2), 0, 2)
	if err != nil {
		return err
	}
	if zr, err = o.apply(r, 0, zr); err != nil {
		return err
	}
	fresh := r.gate(o, x, 2, 3)
	reset := r.gate(o, zr, 1, 2)
	switch {
	case o.int("linear_before_reset", 0) == 0 && r.h != nil:
		var h *tensor
		if h, err = o.multiplied(reset, r.h); err == nil {
			fresh, err = o.times(r, h, fresh, 2, 3)
		}
	case o.int("linear_before_reset", 0) != 0 && r.h != nil:
		var h *tensor
		if h, err = o.times(r, r.h, nil, 2, 3); err != nil {
			return err
		}
		if h, err = o.multiplied(reset, h); err == nil {
			fresh, err = o.added(fresh, h, false)
		}
	case o.int("linear_before_reset", 0) != 0:
		b := slices.Repeat(r.rb[2*r.hidden:], r.batch)
		if h, e := o.elementwise(scaleNode, reset, b); e != nil {
			err = e
		} else {
			fresh, err = o.added(fresh, h, false)
		}
	}
	if err != nil {
		return err
	}
	if fresh, err = o.apply(r, 1, fresh); err != nil {
		return err
	}
	d := o.negative(fresh)
	if r.h != nil {
		if d, err = o.added(r.h, fresh, true); err != nil {
			return err
		}
	}
	if d, err = o.multiplied(r.gate(o, zr, 0, 1), d); err != nil {
		return err
	}
	if r.h, err = o.added(fresh, d, false); err == nil && r.functions[0] == "Sigmoid" && r.functions[1] != "Relu" {
		r.h = o.within(r.h, -r.bound, r.bound) // between h and h′
	}
	return err
}

// stepLSTM is, for gates i, o, f and c of x and peepholes p,
//
//	i, f = f(x + h·Rᵀ + p∘c), c = f∘c + i∘g(x_c + h·R_cᵀ), o = f(x_o + h·R_oᵀ + p_o∘c), h = o∘h(c)
func (o *operator) stepLSTM(r *recurrence, x *tensor) error {
	all, err := o.times(r, r.h, x, 0, 4)
	if err != nil {
		return err
	}
	peep := func(t *tensor, k int) (*tensor, error) {
		if r.p == nil || r.c == nil {
			return t, nil
		}
		s, err := o.elementwise(scaleNode, r.c, slices.Repeat(r.p[k*r.hidden:][:r.hidden], r.batch))
		if err != nil {
			return nil, err
		}
		return o.added(t, s, false)
	}
	var in, forget, out, fresh *tensor
	if r.p == nil { // one function of all three
		three, err := o.apply(r, 0, r.gate(o, all, 0, 3))
		if err != nil {
			return err
		}
		in, out, forget = r.gate(o, three, 0, 1), r.gate(o, three, 1, 2), r.gate(o, three, 2, 3)
	} else {
		for _, g := range []struct {
			to *(*tensor)
			x  int
		}{{&in, 0}, {&forget, 2}} {
			t, err := peep(r.gate(o, all, g.x, g.x+1), g.x)
			if err != nil {
				return err
			}
			if *g.to, err = o.apply(r, 0, t); err != nil {
				return err
			}
		}
	}
	if fresh, err = o.apply(r, 1, r.gate(o, all, 3, 4)); err != nil {
		return err
	}
	c, err := o.multiplied(in, fresh)
	if err != nil {
		return err
	}
	if r.c != nil {
		kept, err := o.multiplied(forget, r.c)
		if err != nil {
			return err
		}
		if c, err = o.added(kept, c, false); err != nil {
			return err
		}
	}
	r.c = c
	if r.p != nil {
		if out, err = peep(r.gate(o, all, 1, 2), 1); err != nil {
			return err
		}
		if out, err = o.apply(r, 0, out); err != nil {
			return err
		}
	}
	if c, err = o.apply(r, 2, c); err != nil {
		return err
	}
	r.h, err = o.multiplied(out, c)
	return err
}

// recurrentOutputs defines the states of all steps, and the last ones.
func (o *operator) recurrentOutputs(all [3][]*tensor, layout int) error {
	for i, parts := range all {
		if i >= len(o.n.Output) || o.n.Output[i] == "" || parts[0] == nil {
			continue
		}
		one := parts[0].shape // steps, batch, hidden or batch, hidden
		shape := append([]int{len(parts)}, one...)
		if err := o.spend(2 * len(parts) * size(shape)); err != nil {
			return err
		}
		t := o.joined(parts, shape)
		perm := []int{0, 1, 2}
		switch { // to steps, directions, batch; to batch, steps, directions; to batch, directions
		case i == 0 && layout == 0:
			perm = []int{1, 0, 2, 3}
		case i == 0:
			perm = []int{2, 1, 0, 3}
		case layout != 0:
			perm = []int{1, 0, 2}
		}
		to, index := permute(shape, perm)
		t = o.view(t, to, index)
		if o.lead > 0 { // the batch is one row
			t = o.view(t, to[1:], iota32(size(to)))
		}
		if err := o.define(i, t, nil); err != nil {
			return err
		}
	}
	return nil
}

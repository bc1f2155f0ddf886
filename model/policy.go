package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// A Policy says what of its output a model shows to the client. It is part of the
// program that the parties run, so that nobody can ask for more.
type Policy struct {
	Reveal    string  `json:"reveal"`              // one of the constants below
	K         int     `json:"k,omitempty"`         // of RevealTop
	Threshold float64 `json:"threshold,omitempty"` // of RevealThreshold
}

// What a client may learn.
const (
	// RevealScores is the output of the network before a final Softmax, Sigmoid or
	// ArgMax, which the client computes itself. It is the default.
	RevealScores = "scores"
	// RevealProbabilities is the output after a final Softmax or Sigmoid, to the
	// fraction bits of the model. Up to rounding, differences of scores follow from it.
	RevealProbabilities = "probabilities"
	// RevealLabel is the number of the largest score; of equal ones, the first.
	RevealLabel = "label"
	// RevealTop is the numbers of the K largest scores, the largest first; of equal
	// ones, the first.
	RevealTop = "top"
	// RevealThreshold is 1 for every output that is Threshold or more, else 0.
	RevealThreshold = "threshold"
)

// Reveals are the policies there are.
var Reveals = []string{RevealScores, RevealProbabilities, RevealLabel, RevealTop, RevealThreshold}

// Validate tells what is wrong with p.
func (p Policy) Validate() error {
	switch {
	case !slices.Contains(Reveals, p.Reveal):
		return fmt.Errorf("policy %.40q is not one of %q", p.Reveal, Reveals)
	case (p.Reveal == RevealTop) != (p.K != 0) || p.K < 0 || p.K > maxTop:
		return fmt.Errorf("policy %s with k = %d; top has a k from 1 to %d, the others have none", p.Reveal, p.K, maxTop)
	case p.Reveal != RevealThreshold && p.Threshold != 0:
		return fmt.Errorf("policy %s has no threshold", p.Reveal)
	case !(math.Abs(p.Threshold) <= maxMagnitude):
		return fmt.Errorf("the threshold %v is not a number of reasonable size", p.Threshold)
	}
	return nil
}

// maxTop bounds the places of RevealTop.
const maxTop = 1 << 8

// String describes what is revealed.
func (p Policy) String() string {
	switch p.Reveal {
	case RevealTop:
		return fmt.Sprintf("the numbers of the %d largest scores, in order", p.K)
	case RevealThreshold:
		return fmt.Sprintf("for every output whether it is %v or more", p.Threshold)
	case RevealLabel:
		return "the number of the largest score"
	case RevealProbabilities:
		return "probabilities"
	}
	return "scores: the output before a final Softmax, Sigmoid or ArgMax"
}

// Reveal returns the network that computes, among the parties, no more than p
// lets the client see.
func (g *Graph) Reveal(p Policy) (*Graph, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	c := *g
	c.nodes = slices.Clone(g.nodes)
	c.Policy = p
	if p.Reveal == RevealScores {
		return &c, nil
	}
	o := &operator{
		loader: &loader{
			g: &c, lead: 1, budget: maxLoaded, consts: map[string]*constant{}, tensors: map[string]*tensor{},
			types: map[string]onnx.TensorProto_DataType{}, failed: map[string]bool{},
		},
		n: &onnx.NodeProto{Output: []string{"revealed"}}, name: "output policy",
	}
	t, err := o.revealed(&tensor{shape: g.Result, val: len(g.nodes) - 1, post: g.Post, base: g.Output}, p)
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", p.Reveal, err)
	}
	o.tensors[g.OutputName] = t
	return &c, o.finish(g.OutputName)
}

// revealed returns what p shows of t.
func (o *operator) revealed(t *tensor, p Policy) (*tensor, error) {
	switch p.Reveal {
	case RevealProbabilities:
		steps := slices.Clone(t.post)
		for i := range steps {
			if steps[i].Op == PostLogSoftmax {
				steps[i].Op = PostSoftmax
			}
		}
		if !slices.ContainsFunc(steps, func(p Post) bool { return p.Op == PostSoftmax || p.Op == PostSigmoid }) {
			return nil, errors.New("the model does not end in a Softmax or Sigmoid; export it with one, or reveal scores if they are probabilities already")
		}
		return o.inside(&tensor{shape: t.shape, val: t.val, view: t.view, post: steps, base: t.base})
	case RevealThreshold:
		return o.passed(t, p.Threshold)
	}
	t, last, err := o.ordered(t)
	if err != nil {
		return nil, err
	}
	n := len(t.shape) - 1
	if n < 0 || t.shape[n] == 1 {
		if p.K > 1 {
			return nil, errors.New("one score has no order")
		}
		return o.passed(t, 0)
	}
	k := max(p.K, 1)
	if k > t.shape[n] {
		return nil, fmt.Errorf("%d of %d scores", k, t.shape[n])
	}
	hot, err := o.ranked(&tensor{shape: []int{size(t.shape[:n]), t.shape[n], 1}, val: t.val, view: t.view}, k, last)
	if err != nil {
		return nil, err
	}
	z, err := o.positions(hot)
	if err != nil {
		return nil, err
	}
	shape := slices.Clone(t.shape[:n])
	if p.Reveal == RevealTop {
		shape = append(shape, k)
	}
	return &tensor{shape: shape, val: z.val, view: z.view}, nil
}

// ordered returns scores that are in the order of t: without the steps that keep
// it. One score stands for two classes; it is positive for the second.
func (o *operator) ordered(t *tensor) (z *tensor, last bool, err error) {
	post := t.post
	shape := t.shape
	if n := len(post); n > 0 && post[n-1].Op == PostArgMax { // the model ends in the label
		p := post[n-1]
		if p.Inner != 1 {
			return nil, false, errors.New("its ArgMax is not along the last axis")
		}
		post, last, shape = post[:n-1], p.Last, []int{p.Outer, p.Count}
	}
	for len(post) > 0 && slices.Contains([]string{PostSoftmax, PostLogSoftmax, PostSigmoid}, post[len(post)-1].Op) {
		post = post[:len(post)-1]
	}
	z = &tensor{shape: shape, val: t.val, view: t.view, post: post, base: t.base}
	if n := len(shape); len(post) == len(t.post) && (n == 0 || shape[n-1] == 1) {
		return nil, false, errors.New("the model has one output and no Sigmoid, so that it has no classes")
	}
	if len(post) == 0 {
		z.post = nil
		return z, last, nil
	}
	z, err = o.inside(z)
	return z, last, err
}

// passed returns 1 where t is c or more, else 0. The limit of a final Sigmoid is
// taken before it.
func (o *operator) passed(t *tensor, c float64) (*tensor, error) {
	if n := len(t.post); n > 0 && t.post[n-1].Op == PostSigmoid && c > 0 && c < 1 {
		t = &tensor{shape: t.shape, val: t.val, view: t.view, post: t.post[:n-1], base: t.base}
		c = math.Log(c / (1 - c))
	}
	if len(t.post) > 0 {
		var err error
		if t, err = o.inside(t); err != nil {
			return nil, err
		}
	}
	z := &tensor{shape: t.shape, val: t.val, view: t.view}
	z, err := o.affineOf(z, 1, -c)
	if err != nil {
		return nil, err
	}
	return o.step(z), nil
}

// ParsePolicy reads scores, probabilities, label, top:K or threshold:T.
func ParsePolicy(s string) (Policy, error) {
	name, number, given := strings.Cut(s, ":")
	p := Policy{Reveal: name}
	var err error
	switch {
	case name == RevealTop:
		p.K, err = strconv.Atoi(number)
	case name == RevealThreshold:
		p.Threshold, err = strconv.ParseFloat(number, 64)
	case given:
		err = fmt.Errorf("%s has no number", name)
	}
	if err != nil {
		return p, fmt.Errorf("policy %q: %w", s, err)
	}
	return p, p.Validate()
}

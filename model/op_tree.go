package model

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/model/onnx"
)

// Ensembles of decision trees. The number of nodes, the shape of the trees, which
// of them test for equality and which leaf votes for which result are public; which
// feature a node compares, with what and which way, and the values of the leaves
// are weights like others:
//
//	y = F·x + t      every node's distance from its threshold; a row of F has one ±1
//	b = [y ≥ 0]      all nodes of all trees at once
//	s = Σ b, 1 − b   along the path to each leaf, minus its depth less one
//	l = ReLU(s)      1 for the leaf that is reached, else 0
//	z = V·l          the values of the leaves
//
// A node that tests for equality is b = [y ≥ 0] + [−y ≥ 0] − 1.

// trees adds the ensemble f and returns targets results. Mean divides by the number
// of trees.
func (o *operator) trees(f *forest, targets int, base []float64, mean bool) (*tensor, error) {
	if targets < 1 || targets > 1<<16 || len(base) != 0 && len(base) != targets {
		return nil, fmt.Errorf("%d base values for %d results", len(base), targets)
	}
	weight := 1.0
	if mean {
		weight = 1 / float64(len(f.roots))
	}
	offsets := make([]float64, targets)
	copy(offsets, base)
	w := make([]float64, len(f.leaves)*targets)
	for i, p := range f.leaves {
		for _, v := range p.votes {
			if v.target < 0 || v.target >= targets || !(math.Abs(v.weight) <= maxMagnitude) {
				return nil, fmt.Errorf("a leaf adds %v to result %d of %d", v.weight, v.target, targets)
			}
			w[i*targets+v.target] += v.weight * weight
		}
	}
	z, err := o.linear(f.reached, nil, ring.MatMul(1, len(f.leaves), targets), w, offsets)
	if err != nil {
		return nil, err
	}
	lo, hi := f.limits(w, offsets)
	return o.always(&tensor{shape: []int{targets}, val: z}, lo, hi, 0), nil
}

// limits returns between what the results lie, which are sums of one leaf of every
// tree in every engine. Weights have 15 significant bits, and 8 fraction bits or
// more: each leaf is rounded by less than 2⁻⁸ or a part of 2¹⁴ of the largest.
func (f *forest) limits(w, offsets []float64) (lo, hi float64) {
	targets := len(offsets)
	lo, hi = math.Inf(1), math.Inf(-1)
	room := float64(len(f.roots)+1) * max(math.Ldexp(1, -8), math.Ldexp(max(largest(w), -least(w)), -14))
	for j, base := range offsets {
		low, high := base, base
		for i := 0; i < len(f.leaves); {
			small, large := math.Inf(1), math.Inf(-1)
			for root := f.leaves[i].root; i < len(f.leaves) && f.leaves[i].root == root; i++ {
				small, large = min(small, w[i*targets+j]), max(large, w[i*targets+j])
			}
			low, high = low+small, high+large
		}
		lo, hi = min(lo, low-room), max(hi, high+room)
	}
	return lo, hi
}

// reached returns, for every leaf, 1 if it is the one of its tree, else 0.
func (o *operator) reached(t *tensor, f *forest) (*tensor, error) {
	inner := f.inner()
	if len(inner) == 0 { // every tree is one leaf
		return o.affineOf(o.view(t, []int{len(f.leaves)}, make([]int32, len(f.leaves))), 0, 1)
	}
	steps, n, err := o.decisions(t, f, inner)
	if err != nil {
		return nil, err
	}
	window := 1
	for _, p := range f.leaves {
		terms := 0
		for _, d := range p.decisions {
			terms += len(f.nodes[d.node].steps)
		}
		window = max(window, terms)
	}
	if err := o.spend(4*len(f.leaves)*window + 4*n); err != nil {
		return nil, err
	}
	sums := node{kind: sumNode, name: o.name, in: []int{o.signed(steps)}, len: len(f.leaves), window: window, c: repeat(1, len(f.leaves))}
	offset := make([]float64, len(f.leaves))
	deepest := 0
	for i, p := range f.leaves {
		deepest = max(deepest, len(p.decisions))
		offset[i] = float64(1 - len(p.decisions))
		terms := 0
		for _, d := range p.decisions {
			b := f.nodes[d.node]
			from := int32(0)
			if offset[i] += b.least; d.yes == b.inverted { // 1 − b
				from, offset[i] = int32(n), offset[i]+1-2*b.least
			}
			for _, k := range b.steps {
				sums.index = append(sums.index, k+from)
				terms++
			}
		}
		for ; terms < window; terms++ {
			sums.index = append(sums.index, -1)
		}
	}
	s := &tensor{shape: []int{len(f.leaves)}, val: o.g.add(sums)}
	if s, err = o.elementwise(offsetNode, s, offset); err != nil {
		return nil, err
	}
	return o.same(o.bijection(o.always(s, float64(1-deepest), 1, 0)), node{kind: reluNode}), nil
}

// decisions returns the n comparisons of the inner nodes, which it numbers.
func (o *operator) decisions(t *tensor, f *forest, inner []int) (steps *tensor, n int, err error) {
	features, nodes := t.shape[0], len(inner)
	if err := o.spend(2*features*nodes + 8*nodes); err != nil {
		return nil, 0, err
	}
	raw, scale, offset := o.features(t)
	w, b := make([]float64, features*nodes), make([]float64, nodes)
	order := iota32(nodes) // of the nodes, then of those that test for equality again
	for i, at := range inner {
		node := &f.nodes[at]
		if node.feature < 0 || node.feature >= features || !(math.Abs(node.value) <= maxMagnitude) {
			return nil, 0, fmt.Errorf("a node compares feature %d of %d with %v", node.feature, features, node.value)
		}
		sign := node.sign
		if scale[node.feature] < 0 {
			sign = -sign
		}
		w[node.feature*nodes+i], b[i] = sign, -sign*(node.value-offset[node.feature])/scale[node.feature]
		node.steps, node.least = []int32{int32(i)}, 0
		if node.equal {
			node.steps, node.least = append(node.steps, int32(len(order))), -1
			order = append(order, int32(i))
		}
	}
	y, err := o.linear(raw, nil, ring.MatMul(1, features, nodes), w, b)
	if err != nil {
		return nil, 0, err
	}
	o.g.nodes[y].whole = true
	d := o.rounded(&tensor{shape: []int{nodes}, val: y})
	if n = len(order); n > nodes {
		d = o.view(d, []int{n}, order)
		turn := repeat(1, n)
		for i := nodes; i < n; i++ {
			turn[i] = -1
		}
		d = o.public(d, turn)
	}
	return o.step(d), n, nil
}

// features returns what the features of t are scale·raw + offset of: thresholds
// move through a Scaler without rounding.
func (o *operator) features(t *tensor) (raw *tensor, scale, offset []float64) {
	n := size(t.shape)
	scale, offset = repeat(1, n), make([]float64, n)
	raw = &tensor{shape: t.shape, val: t.val, view: t.view}
	if slices.Contains(t.view, -1) {
		return raw, scale, offset
	}
	for {
		at := o.g.nodes[raw.val]
		switch at.kind {
		case scaleNode:
			for i := range n {
				if c := at.c[raw.at(i)]; math.Abs(c*scale[i]) < 1e-12 {
					return raw, scale, offset
				}
			}
			for i := range n {
				scale[i] *= at.c[raw.at(i)]
			}
		case offsetNode:
			for i := range n {
				offset[i] += scale[i] * at.c[raw.at(i)]
			}
		default:
			return raw, scale, offset
		}
		raw.val = at.in[0]
	}
}

// signed returns the node of t followed by −t.
func (o *operator) signed(t *tensor) int {
	n := size(t.shape)
	z := node{kind: sumNode, name: o.name, in: []int{t.val}, len: 2 * n, window: 1}
	for _, sign := range []float64{1, -1} {
		for i := range n {
			z.index, z.c = append(z.index, t.at(i)), append(z.c, sign)
		}
	}
	return o.g.add(z)
}

// treeRegressor lowers TreeEnsembleRegressor.
func (o *operator) treeRegressor() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	f, err := o.forest("target", t)
	if err != nil {
		return err
	}
	base, err := o.reals("base_values")
	if err != nil {
		return err
	}
	return o.aggregated(f, o.int("n_targets", 1), base, o.string("aggregate_function", "SUM"))
}

// aggregated defines the output as what the trees of f give together.
func (o *operator) aggregated(f *forest, targets int, base []float64, how string) error {
	if how != "SUM" && how != "AVERAGE" {
		return fmt.Errorf("aggregate_function %s is not supported; use SUM or AVERAGE", how)
	}
	t, err := o.trees(f, targets, base, how == "AVERAGE")
	if err != nil {
		return err
	}
	if t, err = o.transformed(t); err != nil {
		return err
	}
	return o.set(t)
}

// treeEnsemble lowers TreeEnsemble, which replaces the other two from opset 5 of
// ai.onnx.ml on. It says by number what they say by name.
func (o *operator) treeEnsemble() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	f, err := o.ensemble(t)
	if err != nil {
		return err
	}
	how, err := o.numbered("aggregate_function", 1, "AVERAGE", "SUM", "MIN", "MAX")
	if err != nil {
		return err
	}
	post, err := o.numbered("post_transform", 0, "NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
	if err != nil {
		return err
	}
	o.attrs["post_transform"] = &onnx.AttributeProto{S: []byte(post)}
	return o.aggregated(f, o.int("n_targets", 1), nil, how)
}

// numbered returns the name that an attribute gives by its number.
func (o *operator) numbered(name string, otherwise int, names ...string) (string, error) {
	i := o.int(name, otherwise)
	if i < 0 || i >= len(names) {
		return "", fmt.Errorf("attribute %s is %d, not one of 0 to %d", name, i, len(names)-1)
	}
	return names[i], nil
}

// treeClassifier lowers TreeEnsembleClassifier. Votes for one of two classes only
// are one score for both, as onnxruntime has it: those for class 0, as it is called
// then, are −s and s, or 1 − s and s without post_transform where none is negative;
// those for class 1 leave 0 for class 0.
func (o *operator) treeClassifier() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	f, err := o.forest("class", t)
	if err != nil {
		return err
	}
	base, err := o.reals("base_values")
	if err != nil {
		return err
	}
	labels := o.integers("classlabels_int64s")
	count := cmp.Or(len(labels), len(o.names("classlabels_strings")))
	ids := slices.Clone(o.integers("class_ids"))
	slices.Sort(ids)
	ids = slices.Compact(ids)
	one := count == 2 && len(ids) == 1
	if count == 2 && (one && len(base) > 1-int(ids[0]) || len(base) > 0 && !one && (least(base) != 0 || largest(base) != 0)) {
		return errors.New("base values of two classes mean something else in every runtime; add them to the leaves of one tree")
	}
	var scores, decide *tensor
	if one {
		if decide, err = o.trees(f.mirrored(), 2, f.start(base), false); err != nil {
			return err
		}
		scores = decide
	}
	if !one || ids[0] == 1 {
		if scores, err = o.trees(f, count, base, false); err != nil {
			return err
		}
	}
	if decide == nil {
		decide = scores
	}
	if kind := o.string("post_transform", "NONE"); one && ids[0] == 0 && kind != "PROBIT" && (f.positive() || kind != "LOGISTIC") {
		delete(o.attrs, "post_transform")
	}
	if scores, err = o.transformed(scores); err != nil {
		return err
	}
	return o.classified(scores, decide, labels, count)
}

// classified defines the scores of count classes as output 1, and output 0 as the
// number of the largest element of decide, where the classes are called 0, 1, 2, ….
func (o *operator) classified(scores, decide *tensor, labels []int64, count int) error {
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
	return o.after(decide, Post{Op: PostArgMax, Outer: 1, Count: count, Inner: 1}, []int{}, true)
}

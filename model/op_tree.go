package model

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// Ensembles of decision trees. The number of nodes, the shape of the trees and
// which leaf votes for which result are public; which feature a node compares,
// with what and which way, and the values of the leaves are weights like others:
//
//	y = F·x + t      every node's distance from its threshold; a row of F has one ±1
//	b = [y ≥ 0]      all nodes of all trees at once
//	s = Σ b, 1 − b   along the path to each leaf, minus its depth less one
//	l = ReLU(s)      1 for the leaf that is reached, else 0
//	z = V·l          the values of the leaves
//
// Nodes that test for equality are two comparisons, publicly.

// A branch is an inner node of a tree, or a leaf.
type branch struct {
	mode    string // LEAF or BRANCH_…
	feature int
	value   float64 // threshold
	yes, no int     // nodes
	votes   []vote  // of a leaf
}

// A vote is what a leaf adds to a result.
type vote struct {
	target int
	weight float64
}

// A route is a leaf with the decisions that lead to it.
type route struct {
	decisions []decision
	votes     []vote
}

// A decision is that a node is, or is not, true.
type decision struct {
	node int
	yes  bool
}

// A forest is an ensemble of trees.
type forest struct {
	nodes []branch
	roots []int
}

// maxLeaves bounds the leaves and inner nodes of an ensemble.
const maxLeaves = 1 << 17

// integers returns the whole numbers of an attribute.
func (o *operator) integers(name string) []int64 {
	if a := o.attrs[name]; a != nil {
		return a.Ints
	}
	return nil
}

// names returns the strings of an attribute.
func (o *operator) names(name string) []string {
	var v []string
	if a := o.attrs[name]; a != nil {
		for _, s := range a.Strings {
			v = append(v, string(s))
		}
	}
	return v
}

// reals returns the floating-point numbers of an attribute, or of its twin that
// is a tensor of doubles.
func (o *operator) reals(name string) ([]float64, error) {
	if a := o.attrs[name+"_as_tensor"]; a != nil && a.T != nil {
		c, err := o.decode(a.T)
		if err != nil {
			return nil, err
		}
		return c.floats()
	}
	return o.list(name), nil
}

// forest reads the trees; votes are in attributes called vote_….
func (o *operator) forest(votes string) (*forest, error) {
	trees, ids := o.integers("nodes_treeids"), o.integers("nodes_nodeids")
	yes, no, features, modes := o.integers("nodes_truenodeids"), o.integers("nodes_falsenodeids"), o.integers("nodes_featureids"), o.names("nodes_modes")
	values, err := o.reals("nodes_values")
	if err != nil {
		return nil, err
	}
	n := len(ids)
	if n == 0 || n > maxLeaves || len(trees) != n || len(yes) != n || len(no) != n || len(features) != n || len(modes) != n || len(values) != n {
		return nil, fmt.Errorf("its lists of nodes have different lengths, or more than %d nodes", maxLeaves)
	}
	type key struct{ tree, id int64 }
	at := map[key]int{}
	for i := range ids {
		at[key{trees[i], ids[i]}] = i
	}
	f := &forest{nodes: make([]branch, n)}
	child := make([]bool, n)
	for i := range f.nodes {
		b := branch{mode: modes[i], feature: int(min(max(features[i], -1), maxTensor)), value: values[i]}
		if b.mode != "LEAF" {
			var ok, too bool
			b.yes, ok = at[key{trees[i], yes[i]}]
			b.no, too = at[key{trees[i], no[i]}]
			if !ok || !too {
				return nil, fmt.Errorf("node %d of tree %d leads nowhere", ids[i], trees[i])
			}
			child[b.yes], child[b.no] = true, true
		}
		f.nodes[i] = b
	}
	for i := range child {
		if !child[i] {
			f.roots = append(f.roots, i)
		}
	}
	tree, id, target := o.integers(votes+"_treeids"), o.integers(votes+"_nodeids"), o.integers(votes+"_ids")
	weight, err := o.reals(votes + "_weights")
	if err != nil {
		return nil, err
	}
	if len(tree) != len(id) || len(target) != len(id) || len(weight) != len(id) {
		return nil, errors.New("its lists of leaves have different lengths")
	}
	for i := range id {
		leaf, ok := at[key{tree[i], id[i]}]
		if !ok {
			return nil, fmt.Errorf("leaf %d of tree %d does not exist", id[i], tree[i])
		}
		f.nodes[leaf].votes = append(f.nodes[leaf].votes, vote{int(min(max(target[i], -1), maxTensor)), weight[i]})
	}
	return f, nil
}

// maxDepth bounds trees: what a path counts up to.
const maxDepth = 1 << 10

// paths lists the leaves of tree root.
func (f *forest) paths(root int) ([]route, error) {
	var all []route
	var walk func(i int, before []decision) error
	walk = func(i int, before []decision) error {
		if len(before) > maxDepth || len(all) > maxLeaves {
			return errors.New("a tree is deeper or larger than any supported, or has a cycle")
		}
		b := f.nodes[i]
		if b.mode == "LEAF" {
			all = append(all, route{decisions: slices.Clone(before), votes: b.votes})
			return nil
		}
		if err := walk(b.yes, append(before, decision{i, true})); err != nil {
			return err
		}
		return walk(b.no, append(before, decision{i, false}))
	}
	return all, walk(root, nil)
}

// comparison returns the signs of y = ±(x − t) that decide a node: whether it is
// [y ≥ 0] of sign·(x − t), and whether that is inverted.
func comparison(mode string) (sign float64, inverted bool, err error) {
	switch mode {
	case "BRANCH_LEQ":
		return -1, false, nil
	case "BRANCH_GT":
		return -1, true, nil
	case "BRANCH_GTE":
		return 1, false, nil
	case "BRANCH_LT":
		return 1, true, nil
	}
	return 0, false, fmt.Errorf("nodes of mode %s are not supported; export trees that compare with <, <=, > or >=", mode)
}

// trees adds the ensemble f for rows t and returns targets results. Mean divides by
// the number of trees.
func (o *operator) trees(t *tensor, f *forest, targets int, base []float64, mean bool) (*tensor, error) {
	if len(t.shape) != 1 {
		return nil, fmt.Errorf("rows of shape %v are not lists of features", t.shape)
	}
	if targets < 1 || targets > 1<<16 || len(base) != 0 && len(base) != targets {
		return nil, fmt.Errorf("%d base values for %d results", len(base), targets)
	}
	offsets := make([]float64, targets)
	copy(offsets, base)
	weight := 1.0
	if mean {
		weight = 1 / float64(len(f.roots))
	}
	lo, hi := slices.Clone(offsets), slices.Clone(offsets)
	var leaves []route
	for _, root := range f.roots {
		paths, err := f.paths(root)
		if err != nil {
			return nil, err
		}
		if leaves = append(leaves, paths...); len(leaves) > maxLeaves {
			return nil, fmt.Errorf("more than %d leaves", maxLeaves)
		}
		least, most := make([]float64, targets), make([]float64, targets)
		for i, p := range paths {
			sum := make([]float64, targets)
			for _, v := range p.votes {
				if v.target < 0 || v.target >= targets || !(math.Abs(v.weight) <= maxMagnitude) {
					return nil, fmt.Errorf("a leaf adds %v to result %d of %d", v.weight, v.target, targets)
				}
				sum[v.target] += v.weight * weight
			}
			for j, v := range sum {
				if i == 0 {
					least[j], most[j] = v, v
				}
				least[j], most[j] = min(least[j], v), max(most[j], v)
			}
		}
		for j := range least {
			lo[j], hi[j] = lo[j]+least[j], hi[j]+most[j]
		}
	}
	reached, err := o.reached(t, f, leaves)
	if err != nil {
		return nil, err
	}
	w := make([]float64, len(leaves)*targets)
	for i, p := range leaves {
		for _, v := range p.votes {
			w[i*targets+v.target] += v.weight * weight
		}
	}
	z, err := o.linear(reached, nil, ring.MatMul(1, len(leaves), targets), w, offsets)
	if err != nil {
		return nil, err
	}
	out := &tensor{shape: []int{targets}, val: z}
	return o.within(out, least(lo)-slop*max(1, -least(lo)), largest(hi)+slop*max(1, largest(hi))), nil
}

// reached returns, for every leaf, 1 if it is the one of its tree, else 0.
func (o *operator) reached(t *tensor, f *forest, leaves []route) (*tensor, error) {
	number := map[int]int{} // of inner nodes
	var inner []int
	deepest := 0
	for _, p := range leaves {
		deepest = max(deepest, len(p.decisions))
		for _, d := range p.decisions {
			if _, ok := number[d.node]; !ok {
				number[d.node] = len(inner)
				inner = append(inner, d.node)
			}
		}
	}
	if len(inner) == 0 { // every tree is one leaf
		return o.affineOf(o.view(t, []int{len(leaves)}, make([]int32, len(leaves))), 0, 1)
	}
	features, n := t.shape[0], len(inner)
	if err := o.spend(2*features*n + 4*len(leaves)*deepest); err != nil {
		return nil, err
	}
	w, b := make([]float64, features*n), make([]float64, n)
	inverted := make([]bool, n)
	for i, at := range inner {
		node := f.nodes[at]
		sign, not, err := comparison(node.mode)
		if err != nil {
			return nil, err
		}
		if node.feature < 0 || node.feature >= features || !(math.Abs(node.value) <= maxMagnitude) {
			return nil, fmt.Errorf("a node compares feature %d of %d with %v", node.feature, features, node.value)
		}
		w[node.feature*n+i], b[i], inverted[i] = sign, -sign*node.value, not
	}
	y, err := o.linear(t, nil, ring.MatMul(1, features, n), w, b)
	if err != nil {
		return nil, err
	}
	o.g.nodes[y].whole = true
	step := o.step(&tensor{shape: []int{n}, val: y})
	both := o.signed(step)
	sums := node{kind: sumNode, name: o.name, in: []int{both}, len: len(leaves), window: max(deepest, 1), c: repeat(1, len(leaves))}
	offset := make([]float64, len(leaves))
	for i, p := range leaves {
		offset[i] = float64(1 - len(p.decisions))
		for k := range sums.window {
			j := int32(-1)
			if k < len(p.decisions) {
				d := p.decisions[k]
				j = int32(number[d.node])
				if d.yes == inverted[number[d.node]] { // 1 − b
					j += int32(n)
					offset[i]++
				}
			}
			sums.index = append(sums.index, j)
		}
	}
	s := &tensor{shape: []int{len(leaves)}, val: o.g.add(sums)}
	if s, err = o.elementwise(offsetNode, s, offset); err != nil {
		return nil, err
	}
	return o.same(o.bijection(o.within(s, float64(1-deepest), 1)), node{kind: reluNode}), nil
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
	f, err := o.forest("target")
	if err != nil {
		return err
	}
	aggregate := o.string("aggregate_function", "SUM")
	if aggregate != "SUM" && aggregate != "AVERAGE" {
		return fmt.Errorf("aggregate_function %s is not supported; use SUM or AVERAGE", aggregate)
	}
	base, err := o.reals("base_values")
	if err != nil {
		return err
	}
	if t, err = o.trees(t, f, o.int("n_targets", 1), base, aggregate == "AVERAGE"); err != nil {
		return err
	}
	if t, err = o.transformed(t); err != nil {
		return err
	}
	return o.set(t)
}

// treeClassifier lowers TreeEnsembleClassifier. An ensemble for two classes may
// vote for one of them only: then the scores are s and −s, or 1 − s where all
// votes are positive.
func (o *operator) treeClassifier() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	f, err := o.forest("class")
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
	if ids = slices.Compact(ids); count == 2 && len(ids) == 1 {
		base, err = f.mirror(base)
	}
	if err != nil {
		return err
	}
	if t, err = o.trees(t, f, count, base, false); err != nil {
		return err
	}
	scores, err := o.transformed(t)
	if err != nil {
		return err
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
	return o.after(t, Post{Op: PostArgMax, Outer: 1, Count: count, Inner: 1}, []int{}, true)
}

// mirror turns votes for one of two classes into votes for both.
func (f *forest) mirror(base []float64) ([]float64, error) {
	positive := true
	for _, n := range f.nodes {
		for _, v := range n.votes {
			positive = positive && v.weight >= 0
		}
	}
	start := 0.0
	switch len(base) {
	case 0:
	case 1:
		start = base[0]
	case 2:
		start = base[1]
	default:
		return nil, fmt.Errorf("%d base values for two classes", len(base))
	}
	for i := range f.nodes {
		var both []vote
		for _, v := range f.nodes[i].votes {
			both = append(both, vote{1, v.weight}, vote{0, -v.weight})
		}
		f.nodes[i].votes = both
	}
	if positive {
		return []float64{1 - start, start}, nil
	}
	return []float64{-start, start}, nil
}

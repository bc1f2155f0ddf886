package model

import (
	"errors"
	"fmt"
	"slices"
)

// The trees that a file holds.

// A branch is an inner node of a tree, or a leaf.
type branch struct {
	leaf     bool
	sign     float64 // of what is compared: [sign·(x − value) ≥ 0],
	inverted bool    // or not that,
	equal    bool    // or that for both signs
	feature  int
	value    float64 // threshold
	yes, no  int     // nodes
	votes    []vote  // of a leaf
	steps    []int32 // its comparisons, whose sum,
	least    float64 // with this number, is 1 or 0
}

// A vote is what a leaf adds to a result.
type vote struct {
	target int
	weight float64
}

// A path is a leaf with the decisions that lead to it.
type path struct {
	root      int
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
	nodes   []branch
	roots   []int
	leaves  []path
	reached *tensor // 1 for the leaf of every tree, else 0
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
// is a tensor of doubles, or of an attribute that is a tensor.
func (o *operator) reals(name string) ([]float64, error) {
	for _, a := range []string{name + "_as_tensor", name} {
		if a := o.attrs[a]; a != nil && a.T != nil {
			c, err := o.decode(a.T)
			if err != nil {
				return nil, err
			}
			return c.floats()
		}
	}
	return o.list(name), nil
}

// modes are the names of the comparisons, in the order of their numbers.
var modes = []string{"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"}

// compares sets how b compares: x ≤ t is t − x ≥ 0, and x < t is not x − t ≥ 0.
func (b *branch) compares(mode string) error {
	switch mode {
	case "BRANCH_LEQ":
		b.sign = -1
	case "BRANCH_GT":
		b.sign, b.inverted = -1, true
	case "BRANCH_GTE":
		b.sign = 1
	case "BRANCH_LT":
		b.sign, b.inverted = 1, true
	case "BRANCH_EQ":
		b.sign, b.equal = 1, true
	case "BRANCH_NEQ":
		b.sign, b.equal, b.inverted = 1, true, true
	default:
		return fmt.Errorf("nodes of mode %.40s are not supported; export trees that compare with one number", mode)
	}
	return nil
}

// small returns a whole number of the file as an index, which is −1 if it is none.
func small(v int64) int { return int(min(max(v, -1), maxTensor)) }

var errNodes = fmt.Errorf("its lists of nodes have different lengths, or more than %d nodes", maxLeaves)

// forest reads trees for rows t; votes are in attributes called vote_….
func (o *operator) forest(votes string, t *tensor) (*forest, error) {
	if len(t.shape) != 1 {
		return nil, fmt.Errorf("rows of shape %v are not lists of features", t.shape)
	}
	trees, ids, modes := o.integers("nodes_treeids"), o.integers("nodes_nodeids"), o.names("nodes_modes")
	yes, no, features := o.integers("nodes_truenodeids"), o.integers("nodes_falsenodeids"), o.integers("nodes_featureids")
	values, err := o.reals("nodes_values")
	if err != nil {
		return nil, err
	}
	n := len(ids)
	if n == 0 || n > maxLeaves || len(trees) != n || len(yes) != n || len(no) != n || len(features) != n || len(modes) != n || len(values) != n {
		return nil, errNodes
	}
	type key struct{ tree, id int64 }
	at := map[key]int{}
	for i := range ids {
		if _, twice := at[key{trees[i], ids[i]}]; twice {
			return nil, fmt.Errorf("tree %d has two nodes %d", trees[i], ids[i])
		}
		at[key{trees[i], ids[i]}] = i
	}
	f := &forest{nodes: make([]branch, n)}
	for i := range f.nodes {
		b := branch{leaf: modes[i] == "LEAF", feature: small(features[i]), value: values[i]}
		if !b.leaf {
			var ok, too bool
			b.yes, ok = at[key{trees[i], yes[i]}]
			b.no, too = at[key{trees[i], no[i]}]
			if !ok || !too {
				return nil, fmt.Errorf("node %d of tree %d leads nowhere", ids[i], trees[i])
			}
			if err := b.compares(modes[i]); err != nil {
				return nil, err
			}
		}
		f.nodes[i] = b
	}
	if err := f.plant(trees); err != nil {
		return nil, err
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
		if !ok || !f.nodes[leaf].leaf {
			return nil, fmt.Errorf("leaf %d of tree %d does not exist", id[i], tree[i])
		}
		f.nodes[leaf].votes = append(f.nodes[leaf].votes, vote{small(target[i]), weight[i]})
	}
	return f, o.grow(t, f)
}

// plant finds the root of every tree. A node belongs to one other, so that there
// are no cycles.
func (f *forest) plant(trees []int64) error {
	parents := make([]int, len(f.nodes))
	for _, b := range f.nodes {
		if !b.leaf {
			parents[b.yes]++
			parents[b.no]++
		}
	}
	rooted := map[int64]bool{}
	for i, tree := range trees {
		switch {
		case parents[i] > 1:
			return fmt.Errorf("two ways lead to one node of tree %d", tree)
		case parents[i] == 0 && rooted[tree]:
			return fmt.Errorf("tree %d has two roots", tree)
		case parents[i] == 0:
			rooted[tree] = true
			f.roots = append(f.roots, i)
		}
	}
	for _, tree := range trees {
		if !rooted[tree] {
			return fmt.Errorf("tree %d is a cycle", tree)
		}
	}
	return nil
}

// ensemble reads the trees of TreeEnsemble for rows t.
func (o *operator) ensemble(t *tensor) (*forest, error) {
	if len(t.shape) != 1 {
		return nil, fmt.Errorf("rows of shape %v are not lists of features", t.shape)
	}
	features := o.integers("nodes_featureids")
	next := [2][]int64{o.integers("nodes_truenodeids"), o.integers("nodes_falsenodeids")}
	leaf := [2][]int64{o.integers("nodes_trueleafs"), o.integers("nodes_falseleafs")}
	values, err := o.reals("nodes_splits")
	if err != nil {
		return nil, err
	}
	kinds, err := o.reals("nodes_modes")
	if err != nil {
		return nil, err
	}
	weights, err := o.reals("leaf_weights")
	if err != nil {
		return nil, err
	}
	n, targets := len(features), o.integers("leaf_targetids")
	if n == 0 || n > maxLeaves || len(values) != n || len(kinds) != n || len(weights) != len(targets) ||
		slices.ContainsFunc([][]int64{next[0], next[1], leaf[0], leaf[1]}, func(v []int64) bool { return len(v) != n }) {
		return nil, errNodes
	}
	f := &forest{nodes: make([]branch, n)}
	for i := range n {
		b := branch{feature: small(features[i]), value: values[i]}
		mode := fmt.Sprint(kinds[i])
		if k := int(kinds[i]); k >= 0 && k < len(modes) {
			mode = modes[k]
		}
		if err := b.compares(mode); err != nil {
			return nil, err
		}
		for side, to := range []*int{&b.yes, &b.no} {
			limit := n
			if leaf[side][i] != 0 {
				limit = len(targets)
			}
			if *to = small(next[side][i]); *to < 0 || *to >= limit {
				return nil, fmt.Errorf("node %d leads nowhere", i)
			}
			if leaf[side][i] != 0 { // every way to a leaf has its own
				f.nodes = append(f.nodes, branch{leaf: true, votes: []vote{{small(targets[*to]), weights[*to]}}})
				*to = len(f.nodes) - 1
			}
		}
		f.nodes[i] = b
	}
	for _, r := range o.integers("tree_roots") {
		if f.roots = append(f.roots, small(r)); r < 0 || r >= int64(n) {
			return nil, fmt.Errorf("root %d does not exist", r)
		}
	}
	if len(f.roots) == 0 {
		return nil, errors.New("it has no roots")
	}
	return f, o.grow(t, f)
}

// maxDepth bounds trees: what a path counts up to.
const maxDepth = 1 << 10

// grow lists the leaves of all trees, and adds which of them rows t reach.
func (o *operator) grow(t *tensor, f *forest) (err error) {
	for i, root := range f.roots {
		if err := f.walk(i, root, nil); err != nil {
			return err
		}
	}
	f.reached, err = o.reached(t, f)
	return err
}

func (f *forest) walk(root, i int, before []decision) error {
	if len(before) > maxDepth || len(f.leaves) >= maxLeaves {
		return fmt.Errorf("a tree is deeper than %d, or all have more than %d leaves, or there is a cycle", maxDepth, maxLeaves)
	}
	b := f.nodes[i]
	if b.leaf {
		f.leaves = append(f.leaves, path{root, slices.Clone(before), b.votes})
		return nil
	}
	if err := f.walk(root, b.yes, append(before, decision{i, true})); err != nil {
		return err
	}
	return f.walk(root, b.no, append(before, decision{i, false}))
}

// inner returns the inner nodes on the way to leaves, each of them once.
func (f *forest) inner() []int {
	var list []int
	seen := map[int]bool{}
	for _, p := range f.leaves {
		for _, d := range p.decisions {
			if !seen[d.node] {
				seen[d.node] = true
				list = append(list, d.node)
			}
		}
	}
	return list
}

// mirrored returns f with votes for one of two classes as votes against the other.
// The leaves that are reached are the same.
func (f *forest) mirrored() *forest {
	z := *f
	z.leaves = slices.Clone(f.leaves)
	for i, p := range f.leaves {
		z.leaves[i].votes = nil
		for _, v := range p.votes {
			z.leaves[i].votes = append(z.leaves[i].votes, vote{1, v.weight}, vote{0, -v.weight})
		}
	}
	return &z
}

// positive reports that no vote is negative: votes are probabilities then.
func (f *forest) positive() bool {
	for _, p := range f.leaves {
		for _, v := range p.votes {
			if v.weight < 0 {
				return false
			}
		}
	}
	return true
}

// start returns the base values of mirrored votes.
func (f *forest) start(base []float64) []float64 {
	s := 0.0
	if len(base) > 0 {
		s = base[0]
	}
	if f.positive() {
		return []float64{1 - s, s}
	}
	return []float64{-s, s}
}

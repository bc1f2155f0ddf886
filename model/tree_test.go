package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// strings adds an attribute of strings to the last node.
func (b *netBuilder) strings(name string, v []string) *netBuilder {
	a := &onnx.AttributeProto{Name: proto.String(name)}
	for _, s := range v {
		a.Strings = append(a.Strings, []byte(s))
	}
	n := b.m.Graph.Node[len(b.m.Graph.Node)-1]
	n.Attribute = append(n.Attribute, a)
	return b
}

// A grove is a random ensemble, as a file lists it, and as it is computed.
type grove struct {
	a     attrs
	modes []string
	f     func(x []float32) float64
}

// plantGrove draws trees that compare 4 features with numbers of few digits.
func plantGrove(rng *rand.Rand, trees int) *grove {
	g := &grove{a: attrs{}}
	lists := map[string][]int64{}
	add := func(name string, v int64) { lists[name] = append(lists[name], v) }
	var values, weights []float32
	var all []func(x []float32) float64
	for tree := range trees {
		next := int64(0)
		var grow func(depth int) (int64, func(x []float32) float64)
		grow = func(depth int) (int64, func(x []float32) float64) {
			id := next
			next++
			if depth == 0 || rng.IntN(4) == 0 {
				w := float32(rng.NormFloat64())
				add("nodes_treeids", int64(tree))
				add("nodes_nodeids", id)
				add("nodes_truenodeids", 0)
				add("nodes_falsenodeids", 0)
				add("nodes_featureids", 0)
				g.modes, values = append(g.modes, "LEAF"), append(values, 0)
				add("target_treeids", int64(tree))
				add("target_nodeids", id)
				add("target_ids", 0)
				weights = append(weights, w)
				return id, func([]float32) float64 { return float64(w) }
			}
			yes, left := grow(depth - 1)
			no, right := grow(depth - 1)
			feature, at, mode := rng.IntN(4), float32(rng.IntN(9)-4)/2, rng.IntN(len(modes))
			add("nodes_treeids", int64(tree))
			add("nodes_nodeids", id)
			add("nodes_truenodeids", yes)
			add("nodes_falsenodeids", no)
			add("nodes_featureids", int64(feature))
			g.modes, values = append(g.modes, modes[mode]), append(values, at)
			return id, func(x []float32) float64 {
				v := x[feature]
				if []bool{v <= at, v < at, v >= at, v > at, v == at, v != at}[mode] {
					return left(x)
				}
				return right(x)
			}
		}
		_, f := grow(4)
		all = append(all, f)
	}
	for name, v := range lists {
		g.a[name] = v
	}
	g.a["nodes_values"], g.a["target_weights"], g.a["n_targets"] = values, weights, 1
	g.f = func(x []float32) float64 {
		s := 0.0
		for _, f := range all {
			s += f(x)
		}
		return s
	}
	return g
}

// TestRandomTrees compares ensembles, of all comparisons and nodes in any order,
// with walks down the trees, on rows that often meet thresholds exactly: directly,
// behind a scaler, and behind a layer. All engines take the same way.
func TestRandomTrees(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 12))
		g := plantGrove(rng, 1+rng.IntN(5))
		x := make([]float32, 16*4)
		for i := range x {
			x[i] = float32(rng.IntN(17)-8) / 4
		}
		var want []float32
		for i := range 16 {
			want = append(want, float32(g.f(x[4*i:][:4])))
		}
		for _, before := range []string{"", "Scaler", "MatMul", "Relu"} {
			b := newNet(15, 0, 4)
			in, rows := "x", x
			switch before {
			case "Scaler": // (x + 3)·(1/3, −7, 0.1, 1000) and back
				scale, offset := []float32{1. / 3, -7, 0.1, 1000}, []float32{-3, -3, -3, -3}
				b.classicalNode("Scaler", []string{"s"}, []string{"x"}, attrs{"offset": offset, "scale": scale})
				back, zero := []float32{3, -1. / 7, 10, 0.001}, []float32{1, -21, 0.3, 3000}
				b.classicalNode("Scaler", []string{"r"}, []string{"s"}, attrs{"offset": zero, "scale": back})
				in = "r"
				rows = append([]float32(nil), x...) // none on a threshold: real numbers round, too
				for i := range rows {
					rows[i] += 0.125
				}
				want = nil
				for i := range 16 {
					want = append(want, float32(g.f(rows[4*i:][:4])))
				}
			case "MatMul", "Relu": // a permutation and an offset of 4
				b.floats("w", []int64{4, 4}, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0).node("MatMul", "m", []string{"x", "w"}, nil)
				in = "m"
				if before == "Relu" {
					b.floats("c", nil, 4).node("Add", "a", []string{"m", "c"}, nil).node("Relu", "p", []string{"a"}, nil).node("Sub", "q", []string{"p", "c"}, nil)
					in = "q"
				}
				rows, want = x, nil
				for i := range 16 {
					v := x[4*i:][:4]
					want = append(want, float32(g.f([]float32{v[3], v[0], v[1], v[2]})))
				}
			}
			b.classicalNode("TreeEnsembleRegressor", []string{"y"}, []string{in}, g.a).strings("nodes_modes", g.modes)
			net := b.load(t)
			checkNear(t, net, rows, want, 1e-5)
			lo, hi := -4.0, 4.0
			m, err := Compile(net, Options{InputLo: &lo, InputHi: &hi})
			if err != nil {
				t.Fatal(err)
			}
			if before != "Relu" && m.Manifest.UlpBound(7) > 4 {
				t.Errorf("seed %d %s: the bound is %d ulp: the ways down the trees are not exact", seed, before, m.Manifest.UlpBound(7))
			}
			checkPrivate(t, m, rows, rng)
			e, err := m.Manifest.Encode(rows)
			if err != nil {
				t.Fatal(err)
			}
			y, err := m.Eval(e, 16)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range m.Manifest.Decode(y) {
				if before != "Relu" && math.Abs(float64(v-want[i])) > 1e-2 {
					t.Errorf("seed %d %q: row %d is %v, want %v", seed, before, i, v, want[i])
				}
			}
		}
	}
}

// TestMalformedTrees asserts that what is not a forest is refused.
func TestMalformedTrees(t *testing.T) {
	for want, c := range map[string]struct {
		yes, no, trees []int64
		modes          []string
		feature, leaf  int64
	}{
		"two ways lead to one": {[]int64{1, 0, 0}, []int64{1, 0, 0}, []int64{0, 0, 0}, []string{"BRANCH_LEQ", "LEAF", "LEAF"}, 0, 1},
		"is a cycle":           {[]int64{2, 0, 0, 0}, []int64{1, 0, 3, 0}, []int64{0, 0, 0, 0}, []string{"BRANCH_LEQ", "LEAF", "BRANCH_GT", "LEAF"}, 0, 1},
		"leads nowhere":        {[]int64{1, 0, 0}, []int64{7, 0, 0}, []int64{0, 0, 0}, []string{"BRANCH_LEQ", "LEAF", "LEAF"}, 0, 1},
		"has two roots":        {[]int64{1, 0, 0, 0}, []int64{2, 0, 0, 0}, []int64{0, 0, 0, 0}, []string{"BRANCH_LEQ", "LEAF", "LEAF", "LEAF"}, 0, 1},
		"BRANCH_MEMBER":        {[]int64{1, 0, 0}, []int64{2, 0, 0}, []int64{0, 0, 0}, []string{"BRANCH_MEMBER", "LEAF", "LEAF"}, 0, 1},
		"compares feature 9":   {[]int64{1, 0, 0}, []int64{2, 0, 0}, []int64{0, 0, 0}, []string{"BRANCH_LEQ", "LEAF", "LEAF"}, 9, 1},
		"leaf 0 of tree 0":     {[]int64{1, 0, 0}, []int64{2, 0, 0}, []int64{0, 0, 0}, []string{"BRANCH_LEQ", "LEAF", "LEAF"}, 0, 0},
		"different lengths":    {[]int64{1, 0}, []int64{2, 0, 0}, []int64{0, 0, 0}, []string{"BRANCH_LEQ", "LEAF", "LEAF"}, 0, 1},
	} {
		n := len(c.trees)
		features := make([]int64, n)
		features[0] = c.feature
		ids := make([]int64, n)
		for i := range ids {
			ids[i] = int64(i)
		}
		a := attrs{"nodes_treeids": c.trees, "nodes_nodeids": ids, "nodes_truenodeids": c.yes, "nodes_falsenodeids": c.no, "nodes_featureids": features,
			"nodes_values": make([]float32, n), "target_treeids": []int64{0}, "target_nodeids": []int64{c.leaf}, "target_ids": []int64{0}, "target_weights": []float32{1}}
		b := newNet(15, 0, 4).classicalNode("TreeEnsembleRegressor", []string{"y"}, []string{"x"}, a).strings("nodes_modes", c.modes)
		if _, err := Load(b.bytes("y")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %q", err, want)
		}
	}
}

// TestTreeEnsemble runs the operator that says by number what others say by name.
func TestTreeEnsemble(t *testing.T) {
	tensor := func(v ...float32) *onnx.TensorProto {
		return &onnx.TensorProto{Dims: []int64{int64(len(v))}, DataType: proto.Int32(int32(onnx.TensorProto_FLOAT)), FloatData: v}
	}
	kinds := &onnx.TensorProto{Dims: []int64{2}, DataType: proto.Int32(int32(onnx.TensorProto_UINT8)), RawData: []byte{0, 3}}
	a := attrs{"nodes_featureids": []int64{0, 2}, "nodes_truenodeids": []int64{1, 1}, "nodes_falsenodeids": []int64{0, 2}, "nodes_trueleafs": []int64{0, 1}, "nodes_falseleafs": []int64{1, 1},
		"nodes_splits": tensor(1, 2), "nodes_modes": kinds, "leaf_targetids": []int64{0, 1, 0}, "leaf_weights": tensor(5, 6, 7), "tree_roots": []int64{0}, "n_targets": 2}
	for _, c := range []struct{ x, want []float32 }{{[]float32{1, 0, 3, 0}, []float32{0, 6}}, {[]float32{1, 0, 2, 0}, []float32{7, 0}}, {[]float32{2, 0, 3, 0}, []float32{5, 0}}} {
		checkHand(t, newNet(15, 0, 4).classicalNode("TreeEnsemble", []string{"y"}, []string{"x"}, a), c.x, c.want)
	}
}

// TestTwoClasses asserts what votes for one of two classes mean.
func TestTwoClasses(t *testing.T) {
	for _, c := range []struct {
		id     int64
		w      []float32
		base   []float32
		post   string
		scores []float32
		label  float32
	}{
		{0, []float32{0.5, -1}, nil, "NONE", []float32{-0.5, 0.5}, 1},
		{0, []float32{0.5, -1}, []float32{-2}, "LOGISTIC", []float32{sig(1.5), sig(-1.5)}, 0},
		{0, []float32{0.5, -1}, nil, "SOFTMAX", []float32{-0.5, 0.5}, 1},
		{0, []float32{0.75, 1}, nil, "LOGISTIC", []float32{0.25, 0.75}, 1},
		{1, []float32{0.5, -1}, nil, "LOGISTIC", []float32{0.5, sig(0.5)}, 1},
		{1, []float32{0.25, 1}, nil, "NONE", []float32{0, 0.25}, 0},
	} {
		a := attrs{"nodes_treeids": []int64{0, 0, 0}, "nodes_nodeids": []int64{0, 1, 2}, "nodes_truenodeids": []int64{1, 0, 0}, "nodes_falsenodeids": []int64{2, 0, 0}, "nodes_featureids": []int64{1, 0, 0},
			"nodes_values": []float32{-2, 0, 0}, "class_treeids": []int64{0, 0}, "class_nodeids": []int64{1, 2}, "class_ids": []int64{c.id, c.id}, "class_weights": c.w, "classlabels_int64s": []int64{0, 1}, "post_transform": c.post}
		if c.base != nil {
			a["base_values"] = c.base
		}
		for i, want := range [][]float32{{c.label}, c.scores} {
			out := []string{"l", "p"}
			out[i] = "y"
			b := newNet(15, 0, 4).classicalNode("TreeEnsembleClassifier", out, []string{"x"}, a).strings("nodes_modes", []string{"BRANCH_LEQ", "LEAF", "LEAF"})
			checkHand(t, b, []float32{1, -2, 3, -4}, want)
		}
	}
}

// TestSupportVectors compares every kernel with a direct computation.
func TestSupportVectors(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	vectors, x := randoms(rng, 5*4, 1), randoms(rng, 8*4, 1)
	params := []float32{0.3, 0.5, 3}
	for name, k := range map[string]func(dot, distance float64) float64{
		"LINEAR":  func(dot, _ float64) float64 { return dot },
		"POLY":    func(dot, _ float64) float64 { return math.Pow(0.3*dot+0.5, 3) },
		"RBF":     func(_, distance float64) float64 { return math.Exp(-0.3 * distance) },
		"SIGMOID": func(dot, _ float64) float64 { return math.Tanh(0.3*dot + 0.5) },
	} {
		kernels := func(row []float32) []float64 {
			z := make([]float64, 5)
			for s := range z {
				dot, distance := 0.0, 0.0
				for i, v := range row {
					u := float64(vectors[4*s+i])
					dot, distance = dot+u*float64(v), distance+(u-float64(v))*(u-float64(v))
				}
				z[s] = k(dot, distance)
			}
			return z
		}
		a := attrs{"kernel_type": name, "kernel_params": params, "support_vectors": vectors}
		regressor := attrs{"coefficients": []float32{1, -0.5, 0.25, 2, -1}, "rho": []float32{0.1}, "n_supports": 5}
		pair := attrs{"coefficients": []float32{1, -0.5, 0.25, 2, -1}, "rho": []float32{0.1}, "vectors_per_class": []int64{2, 3}, "classlabels_ints": []int64{0, 1}}
		three := attrs{"coefficients": []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, "rho": []float32{0.1, 0.2, 0.3}, "vectors_per_class": []int64{2, 1, 2}, "classlabels_ints": []int64{0, 1, 2}}
		var sum, both, pairs []float32
		for i := range 8 {
			z := kernels(x[4*i:][:4])
			s := z[0] - 0.5*z[1] + 0.25*z[2] + 2*z[3] - z[4] + 0.1
			sum, both = append(sum, float32(s)), append(both, float32(-s), float32(s))
			pairs = append(pairs, float32(z[0]+2*z[1]+3*z[2]+0.1), float32(6*z[0]+7*z[1]+4*z[3]+5*z[4]+0.2), float32(8*z[2]+9*z[3]+10*z[4]+0.3))
		}
		for op, c := range map[string]struct {
			more attrs
			want []float32
		}{"SVMRegressor": {regressor, sum}, "SVMClassifier": {pair, both}, "SVMClassifier of three": {three, pairs}} {
			t.Run(fmt.Sprint(name, op), func(t *testing.T) {
				all, out := attrs{}, []string{"l", "y"}
				for _, from := range []attrs{a, c.more} {
					for k, v := range from {
						all[k] = v
					}
				}
				kind, _, _ := strings.Cut(op, " ")
				if kind == "SVMRegressor" {
					out = out[1:]
				}
				g := newNet(15, 0, 4).classicalNode(kind, out, []string{"x"}, all).load(t)
				checkNear(t, g, x, c.want, 1e-5)
				lo, hi := -4.0, 4.0
				m, err := Compile(g, Options{InputLo: &lo, InputHi: &hi})
				if err != nil {
					t.Fatal(err)
				}
				checkPrivate(t, m, x, rng)
				checkReal(t, m, g, x)
			})
		}
	}
}

package model

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// classicalNode adds a node of ai.onnx.ml with several outputs.
func (b *netBuilder) classicalNode(op string, out []string, in []string, a attrs) *netBuilder {
	b.node(op, out[0], in, a)
	n := b.m.Graph.Node[len(b.m.Graph.Node)-1]
	n.Domain, n.Output = proto.String("ai.onnx.ml"), out
	return b
}

// TestClassicalModels runs the linear models of scikit-learn.
func TestClassicalModels(t *testing.T) {
	row := []float32{1, -2, 3, -4}
	w := []float32{1, 0, 0.5, 0, 0, -1, 0, 0.25, 0.125, 0, 0, 1} // scores 2.5, 1, −3.875
	exp := func(v float64) float32 { return float32(math.Exp(v)) }
	sum := exp(3) + exp(1) + exp(-3.875)
	classifier := attrs{"coefficients": w, "intercepts": []float32{0.5, 0, 0}, "classlabels_ints": []int64{0, 1, 2}}
	transform := func(kind string) attrs {
		a := attrs{"post_transform": kind}
		for k, v := range classifier {
			a[k] = v
		}
		return a
	}
	total := sig(3) + sig(1) + sig(-3.875)
	for _, c := range []struct {
		name  string
		build func(*netBuilder)
		want  []float32
	}{
		{"regressor", func(b *netBuilder) {
			b.classicalNode("LinearRegressor", []string{"y"}, []string{"x"}, attrs{"coefficients": w[:4], "intercepts": []float32{1}})
		}, []float32{3.5}},
		{"targets", func(b *netBuilder) {
			b.classicalNode("LinearRegressor", []string{"y"}, []string{"x"}, attrs{"coefficients": w, "targets": 3})
		}, []float32{2.5, 1, -3.875}},
		{"scores", func(b *netBuilder) {
			b.classicalNode("LinearClassifier", []string{"l", "y"}, []string{"x"}, classifier)
		}, []float32{3, 1, -3.875}},
		{"softmax", func(b *netBuilder) {
			b.classicalNode("LinearClassifier", []string{"l", "p"}, []string{"x"}, transform("SOFTMAX")).classicalNode("ZipMap", []string{"y"}, []string{"p"}, nil)
		}, []float32{exp(3) / sum, exp(1) / sum, exp(-3.875) / sum}},
		{"one against the rest", func(b *netBuilder) {
			b.classicalNode("LinearClassifier", []string{"l", "p"}, []string{"x"}, transform("LOGISTIC"))
			b.classicalNode("Normalizer", []string{"y"}, []string{"p"}, attrs{"norm": "L1"})
		}, []float32{sig(3) / total, sig(1) / total, sig(-3.875) / total}},
		{"label", func(b *netBuilder) {
			b.classicalNode("LinearClassifier", []string{"y", "p"}, []string{"x"}, transform("SOFTMAX"))
		}, []float32{0}},
		{"support vectors", func(b *netBuilder) {
			b.classicalNode("SVMRegressor", []string{"y"}, []string{"x"}, attrs{"coefficients": []float32{2, -1, 0.5}, "support_vectors": w, "n_supports": 3, "rho": []float32{-1}, "kernel_type": "LINEAR"})
		}, []float32{2*2.5 - 1 - 3.875/2 - 1}},
		{"linear support vector regression", func(b *netBuilder) {
			b.classicalNode("SVMRegressor", []string{"y"}, []string{"x"}, attrs{"coefficients": w[:4], "rho": []float32{0.5}})
		}, []float32{3}},
		{"norm 2", func(b *netBuilder) {
			b.classicalNode("Normalizer", []string{"y"}, []string{"x"}, attrs{"norm": "L2"})
		}, []float32{1 / float32(math.Sqrt(30)), -2 / float32(math.Sqrt(30)), 3 / float32(math.Sqrt(30)), -4 / float32(math.Sqrt(30))}},
		{"largest", func(b *netBuilder) {
			b.classicalNode("Normalizer", []string{"y"}, []string{"x"}, nil)
		}, []float32{1. / 3, -2. / 3, 1, -4. / 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newNet(15, 0, 4)
			c.build(b)
			checkHand(t, b, row, c.want)
		})
	}
}

// TestClassicalRefusals checks that a classical model that cannot run says why.
func TestClassicalRefusals(t *testing.T) {
	for want, n := range map[string]struct {
		op string
		a  attrs
	}{
		"post_transform PROBIT":      {"LinearRegressor", attrs{"coefficients": []float32{1, 2, 3, 4}, "post_transform": "PROBIT"}},
		"3 coefficients":             {"LinearRegressor", attrs{"coefficients": []float32{1, 2, 3}}},
		"kernel RBF":                 {"SVMRegressor", attrs{"coefficients": []float32{1, 2, 3, 4}, "kernel_type": "RBF"}},
		"one function for two":       {"LinearClassifier", attrs{"coefficients": []float32{1, 2, 3, 4}, "classlabels_ints": []int64{0, 1}}},
		"use LinearSVC":              {"SVMClassifier", nil},
		"2 functions for 3 classes":  {"LinearClassifier", attrs{"coefficients": make([]float32, 8), "classlabels_ints": []int64{0, 1, 2}}},
		`norm "L3" of rows of shape`: {"Normalizer", attrs{"norm": "L3"}},
	} {
		_, err := Load(newNet(15, 0, 4).classicalNode(n.op, []string{"y"}, []string{"x"}, n.a).bytes("y"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %q", err, want)
		}
	}
	names := &onnx.AttributeProto{Name: proto.String("classlabels_strings"), Strings: [][]byte{[]byte("cat"), []byte("dog")}}
	b := newNet(15, 0, 4).classicalNode("LinearClassifier", []string{"l", "y"}, []string{"x"}, attrs{"coefficients": make([]float32, 8)})
	b.m.Graph.Node[0].Attribute = append(b.m.Graph.Node[0].Attribute, names)
	b.load(t) // the scores are there; names of classes are not numbers
	if _, err := Load(b.bytes("l")); err == nil {
		t.Error("a name of a class was computed")
	}
}

package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestLayersOfOneTensorAreMerged compares a network whose layers read the same
// tensor before and after they were merged.
func TestLayersOfOneTensorAreMerged(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	b := newNet(13, 0, 4, 6)
	for i, name := range []string{"q", "k", "v"} {
		b.floats(name+"w", []int64{6, int64(i + 2)}, randoms(rng, 6*(i+2), 1)...)
		b.node("MatMul", name, []string{"x", name + "w"}, nil)
	}
	b.floats("far", []int64{6, 2}, randoms(rng, 12, 100)...).node("MatMul", "f", []string{"x", "far"}, nil)
	b.node("Relu", "r", []string{"k"}, nil)
	b.node("Concat", "y", []string{"q", "r", "v", "f"}, attrs{"axis": 2})
	g := b.load(t)
	f := g.fold()
	layers := 0
	for _, n := range f.nodes {
		if n.kind == linearNode {
			layers++
		}
	}
	if layers != 2 {
		t.Errorf("%d layers, want one of q, k and v, and one with weights too large to join", layers)
	}
	rows := make([]float32, 3*24)
	for i := range rows {
		rows[i] = float32(rng.NormFloat64())
	}
	want, err := g.Raw(rows)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Raw(rows)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-9 {
			t.Fatalf("element %d is %v, was %v", i, got[i], want[i])
		}
	}
	m, err := Compile(g, Options{})
	if err != nil {
		t.Fatal(err)
	}
	checkPrivate(t, m, rows, rng)
}

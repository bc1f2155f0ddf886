package bench

import (
	"slices"
	"testing"
)

func TestNetsHaveTheStatedSize(t *testing.T) {
	weights := map[string]int{"mlp": 118_016, "cnn-b": 400 + 6400 + 25_600 + 1000, "lenet": 500 + 25_000 + 400_000 + 5000}
	for _, n := range append(slices.Clone(Nets()), Dense(3, 20)) {
		if testing.Short() && n.Name == "relu500k" {
			continue
		}
		m, err := n.Model()
		if err != nil {
			t.Fatal(err)
		}
		p := &m.Manifest.Program
		if got := p.Comparisons(); got != n.Comparisons {
			t.Errorf("%s has %d comparisons, want %d", n.Name, got, n.Comparisons)
		}
		var got int
		for _, op := range p.Ops {
			if op.Conv != nil {
				got += op.Conv.WeightLen()
			}
		}
		if want, ok := weights[n.Name]; ok && got != want {
			t.Errorf("%s has %d weights, want %d", n.Name, got, want)
		}
		t.Logf("%s: %d weights, %d comparisons, %d operations, %v", n.Name, got, p.Comparisons(), len(p.Ops), m.Manifest.UlpBound(3))
	}
}

func TestWeightsAreReproducible(t *testing.T) {
	n := Dense(1, 8)
	a, err := n.Model()
	if err != nil {
		t.Fatal(err)
	}
	b, err := n.Model()
	if err != nil {
		t.Fatal(err)
	}
	for i := range a.Params {
		if !slices.Equal(a.Params[i], b.Params[i]) {
			t.Errorf("parameter %d differs", i)
		}
	}
}

func TestRowsEvaluate(t *testing.T) {
	n, err := FindNet("tiny")
	if err != nil {
		t.Fatal(err)
	}
	m, err := n.Model()
	if err != nil {
		t.Fatal(err)
	}
	x, err := m.Manifest.Encode(slices.Concat(Rows(m, 3)...))
	if err != nil {
		t.Fatal(err)
	}
	want, err := m.Eval(x, 3)
	if err != nil {
		t.Fatal(err)
	}
	e, err := m.Evaluator()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := e.Eval(x, 3); err != nil || !slices.Equal(got, want) {
			t.Errorf("the evaluator finds %v, %v, want %v", got, err, want)
		}
	}
	if _, err := e.Eval(x, 2); err == nil {
		t.Error("an odd number of elements is accepted")
	}
}

func TestUnknownNetsAreRefused(t *testing.T) {
	for _, name := range []string{"", "lenet6", "dense-0-3", "dense-4", "dense-4-5-6", "dense-1000-1"} {
		if _, err := FindNet(name); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

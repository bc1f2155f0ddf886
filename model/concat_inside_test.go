package model

import (
	"math"
	"testing"
)

// TestConcatInside joins probabilities with what is no probability, such as the boxes
// of a detector: the parties compute both.
func TestConcatInside(t *testing.T) {
	b := newNet(13, 0, 2).node("Sigmoid", "p", []string{"x"}, nil).floats("c", nil, 2).node("Mul", "box", []string{"p", "c"}, nil).
		node("Concat", "y", []string{"p", "box", "x"}, attrs{"axis": 1})
	got, err := b.load(t).Float([]float32{1, -1})
	if err != nil {
		t.Fatal(err)
	}
	p := 1 / (1 + math.Exp(-1))
	for i, want := range []float64{p, 1 - p, 2 * p, 2 - 2*p, 1, -1} {
		if math.Abs(float64(got[i])-want) > 1e-6 {
			t.Errorf("element %d is %v, want %v", i, got[i], want)
		}
	}
}

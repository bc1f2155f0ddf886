package model

import (
	"math"
	"strings"
	"testing"
)

// TestMasks leaves scores out of a Softmax inside the network, in the ways of exporters.
func TestMasks(t *testing.T) {
	e := float32(math.Exp(-1))
	x, want := []float32{3, 2, 9}, []float32{1 / (1 + e), e / (1 + e), 0}
	for _, large := range []float32{-1e9, float32(math.Inf(-1)), -math.MaxFloat32, -1e4} {
		for name, b := range map[string]*netBuilder{
			"add":   newNet(13, 0, 3).floats("m", []int64{3}, 0, 0, large).node("Add", "s", []string{"x", "m"}, nil),
			"where": newNet(13, 0, 3).floats("m", []int64{1}, large).ints("c", []int64{3}, 1, 1, 0).node("Where", "s", []string{"c", "x", "m"}, nil),
			"reshaped": newNet(13, 0, 3).floats("m", []int64{1}, large).ints("c", []int64{3}, 1, 1, 0).
				ints("to", []int64{2}, 0, 3).node("Where", "w", []string{"c", "x", "m"}, nil).node("Reshape", "s", []string{"w", "to"}, nil),
		} {
			g := b.node("Softmax", "p", []string{"s"}, attrs{"axis": -1}).floats("one", []int64{3, 3}, 1, 0, 0, 0, 1, 0, 0, 0, 1).node("MatMul", "y", []string{"p", "one"}, nil).load(t)
			got, err := g.Float(x)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range want {
				if math.Abs(float64(got[i]-v)) > 1e-6 {
					t.Errorf("%s of %v: %v, want %v", name, large, got, want)
				}
			}
			if _, err := Compile(g, Options{Calibration: [][]float32{x}}); err != nil {
				t.Errorf("%s of %v: %v", name, large, err)
			}
		}
	}
	b := newNet(13, 0, 3).floats("m", []int64{3}, 0, 0, float32(math.Inf(-1))).node("Add", "s", []string{"x", "m"}, nil).
		node("Softmax", "p", []string{"s"}, attrs{"axis": -1}).node("Add", "y", []string{"p", "s"}, nil)
	if _, err := Load(b.bytes("y")); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a mask that is seen outside of a Softmax: %v", err)
	}
}

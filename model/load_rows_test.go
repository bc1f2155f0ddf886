package model

import (
	"slices"
	"strings"
	"testing"
)

// TestMovedRows loads models that put the axis of the rows elsewhere for a while.
func TestMovedRows(t *testing.T) {
	back := func() *netBuilder {
		return newNet(13, 0, 2, 3).floats("w", []int64{3, 1}, 1, 2, 3).node("Transpose", "t", []string{"x"}, attrs{"perm": []int64{1, 0, 2}}).
			node("MatMul", "m", []string{"t", "w"}, nil)
	}
	x := []float32{1, 2, 3, 4, 5, 6}
	for name, c := range map[string]struct {
		b      *netBuilder
		want   []float32
		result []int
	}{
		"there and back": {back().node("Transpose", "y", []string{"m"}, attrs{"perm": []int64{1, 0, 2}}), []float32{14, 32}, []int{2, 1}},
		"reduced":        {back().node("ReduceSum", "y", []string{"m"}, attrs{"axes": []int64{0}, "keepdims": 0}), []float32{46}, []int{1}},
		"flattened": {newNet(13, 0, 2, 3).ints("to", []int64{2}, -1, 3).ints("back", []int64{2}, -1, 2).floats("w", []int64{3, 1}, 1, 2, 3).
			node("Reshape", "f", []string{"x", "to"}, nil).node("MatMul", "m", []string{"f", "w"}, nil).node("Reshape", "y", []string{"m", "back"}, nil),
			[]float32{14, 32}, []int{2}},
	} {
		t.Run(name, func(t *testing.T) {
			g := c.b.load(t)
			checkNetwork(t, g, x, c.want)
			if !slices.Equal(g.Result, c.result) || !slices.Equal(g.Inputs[0].Shape, []int{2, 3}) {
				t.Errorf("shapes %v and %v", g.Inputs[0].Shape, g.Result)
			}
		})
	}
	for name, b := range map[string]*netBuilder{
		"moved":    back().node("Transpose", "y", []string{"m"}, attrs{"perm": []int64{0, 2, 1}}),
		"softmax":  back().node("Softmax", "s", []string{"m"}, attrs{"axis": 1}).node("Transpose", "y", []string{"s"}, attrs{"perm": []int64{1, 0, 2}}),
		"summed":   back().node("ReduceSum", "s", []string{"m"}, attrs{"axes": []int64{1}, "keepdims": 1}).node("Add", "a", []string{"m", "s"}, nil).node("Transpose", "y", []string{"a"}, attrs{"perm": []int64{1, 0, 2}}),
		"exchange": back().ints("to", []int64{3}, -1, 2, 1).node("Reshape", "y", []string{"m", "to"}, nil),
	} {
		if _, err := Load(b.bytes("y")); err == nil || !strings.Contains(err.Error(), "moves the batch axis") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := Load(back().node("Det", "y", []string{"m"}, nil).bytes("y")); err == nil || strings.Contains(err.Error(), "moves") || !strings.Contains(err.Error(), "Det") {
		t.Errorf("the error %v is not of what is unsupported alone", err)
	}
}

// TestClassToken expands a constant to the number of rows, as exporters write it.
func TestClassToken(t *testing.T) {
	for _, rows := range []int64{0, 1} {
		b := newNet(13, rows, 1, 2).floats("token", []int64{1, 1, 2}, 7, 8).ints("zero", []int64{1}, 0).ints("keep", []int64{2}, -1, -1).
			ints("never", []int64{3}, -1, -1, -1).ints("three", []int64{1}, 3).
			node("Shape", "s", []string{"x"}, nil).node("Gather", "n", []string{"s", "zero"}, nil).
			node("Concat", "to", []string{"n", "keep"}, attrs{"axis": 0}).
			node("ConstantOfShape", "zeros", []string{"three"}, nil).node("Cast", "z", []string{"zeros"}, attrs{"to": 7}).
			ints("one", nil, 1).node("Add", "ones", []string{"z", "one"}, nil).
			node("Equal", "same", []string{"to", "never"}, nil).node("Where", "shape", []string{"same", "ones", "to"}, nil).
			node("Expand", "all", []string{"token", "shape"}, nil).node("Concat", "y", []string{"all", "x"}, attrs{"axis": 1})
		g := b.load(t)
		checkNetwork(t, g, []float32{1, 2}, []float32{7, 8, 1, 2})
	}
}

// TestCompareWholes compares the number of rows, where the result does not depend on it.
func TestCompareWholes(t *testing.T) {
	rows := dim{2, true}
	for _, c := range []struct {
		a, b dim
		want int
	}{{dim{n: 3}, dim{n: 4}, -1}, {rows, rows, 0}, {rows, dim{1, true}, 1}, {rows, dim{n: -1}, 1}, {dim{}, rows, -1}} {
		if got, err := c.a.compare(c.b); err != nil || got != c.want {
			t.Errorf("%v and %v: %d, %v", c.a, c.b, got, err)
		}
	}
	for _, b := range []dim{{n: 1}, {n: 8}} {
		if _, err := rows.compare(b); err == nil {
			t.Errorf("%v and %v compare", rows, b)
		}
	}
}

package examples

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestEachExampleIsWhole(t *testing.T) {
	want := map[string]struct {
		rows  int
		shape []int
		right int // rows that floating point classifies as they are labelled
	}{
		"tumour":  {114, []int{30}, 111},
		"digits":  {360, []int{1, 8, 8}, 357},
		"lenet":   {64, []int{1, 28, 28}, 62},
		"fashion": {64, []int{1, 28, 28}, 53},
		"sonar":   {52, []int{1, 60}, 47},
		"credit":  {200, []int{18}, 161},
		"topic":   {200, []int{16, 16}, 162},
	}
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			e, err := Find(name)
			if err != nil {
				t.Fatal(err)
			}
			w := want[name]
			if e.Name != name || e.About == "" {
				t.Errorf("named %q, about %q", e.Name, e.About)
			}
			if len(e.Model) == 0 || len(e.Model) > 300_000 {
				t.Errorf("model has %d bytes", len(e.Model))
			}
			if !slices.Equal(e.Shape, w.shape) {
				t.Errorf("shape %v, want %v", e.Shape, w.shape)
			}
			if len(e.Inputs) != w.rows || len(e.Outputs) != w.rows || len(e.Labels) != w.rows {
				t.Fatalf("%d inputs, %d outputs, %d labels, want %d of each", len(e.Inputs), len(e.Outputs), len(e.Labels), w.rows)
			}
			right := 0
			for i := range e.Inputs {
				if len(e.Inputs[i]) != size(e.Shape) || len(e.Outputs[i]) != len(e.Classes) {
					t.Fatalf("row %d: %d inputs, %d outputs", i, len(e.Inputs[i]), len(e.Outputs[i]))
				}
				if !finite(e.Inputs[i]) || !finite(e.Outputs[i]) {
					t.Errorf("row %d is not finite", i)
				}
				if e.Labels[i] < 0 || e.Labels[i] >= int64(len(e.Classes)) {
					t.Errorf("row %d: label %d", i, e.Labels[i])
				}
				if slices.Index(e.Outputs[i], slices.Max(e.Outputs[i])) == int(e.Labels[i]) {
					right++
				}
			}
			if right != w.right {
				t.Errorf("floating point has %d of %d rows right, want %d", right, w.rows, w.right)
			}
		})
	}
}

func TestAnUnknownExampleSaysWhichThereAre(t *testing.T) {
	_, err := Find("cats")
	if err == nil || !strings.Contains(err.Error(), `"cats"`) || !strings.Contains(err.Error(), "tumour, digits, lenet") {
		t.Errorf("got %v", err)
	}
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func finite(v []float32) bool {
	return !slices.ContainsFunc(v, func(x float32) bool {
		return math.IsNaN(float64(x)) || math.IsInf(float64(x), 0)
	})
}

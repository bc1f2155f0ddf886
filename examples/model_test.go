package examples_test

import (
	"math"
	"slices"
	"testing"

	"github.com/tacit-mpc/tacit/examples"
	"github.com/tacit-mpc/tacit/model"
)

// tolerance is 1/256 in units of logits and of probabilities: what may be lost when
// weights and activations are rounded to 13 or 14 fraction bits, and added up.
const tolerance = 1.0 / 256

// splined is the tolerance of networks with smooth functions inside, which are splines.
var splined = map[string]float64{"topic": 1.0 / 64}

// TestFixedPointAgreesWithFloatingPoint compiles each network, computes all held-out rows
// in the clear, and compares with what PyTorch or scikit-learn computes in floating point.
func TestFixedPointAgreesWithFloatingPoint(t *testing.T) {
	for _, name := range examples.Names() {
		t.Run(name, func(t *testing.T) {
			e, m := compile(t, name)
			if !slices.Equal(m.Manifest.Input.Shape, e.Shape) {
				t.Errorf("input shape %v, want %v", m.Manifest.Input.Shape, e.Shape)
			}
			worst, differ := 0.0, 0
			for i := range e.Inputs {
				x, err := m.Manifest.Encode(e.Inputs[i])
				if err != nil {
					t.Fatal(err)
				}
				out, err := m.Eval(x, 1)
				if err != nil {
					t.Fatal(err)
				}
				y := m.Manifest.Decode(out)
				for k, want := range e.Outputs[i] {
					worst = max(worst, math.Abs(float64(y[k]-want)))
				}
				if class(y) != class(e.Outputs[i]) {
					differ++
				}
			}
			t.Logf("%d fraction bits, largest difference %.2g", m.Manifest.Input.Frac, worst)
			if allowed := max(tolerance, splined[name]); worst > allowed {
				t.Errorf("largest difference %.2g, want at most %.2g", worst, allowed)
			}
			if differ > 0 {
				t.Errorf("%d of %d rows are classified otherwise", differ, len(e.Inputs))
			}
		})
	}
}

// compile returns an example and what the compiler makes of it, as `tacit demo` does.
func compile(t *testing.T, name string) (examples.Example, *model.Model) {
	t.Helper()
	e, err := examples.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	g, err := model.Load(e.Model)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Compile(g, model.Options{Calibration: e.Inputs})
	if err != nil {
		t.Fatal(err)
	}
	return e, m
}

// class returns the index of the largest element.
func class(y []float32) int { return slices.Index(y, slices.Max(y)) }

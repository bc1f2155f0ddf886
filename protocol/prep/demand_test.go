package prep_test

import (
	"testing"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/compare"
	"github.com/tacit-mpc/tacit/protocol/prep"
)

// TestManifestNamesBackends checks that the names of the ways to compare mean the
// same in a manifest and here, and that both reach the classes.
func TestManifestNamesBackends(t *testing.T) {
	conv := ring.MatMul(1, 2, 2)
	p := model.Program{
		Values: []model.Value{{Len: 2, Width: 20}, {Len: 2, Width: 20}, {Len: 2, Width: 20}},
		Ops: []model.Op{
			{Kind: model.Linear, In: []int{0}, Out: 1, Conv: &conv, Bias: 1},
			{Kind: model.ReLU, In: []int{1}, Out: 2, Bits: 20},
		},
		Params: []model.Param{{Len: 4, Width: 20}, {Len: 2, Width: 20}},
	}
	for name, want := range map[string]compare.Backend{model.Garbled: compare.Garbled, model.Carry: compare.Carry} {
		d := prep.Count(&p, prep.Options(&model.Manifest{Comparison: name, Depth: 4})...)
		if len(d.Layers) != 1 || len(d.Classes) != 1 || d.Classes[0].Backend != want {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

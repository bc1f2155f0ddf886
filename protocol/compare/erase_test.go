package compare

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tacit-mpc/tacit/internal/prg"
)

// secrets returns the vectors of a material, whose memory a request takes over.
func secrets(m *Material) map[string][]uint64 {
	return map[string][]uint64{
		"r": m.r, "r_top": m.rTop, "λ": m.lambda, "λr": m.lambdaR, "λr_top": m.lambdaRTop, "terms": m.terms,
	}
}

// Nothing that a request has spent is left in memory, whether it ends well or in the
// middle, but that of r, in which the result of one inference is. Labels are
// forgotten, too, although their memory is used again.
func TestSpentMaterialIsErased(t *testing.T) {
	for _, class := range []Class{
		{KindReLU, 20, 32, 300, 0, 0, Carry}, {KindStep, 20, 3, 300, 0, 0, Carry}, {KindLift, 20, 32, 300, 0, 0, Carry},
		{KindSpline, 18, 36, 300, 0, 5, Carry}, {KindReLU, 20, 32, 60, 0, 0, Garbled}, {KindSpline, 18, 36, 30, 0, 4, Garbled},
	} {
		for _, fails := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/%v/fails=%v", class.Kind, class.Backend, fails), func(t *testing.T) {
				mats, m := []*Material{noise(t, class, 3, 0, 0)}, alone(t, 3)
				kept := secrets(mats[0])
				if fails {
					m.Close()
				}
				if err := call(m, mats, splineFor(class), make([]uint64, class.N)); (err != nil) != fails {
					t.Fatal(err)
				}
				for name, v := range kept {
					if name == "r" && !fails {
						continue
					}
					if slices.ContainsFunc(v, func(x uint64) bool { return x != 0 }) {
						t.Errorf("%s is left", name)
					}
				}
			})
		}
	}
}

// A request that has sent and got labels forgets them.
func TestLabelsAreErased(t *testing.T) {
	class := Class{KindReLU, 20, 32, 60, 0, 0, Garbled}
	q := begin(KindReLU, alone(t, 3), "test", []*Material{noise(t, class, 3, 0, 0)})
	if _, err := q.relu(make([]uint64, class.N), nil); err != nil {
		t.Fatal(err)
	}
	blocks, own := q.labels.blocks, q.cs
	if len(blocks) == 0 || !slices.ContainsFunc(blocks, func(b prg.Block) bool { return b != prg.Block{} }) {
		t.Fatal("no labels")
	}
	q.end()
	if slices.ContainsFunc(blocks, func(b prg.Block) bool { return b != prg.Block{} }) {
		t.Error("labels are left")
	}
	if own[0].delta != (prg.Block{}) || own[0].seed != [32]byte{} {
		t.Error("Δ or the seed of labels is left")
	}
}

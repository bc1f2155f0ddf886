package infer_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/testnet"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/compare"
	"github.com/tacit-mpc/tacit/protocol/infer"
	"github.com/tacit-mpc/tacit/protocol/prep"
	"github.com/tacit-mpc/tacit/transport"
)

// oneMask is what the masks of one inference of everything take, and less than
// those of two.
const oneMask = 8 * (32 + 48 + 32 + 48 + 12 + 5 + 5 + 3)

// portioned returns a model of everything with its shared weights.
func portioned(t *testing.T, n int) (*model.Model, []*infer.Weights) {
	m := &model.Model{Manifest: manifestOf(*everything())}
	rng := rand.New(rand.NewPCG(8, 8))
	for _, p := range m.Manifest.Program.Params {
		m.Params = append(m.Params, small(rng, p.Len, 8, p.Width))
	}
	return m, deal(t, m, n)
}

// TestPortionsCostWhatIsPlanned makes the masks of a batch in portions: all costs
// are as planned, and the results are right.
func TestPortionsCostWhatIsPlanned(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		for _, fit := range []int64{1, 3} {
			if n == 5 && fit == 1 {
				continue
			}
			t.Run(fmt.Sprintf("n=%d/fit=%d", n, fit), func(t *testing.T) {
				const batch = 7
				m, weights := portioned(t, n)
				memory := prep.MaskMemory(fit * oneMask)
				whole := prep.PlanGenerate(&m.Manifest.Program, n, 0, batch, batch, prep.Comparisons(compare.Carry))
				cut := prep.PlanGenerate(&m.Manifest.Program, n, 0, batch, batch, prep.Comparisons(compare.Carry), memory)
				if cut.HE.Rounds <= whole.HE.Rounds || cut.OT != whole.OT {
					t.Errorf("planned in portions %+v, whole %+v", cut, whole)
				}
				mats := generateWith(t, m, weights, []prep.Option{prep.Comparisons(compare.Carry), memory}, batch)
				x := small(rand.New(rand.NewPCG(9, 9)), batch*32, 512, m.Manifest.Program.Values[0].Width)
				check(t, m, x, predict(t, m, weights, compare.Carry, mats, x), 30)
			})
		}
	}
}

// TestHalfABatchFails ends either half of the preparation in the middle: both
// end, at all parties, and what was handed out before is complete.
func TestHalfABatchFails(t *testing.T) {
	const n, batch = 3, 6
	m, weights := portioned(t, n)
	program := &m.Manifest.Program
	opts := []prep.Option{prep.Comparisons(compare.Carry), prep.MaskMemory(oneMask)}
	demand := prep.Count(program, opts...)
	for _, failing := range []string{"transfers", "masks", "sink"} {
		t.Run(failing, func(t *testing.T) {
			prg.ForgetTweaks() // the tapes are the same again
			testnet.RunPairs(t, n, func(otMesh, heMesh *transport.Mesh) error {
				i := otMesh.Self()
				p, err := prep.NewPreparer(otMesh, heMesh, tape(2, i), program, weights[i].Linear, batch, opts...)
				if err != nil {
					return err
				}
				made := 0
				heMesh.Observe(func(step string) {
					if made++; made == 3 && i == 1 && failing == "masks" {
						heMesh.Close()
					}
					if made == 3 && i == 1 && failing == "transfers" {
						otMesh.Close()
					}
				})
				handed := 0
				err = p.GenerateTo([32]byte{1}, batch, func(x *prep.Inference) error {
					handed++
					b, err := demand.Append(nil, x)
					if err == nil && len(b) != demand.Len(n, i) {
						t.Errorf("party %d: inference %d is incomplete", i, handed)
					}
					if failing == "sink" && i == 1 && handed == 2 {
						return fmt.Errorf("no room")
					}
					return err
				})
				if err == nil && i == 1 || handed == batch && i == 1 {
					t.Errorf("party %d: %v after %d inferences", i, err, handed)
				}
				for _, mesh := range []*transport.Mesh{otMesh, heMesh} {
					if _, open := mesh.Broadcast("one more", nil); open == nil {
						t.Errorf("party %d: a half goes on after %v", i, err)
					}
				}
				if _, again := p.Generate([32]byte{2}, 1); again == nil {
					t.Errorf("party %d: the session goes on", i)
				}
				return nil
			})
		})
	}
}

package infer_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/tacit-mpc/tacit/internal/testnet"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/compare"
	"github.com/tacit-mpc/tacit/protocol/infer"
	"github.com/tacit-mpc/tacit/protocol/prep"
	"github.com/tacit-mpc/tacit/transport"
)

// TestGenerateToHandsOutInOrder takes inferences one at a time, which then give
// the right results, and ends the session where the sink fails.
func TestGenerateToHandsOutInOrder(t *testing.T) {
	const n, batch = 2, 3
	m := &model.Model{Manifest: manifestOf(*everything())}
	program := &m.Manifest.Program
	rng := rand.New(rand.NewPCG(7, 7))
	for _, p := range program.Params {
		m.Params = append(m.Params, small(rng, p.Len, 8, p.Width))
	}
	weights := deal(t, m, n)
	mats := make([][]*prep.Inference, n)
	full := errors.New("no room")
	testnet.RunPairs(t, n, func(otMesh, heMesh *transport.Mesh) error {
		i := otMesh.Self()
		p, err := newPreparer(otMesh, heMesh, program, weights[i])
		if err != nil {
			return err
		}
		err = p.GenerateTo([32]byte{1}, batch, func(x *prep.Inference) error {
			mats[i] = append(mats[i], x)
			return nil
		})
		if err != nil {
			return err
		}
		handed := 0
		err = p.GenerateTo([32]byte{2}, batch, func(*prep.Inference) error {
			if handed++; handed == 2 {
				return full
			}
			return nil
		})
		if !errors.Is(err, full) || handed != 2 {
			t.Errorf("party %d: %v after %d inferences, want %v after 2", i, err, handed, full)
		}
		if _, err := p.Generate([32]byte{3}, batch); err == nil {
			t.Errorf("party %d: the session goes on after an error", i)
		}
		return nil
	})
	if t.Failed() {
		return
	}
	x := small(rng, batch*32, 512, program.Values[0].Width)
	check(t, m, x, predict(t, m, weights, compare.Carry, mats, x), 30)
}

func newPreparer(otMesh, heMesh *transport.Mesh, program *model.Program, w *infer.Weights) (*prep.Preparer, error) {
	return prep.NewPreparer(otMesh, heMesh, tape(2, otMesh.Self()), program, w.Linear, 3, prep.Comparisons(compare.Carry), prep.Depth(8))
}

package infer_test

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/internal/testnet"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/compare"
	"github.com/tacit-mpc/tacit/protocol/infer"
	"github.com/tacit-mpc/tacit/protocol/prep"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport"
)

// manifestOf returns what Model.Eval needs to know of a program made by hand.
func manifestOf(p model.Program) model.Manifest {
	in, out := p.Values[0], p.Output()
	return model.Manifest{
		Format: model.ManifestFormat, Program: p, Result: []int{out.Len}, Comparison: model.Garbled, Depth: 4, Policy: model.Policy{Reveal: model.RevealScores},
		Input:  model.Tensor{Shape: []int{in.Len}, Frac: in.Frac, Width: in.Width, Lo: -32, Hi: 32},
		Output: model.Tensor{Shape: []int{out.Len}, Frac: out.Frac, Width: out.Width},
	}
}

// TestOutputSharesAreFresh runs a program that is local to every party. What
// leaves must not be what came in, or a client who sees all shares would see more
// than their sum.
func TestOutputSharesAreFresh(t *testing.T) {
	const n, size = 3, 64
	m := &model.Model{Manifest: manifestOf(model.Program{
		Values: []model.Value{{Len: size, Width: 20}, {Len: size, Width: 16}},
		Ops:    []model.Op{{Kind: model.Shift, In: []int{0}, Out: 1, Bits: 4}},
	})}
	weights := deal(t, m, n)
	mats := generate(t, m, weights, compare.Garbled, 1)
	xs, err := share.Split(rand.NewChaCha8([32]byte{3}), make([]uint64, size), 20, n)
	if err != nil {
		t.Fatal(err)
	}
	testnet.Run(t, n, func(mesh *transport.Mesh) error {
		i := mesh.Self()
		y, err := infer.Run(mesh, &m.Manifest.Program, weights[i], mats[i], slices.Clone(xs[i]))
		if err != nil {
			return err
		}
		same := 0
		for e := range y {
			if y[e] == xs[i][e]>>4 {
				same++
			}
		}
		if same > 3 {
			t.Errorf("party %d: %d of %d output shares are the input's, shifted", i, same, size)
		}
		return nil
	})
}

// TestInputMasksAreFresh checks that every input of every linear layer has a
// mask of its own at every party, uniform in its full width.
func TestInputMasksAreFresh(t *testing.T) {
	const n, batches, batch = 3, 2, 16
	m := &model.Model{Manifest: manifestOf(*everything())}
	rng := rand.New(rand.NewPCG(1, 1))
	for _, p := range m.Manifest.Program.Params {
		m.Params = append(m.Params, small(rng, p.Len, 8, p.Width))
	}
	layers := prep.Count(&m.Manifest.Program).Layers
	ones, all := 0, 0
	seen := map[[2]uint64]bool{}
	for _, mats := range generate(t, m, deal(t, m, n), compare.Garbled, batch, batch) {
		for _, x := range mats {
			masks := x.Spend().Masks
			for l, mask := range masks {
				a := make([]uint64, layers[l].Conv.InLen())
				ring.Unpack(a, layers[l].AppendMask(nil, mask), layers[l].Width)
				for _, v := range a {
					ones, all = ones+bits.OnesCount64(v), all+layers[l].Width
				}
				seen[[2]uint64{a[0], a[1]}] = true
			}
		}
	}
	if z := math.Abs(float64(2*ones-all)) / math.Sqrt(float64(all)); z > 5 {
		t.Errorf("the bits of the masks are %.1f standard deviations from uniform", z)
	}
	if want := n * batches * batch * len(layers); len(seen) != want {
		t.Errorf("%d different masks, want %d", len(seen), want)
	}
}

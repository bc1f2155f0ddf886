package examples_test

import (
	"crypto/rand"
	"slices"
	"testing"

	"github.com/tacit-mpc/tacit/examples"
	"github.com/tacit-mpc/tacit/internal/testnet"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/compare"
	"github.com/tacit-mpc/tacit/protocol/infer"
	"github.com/tacit-mpc/tacit/protocol/prep"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport"
)

// TestPrivateAgreesWithFixedPoint runs every network privately, both phases, among
// three parties on the first held-out rows: the outputs differ from those of the
// plaintext engine by no more than the proven bound, and the classes not at all.
func TestPrivateAgreesWithFixedPoint(t *testing.T) {
	const parties, rows = 3, 2
	for _, name := range examples.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, m := compile(t, name)
			x, err := m.Manifest.Encode(slices.Concat(e.Inputs[:rows]...))
			if err != nil {
				t.Fatal(err)
			}
			want, err := m.Eval(x, rows)
			if err != nil {
				t.Fatal(err)
			}
			got := private(t, m, x, parties, rows)
			ulp, bound := m.Manifest.Difference(got, want), m.Manifest.UlpBound(parties)
			t.Logf("off by at most %d ulp, the bound is %d", ulp, bound)
			if ulp > bound {
				t.Errorf("off by %d ulp, the bound is %d", ulp, bound)
			}
			n := len(e.Classes)
			y, plain := m.Manifest.Decode(got), m.Manifest.Decode(want)
			for i := range rows {
				if class(y[i*n:(i+1)*n]) != class(plain[i*n:(i+1)*n]) {
					t.Errorf("row %d: %v, in the clear %v", i, y[i*n:(i+1)*n], plain[i*n:(i+1)*n])
				}
			}
		})
	}
}

// private deals the weights of m, prepares and runs one request of some rows.
func private(t *testing.T, m *model.Model, x []uint64, parties, rows int) []uint64 {
	t.Helper()
	program := &m.Manifest.Program
	params := make([][]share.Share, parties)
	for i, p := range program.Params {
		shares, err := share.Split(rand.Reader, m.Params[i], p.Width, parties)
		if err != nil {
			t.Fatal(err)
		}
		for j := range params {
			params[j] = append(params[j], shares[j])
		}
	}
	xs, err := share.Split(rand.Reader, x, program.Values[0].Width, parties)
	if err != nil {
		t.Fatal(err)
	}
	weights := make([]*infer.Weights, parties)
	testnet.Run(t, parties, func(mesh *transport.Mesh) (err error) {
		i := mesh.Self()
		weights[i], err = infer.Deal(mesh, rand.Reader, program, params[i])
		return err
	})
	var session [32]byte
	rand.Read(session[:])
	material := make([][]*prep.Inference, parties)
	testnet.RunPairs(t, parties, func(ot, he *transport.Mesh) error {
		i := ot.Self()
		p, err := prep.NewPreparer(ot, he, rand.Reader, program, weights[i].Linear, rows, prep.Comparisons(compare.Carry))
		if err != nil {
			return err
		}
		defer p.Close()
		material[i], err = p.Generate(session, rows)
		return err
	})
	outs := make([]share.Share, parties)
	testnet.Run(t, parties, func(mesh *transport.Mesh) (err error) {
		i := mesh.Self()
		outs[i], err = infer.Run(mesh, program, weights[i], material[i], xs[i])
		return err
	})
	return share.Combine(outs, program.Output().Width)
}

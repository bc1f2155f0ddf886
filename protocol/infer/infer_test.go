package infer_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tacit-mpc/tacit/examples"
	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/internal/testnet"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/compare"
	"github.com/tacit-mpc/tacit/protocol/infer"
	"github.com/tacit-mpc/tacit/protocol/prep"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport"
)

// everything is a program that uses every operation: a convolution with ReLU,
// pooling by maximum and by average, a residual sum, a lift, two dense layers.
// Its values fit their rings for inputs below 2⁵ and weights below 2³.
func everything() *model.Program {
	conv := ring.Conv{H: 4, W: 4, In: 2, KH: 3, KW: 3, Out: 3, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1,
		Top: 1, Left: 1, Bottom: 1, Right: 1, Groups: 1}
	skip := ring.MatMul(16, 2, 3)
	dense, last := ring.MatMul(1, 12, 5), ring.MatMul(1, 5, 3)
	p := &model.Program{Values: []model.Value{{Len: 32, Width: 24, Frac: 4}}}
	add := func(op model.Op, v model.Value) int {
		op.Out = len(p.Values)
		op.Name = fmt.Sprintf("node%d", op.Out)
		p.Ops, p.Values = append(p.Ops, op), append(p.Values, v)
		return op.Out
	}
	param := func(n, width int) int {
		p.Params = append(p.Params, model.Param{Name: fmt.Sprint(len(p.Params)), Len: n, Width: width})
		return len(p.Params) - 1
	}
	linear := func(in int, c ring.Conv, width, frac int) int {
		return add(model.Op{Kind: model.Linear, In: []int{in}, Conv: &c,
			Weights: param(c.WeightLen(), width), Bias: param(c.Out, width)}, model.Value{Len: c.OutLen(), Width: width, Frac: frac})
	}
	main, side := linear(0, conv, 22, 7), linear(0, skip, 22, 7)
	sum := add(model.Op{Kind: model.Add, In: []int{main, side}, Shl: [2]int{0, 1}}, model.Value{Len: 48, Width: 22, Frac: 7})
	shifted := add(model.Op{Kind: model.Shift, In: []int{sum}, Bits: 3}, model.Value{Len: 48, Width: 19, Frac: 4})

	// The maximum over the two rows of each window, then over its two columns.
	gather := func(in, n int, index func(i int) int) int {
		ix := make([]int32, n)
		for i := range ix {
			ix[i] = int32(index(i))
		}
		return add(model.Op{Kind: model.Gather, In: []int{in}, Index: ix}, model.Value{Len: n, Width: 19, Frac: 4})
	}
	top := gather(shifted, 24, func(i int) int { return i/12*24 + i%12 })
	bottom := gather(shifted, 24, func(i int) int { return i/12*24 + 12 + i%12 })
	rows := add(model.Op{Kind: model.Max, In: []int{top, bottom}, Bits: 19}, model.Value{Len: 24, Width: 19, Frac: 4})
	left := gather(rows, 12, func(i int) int { return i/3*6 + i%3 })
	right := gather(rows, 12, func(i int) int { return i/3*6 + 3 + i%3 })
	pool := add(model.Op{Kind: model.Max, In: []int{left, right}, Bits: 19}, model.Value{Len: 12, Width: 19, Frac: 4})
	relu := add(model.Op{Kind: model.ReLU, In: []int{pool}, Bits: 18}, model.Value{Len: 12, Width: 30, Frac: 4})

	pairs := make([]int32, 24)
	for i := range pairs {
		pairs[i] = int32((i/2 + i%2*3) % 12)
	}
	pairs[23] = -1
	average := add(model.Op{Kind: model.Sum, In: []int{relu}, Index: pairs, Window: 2, Coef: slices.Repeat([]int64{3}, 12)},
		model.Value{Len: 12, Width: 30, Frac: 5})
	biased := add(model.Op{Kind: model.AddParam, In: []int{average}, Bias: param(12, 30)}, model.Value{Len: 12, Width: 30, Frac: 5})
	hidden := linear(biased, dense, 28, 8)
	narrow := add(model.Op{Kind: model.Shift, In: []int{hidden}, Bits: 4}, model.Value{Len: 5, Width: 24, Frac: 4})
	lift := add(model.Op{Kind: model.Lift, In: []int{narrow}, Bits: 24}, model.Value{Len: 5, Width: 37, Frac: 4})

	// Secrets times secrets: what is positive, its sum, and a spline.
	product := func(x, y int, d model.Dims, frac int) int {
		return add(model.Op{Kind: model.Product, In: []int{x, y}, Dims: &d}, model.Value{Len: d.T * d.M * d.N, Width: 37, Frac: frac})
	}
	step := add(model.Op{Kind: model.Step, In: []int{narrow}, Bits: 24}, model.Value{Len: 5, Width: 37})
	square := product(step, step, model.Dims{T: 5, M: 1, K: 1, N: 1}, 0)
	chosen := product(square, lift, model.Dims{T: 5, M: 1, K: 1, N: 1}, 4)
	dot := product(square, lift, model.Dims{T: 1, M: 1, K: 5, N: 1}, 4)
	spread := add(model.Op{Kind: model.Gather, In: []int{dot}, Index: make([]int32, 5)}, model.Value{Len: 5, Width: 37, Frac: 4})
	spline := add(model.Op{Kind: model.Splined, In: []int{narrow}, Bits: 24, Spline: &model.Spline{
		Base: 3, Slope: -1, Knots: []model.Knot{{At: -40, Delta: 2}, {At: 0, Delta: -3}, {At: 500, Delta: 1}},
	}}, model.Value{Len: 5, Width: 37, Frac: 4})
	both := add(model.Op{Kind: model.Add, In: []int{chosen, spread}}, model.Value{Len: 5, Width: 37, Frac: 4})
	all := add(model.Op{Kind: model.Add, In: []int{both, spline}}, model.Value{Len: 5, Width: 37, Frac: 4})
	out := linear(all, last, 37, 7)
	add(model.Op{Kind: model.Shift, In: []int{out}, Bits: 3}, model.Value{Len: 3, Width: 34, Frac: 4})
	return p
}

// small draws numbers in (−bound, bound) modulo 2ᵏ.
func small(rng *rand.Rand, n, bound, k int) []uint64 {
	v := make([]uint64, n)
	for i := range v {
		v[i] = uint64(rng.IntN(2*bound-1)-bound+1) & ring.Mask(k)
	}
	return v
}

// deal shares the parameters of m among n parties.
func deal(t *testing.T, m *model.Model, n int) []*infer.Weights {
	t.Helper()
	program := &m.Manifest.Program
	params := make([][]share.Share, n)
	rng := rand.NewChaCha8([32]byte{byte(n)})
	for i, p := range program.Params {
		s, err := share.Split(rng, m.Params[i], p.Width, n)
		if err != nil {
			t.Fatal(err)
		}
		for j := range params {
			params[j] = append(params[j], s[j])
		}
	}
	weights := make([]*infer.Weights, n)
	testnet.Run(t, n, func(mesh *transport.Mesh) error {
		i := mesh.Self()
		w, err := infer.Deal(mesh, tape(1, i), program, params[i])
		if err != nil {
			return err
		}
		if got, want := mesh.Stats().Sent, int64(infer.DealSize(program)*(n-1)); got != want {
			t.Errorf("deal sent %d bytes, planned %d", got, want)
		}
		b, err := w.AppendBinary(program, nil)
		if err != nil {
			return err
		}
		weights[i], err = infer.ParseWeights(i, program, b) // as a daemon does after a restart
		return err
	})
	return weights
}

// tape is the randomness of one party in a test.
func tape(purpose, party int) io.Reader {
	return rand.NewChaCha8([32]byte{byte(purpose), byte(party), 77})
}

// generate runs the offline phase for batches of inferences, and stores and
// loads what it made.
func generate(t *testing.T, m *model.Model, weights []*infer.Weights, b compare.Backend, batches ...int) [][]*prep.Inference {
	t.Helper()
	return generateWith(t, m, weights, []prep.Option{prep.Comparisons(b)}, batches...)
}

func generateWith(t *testing.T, m *model.Model, weights []*infer.Weights, opts []prep.Option, batches ...int) [][]*prep.Inference {
	t.Helper()
	prg.ForgetTweaks() // another call has the same tapes
	n, program := len(weights), &m.Manifest.Program
	demand := prep.Count(program, opts...)
	out := make([][]*prep.Inference, n)
	testnet.RunPairs(t, n, func(otMesh, heMesh *transport.Mesh) error {
		i := otMesh.Self()
		p, err := prep.NewPreparer(otMesh, heMesh, tape(2, i), program, weights[i].Linear, batches[0], opts...)
		if err != nil {
			return err
		}
		plan := prep.PlanSetup(program, n, i, batches[0], opts...)
		for round, batch := range batches {
			made, err := p.Generate(sha256.Sum256(fmt.Append(nil, t.Name(), round)), batch)
			if err != nil {
				return err
			}
			plan = plan.Add(prep.PlanGenerate(program, n, i, batches[0], batch, opts...))
			for _, x := range made {
				b, err := demand.Append(nil, x)
				if err != nil {
					return err
				}
				if len(b) != demand.Len(n, i) {
					t.Errorf("stored material has %d bytes, planned %d", len(b), demand.Len(n, i))
				}
				if x, err = demand.Parse(n, i, b); err != nil {
					return err
				}
				out[i] = append(out[i], x)
			}
		}
		if got := otMesh.Stats(); got != plan.OT {
			t.Errorf("party %d, oblivious transfer:\n got %v\nplan %v", i, got, plan.OT)
		}
		if got := heMesh.Stats(); got != plan.HE {
			t.Errorf("party %d, homomorphic encryption:\n got %v\nplan %v", i, got, plan.HE)
		}
		if got := p.Counts(); got != plan.Counts {
			t.Errorf("party %d: ran %+v, planned %+v", i, got, plan.Counts)
		}
		if got := p.Gates(); got != plan.Gates {
			t.Errorf("party %d: made %d gates, planned %d", i, got, plan.Gates)
		}
		if got := p.Ciphertexts(); got != plan.Ciphertexts {
			t.Errorf("party %d: made %d ciphertexts, planned %d", i, got, plan.Ciphertexts)
		}
		p.Close()
		return nil
	})
	return out
}

// predict runs the online phase and returns the combined outputs.
func predict(t *testing.T, m *model.Model, weights []*infer.Weights, b compare.Backend, mats [][]*prep.Inference, x []uint64) []uint64 {
	t.Helper()
	n, program := len(weights), &m.Manifest.Program
	xs, err := share.Split(rand.NewChaCha8([32]byte{3}), x, program.Values[0].Width, n)
	if err != nil {
		t.Fatal(err)
	}
	outs := make([]share.Share, n)
	testnet.Run(t, n, func(mesh *transport.Mesh) (err error) {
		i := mesh.Self()
		batch := len(mats[i])
		if outs[i], err = infer.Run(mesh, program, weights[i], mats[i], xs[i]); err != nil {
			return err
		}
		if got, want := mesh.Steps(), infer.Plan(program, n, i, batch, prep.Comparisons(b)); !slices.Equal(got, want) {
			t.Errorf("party %d:\n got %v\nplan %v", i, got, want)
		}
		return nil
	})
	return share.Combine(outs, program.Output().Width)
}

// check compares the private outputs with the plaintext engine.
func check(t *testing.T, m *model.Model, x, got []uint64, bound int64) {
	t.Helper()
	out := m.Manifest.Program.Output()
	want, err := m.Eval(x, len(got)/out.Len)
	if err != nil {
		t.Fatal(err)
	}
	worst := int64(0)
	for i := range got {
		d := ring.Signed(got[i]-want[i], out.Width)
		worst = max(worst, d, -d)
	}
	if worst > bound {
		t.Errorf("off by %d ulp, the bound is %d", worst, bound)
	}
	t.Logf("off by at most %d ulp, the bound is %d", worst, bound)
}

// TestExamples runs the shipped networks on held-out inputs, calibrated with one
// back end and not with the other: all costs are as
// planned, every output is within the proven bound, and every class is the one
// that the plaintext engine finds.
func TestExamples(t *testing.T) {
	for _, name := range []string{"tumour", "digits"} {
		e, err := examples.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		g, err := model.Load(e.Model)
		if err != nil {
			t.Fatal(err)
		}
		for b, o := range map[compare.Backend]model.Options{compare.Garbled: {}, compare.Carry: {Calibration: e.Inputs}} {
			m, err := model.Compile(g, o)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{2, 3} {
				t.Run(fmt.Sprintf("%s/n=%d/%v", name, n, b), func(t *testing.T) {
					const rows = 4
					x, err := m.Manifest.Encode(slices.Concat(e.Inputs[:rows]...))
					if err != nil {
						t.Fatal(err)
					}
					weights := deal(t, m, n)
					got := predict(t, m, weights, b, generate(t, m, weights, b, rows), x)
					check(t, m, x, got, m.Manifest.UlpBound(n))
					want, err := m.Eval(x, rows)
					if err != nil {
						t.Fatal(err)
					}
					if got, want := labels(m, got), labels(m, want); !slices.Equal(got, want) {
						t.Errorf("classes %v, in the clear %v", got, want)
					}
				})
			}
		}
	}
}

// labels returns the index of the largest output of every row.
func labels(m *model.Model, raw []uint64) (classes []int) {
	y := m.Manifest.Decode(raw)
	n := len(y) / (len(raw) / m.Manifest.Output.Len())
	for row := range slices.Chunk(y, n) {
		classes = append(classes, slices.Index(row, slices.Max(row)))
	}
	return classes
}

func TestEveryOperation(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(n), 1))
			m := &model.Model{Manifest: manifestOf(*everything())}
			program := &m.Manifest.Program
			for _, p := range program.Params {
				m.Params = append(m.Params, small(rng, p.Len, 8, p.Width))
			}
			weights := deal(t, m, n)
			x := small(rng, 3*32, 512, program.Values[0].Width)
			// A shift is off by at most n/2 + 1/2, then weights below 8 multiply.
			err := float64(n)/2 + 0.5
			err = err*6*12*7/16 + err
			err = err*5*7/8 + float64(n)/2 + 0.5
			for _, b := range []compare.Backend{compare.Garbled, compare.Carry} {
				mats := generate(t, m, weights, b, 2, 1)
				check(t, m, x, predict(t, m, weights, b, mats, x), int64(err))
			}
		})
	}
}

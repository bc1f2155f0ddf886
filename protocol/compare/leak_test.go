package compare

import (
	"fmt"
	"io"
	"testing"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

// Sizes of the view tests: one block for each evaluator and inference.
const (
	viewParties = 3
	viewBits    = 5
	viewOut     = 7
	viewLen     = maxBlock
	viewBatch   = 4
)

// A leak is a fault planted at all parties in a run, and so at the honest one
// whoever that is.
type leak int

const (
	clean      leak = iota
	leakMasks       // the honest share of the masks of And gates is 0
	leakBits        // the honest share of the bits of r is 0
	leakPads        // products lack their pads
	leakLabels      // labels of c serve a second comparison
	leakKnots       // two knots have the masks of gates in common
	numberLeaks
)

var leakNames = [...]string{"clean", "masks of gates 0", "bits of r 0", "no pads", "labels reused", "masks of two knots equal"}

// A seen is what the parties hold after one run, by party.
type seen struct {
	drawn  [][][]uint8 // shares of r's bits and masks, by unit
	lambda [][][]uint8 // shares of the output's mask, by unit
	seeds  [viewParties][viewBatch][32]byte
	deltas [viewParties]prg.Block
}

func viewClass(kind Kind, layer int) Class {
	knots := 0
	if kind == KindSpline {
		knots = 2
	}
	return Class{kind, viewBits, viewOut, viewParties * viewLen, layer, knots, Garbled}
}

// viewRun makes one generation and comparison of constant inputs.
func viewRun(m *transport.Mesh, s *planted, rng io.Reader, class Class, x int64, out *seen) error {
	s.reqs = nil
	mats, _, err := generate(m, s, rng, []Class{class}, viewBatch, 1<<40)
	if err != nil {
		return err
	}
	p := m.Self()
	out.deltas[p] = mats[0][0].delta
	for b := range mats {
		out.seeds[p][b] = mats[b][0].seed
	}
	for i := 0; i < len(s.reqs); i += 2 {
		out.drawn[p] = append(out.drawn[p], s.reqs[i].X)
		out.lambda[p] = append(out.lambda[p], s.reqs[i+1].X)
	}
	got, err := run(m, column(mats, 0), words(repeat(x, viewBatch*class.N)), nil)
	if err != nil {
		return err
	}
	for _, z := range got {
		if z != want(class, x, 0) {
			return fmt.Errorf("%d gives %d", x, z)
		}
	}
	return nil
}

// viewRuns runs every leak on two inputs. Reused labels need a second run.
func viewRuns(t *testing.T, kind Kind) (sent [][]map[string][][]byte, runs []*seen) {
	made := basesOf(t, viewParties)
	prg.ForgetTweaks()
	for range 4 * numberLeaks {
		runs = append(runs, &seen{drawn: make([][][]uint8, viewParties), lambda: make([][][]uint8, viewParties)})
	}
	sent = tapped(t, viewParties, func(m *transport.Mesh, number *int) error {
		rng := tape(21, m.Self())
		for l := range leaksOf(kind) {
			for input, x := range []int64{-3, 6} {
				*number = 4*int(l) + 2*input
				key := make([]byte, ot.KeyLen)
				key[0], key[1] = byte(l), byte(input)
				session, err := made[m.Self()].Fork(m, rng, key)
				if err != nil {
					return err
				}
				s := &planted{Session: session, padless: l == leakPads}
				r := plant(l, viewClass(kind, 0).signs(), rng)
				if err := viewRun(m, s, r, viewClass(kind, 0), x, runs[*number]); err != nil {
					return fmt.Errorf("%s: %w", leakNames[l], err)
				}
				if *number++; l != leakLabels && l != clean {
					continue
				}
				if err := viewRun(m, s, r, viewClass(kind, 1), 6, runs[*number]); err != nil {
					return fmt.Errorf("%s, second run: %w", leakNames[l], err)
				}
			}
		}
		return nil
	})
	return sent, runs
}

// leaksOf returns how many leaks apply to the kind.
func leaksOf(kind Kind) leak {
	if kind == KindSpline {
		return numberLeaks
	}
	return leakKnots
}

// plant returns the randomness of a party.
func plant(l leak, knots int, rng io.Reader) io.Reader {
	r := &loom{Reader: rng, size: (2*viewBits - 1) * viewLen / 8, split: viewBits * viewLen / 8}
	switch l {
	case leakMasks:
		r.zero = [2]int{r.split, r.size}
	case leakBits:
		r.zero = [2]int{0, r.split}
	case leakLabels: // one seed for every inference, then the masks of every unit
		r.split, r.repeat = 0, viewBatch+viewBatch*viewParties*knots
	case leakKnots:
		r.twins = true
	}
	return r
}

// What any n−1 parties see does not depend on the input, with the evaluator
// among them or not. As their own random shares would hide leaks, these are
// taken out of what they see first. The test is worth something because each
// planted leak makes it fail.
func TestViewsAreIndependentOfInputs(t *testing.T) {
	for _, kind := range []Kind{KindReLU, KindStep, KindSpline} {
		t.Run(kind.String(), func(t *testing.T) { checkViews(t, kind) })
	}
}

func checkViews(t *testing.T, kind Kind) {
	sent, runs := viewRuns(t, kind)
	if t.Failed() {
		return
	}
	checkLabels(t, sent, kind, runs)
	for l := range leaksOf(kind) {
		if l == leakLabels { // checked above
			continue
		}
		for h := range viewParties {
			for eval := range viewParties {
				c := coalition{sent, kind, h, eval}
				var views [2]*view
				for input := range views {
					views[input] = new(view)
					number := 4*int(l) + 2*input
					c.add(views[input], number, runs[number])
				}
				z, limit := distance(views[0], views[1])
				t.Logf("%s, honest %d, evaluator %d: %d bits, %.2f standard deviations, limit %.2f", leakNames[l], h, eval, len(views[0].columns), z, limit)
				// An evaluator converts bits to shares and sends nothing for it.
				silent := l == leakPads && eval == h && !viewClass(kind, 0).selects()
				if l != clean && !silent && z < 2*limit {
					t.Errorf("%s, honest %d, evaluator %d: the planted leak is not seen", leakNames[l], h, eval)
				}
				if l == clean && z > limit {
					t.Errorf("honest %d, evaluator %d: views differ", h, eval)
				}
			}
		}
	}
}

// Two values under one label give the difference away, which opens all that was
// garbled under it. The labels of two comparisons are uniform together.
func checkLabels(t *testing.T, sent [][]map[string][][]byte, kind Kind, runs []*seen) {
	for h := range viewParties {
		for eval := range viewParties {
			if eval == h {
				continue
			}
			c := coalition{sent, kind, h, eval}
			for _, l := range []leak{clean, leakLabels} {
				first, second := 4*int(l), 4*int(l)+1
				checkUniform(t, fmt.Sprintf("%v, two comparisons, %s, honest %d, evaluator %d", kind, leakNames[l], h, eval), l == clean,
					func(b int) [2][]byte { return [2][]byte{c.labels(first, b, 0), c.labels(second, b, 0)} })
			}
			if kind != KindSpline {
				continue
			}
			checkUniform(t, fmt.Sprintf("two knots, honest %d, evaluator %d", h, eval), true,
				func(b int) [2][]byte { return [2][]byte{c.labels(0, b, 0), c.labels(0, b, 1)} })
			checkUniform(t, fmt.Sprintf("two knots, labels reused, honest %d, evaluator %d", h, eval), false,
				func(b int) [2][]byte { return [2][]byte{c.labels(0, b, 0), c.reused(0, runs[0], b)} })
		}
	}
}

// checkUniform tells whether pairs of vectors of labels are uniform as they
// should be.
func checkUniform(t *testing.T, name string, should bool, pair func(b int) [2][]byte) {
	v := new(view)
	for b := range viewBatch {
		for i, labels := range pair(b) {
			for e := range viewLen {
				v.sample, v.next = b*viewLen+e, i*8*(viewBits-1)
				v.labels(labels, e)
			}
		}
	}
	z, limit := bias(v)
	t.Logf("labels of %s: %.2f standard deviations, limit %.2f", name, z, limit)
	if should != (z < limit) {
		t.Errorf("labels of %s are %.2f standard deviations from uniform", name, z)
	}
}

// reused returns what the honest party would send for knot 1 if its labels were
// those of knot 0.
func (c coalition) reused(run int, s *seen, b int) []byte {
	class := viewClass(c.kind, 0)
	less := make([]uint64, viewLen)
	for e := range less {
		for p := range viewParties {
			var part [1]uint64
			unpackAt(part[:], c.message(run, p, (p+1)%viewParties, "test"+StepOpen), (b*viewParties+c.eval)*viewLen+e, viewBits)
			less[e] += part[0]
		}
		less[e] -= threshold(class, 1)
	}
	batch := class.batch(viewParties, c.h, b, name{}, class.blocks(viewParties, c.eval)[0], 0)
	active := make([]prg.Block, batch.LabelLen())
	batch.Labels(active, s.seeds[c.h][b], s.deltas[c.h], new(labels).complement(less, viewBits))
	return prg.Bytes(active)
}

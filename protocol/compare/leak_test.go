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
	numberLeaks
)

var leakNames = [...]string{"clean", "masks of gates 0", "bits of r 0", "no pads", "labels reused"}

// A seen is what the parties hold after one run, by party.
type seen struct {
	drawn  [][][]uint8 // shares of r's bits and masks, by unit
	lambda [][][]uint8 // shares of the output's mask, by unit
}

func viewClass(kind Kind, layer int) Class {
	return Class{kind, viewBits, viewOut, viewParties * viewLen, layer, 0, Garbled}
}

// viewRun makes one generation and comparison of constant inputs.
func viewRun(m *transport.Mesh, s *planted, rng io.Reader, class Class, x int64, out *seen) error {
	s.reqs = nil
	mats, _, err := generate(m, s, rng, []Class{class}, viewBatch, 1<<40)
	if err != nil {
		return err
	}
	p := m.Self()
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
		runs = append(runs, &seen{make([][][]uint8, viewParties), make([][][]uint8, viewParties)})
	}
	sent = tapped(t, viewParties, func(m *transport.Mesh, number *int) error {
		rng := tape(21, m.Self())
		for l := range numberLeaks {
			for input, x := range []int64{-3, 6} {
				*number = 4*int(l) + 2*input
				key := make([]byte, ot.KeyLen)
				key[0], key[1] = byte(l), byte(input)
				session, err := made[m.Self()].Fork(m, rng, key)
				if err != nil {
					return err
				}
				s := &planted{Session: session, padless: l == leakPads}
				r := plant(l, rng)
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

// plant returns the randomness of a party.
func plant(l leak, rng io.Reader) io.Reader {
	r := &loom{Reader: rng, size: (2*viewBits - 1) * viewLen / 8, split: viewBits * viewLen / 8}
	switch l {
	case leakMasks:
		r.zero = [2]int{r.split, r.size}
	case leakBits:
		r.zero = [2]int{0, r.split}
	case leakLabels: // one seed for every inference, then the masks of every unit
		r.split, r.repeat = 0, viewBatch+viewBatch*viewParties
	}
	return r
}

// What any n−1 parties see does not depend on the input, with the evaluator
// among them or not. As their own random shares would hide leaks, these are
// taken out of what they see first. The test is worth something because each
// planted leak makes it fail.
func TestViewsAreIndependentOfInputs(t *testing.T) {
	for _, kind := range []Kind{KindReLU, KindStep} {
		t.Run(kind.String(), func(t *testing.T) { checkViews(t, kind) })
	}
}

func checkViews(t *testing.T, kind Kind) {
	sent, runs := viewRuns(t, kind)
	if t.Failed() {
		return
	}
	checkLabels(t, sent, kind)
	for l := range leakLabels {
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
func checkLabels(t *testing.T, sent [][]map[string][][]byte, kind Kind) {
	for _, l := range []leak{clean, leakLabels} {
		for h := range viewParties {
			for eval := range viewParties {
				if eval == h {
					continue
				}
				v := new(view)
				for second := range 2 {
					for i := range viewBatch * viewLen {
						v.sample, v.next = i, second*8*(viewBits-1)
						coalition{sent, kind, h, eval}.labels(v, 4*int(l)+second, i/viewLen, i%viewLen)
					}
				}
				z, limit := bias(v)
				t.Logf("%s, honest %d, evaluator %d: labels of two comparisons: %.2f standard deviations, limit %.2f", leakNames[l], h, eval, z, limit)
				if (l == clean) != (z < limit) {
					t.Errorf("%s, honest %d, evaluator %d: labels of two comparisons are %.2f standard deviations from uniform", leakNames[l], h, eval, z)
				}
			}
		}
	}
}

package compare

import (
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

const depth = 4 // of the sessions in tests: the default

// since returns the rounds and bytes that were added to the steps before.
func since(m *transport.Mesh, before []transport.Stats) []transport.Stats {
	var added []transport.Stats
	for i, s := range m.Steps() {
		d := transport.Stats{Step: s.Step, Rounds: s.Rounds, Sent: s.Sent, Received: s.Received}
		if i < len(before) {
			d.Rounds -= before[i].Rounds
			d.Sent -= before[i].Sent
			d.Received -= before[i].Received
		}
		if d.Rounds > 0 {
			added = append(added, d)
		}
	}
	return added
}

func minus(a, b ot.Counts) ot.Counts {
	return ot.Counts{COTs: a.COTs - b.COTs, Keys: a.Keys - b.Keys, Ands: a.Ands - b.Ands, Muls: a.Muls - b.Muls}
}

func TestCostsAreThePlannedOnes(t *testing.T) {
	classes := []Class{
		{KindReLU, 20, 32, 50, 1},
		{KindLift, 14, 20, 7, 2},
		{KindMax, 9, 9, 33, 3},
		{KindReLU, 8, 6, 1, 4},
		{KindReLU, 2, 3, 10, 5},
	}
	for _, n := range []int{2, 3, 5} {
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			withSession(t, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
				layer := 0
				for _, set := range [][]Class{classes, classes[1:2], classes[4:]} {
					for _, chunk := range []int{40, chunkLen} {
						set = slices.Clone(set)
						for k := range set {
							layer++
							set[k].Layer = layer
						}
						if err := checkCosts(m, s, rng, set, 3, chunk); err != nil {
							return fmt.Errorf("%d classes, chunks of %d: %w", len(set), chunk, err)
						}
					}
				}
				return nil
			})
		})
	}
}

func checkCosts(m *transport.Mesh, s *ot.Session, rng io.Reader, classes []Class, batch, chunk int) error {
	before, counts := m.Steps(), s.Counts()
	mats, err := generate(m, s, rng, classes, batch, chunk)
	if err != nil {
		return err
	}
	plan := planGenerate(m.N(), m.Self(), depth, classes, batch, chunk)
	if got := since(m, before); !reflect.DeepEqual(got, plan.Steps) {
		return fmt.Errorf("steps\n%v, planned\n%v", got, plan.Steps)
	}
	if got := minus(s.Counts(), counts); got != plan.Counts {
		return fmt.Errorf("counts %v, planned %v", got, plan.Counts)
	}
	for k, c := range classes {
		before := m.Steps()
		step := fmt.Sprintf("layer %d", c.Layer)
		x := make([]uint64, batch*c.N)
		switch c.Kind {
		case KindReLU:
			_, err = ReLU(m, step, column(mats, k), x)
		case KindMax:
			_, err = Max(m, step, column(mats, k), x, x)
		case KindLift:
			_, err = Lift(m, step, column(mats, k), x)
		}
		if err != nil {
			return err
		}
		plan := PlanOnline(m.N(), m.Self(), step, c, batch)
		if got := since(m, before); !reflect.DeepEqual(got, plan.Steps) {
			return fmt.Errorf("%v: steps\n%v, planned\n%v", c, got, plan.Steps)
		}
	}
	return nil
}

// The figures of the design, for all parties together and a comparison of 20
// bits, rounded.
func TestComparisonOfTwentyBits(t *testing.T) {
	for _, c := range []struct{ n, cots, rows, online int }{
		{2, 57, 563, 309},
		{3, 226, 2819, 623},
		{5, 900, 12420, 1267},
	} {
		class := Class{KindReLU, 20, 32, 8 * c.n, 0}
		var cots, rows, online, gates int64
		for p := range c.n {
			plan := PlanGenerate(c.n, p, depth, []Class{class}, 1)
			cots += plan.COTs
			gates = plan.Gates
			for _, s := range plan.Steps {
				if s.Step == "comparisons: rows to evaluators" {
					rows += s.Sent
				}
			}
			plan = PlanOnline(c.n, p, "", class, 1)
			for _, s := range plan.Steps {
				online += s.Sent
			}
		}
		per := func(total int64) int { return int(math.Round(float64(total) / float64(class.N))) }
		if per(gates) != 19 || per(cots) != c.cots || per(rows) != c.rows || per(online) != c.online {
			t.Errorf("n = %d: %d gates, %d correlated OTs, %d bytes of rows, %d online; want 19, %d, %d, %d",
				c.n, per(gates), per(cots), per(rows), per(online), c.cots, c.rows, c.online)
		}
	}
}

func TestRounds(t *testing.T) {
	for n := 2; n <= 7; n++ {
		rounds := 0
		for _, s := range PlanGenerate(n, 0, depth, []Class{{KindReLU, 20, 32, 100, 0}, {KindMax, 12, 12, 100, 1}}, 4).Steps {
			rounds += s.Rounds
		}
		if rounds != 2*n+3 {
			t.Errorf("n = %d: %d rounds, want %d", n, rounds, 2*n+3)
		}
	}
}

package compare

import (
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

const depth = 4 // of the sessions in tests: the default

// since returns the rounds and bytes that were added to the steps before, by
// name.
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
	slices.SortFunc(added, byStep)
	return added
}

func byStep(a, b transport.Stats) int { return strings.Compare(a.Step, b.Step) }

func minus(a, b ot.Counts) ot.Counts {
	return ot.Counts{COTs: a.COTs - b.COTs, Keys: a.Keys - b.Keys, Ands: a.Ands - b.Ands, Muls: a.Muls - b.Muls}
}

func TestCostsAreThePlannedOnes(t *testing.T) {
	classes := []Class{
		{KindReLU, 20, 32, 50, 1, 0, Garbled},
		{KindLift, 14, 20, 7, 2, 0, Garbled},
		{KindMax, 9, 9, 33, 3, 0, Garbled},
		{KindReLU, 8, 6, 1, 4, 0, Garbled},
		{KindReLU, 2, 3, 10, 5, 0, Garbled},
		{KindReLU, 20, 32, 200, 6, 0, Carry},
		{KindMax, 5, 5, 33, 7, 0, Carry},
		{KindReLU, 31, 30, 1, 8, 0, Carry},
		{KindStep, 18, 7, 50, 9, 0, Carry},
		{KindStep, 6, 1, 33, 10, 0, Garbled},
		{KindSpline, 18, 36, 50, 11, 7, Carry},
		{KindSpline, 6, 9, 33, 12, 3, Garbled},
		{KindSpline, 28, 20, 7, 13, 2, Carry},
	}
	for _, n := range []int{2, 3, 5} {
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			withSession(t, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
				layer := 0
				for _, set := range [][]Class{classes, classes[1:2], classes[4:5], classes[5:], {classes[1], classes[6]}, classes[8:9], classes[9:10], classes[10:11], classes[11:12]} {
					for _, memory := range []int{1 << 18, chunkMemory} {
						set = slices.Clone(set)
						for k := range set {
							layer++
							set[k].Layer = layer
						}
						if err := checkCosts(m, s, rng, set, 3, memory); err != nil {
							return fmt.Errorf("%d classes, chunks of %d: %w", len(set), memory, err)
						}
					}
				}
				return nil
			})
		})
	}
}

func checkCosts(m *transport.Mesh, s *ot.Session, rng io.Reader, classes []Class, batch, memory int) error {
	before, counts := m.Steps(), s.Counts()
	mats, work, err := generate(m, s, rng, classes, batch, memory)
	if err != nil {
		return err
	}
	plan := planGenerate(m.N(), m.Self(), depth, classes, batch, memory)
	slices.SortFunc(plan.Steps, byStep)
	if got := since(m, before); !reflect.DeepEqual(got, plan.Steps) {
		return fmt.Errorf("steps\n%v, planned\n%v", got, plan.Steps)
	}
	if got := minus(s.Counts(), counts); got != plan.Counts {
		return fmt.Errorf("counts %v, planned %v", got, plan.Counts)
	}
	if work.Gates != plan.Gates {
		return fmt.Errorf("%d gates, planned %d", work.Gates, plan.Gates)
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
		case KindSpline:
			_, err = EvalSpline(m, step, column(mats, k), splineOf(c), x)
		case KindStep:
			_, err = Step(m, step, column(mats, k), x)
		case KindLift:
			_, err = Lift(m, step, column(mats, k), x)
		}
		if err != nil {
			return err
		}
		plan := PlanOnline(m.N(), m.Self(), step, c, batch)
		slices.SortFunc(plan.Steps, byStep)
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
		class := Class{KindReLU, 20, 32, 8 * c.n, 0, 0, Garbled}
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
		for _, c := range []struct {
			b            Backend
			in, offline  int
			online       int
			small, large int // elements in one chunk, and in two
		}{
			{Garbled, 20, 2*n + 3, 3, 1000, 50000},
			{Carry, 5, 2*n + 3, 2, 10000, 400000},
			{Carry, 17, 2*n + 3, 3, 10000, 200000},
			{Carry, 20, 2*n + 4, 3, 10000, 200000},
			{Carry, 25, 2*n + 5, 3, 5000, 200000},
			{Carry, 60, 2*n + 3, 4, 1000, 100000},
		} {
			rounds := func(cost Cost) (r int) {
				for _, s := range cost.Steps {
					r += s.Rounds
				}
				return r
			}
			classes := func(elements int) []Class {
				return []Class{{KindReLU, c.in, 32, elements, 0, 0, c.b}, {KindMax, 3, 3, 100, 1, 0, c.b}, {KindLift, 30, 40, 100, 2, 0, c.b}}
			}
			if got := rounds(PlanGenerate(n, 0, depth, classes(c.small), 1)); got != c.offline {
				t.Errorf("n = %d, %+v: %d rounds offline", n, c, got)
			}
			if got := rounds(PlanGenerate(n, 0, depth, classes(c.large), 1)); got < 2*c.offline {
				t.Errorf("n = %d, %+v: %d rounds offline for a large class", n, c, got)
			}
			if got := rounds(PlanOnline(n, 0, "", classes(c.large)[0], 4)); got != c.online {
				t.Errorf("n = %d, %+v: %d rounds online", n, c, got)
			}
		}
	}
}

// The figures for splines of 18 to 36 bits beside as many ReLUs as they have
// knots: correlated OTs of all parties, and bytes of one, sent offline and online
// and stored.
func TestSplinesBesideReLUs(t *testing.T) {
	for _, c := range []struct {
		n, knots     int
		b            Backend
		relu, spline [4]int
	}{
		{2, 8, Carry, [4]int{320, 1049, 27, 241}, [4]int{80, 303, 7, 126}},
		{2, 32, Carry, [4]int{1280, 4194, 108, 964}, [4]int{224, 876, 22, 426}},
		{3, 8, Carry, [4]int{960, 2097, 54, 241}, [4]int{240, 607, 15, 126}},
		{3, 32, Carry, [4]int{3840, 8388, 216, 964}, [4]int{672, 1753, 45, 426}},
		{2, 8, Garbled, [4]int{408, 3163, 1107, 3162}, [4]int{408, 2946, 1091, 3114}},
		{2, 32, Garbled, [4]int{1632, 12652, 4426, 12646}, [4]int{1632, 11693, 4356, 12437}},
		{3, 8, Garbled, [4]int{1616, 9525, 1487, 4161}, [4]int{1616, 9092, 1456, 4114}},
		{3, 32, Garbled, [4]int{6464, 38100, 5949, 16644}, [4]int{6464, 36182, 5810, 16435}},
	} {
		elements := 1280 * c.n
		figures := func(class Class) (f [4]int) {
			var sums [4]int64
			for p := range c.n {
				plan := PlanGenerate(c.n, p, depth, []Class{class}, 1)
				sums[0] += plan.COTs * int64(c.n)
				sums[1] += sentBy(plan)
				sums[2] += sentBy(PlanOnline(c.n, p, "", class, 1))
				sums[3] += int64(class.EncodedLen(c.n, p))
			}
			for i, s := range sums {
				f[i] = int(math.Round(float64(s) / float64(c.n*elements)))
			}
			return f
		}
		relu := figures(Class{KindReLU, 18, 36, elements * c.knots, 0, 0, c.b})
		spline := figures(Class{KindSpline, 18, 36, elements, 0, c.knots, c.b})
		if relu != c.relu || spline != c.spline {
			t.Errorf("n = %d, %v, %d knots: %v and %v, want %v and %v", c.n, c.b, c.knots, relu, spline, c.relu, c.spline)
		}
	}
}

func sentBy(c Cost) (bytes int64) {
	for _, s := range c.Steps {
		bytes += s.Sent
	}
	return bytes
}

// The figures for a carried comparison of 20 bits: correlated OTs and products of
// all parties, and bytes of one party, on the wire and stored.
func TestCarriedComparisonOfTwentyBits(t *testing.T) {
	for _, c := range []struct{ n, cots, gates, offline, online, stored int }{
		{2, 44, 85, 136, 3, 29},
		{3, 132, 85, 272, 7, 29},
		{5, 458, 85, 559, 14, 29},
	} {
		class := Class{KindReLU, 20, 32, 128 * 100 * c.n, 0, 0, Carry}
		var cots, offline, online, gates int64
		for p := range c.n {
			plan := PlanGenerate(c.n, p, depth, []Class{class}, 1)
			cots += plan.COTs
			gates = plan.Gates
			for _, s := range plan.Steps {
				offline += s.Sent
			}
			plan = PlanOnline(c.n, p, "", class, 1)
			for _, s := range plan.Steps {
				online += s.Sent
			}
		}
		per := func(total int64) int { return int(math.Round(float64(total) / float64(class.N))) }
		got := [...]int{per(cots), per(gates), per(offline) / c.n, per(online) / c.n, class.EncodedLen(c.n, 0) / class.N}
		if want := [...]int{c.cots, c.gates, c.offline, c.online, c.stored}; got != want {
			t.Errorf("n = %d: %v, want %v", c.n, got, want)
		}
	}
}

package product

import (
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/protocol/ot/ottest"
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
	for _, n := range []int{2, 3, 5} {
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			ottest.Run(t, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
				layer := 0
				for _, set := range [][]Class{someClasses, someClasses[1:2], someClasses[8:9], nil} {
					for _, memory := range []int{1 << 19, chunkMemory} {
						set = layered(set, layer)
						layer += len(set)
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
	mats, err := generate(m, s, rng, classes, batch, memory)
	if err != nil {
		return err
	}
	plan := planGenerate(m.N(), m.Self(), depth, classes, batch, memory)
	if got := since(m, before); !reflect.DeepEqual(got, plan.Steps) {
		return fmt.Errorf("steps\n%v, planned\n%v", got, plan.Steps)
	}
	if got := minus(s.Counts(), counts); got != plan.Counts {
		return fmt.Errorf("counts %v, planned %v", got, plan.Counts)
	}
	for k, c := range classes {
		before, step := m.Steps(), fmt.Sprintf("layer %d", c.Layer)
		x, y := make([]uint64, batch*c.XLen()), make([]uint64, batch*c.YLen())
		if _, err := Multiply(m, step, column(mats, k), x, y); err != nil {
			return err
		}
		plan := PlanOnline(m.N(), m.Self(), step, c, batch)
		if got := since(m, before); !reflect.DeepEqual(got, plan.Steps) {
			return fmt.Errorf("%v: steps\n%v, planned\n%v", c, got, plan.Steps)
		}
	}
	return nil
}

// The figures of docs/protocols.md: correlated OTs of all parties, bytes of one
// party on the wire and stored, for a product of elements of 40 bits, a square, and a
// product in a product of matrices.
func TestProductOfFortyBits(t *testing.T) {
	for _, c := range []struct {
		n                             int
		class                         Class
		cots, offline, online, stored float64
	}{
		{2, Class{T: 1 << 14, M: 1, K: 1, N: 1, Width: 40}, 80, 262.5, 10, 15},
		{3, Class{T: 1 << 14, M: 1, K: 1, N: 1, Width: 40}, 240, 525, 20, 15},
		{5, Class{T: 1 << 14, M: 1, K: 1, N: 1, Width: 40}, 800, 1050, 40, 15},
		{2, Class{T: 1 << 14, M: 1, K: 1, N: 1, Width: 40, Square: true}, 39, 126.75, 5, 10},
		{3, Class{T: 1 << 14, M: 1, K: 1, N: 1, Width: 40, Square: true}, 117, 253.5, 10, 10},
		{5, Class{T: 1 << 14, M: 1, K: 1, N: 1, Width: 40, Square: true}, 390, 507, 20, 10},
		{2, Class{T: 4, M: 64, K: 64, N: 64, Width: 40}, 80. / 64, 105, 10. / 64, 15. / 64},
		{3, Class{T: 4, M: 64, K: 64, N: 64, Width: 40}, 240. / 64, 210, 20. / 64, 15. / 64},
		{5, Class{T: 4, M: 64, K: 64, N: 64, Width: 40}, 800. / 64, 420, 40. / 64, 15. / 64},
	} {
		var cots, offline, online float64
		for p := range c.n {
			plan := PlanGenerate(c.n, p, depth, []Class{c.class}, 1)
			cots += float64(plan.COTs)
			for _, s := range plan.Steps {
				offline += float64(s.Sent) / float64(c.n)
			}
			online += float64(PlanOnline(c.n, p, "", c.class, 1).Steps[0].Sent) / float64(c.n)
		}
		stored := float64(c.class.EncodedLen(c.n, 0))
		got := []float64{cots, offline, online, stored}
		for i, want := range []float64{c.cots, c.offline, c.online, c.stored} {
			if per := got[i] / float64(c.class.Products()); math.Abs(per-want) > 0.005*want {
				t.Errorf("n = %d, %v: figure %d is %.2f, want %.2f", c.n, c.class, i, per, want)
			}
		}
	}
}

func TestRounds(t *testing.T) {
	rounds := func(c Cost) (r int) {
		for _, s := range c.Steps {
			r += s.Rounds
		}
		return r
	}
	for n := 2; n <= 7; n++ {
		small := layered(someClasses, 0)
		if got := rounds(PlanGenerate(n, 0, depth, small, 2)); got != 2 {
			t.Errorf("n = %d: %d rounds offline", n, got)
		}
		large := slices.Clone(small)
		large[0].T = 1 << 20
		if got := rounds(PlanGenerate(n, 0, depth, large, 1)); got < 20 {
			t.Errorf("n = %d: %d rounds offline for a large class", n, got)
		}
		for _, c := range small {
			if got := rounds(PlanOnline(n, 0, "", c, 4)); got != 1 {
				t.Errorf("n = %d, %v: %d rounds online", n, c, got)
			}
		}
	}
}

package compare

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

func repeat(x int64, n int) []int64 {
	v := make([]int64, n)
	for i := range v {
		v[i] = x
	}
	return v
}

// ends are the inputs at the ends of the range of a class of m bits.
func ends(kind Kind, m int) (lo, hi int64) {
	half := int64(1) << (m - 1)
	if kind == KindLift || kind == KindSpline {
		half = 1 << (m - 2)
		return -half, half
	}
	return -half, half - 1
}

var wide = [][2]int{{20, 32}, {20, 12}, {64, 64}, {7, 20}, {16, 16}, {22, 22}, {31, 40}, {33, 64}, {63, 64}, {64, 20}}

// wideTrials returns trials of the given number of elements and widths.
func wideTrials(elements int, widths [][2]int) []trial {
	rng := rand.New(rand.NewPCG(3, 4))
	var trials []trial
	add := func(kind Kind, in, out int) {
		c := Class{Kind: kind, In: in, Out: out, N: elements, Layer: len(trials)}
		if kind == KindSpline {
			c.Knots = 1 + len(trials)%min(9, 3+elements/10)
		}
		tr := trial{class: c, batch: 2}
		lo, hi := ends(kind, in)
		for i := range 2 * c.N {
			x := ring.Signed(rng.Uint64(), in)
			if kind == KindLift || kind == KindSpline {
				x >>= 1
			}
			switch i % 8 { // small numbers, and the ends
			case 0:
				x >>= rng.IntN(in)
			case 1:
				x = lo + int64(i/8%2)
			case 2:
				x = hi - int64(i/8%2)
			case 3:
				if kind == KindSpline {
					x = splineOf(c).Knots[i/8%c.Knots].At
				}
			}
			y := int64(0)
			if kind == KindMax {
				x, y = x>>1, ring.Signed(rng.Uint64(), in)>>1
				if i%5 == 0 {
					y = x
				}
			}
			tr.x, tr.y = append(tr.x, x), append(tr.y, y)
		}
		trials = append(trials, tr)
	}
	for _, w := range widths {
		add(KindReLU, w[0], w[1])
		add(KindLift, w[0], w[1])
		add(KindStep, w[0], 1+w[1]%8)
		add(KindSpline, w[0], w[1])
		add(KindMax, w[0], w[0])
	}
	return trials
}

func TestWideInputsAreExact(t *testing.T) {
	for _, n := range []int{2, 3, 4, 5, 7} {
		trials := wideTrials(300/(n*n), wide[:min(len(wide), 17-2*n)])
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			withSession(t, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
				return check(m, s, rng, trials, 4<<20)
			})
		})
	}
}

// Just outside the range results are wrong, at least for some r: nobody is to
// believe that there is slack.
func TestRangeEndsAreExact(t *testing.T) {
	const m, out, count = 6, 12, 1000
	type point struct {
		kind Kind
		x, y int64
		ok   bool
	}
	lo, hi := ends(KindReLU, m)
	points := []point{
		{KindReLU, lo, 0, true}, {KindReLU, hi, 0, true}, {KindReLU, lo - 1, 0, false}, {KindReLU, hi + 1, 0, false},
		{KindMax, hi, 0, true}, {KindMax, lo / 2, hi - hi/2, true}, {KindMax, hi, -1, false}, {KindMax, lo, 1, false},
		{KindStep, lo, 0, true}, {KindStep, hi, 0, true}, {KindStep, lo - 1, 0, false}, {KindStep, hi + 1, 0, false},
	}
	lo, hi = ends(KindLift, m)
	points = append(points, point{KindLift, lo, 0, true}, point{KindLift, hi, 0, true},
		point{KindLift, lo - 1, 0, false}, point{KindLift, hi + 1, 0, false},
		point{KindSpline, lo, 0, true}, point{KindSpline, hi, 0, true}, point{KindSpline, lo - 1, 0, false}, point{KindSpline, hi + 1, 0, false})
	var classes []Class
	for _, b := range bothBackends {
		for _, p := range points {
			c := Class{Kind: p.kind, In: m, Out: out, N: count, Layer: len(classes), Backend: b}
			if p.kind == KindMax {
				c.Out = m
			}
			if p.kind == KindSpline {
				c.Knots = 5
			}
			classes = append(classes, c)
		}
	}
	points = append(points, points...)
	withSession(t, 3, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
		mats, err := Generate(m, s, rng, classes, 1)
		if err != nil {
			return err
		}
		for k, p := range points {
			got, err := run(m, column(mats, k), words(repeat(p.x, count)), words(repeat(p.y, count)))
			if err != nil {
				return err
			}
			wrong := 0
			for _, z := range got {
				if z != want(classes[k], p.x, p.y) {
					wrong++
				}
			}
			if (wrong == 0) != p.ok {
				return fmt.Errorf("%+v: %v of (%d, %d) is wrong %d times of %d", classes[k], p.kind, p.x, p.y, wrong, count)
			}
		}
		return nil
	})
}

// shiftThenReLU drops f bits of x, shared mod 2ᵏ, as the engine does, and
// returns the ReLU.
func shiftThenReLU(m *transport.Mesh, mat *Material, x []int64, f int) ([]int64, error) {
	n, p := m.N(), m.Self()
	k := mat.Class().In + f
	s := shareOf(words(x), n, p, 9)
	for i := range s {
		if p == 0 {
			s[i] += uint64(n) * (1<<f - 1) / 2
		}
		s[i] = s[i] & ring.Mask(k) >> f
	}
	z, err := ReLU(m, "test", []*Material{mat}, s)
	if err != nil {
		return nil, err
	}
	return reveal(m, z, mat.Class().Out)
}

// The error after a shift is below n/2 units in the last place in the range
//
//	−2ᵏ⁻¹ + ⌈h⌉ − (2^f − 1) ≤ x ≤ 2ᵏ⁻¹ − 1 − ⌊h⌋,  h = n(2^f−1)/2
//
// and not outside, for some low bits of the shares: those are the ends to which
// sums of n low parts can reach.
func TestShiftThenReLUKeepsTheErrorBound(t *testing.T) {
	const bits, count = 6, 1000
	type point struct {
		f  int
		x  []int64
		ok bool
	}
	for _, n := range []int{2, 3, 4, 5} {
		var points []point
		for _, f := range []int{0, 1, 3} {
			half, h := int64(1)<<(bits+f-1), int64(n)*(1<<f-1)
			lo, hi := -half+(h+1)/2-(1<<f-1), half-1-h/2
			points = append(points, point{f, allOf(lo, hi+1, count), true},
				point{f, repeat(lo, count), true}, point{f, repeat(hi, count), true})
			if f <= 1 { // beyond, the chance falls with f and n
				points = append(points, point{f, repeat(hi+1, count), false})
			}
			if f == 1 { // without a shift, the number below is a large positive one
				points = append(points, point{f, repeat(lo-2, count), false})
			}
		}
		var classes []Class
		for k, p := range points {
			classes = append(classes, Class{KindReLU, bits, 20, len(p.x), k, 0, bothBackends[(k+n)%2]})
		}
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			withSession(t, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
				mats, err := Generate(m, s, rng, classes, 1)
				if err != nil {
					return err
				}
				for k, p := range points {
					got, err := shiftThenReLU(m, mats[0][k], p.x, p.f)
					if err != nil {
						return err
					}
					if bad := beyond(got, p.x, n, p.f); (bad == 0) != p.ok {
						return fmt.Errorf("f = %d, x from %d: %d of %d results are n/2 ulp or more away", p.f, p.x[0], bad, len(got))
					}
				}
				return nil
			})
		})
	}
}

// beyond counts the results that are n/2 units or more away from max(x, 0)/2^f;
// none is where f = 0 and they are exact.
func beyond(got, x []int64, n, f int) int {
	bad := 0
	for i, z := range got {
		d := z<<f - max(x[i], 0)
		if d < 0 {
			d = -d
		}
		if f == 0 && d != 0 || f > 0 && 2*d >= int64(n)<<f {
			bad++
		}
	}
	return bad
}

func TestMaxTreeOfNineWithEqualValues(t *testing.T) {
	const width, count = 9, 30
	inputs := make([][]int64, 9)
	for i := range inputs {
		inputs[i] = make([]int64, count)
		for e := range inputs[i] {
			switch e % 3 {
			case 0:
				inputs[i][e] = 5 // all equal
			case 1:
				inputs[i][e] = int64(i*i*7+e)%128*2 - 128
			case 2:
				inputs[i][e] = -int64((i + e) % 4) // many ties
			}
		}
	}
	for _, n := range []int{2, 3, 5} {
		withSession(t, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
			var classes []Class
			for k := range 8 {
				classes = append(classes, Class{KindMax, width, width, count, k, 0, bothBackends[k%2]})
			}
			mats, err := Generate(m, s, rng, classes, 1)
			if err != nil {
				return err
			}
			var level [][]uint64
			for i, v := range inputs {
				level = append(level, shareOf(words(v), n, m.Self(), uint64(i)))
			}
			for k := 0; len(level) > 1; k++ {
				z, err := Max(m, fmt.Sprintf("node %d", k), column(mats, k), level[0], level[1])
				if err != nil {
					return err
				}
				level = append(level[2:], z)
			}
			got, err := reveal(m, level[0], width)
			if err != nil {
				return err
			}
			for e, z := range got {
				want := inputs[0][e]
				for i := range inputs {
					want = max(want, inputs[i][e])
				}
				if z != want {
					return fmt.Errorf("element %d: maximum %d, want %d", e, z, want)
				}
			}
			return nil
		})
	}
}

// Every party evaluates, also where there are fewer elements than parties.
func TestEveryEvaluatorAndFewElements(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		var trials []trial
		for size := 1; size <= 2*n+1; size++ {
			for _, kind := range []Kind{KindReLU, KindMax, KindLift, KindStep, KindSpline} {
				c := Class{kind, 6, 6, size, len(trials), 0, Garbled}
				if kind == KindSpline {
					c.Knots = 3
				}
				x := allOf(-7, 8, size)[:size]
				trials = append(trials, trial{class: c, batch: 1, x: x, y: repeat(1, size)})
			}
		}
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			withSession(t, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
				return check(m, s, rng, trials, 1)
			})
		})
	}
}

package compare

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/protocol/ot/ottest"
	"github.com/tacit-mpc/tacit/transport"
)

// splineOf is a spline for the class with knots at the ends of the range, if it
// has so many, and all coefficients of any size.
func splineOf(c Class) *Spline {
	rng := rand.New(rand.NewPCG(uint64(c.Layer), uint64(c.In)))
	s := &Spline{Base: int64(rng.Uint64()), Slope: int64(rng.Uint64())}
	bound := int64(1) << (c.In - 2)
	var at []int64
	if c.Knots > 2 {
		at = append(at, -bound, bound)
	}
	for len(at) < c.Knots {
		if t := int64(rng.Uint64N(2*uint64(bound)+1)) - bound; !slices.Contains(at, t) {
			at = append(at, t)
		}
	}
	slices.Sort(at)
	for _, t := range at {
		s.Knots = append(s.Knots, Knot{t, int64(rng.Uint64())})
	}
	return s
}

// at is the spline in the clear, modulo 2⁶⁴.
func (s *Spline) at(x int64) int64 {
	y := s.Base + s.Slope*x
	for _, k := range s.Knots {
		if x > k.At {
			y += k.Delta * (x - k.At)
		}
	}
	return y
}

// Any spline of any widths on any inputs, among them its knots, in any back end.
func TestSplinesAreExact(t *testing.T) {
	for _, n := range []int{2, 3} {
		ottest.Bases(t, n)
		rapid.Check(t, func(rt *rapid.T) {
			in := rapid.IntRange(2, 30).Draw(rt, "bits")
			bound := int64(1) << (in - 2)
			numbers := rapid.Int64Range(-bound, bound)
			at := rapid.SliceOfNDistinct(numbers, 1, int(min(7, 2*bound+1)), rapid.ID).Draw(rt, "knots")
			slices.Sort(at)
			s := &Spline{Base: rapid.Int64().Draw(rt, "base"), Slope: rapid.Int64().Draw(rt, "slope")}
			for _, t := range at {
				s.Knots = append(s.Knots, Knot{t, rapid.Int64().Draw(rt, "delta")})
			}
			x := append(rapid.SliceOfN(numbers, 1, 20).Draw(rt, "x"), at...)
			class := Class{KindSpline, in, rapid.IntRange(1, 64).Draw(rt, "result"), len(x), 0, len(at), rapid.SampledFrom(bothBackends).Draw(rt, "back end")}
			ottest.Together(rt, n, func(m *transport.Mesh, session *ot.Session, rng io.Reader) error {
				mats, err := Generate(m, session, rng, []Class{class}, 1)
				if err != nil {
					return err
				}
				z, err := EvalSpline(m, "test", mats[0], s, shareOf(words(x), n, m.Self(), 7))
				if err != nil {
					return err
				}
				got, err := reveal(m, z, class.Out)
				if err != nil {
					return err
				}
				for i, x := range x {
					if want := ring.Signed(uint64(s.at(x)), class.Out); got[i] != want {
						return fmt.Errorf("%+v, %+v: %d gives %d, want %d", class, s, x, got[i], want)
					}
				}
				return nil
			})
		})
	}
}

func TestSplineRefuses(t *testing.T) {
	class := Class{KindSpline, 6, 9, 4, 0, 2, Carry}
	relu := class
	relu.Kind, relu.Knots = KindReLU, 0
	for _, test := range []struct {
		name  string
		class Class
		knots []Knot
		want  string
	}{
		{"fine", class, []Knot{{-16, 3}, {16, 0}}, ""},
		{"too few", class, []Knot{{1, 3}}, "spline of 1 knots"},
		{"for a ReLU", relu, nil, "relu"},
		{"low", class, []Knot{{-17, 1}, {1, 3}}, "knot at -17, want -16 to 16"},
		{"high", class, []Knot{{1, 1}, {17, 3}}, "knot at 17"},
		{"equal", class, []Knot{{1, 1}, {1, 3}}, "rising"},
		{"falling", class, []Knot{{1, 1}, {0, 3}}, "rising"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &Spline{Knots: test.knots}
			err := s.Validate(test.class)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%v, want %q", err, test.want)
			}
			if err == nil {
				return
			}
			mat := noise(t, test.class, 2, 0, 0)
			if _, err := EvalSpline(nil, "", []*Material{mat}, s, make([]uint64, 4)); err == nil || mat.spent.Load() {
				t.Errorf("%v; spent: %v", err, mat.spent.Load())
			}
		})
	}
}

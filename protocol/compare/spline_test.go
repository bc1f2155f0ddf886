package compare

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
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

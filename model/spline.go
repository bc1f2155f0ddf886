package model

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// A fitted is a spline, its slopes with bits fraction bits, and what it errs by.
type fitted struct {
	Spline
	bits     int
	monotone bool      // of the function
	from     []int64   // where its segments start
	y        []float64 // values there
	slope    []float64
	err, all []float64 // of every segment: largest error at whole numbers, and at all numbers
}

// corners returns the whole numbers where lines meet, and the values wanted there,
// with the first and the last line of those that are left.
func (d *domain) corners(lines []line) (knots []Knot, y []float64, first, last line) {
	first, last = lines[0], lines[0]
	for _, m := range lines[1:] {
		cross := math.Ldexp(last.cross(m), d.frac)
		at := math.RoundToEven(cross)
		n := len(knots)
		switch {
		case !(at > float64(d.lo)):
			first = m
		case at >= float64(d.hi):
			continue
		case n > 0 && int64(at) <= knots[n-1].At: // nothing is left of the line before
			y[n-1] = m.at(d.real(knots[n-1].At))
		case at < cross: // the line that is inside the tube there
			knots, y = append(knots, Knot{At: int64(at)}), append(y, last.at(d.real(int64(at))))
		default:
			knots, y = append(knots, Knot{At: int64(at)}), append(y, m.at(d.real(int64(at))))
		}
		last = m
	}
	return knots, y, first, last
}

// whole turns lines into a spline. Every slope leads from the value where its
// segment starts to the one wanted where it ends, so that the rounding of slopes
// does not add up.
func (d *domain) whole(lines []line, bits int) *fitted {
	scale := math.Ldexp(1, d.frac+bits)
	s := &fitted{bits: bits, monotone: d.fn.trend != 0}
	knots, ends, first, last := d.corners(lines)
	s.Knots = knots
	for i := range ends {
		ends[i] *= scale
	}
	slope := int64(math.RoundToEven(math.Ldexp(first.slope, bits)))
	x, y := d.lo, math.RoundToEven(first.at(d.real(d.lo))*scale)
	if len(ends) > 0 { // exact at the first knot, where the others follow
		start := y
		x, y = s.Knots[0].At, math.RoundToEven(ends[0])
		if d.fn.left == nil || first.slope != d.fn.left.slope {
			slope = int64(math.RoundToEven((y - start) / float64(x-d.lo)))
		}
	}
	s.Base, s.Slope = int64(y)-slope*x, slope
	s.from, s.slope = []int64{d.lo}, []float64{float64(slope)}
	s.y = []float64{y - float64(slope)*float64(x-d.lo)}
	for i := range s.Knots {
		k := &s.Knots[i]
		next := int64(math.RoundToEven(math.Ldexp(last.slope, bits)))
		if i+1 < len(ends) {
			next = int64(math.RoundToEven((ends[i+1] - y) / float64(s.Knots[i+1].At-k.At)))
		} else if d.fn.right == nil || last.slope != d.fn.right.slope {
			next = int64(math.RoundToEven((last.at(d.real(d.hi))*scale - y) / float64(d.hi-k.At)))
		}
		k.Delta = next - slope
		slope = next
		s.from, s.y, s.slope = append(s.from, k.At), append(s.y, y), append(s.slope, float64(next))
		if i+1 < len(ends) {
			y += float64(next) * float64(s.Knots[i+1].At-k.At)
		}
	}
	return s
}

// within returns the spline without the knots that a comparison of numbers of the
// magnitude cannot hold: they are never reached.
func (s *fitted) within(magnitude float64) *Spline {
	limit := int64(1)
	for float64(limit) < magnitude {
		limit *= 2
	}
	z := s.Spline
	for len(z.Knots) > 0 && z.Knots[len(z.Knots)-1].At > limit {
		z.Knots = z.Knots[:len(z.Knots)-1]
	}
	for len(z.Knots) > 0 && z.Knots[0].At < -limit {
		k := z.Knots[0]
		z.Base, z.Slope, z.Knots = z.Base-k.Delta*k.At, z.Slope+k.Delta, z.Knots[1:]
	}
	if len(z.Knots) == 0 { // a line, which is lifted as other splines are
		z.Knots = []Knot{{}}
	}
	return &z
}

// segment returns the number of the segment of x.
func (s *fitted) segment(x float64) int {
	i, _ := slices.BinarySearchFunc(s.from, x, func(a int64, x float64) int {
		if float64(a) <= x {
			return -1
		}
		return 1
	})
	return max(i-1, 0)
}

// value returns the function at x, which need not be whole.
func (s *fitted) value(x float64) float64 {
	i := s.segment(x)
	return s.y[i] + s.slope[i]*(x-float64(s.from[i]))
}

// measure finds the largest error of every segment. Between bends and knots the
// error is convex or concave, so that a search finds its one extremum.
func (s *fitted) measure(d *domain) {
	scale := math.Ldexp(1, d.frac+s.bits)
	points := d.pieces()
	s.err, s.all = make([]float64, len(s.from)), make([]float64, len(s.from))
	for i, from := range s.from {
		to := d.hi
		if i+1 < len(s.from) {
			to = s.from[i+1]
		}
		off := func(x float64) float64 {
			return s.y[i] + s.slope[i]*(x-float64(from)) - d.fn.f(math.Ldexp(x, -d.frac))*scale
		}
		ends := []int64{from, to}
		for _, p := range points {
			if p > from && p < to {
				ends = append(ends, p)
			}
		}
		slices.Sort(ends)
		for k, b := range ends {
			s.err[i] = max(s.err[i], math.Abs(off(float64(b))))
			if k == 0 {
				continue
			}
			x := extremum(off, float64(ends[k-1]), float64(b))
			s.all[i] = max(s.all[i], math.Abs(off(x)))
			s.err[i] = max(s.err[i], math.Abs(off(math.Floor(x))), math.Abs(off(math.Ceil(x))))
		}
		s.all[i] = max(s.all[i], s.err[i])
	}
}

// extremum returns where f, which is convex or concave from a to b, is farthest
// from its chord.
func extremum(f func(float64) float64, a, b float64) float64 {
	fa, m := f(a), (a+b)/2
	sign := 1.0
	if f(m) < (fa+f(b))/2 {
		sign = -1
	}
	golden := (math.Sqrt(5) - 1) / 2
	x, y := b-golden*(b-a), a+golden*(b-a)
	fx, fy := sign*f(x), sign*f(y)
	for range 80 {
		if b-a < 1e-3 {
			break
		}
		if fx > fy {
			b, y, fy = y, x, fx
			x = b - golden*(b-a)
			fx = sign * f(x)
		} else {
			a, x, fx = x, y, fy
			y = a + golden*(b-a)
			fy = sign * f(y)
		}
	}
	return (a + b) / 2
}

// apart returns the largest weighted distance to z, which has the same knots.
func (s *fitted) apart(z *fitted, d *domain) float64 {
	worst := 0.0
	for _, x := range append([]int64{d.hi}, s.from...) {
		off := math.Ldexp(s.value(float64(x)), -d.frac-s.bits) - math.Ldexp(z.value(float64(x)), -d.frac-z.bits)
		worst = max(worst, math.Abs(off)/d.fn.weighted(d.f(x)))
	}
	return worst
}

// spline fits fn with the error wanted, or as many knots as are allowed. Slopes
// have as many fraction bits as make their rounding small next to the error.
func (d *domain) spline(wanted float64) (*fitted, error) {
	top, knots := 0.0, cmp.Or(d.fn.knots, fewKnots)
	pieces := d.pieces()
	if len(pieces) > 2*knots {
		return nil, fmt.Errorf("%s of values from %.4g to %.4g bends more than the %d times that a spline can; give calibration rows, or scale the model", d.fn.name, d.real(d.lo), d.real(d.hi), knots)
	}
	for _, p := range pieces {
		y := d.f(p)
		if math.IsNaN(y) || math.IsInf(y, 0) || math.Abs(y) > maxMagnitude {
			return nil, fmt.Errorf("%s of values from %.4g to %.4g reaches %.4g, too much for fixed point; %s", d.fn.name, d.real(d.lo), d.real(d.hi), y, narrower)
		}
		top = max(top, math.Abs(y))
	}
	lines, err := d.fit(wanted, knots)
	if err != nil {
		return nil, err
	}
	most := min(capacity-2-d.frac-max(exponent(max(top, 1))+1, 0), 40)
	if most < 0 {
		return nil, fmt.Errorf("%s of values from %.4g to %.4g does not fit 64 bits; %s", d.fn.name, d.real(d.lo), d.real(d.hi), narrower)
	}
	best := d.whole(lines, most)
	for bits := range most {
		if s := d.whole(lines, bits); s.apart(best, d) <= wanted/8 {
			best = s
			break
		}
	}
	best.measure(d)
	return best, nil
}

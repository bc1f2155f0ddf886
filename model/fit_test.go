package model

import (
	"math"
	"testing"
)

// brute returns the largest error of s at whole numbers, absolute and weighted.
func brute(s *fitted, d *domain) (worst, weighted float64) {
	scale := math.Ldexp(1, -d.frac-s.bits)
	for x := d.lo; x <= d.hi; x++ {
		y := d.f(x)
		e := math.Abs(float64(s.Eval(x))*scale - y)
		worst, weighted = max(worst, e), max(weighted, e/d.fn.weighted(y))
	}
	return worst, weighted
}

func TestFitScratch(t *testing.T) {
	const frac = 13
	for _, c := range []struct {
		fn     *smooth
		lo, hi float64
	}{
		{sigmoidFn(), -8, 8}, {sigmoidFn(), -50, 50}, {tanhFn(), -4, 4}, {tanhFn(), -64, 64}, {erfFn(), -4, 4}, {atanFn(), -8, 8}, {softsignFn(), -8, 8},
		{softplusFn(), -8, 8}, {softplusFn(), -50, 50}, {siluFn(), -8, 8}, {mishFn(), -8, 8}, {mishFn(), -30, 30},
		{geluFn(false), -8, 8}, {geluFn(false), -60, 60}, {geluFn(true), -8, 8},
		{eluFn("elu", 1, 1, 1), -8, 8}, {eluFn("selu", 1.05070102214813232421875, 1.67326319217681884765625, 1), -8, 8}, {eluFn("selu", 1.05070102214813232421875, 1.67326319217681884765625, 1), -60, 60},
		{expFn(), -16, 0}, {expFn(), -60, 0}, {expFn(), -8, 8}, {logFn(), 0.01, 8}, {sqrtFn(), 0, 8}, {sqrtFn(), -4, 60}, {reciprocalFn(), 1, 16}, {reciprocalFn(), -16, -1}, {reciprocalFn(), 1, 128}, {rsqrtFn(1e-3), 0, 8}, {rsqrtFn(1e-5), -1, 16},
	} {
		d := &domain{c.fn, frac, int64(c.lo * 8192), int64(c.hi * 8192)}
		s, err := d.spline(math.Ldexp(wantedUlps, -frac))
		if err != nil {
			t.Error(c.fn.name, err)
			continue
		}
		worst, w := brute(s, d)
		m, a := 0.0, 0.0
		for i := range s.err {
			m, a = max(m, s.err[i]), max(a, s.all[i])
		}
		t.Logf("%-16s %6g..%-4g knots %2d bits %2d worst %.3g = %.2f ulp, weighted %.3g=%.2f ulp; measured %.3g all %.3g", c.fn.name, c.lo, c.hi, len(s.Knots), s.bits, worst, worst*8192, w, w*8192, math.Ldexp(m, -frac-s.bits), math.Ldexp(a, -frac-s.bits))
	}
}

func BenchmarkFit(b *testing.B) {
	for _, fn := range []*smooth{sigmoidFn(), geluFn(false), rsqrtFn(1e-3)} {
		b.Run(fn.name, func(b *testing.B) {
			d := &domain{fn, 13, -8 * 8192, 8 * 8192}
			for b.Loop() {
				if _, err := d.spline(math.Ldexp(wantedUlps, -13)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package model

import (
	"flag"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the table of docs/operators.md anew")

// tabled are functions and domains whose errors docs/operators.md lists.
var tabled = []struct {
	fn     *smooth
	lo, hi float64
}{
	{sigmoidFn(), -8, 8}, {sigmoidFn(), -64, 64}, {tanhFn(), -8, 8}, {erfFn(), -8, 8}, {atanFn(), -8, 8}, {softsignFn(), -8, 8},
	{softplusFn(), -8, 8}, {softplusFn(), -64, 64}, {siluFn(), -8, 8}, {siluFn(), -64, 64}, {mishFn(), -8, 8},
	{geluFn(false), -8, 8}, {geluFn(false), -64, 64}, {geluFn(true), -8, 8}, {smooths["Elu"](plainOperator), -8, 8}, {smooths["Selu"](plainOperator), -8, 8},
	{expFn(), -64, 0}, {expFn(), -8, 8}, {logFn(), 1. / 64, 64}, {logFn(), 1, 1024}, {sqrtFn(), 0, 1}, {sqrtFn(), 0, 64},
	{reciprocalFn(), 1, 16}, {reciprocalFn(), 1, 1024}, {reciprocalFn(), 1. / 64, 64}, {rsqrtFn(1e-5), 0, 64}, {rsqrtFn(1e-3), 0, 64},
	{powFn(1.5), 0, 8}, {powFn(5), -2, 2}, {sinFn(), -math.Pi, math.Pi}, {sinFn(), -16, 16}, {cosFn(), -math.Pi, math.Pi}, {tanFn(), -1.5, 1.5}, {asinFn(), -1, 1}, {acosFn(), -1, 1},
	{sinhFn(), -4, 4}, {coshFn(), -4, 4}, {asinhFn(), -8, 8}, {acoshFn(), 1, 8}, {atanhFn(), -0.99, 0.99},
}

var plainOperator = &operator{loader: &loader{opset: latestOpset}}

// on returns the domain of fn from lo to hi.
func on(fn *smooth, lo, hi float64, frac int) *domain {
	return &domain{fn, frac, int64(math.Ceil(math.Ldexp(lo, frac))), int64(math.Floor(math.Ldexp(hi, frac)))}
}

// brute returns the largest error of s at all whole numbers, and next to the weights.
func brute(s *fitted, d *domain) (worst, weighted float64) {
	scale := math.Ldexp(1, -d.frac-s.bits)
	for x := d.lo; x <= d.hi; x++ {
		y := d.f(x)
		e := math.Abs(float64(s.Eval(x))*scale - y)
		worst, weighted = max(worst, e), max(weighted, e/d.fn.weighted(y))
	}
	return worst, weighted
}

// TestTableOfErrors generates the table of docs/operators.md: errors at every whole
// number, of the function of whole numbers that the parties compute.
func TestTableOfErrors(t *testing.T) {
	const frac = 13
	var table strings.Builder
	table.WriteString("| function | from | to | knots | bits of slopes | error | of |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, c := range tabled {
		d := on(c.fn, c.lo, c.hi, frac)
		s, err := d.spline(math.Ldexp(wantedUlps, -frac))
		if err != nil {
			t.Fatal(err)
		}
		of, worst := "1", 0.0
		switch _, worst = brute(s, d); {
		case c.fn.weight == nil:
		case c.fn.weighted(0) == 0:
			of = "\\|y\\|"
		default:
			of = "max(1, \\|y\\|)"
		}
		fmt.Fprintf(&table, "| %s | %.4g | %.4g | %d | %d | %.1e | %s |\n", c.fn.name, c.lo, c.hi, len(s.Knots), s.bits, worst, of)
	}
	const name, begin, end = "../docs/operators.md", "<!-- splines -->\n", "<!-- end of splines -->\n"
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begin)
	old, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("docs/operators.md has no place for the table")
	}
	switch {
	case sameTable(old, table.String()):
	case *update:
		if err := os.WriteFile(name, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("docs/operators.md differs from what is computed; run go test ./model -run TestTableOfErrors -update\n%s", table.String())
	}
}

// sameTable compares tables whose numbers may differ a little: processors that fuse a
// multiplication with an addition round otherwise.
func sameTable(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		u, errU := strconv.ParseFloat(x[i], 64)
		v, errV := strconv.ParseFloat(y[i], 64)
		numbers := errU == nil && errV == nil
		if x[i] != y[i] && !(numbers && math.Abs(u-v) <= 0.1*math.Abs(u)) {
			return false
		}
	}
	return true
}

// TestErrorsAreMeasured compares the measured error of every spline with that at
// every whole number, at random domains, and asserts that knots are strictly rising
// and slopes as fine as promised.
func TestErrorsAreMeasured(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom(tabled).Draw(t, "function")
		frac := rapid.IntRange(3, 13).Draw(t, "frac")
		width := min(c.hi-c.lo, 32)
		lo := rapid.Float64Range(c.lo, c.lo+width/2).Draw(t, "lo")
		d := on(c.fn, lo, rapid.Float64Range(lo+width/4, min(lo+width, c.hi)).Draw(t, "hi"), frac)
		if d.real(d.lo) <= c.fn.lo || d.hi <= d.lo {
			return
		}
		s, err := d.spline(math.Ldexp(wantedUlps, -frac))
		if err != nil {
			t.Fatal(err)
		}
		worst, _ := brute(s, d)
		measured := math.Ldexp(largest(s.err), -frac-s.bits)
		if math.Abs(worst-measured) > 1e-9*max(1, worst) {
			t.Fatalf("%s: an error of %v, measured is %v", c.fn.name, worst, measured)
		}
		for i, k := range s.Knots {
			if k.At <= d.lo || k.At >= d.hi || i > 0 && k.At <= s.Knots[i-1].At {
				t.Fatalf("%s: knots %v", c.fn.name, s.Knots)
			}
		}
		for x := d.lo; x <= d.hi; x += max((d.hi-d.lo)/97, 1) {
			if got, want := s.value(float64(x)), float64(s.Eval(x)); got != want {
				t.Fatalf("%s(%d) is %v by segments, %v by knots", c.fn.name, x, got, want)
			}
		}
	})
}

// TestFitIsMinimax compares the error for a number of knots with the least one that is
// known: a parabola of curvature 2 on K equal pieces has width²/(8·K²).
func TestFitIsMinimax(t *testing.T) {
	square := everywhere("square", func(x float64) float64 { return x * x })
	for _, pieces := range []int{1, 2, 3, 7, 16, 64} {
		d := on(square, -1, 3, 24)
		lines, err := d.fit(1e-12, pieces-1)
		if err != nil {
			t.Fatal(err)
		}
		want := 16.0 / 8 / float64(pieces*pieces)
		s := d.whole(lines, 30)
		s.measure(d)
		if got := math.Ldexp(largest(s.err), -54); len(lines) != pieces || got < want*0.999 || got > want*1.015 {
			t.Errorf("%d pieces err by %v, the least is %v for %d", len(lines), got, want, pieces)
		}
	}
	for _, fn := range []*smooth{softsignFn(), atanFn(), asinhFn(), logFn(), sqrtFn()} { // segments are balanced
		d := on(fn, 1, 6, 24)
		for _, pieces := range []int{2, 5, 12, 33} {
			lines, err := d.fit(1e-12, pieces-1)
			if err != nil {
				t.Fatal(err)
			}
			s := d.whole(lines, 26)
			s.measure(d)
			if len(s.err) != pieces || least(s.err) < 0.92*largest(s.err) {
				t.Errorf("%s on %d pieces: errors from %v to %v", fn.name, len(s.err), least(s.err), largest(s.err))
			}
		}
	}
}

// TestWideDomains asserts that functions that end in lines need no more knots on wide
// domains, and are as exact.
func TestWideDomains(t *testing.T) {
	for _, fn := range []*smooth{sigmoidFn(), tanhFn(), erfFn(), softplusFn(), siluFn(), mishFn(), geluFn(false), geluFn(true), eluFn("elu", 1, 1, 1), expFn()} {
		hi := 1.0
		if fn.name == "exp" {
			hi = 0
		}
		var knots, wide *fitted
		var err error
		if knots, err = on(fn, -32, 32*hi, 13).spline(math.Ldexp(wantedUlps, -13)); err != nil {
			t.Fatal(err)
		}
		d := on(fn, -1<<20, hi*(1<<20), 13)
		if wide, err = d.spline(math.Ldexp(wantedUlps, -13)); err != nil {
			t.Fatal(err)
		}
		if len(wide.Knots) != len(knots.Knots) {
			t.Errorf("%s: %d knots, on a narrow domain %d", fn.name, len(wide.Knots), len(knots.Knots))
		}
		if e := math.Ldexp(largest(wide.err), -wide.bits); e > 1.25*wantedUlps {
			t.Errorf("%s errs by %v ulp", fn.name, e)
		}
	}
}

func BenchmarkFit(b *testing.B) {
	for _, fn := range []*smooth{sigmoidFn(), geluFn(false), rsqrtFn(1e-3)} {
		b.Run(fn.name, func(b *testing.B) {
			d := on(fn, -8, 8, 13)
			for b.Loop() {
				if _, err := d.spline(math.Ldexp(wantedUlps, -13)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

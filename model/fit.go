package model

import (
	"fmt"
	"math"
	"slices"
)

// The fit of a smooth function by a continuous piecewise linear one.
//
// For an error e the function lies in a tube of that half width. The path of
// fewest links through a tube is found greedily: every link is the line that stays
// inside for longest, among all that start where the one before can be left. It
// touches both walls of the tube, as a best approximation does: errors of equal
// size and alternating sign. Imai and Iri, "An optimal algorithm for approximating
// a piecewise linear function" (Journal of Information Processing, 1986). The least
// e for which a number of links suffices is found by bisection.
//
// The tube is given at whole numbers, closer where the function is more curved. Where
// it ends next to a straight line, that line is a link of its own, so that a wide
// domain costs no more knots than a narrow one.

// wantedUlps is the error of a fit that is asked for, in units of the last place of
// activations, and fewKnots the number of knots that it may cost, or manyKnots where
// a function is mostly computed of one number for many, and of very different ones.
const (
	wantedUlps = 2
	fewKnots   = 64
	manyKnots  = 256
)

// A line goes through (x, y).
type line struct{ x, y, slope float64 }

func (l line) at(x float64) float64 { return l.y + l.slope*(x-l.x) }

// cross returns where l and m meet.
func (l line) cross(m line) float64 { return l.x + (m.at(l.x)-l.y)/(l.slope-m.slope) }

// A tube is what a path has to stay in.
type tube struct {
	x, lo, hi   []float64
	left, right *line   // the links at the ends, if they are given
	enter       int     // right stays inside from here on
	side        float64 // −1 if it comes there from above, 1 from below
	steep       float64 // steeper than any link
	unit        float64 // between whole numbers
}

// domain is fn on the whole numbers lo..hi, which stand for multiples of 2^−frac.
type domain struct {
	fn     *smooth
	frac   int
	lo, hi int64
}

func (d *domain) real(x int64) float64 { return math.Ldexp(float64(x), -d.frac) }

func (d *domain) f(x int64) float64 { return d.fn.f(d.real(x)) }

func (fn *smooth) weighted(y float64) float64 {
	if fn.weight == nil {
		return 1
	}
	return fn.weight(y)
}

// pieces returns lo and hi, with the bends between them, rounded to both sides.
func (d *domain) pieces() []int64 {
	points := []int64{d.lo, d.hi}
	for _, b := range d.fn.bends(d.real(d.lo), d.real(d.hi)) {
		for _, x := range []float64{math.Floor(math.Ldexp(b, d.frac)), math.Ceil(math.Ldexp(b, d.frac))} {
			if x > float64(d.lo) && x < float64(d.hi) {
				points = append(points, int64(x))
			}
		}
	}
	slices.Sort(points)
	return slices.Compact(points)
}

// sample returns points between which straight lines err by little of e.
func (d *domain) sample(e float64) []int64 {
	points := d.pieces()
	all := points[:1:1]
	var halve func(a, b int64, fa, fb float64)
	halve = func(a, b int64, fa, fb float64) {
		if b-a > 1 && len(all) < maxSamples {
			m := a + (b-a)/2
			fm := d.f(m)
			chord := fa + (fb-fa)*(float64(m-a)/float64(b-a))
			if math.Abs(fm-chord) > e/64*d.fn.weighted(fm) {
				halve(a, m, fa, fm)
				halve(m, b, fm, fb)
				return
			}
		}
		all = append(all, b)
	}
	for i, b := range points[1:] {
		halve(points[i], b, d.f(points[i]), d.f(b))
	}
	return all
}

// maxSamples bounds the work of a fit.
const maxSamples = 1 << 15

// tube returns that of error e. Where fn is a line, its tube is narrow.
func (d *domain) tube(e float64) *tube {
	const straight = 1.0 / 256
	t := &tube{unit: d.real(1)}
	for _, p := range d.sample(e) {
		x, y := d.real(p), d.f(p)
		w := e * d.fn.weighted(y)
		if l := d.fn.left; l != nil && x <= l.from && !math.IsInf(l.from, 0) {
			w *= straight
		} else if r := d.fn.right; r != nil && x >= r.from {
			w *= straight
		}
		if n := len(t.x); n > 0 {
			t.steep = max(t.steep, 4*(math.Abs(y-(t.lo[n-1]+t.hi[n-1])/2)+w+(t.hi[n-1]-t.lo[n-1])/2)/(x-t.x[n-1]))
		}
		t.x, t.lo, t.hi = append(t.x, x), append(t.lo, y-w), append(t.hi, y+w)
	}
	if l := d.fn.left; l != nil && t.inside(line{0, l.offset, l.slope}, 0) {
		t.left = &line{0, l.offset, l.slope}
	}
	n := len(t.x)
	if r := d.fn.right; r != nil && t.inside(line{0, r.offset, r.slope}, n-1) {
		t.right = &line{0, r.offset, r.slope}
		t.enter = n - 1
		for t.enter > 0 && t.inside(*t.right, t.enter-1) {
			t.enter--
		}
		if t.enter > 0 {
			t.side = 1
			if t.right.at(t.x[t.enter-1]) < t.lo[t.enter-1] {
				t.side = -1
			}
		}
	}
	return t
}

func (t *tube) inside(l line, i int) bool {
	y := l.at(t.x[i])
	return y >= t.lo[i] && y <= t.hi[i]
}

// A region is a convex set of lines, by their slopes and values at x.
type region struct {
	x float64
	v []vertex
}

type vertex struct{ slope, y float64 }

func (r *region) line(v vertex) line { return line{r.x, v.y, v.slope} }

// below keeps the lines that are at most y at x, times sign.
func (r *region) below(x, y, sign, tolerance float64) region {
	room := func(v vertex) float64 { return sign*(y-v.y-v.slope*(x-r.x)) + tolerance }
	if !slices.ContainsFunc(r.v, func(v vertex) bool { return room(v) < 0 }) {
		return *r
	}
	z := region{r.x, make([]vertex, 0, len(r.v)+1)}
	for i, v := range r.v {
		u := r.v[(i+len(r.v)-1)%len(r.v)]
		a, b := room(u), room(v)
		if a < 0 && b > 0 || a > 0 && b < 0 {
			c := a / (a - b)
			z.v = append(z.v, vertex{u.slope + c*(v.slope-u.slope), u.y + c*(v.y-u.y)})
		}
		if b >= 0 {
			z.v = append(z.v, v)
		}
	}
	return z
}

// highest returns the line that is largest at x, times sign.
func (r *region) highest(x, sign float64) line {
	best, top := line{}, math.Inf(-1)
	for _, v := range r.v {
		if y := sign * r.line(v).at(x); y > top {
			best, top = r.line(v), y
		}
	}
	return best
}

// middle returns a line inside.
func (r *region) middle() line {
	var m vertex
	for _, v := range r.v {
		m.slope += v.slope / float64(len(r.v))
		m.y += v.y / float64(len(r.v))
	}
	return r.line(m)
}

// A link is a line that may be left from sample p on, and leaves the tube itself
// behind sample q, at end: below it if up is 1, above it if up is −1.
type link struct {
	line
	p, q int
	end  float64
	up   float64
}

// path returns the fewest lines through the tube, or nil if they are more than limit.
func (t *tube) path(limit int) []line {
	n := len(t.x)
	if t.right != nil && t.enter == 0 {
		return []line{*t.right}
	}
	var lines []line
	var last link
	r := region{x: t.x[0], v: []vertex{{-t.steep, t.lo[0]}, {t.steep, t.lo[0]}, {t.steep, t.hi[0]}, {-t.steep, t.hi[0]}}}
	if t.left != nil {
		last.line = *t.left
		for last.q+1 < n && t.inside(last.line, last.q+1) {
			last.q++
		}
		lines = append(lines, last.line)
		if last.q == n-1 {
			return lines
		}
		if t.right != nil && last.q >= t.enter && t.side*(last.at(t.x[last.q])-t.right.at(t.x[last.q])) >= 0 {
			return append(lines, *t.right)
		}
		last.up = 1
		if last.at(t.x[last.q+1]) > t.hi[last.q+1] {
			last.up = -1
		}
		t.leave(&last)
		r = t.start(last)
	}
	for len(lines) < limit {
		next, done := t.extend(r, last.q)
		lines = append(lines, next.line)
		switch {
		case done && next.q < n: // it meets the last line
			if lines = append(lines, *t.right); len(lines) > limit {
				return nil
			}
			return lines
		case done:
			return lines
		case next.q == last.q:
			return nil
		}
		last, r = next, t.start(next)
	}
	return nil
}

// leave sets the end of l, between its samples q and q+1.
func (t *tube) leave(l *link) {
	room := func(i int) float64 {
		if l.up > 0 {
			return l.at(t.x[i]) - t.lo[i]
		}
		return t.hi[i] - l.at(t.x[i])
	}
	a, b := max(room(l.q), 0), room(l.q+1)
	l.end = t.x[l.q] + (t.x[l.q+1]-t.x[l.q])*a/(a-min(b, 0)+1e-300)
	l.end = math.Floor(l.end/t.unit) * t.unit // knots are whole
}

// start returns the lines that leave l: through l at its end or before, and inside
// the tube from there on to the end.
func (t *tube) start(l link) region {
	p, q := l.p, l.q
	y, wall := l.at(l.end), t.hi
	if l.up < 0 {
		wall = t.lo
	}
	far := wall[q] + (wall[q+1]-wall[q])*(l.end-t.x[q])/(t.x[q+1]-t.x[q])
	// Between l and the wall that l does not leave through.
	r := region{x: l.end, v: []vertex{{-t.steep, y}, {t.steep, y}, {t.steep, far}, {-t.steep, far}}}
	tolerance := t.tolerance(q)
	r = r.below(t.x[p], l.at(t.x[p]), l.up, tolerance)
	for i := p; i <= q; i++ {
		r = r.below(t.x[i], wall[i], l.up, tolerance)
	}
	return r
}

func (t *tube) tolerance(i int) float64 { return 1e-9 * (t.hi[i] - t.lo[i]) }

// extend follows the lines of r from sample q on for as long as one is inside.
// It is done at the end, where q is the number of samples, or where a line meets
// the given last one.
func (t *tube) extend(r region, q int) (next link, done bool) {
	n := len(t.x)
	for j := q + 1; j < n; j++ {
		x, tolerance := t.x[j], t.tolerance(j)
		for _, wall := range []struct{ y, sign float64 }{{t.lo[j], -1}, {t.hi[j], 1}} {
			rest := r.below(x, wall.y, wall.sign, tolerance)
			if len(rest.v) == 0 {
				l := link{line: r.highest(x, -wall.sign), p: q, q: j - 1, up: -wall.sign}
				t.touch(&l)
				t.leave(&l)
				return l, false
			}
			r = rest
		}
		if t.right != nil && j >= t.enter {
			if l := r.highest(x, t.side); t.side*(l.at(x)-t.right.at(x)) >= 0 {
				return link{line: l, p: q, q: j}, true
			}
		}
	}
	return link{line: r.middle(), p: q, q: n}, true
}

// touch moves l.p to the last sample at which l touches the wall that it does not
// leave through.
func (t *tube) touch(l *link) {
	room := func(i int) float64 {
		if l.up > 0 {
			return t.hi[i] - l.at(t.x[i])
		}
		return l.at(t.x[i]) - t.lo[i]
	}
	first, closest := l.p, math.Inf(1)
	for i := first; i <= l.q; i++ {
		if s := room(i) / (t.hi[i] - t.lo[i]); s <= closest+1e-6 {
			l.p, closest = i, min(closest, s)
		}
	}
}

// fit returns lines for the wanted error, or the least with the number of knots.
func (d *domain) fit(wanted float64, knots int) ([]line, error) {
	e := wanted
	var best []line
	for best = d.tube(e).path(knots + 1); best == nil; best = d.tube(e).path(knots + 1) {
		if e *= 4; e > wanted*math.Ldexp(1, 80) {
			return nil, fmt.Errorf("%s of %v to %v has no fit", d.fn.name, d.real(d.lo), d.real(d.hi))
		}
	}
	if e == wanted {
		knots = len(best) - 1
	}
	lo, hi := e/4, e
	for range 24 { // fewer knots than allowed may have a smaller error
		lines := d.tube(lo).path(knots + 1)
		if lines == nil {
			break
		}
		if best, hi = lines, lo; hi < e*1e-6 {
			return best, nil
		}
		lo /= 4
	}
	for hi > lo*1.004 {
		m := math.Sqrt(lo * hi)
		if lines := d.tube(m).path(knots + 1); lines != nil {
			best, hi = lines, m
		} else {
			lo = m
		}
	}
	return best, nil
}

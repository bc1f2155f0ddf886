package compare

import (
	"fmt"

	"github.com/tacit-mpc/tacit/transport"
)

// A Spline is a public piecewise linear function of whole numbers,
//
//	y(x) = Base + Slope·x + Σ Delta·max(x − At, 0)   over all knots
//
// modulo the ring of the result.
type Spline struct {
	Base, Slope int64
	Knots       []Knot
}

// A Knot is where the slope changes, and by how much.
type Knot struct{ At, Delta int64 }

// Validate tells whether material of class c can evaluate s: knots rise, and are
// in [−2ᵐ⁻², 2ᵐ⁻²].
func (s *Spline) Validate(c Class) error {
	if c.Kind != KindSpline || len(s.Knots) != c.Knots {
		return fmt.Errorf("compare: spline of %d knots for %v of %d", len(s.Knots), c.Kind, c.Knots)
	}
	bound := int64(1) << (c.In - 2)
	for i, k := range s.Knots {
		switch {
		case k.At < -bound || k.At > bound:
			return fmt.Errorf("compare: knot at %d, want %d to %d", k.At, -bound, bound)
		case i > 0 && k.At <= s.Knots[i-1].At:
			return fmt.Errorf("compare: knot at %d after one at %d, want rising ones", k.At, s.Knots[i-1].At)
		}
	}
	return nil
}

// EvalSpline returns shares of y(x) modulo 2ᵏ′ and spends mats, for shares x
// modulo 2ᵐ of numbers in [−2ᵐ⁻², 2ᵐ⁻²]. With X = x + 2ᵐ⁻², which is not negative,
// one opening of c = X + r serves all knots: knot j, at t, compares c − T_j with r,
//
//	T_j = t + 2ᵐ⁻², and 1 more for t < 0
//	b_j = e_j + (1−2e_j)·λ_j = [X ≥ T_j]
//	x   = c − r + w·r_top − 2ᵐ⁻²
//	y   = Base + Slope·x + Σ Delta_j·b_j·(x − t_j)
//
// where the products b_j·x are those of ReLU. At x = t either bit is right, as
// x − t is 0; the choice of T_j keeps X − T_j in [−2ᵐ⁻¹, 2ᵐ⁻¹) for all x and t. The
// top bit in w is that of c, not of c − T_j.
//
// Security: e_j is masked by λ_j. Labels, and masks of gates or carries, are those of
// the knot; c, r and products of bits of r are shared.
//
// Rounds: as [ReLU], or fewer with [Carry], as knots share larger groups of bits.
// Sends: m bits to every party per element, and e and labels or carries, as for
// [ReLU], for each knot.
func EvalSpline(m *transport.Mesh, step string, mats []*Material, s *Spline, x []uint64) ([]uint64, error) {
	for _, mat := range mats {
		if err := s.Validate(mat.class); err != nil {
			return nil, err
		}
	}
	q := begin(KindSpline, m, step, mats)
	defer q.end()
	if len(q.cs) == 0 {
		return nil, nil
	}
	class := q.class
	if err := q.open(x, nil, 1<<(class.In-2)); err != nil { // x made non-negative
		return nil, err
	}
	q.less = resize(q.less, len(q.c)*class.Knots)
	for b := range q.cs {
		for j, k := range s.Knots {
			less, t := class.vector(q.less, b, j), k.threshold(class)
			for i, c := range q.c[b*class.N:][:class.N] {
				less[i] = c - t
			}
		}
	}
	if err := q.signs(q.less); err != nil {
		return nil, err
	}
	public := q.public()
	return q.results(func(z []uint64, m *content, c, e []uint64) { m.splineTo(z, s, c, e, public) }), nil
}

// threshold returns T of a knot.
func (k Knot) threshold(c Class) uint64 {
	t := uint64(k.At) + 1<<(c.In-2)
	if k.At < 0 {
		t++
	}
	return t
}

// splineTo sets z to shares of y.
func (m *content) splineTo(z []uint64, s *Spline, c, e []uint64, public uint64) {
	const stretch = 256 // elements of which all knots are summed at a time
	half, size := uint64(1)<<(m.class.In-2), len(z)
	var sums, slopes, wraps [stretch]uint64
	for lo := 0; lo < size; lo += stretch {
		n := min(stretch, size-lo)
		sum, slope, w, c := sums[:n], slopes[:n], wraps[:n], c[lo:][:n]
		for i := range sum { // slope adds up the public parts of Delta·b
			slope[i] = uint64(s.Slope)
			sum[i] = public * (uint64(s.Base) + slope[i]*(c[i]-half))
			w[i] = wrap(c[i], m.class.In)
		}
		for j, k := range s.Knots {
			at, delta, own := half+uint64(k.At), uint64(k.Delta), j*size+lo
			e, lambda, lambdaR := e[own:][:n], m.lambda[own:][:n], m.lambdaR[own:][:n]
			for i := range sum {
				bit, sign := delta*e[i], delta*(1-2*e[i])
				slope[i] += bit
				sum[i] += (c[i]-at)*(public*bit+sign*lambda[i]) - sign*lambdaR[i]
			}
			if m.lambdaRTop != nil {
				for i, top := range m.lambdaRTop[own:][:n] {
					sum[i] += w[i] * delta * (1 - 2*e[i]) * top
				}
			}
		}
		for i, r := range m.r[lo:][:n] {
			z[lo+i] = sum[i] - slope[i]*r
		}
		if m.rTop != nil {
			for i, top := range m.rTop[lo:][:n] {
				z[lo+i] += slope[i] * w[i] * top
			}
		}
	}
}

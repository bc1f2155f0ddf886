package compare

import (
	"fmt"

	"github.com/tacit-mpc/tacit/internal/ring"
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
	cs := spendAll(KindSpline, m.N(), m.Self(), mats)
	if len(cs) == 0 {
		return nil, nil
	}
	defer eraseAll(cs)
	class := cs[0].class
	var offset uint64 // makes x non-negative
	if m.Self() == 0 {
		offset = 1 << (class.In - 2)
	}
	c, err := open(m, step, cs, x, offset)
	if err != nil {
		return nil, err
	}
	less := make([]uint64, 0, len(c)*class.Knots)
	for b := range cs {
		for _, k := range s.Knots {
			t := k.threshold(class)
			for _, v := range c[b*class.N:][:class.N] {
				less = append(less, v-t)
			}
		}
	}
	e, err := signs(m, step, cs, less)
	if err != nil {
		return nil, err
	}
	z := make([]uint64, len(x))
	for b := range cs {
		lo, size := b*class.N, class.N*class.Knots
		cs[b].splineTo(z[lo:lo+class.N], s, c[lo:], e[b*size:][:size])
	}
	ring.Reduce(z, class.Out)
	return z, nil
}

// threshold returns T of a knot.
func (k Knot) threshold(c Class) uint64 {
	t := uint64(k.At) + 1<<(c.In-2)
	if k.At < 0 {
		t++
	}
	return t
}

// splineTo sets z to shares of y. Slope sums Slope and the public parts of
// Delta·b.
func (m *content) splineTo(z []uint64, s *Spline, c, e []uint64) {
	public := uint64(0) // who adds public terms
	if m.self == 0 {
		public = 1
	}
	half, bits := uint64(1)<<(m.class.In-2), m.class.In
	slope := make([]uint64, len(z))
	for i := range z {
		slope[i] = uint64(s.Slope)
		z[i] = public * (uint64(s.Base) + slope[i]*(c[i]-half))
	}
	for j, k := range s.Knots {
		lo, delta, at := j*len(z), uint64(k.Delta), half+uint64(k.At)
		for i := range z {
			bit, sign := e[lo+i], delta*(1-2*e[lo+i])
			slope[i] += delta * bit
			z[i] += (c[i]-at)*(public*delta*bit+sign*m.lambda[lo+i]) - sign*m.lambdaR[lo+i]
			if m.lambdaRTop != nil {
				z[i] += wrap(c[i], bits) * sign * m.lambdaRTop[lo+i]
			}
		}
	}
	for i := range z {
		z[i] -= slope[i] * m.r[i]
	}
	for i, top := range m.rTop {
		z[i] += slope[i] * wrap(c[i], bits) * top
	}
}

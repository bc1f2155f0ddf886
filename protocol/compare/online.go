package compare

import (
	"fmt"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/carry"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport"
)

// Steps of the functions below, after the prefix of the caller.
const (
	StepOpen    = ": open c"
	StepLabels  = ": labels of c"   // garbled
	StepCarries = carry.StepCarries // carried
	StepBits    = carry.StepBits
)

// ReLU returns shares of max(x, 0) modulo 2ᵏ′ and spends mats, one Material for
// every inference of the request. x holds shares modulo 2ᵐ of the inferences'
// inputs, one inference after the other; higher bits are ignored.
//
// Rounds: 3, or with [Carry] 2 for m ≤ 5, 3 for m ≤ 25, and else 4. Sends: m bits to
// every party per element, and with [Garbled] 16·(m−1) bytes to each evaluator
// per element of its part and one bit to every party per element of one's own
// part, with [Carry] one bit to every party per element and opened carry, and one.
func ReLU(m *transport.Mesh, step string, mats []*Material, x []uint64) ([]uint64, error) {
	return relu(m, step, spendAll(KindReLU, m.N(), m.Self(), mats), x)
}

// Max returns shares of max(x, y) modulo 2ᵐ and spends mats:
//
//	max(x, y) = y + ReLU(x − y)
//
// Rounds and Sends: as [ReLU].
func Max(m *transport.Mesh, step string, mats []*Material, x, y []uint64) ([]uint64, error) {
	cs := spendAll(KindMax, m.N(), m.Self(), mats)
	if len(x) != len(y) {
		panic(fmt.Sprintf("compare: maximum of %d and %d elements", len(x), len(y)))
	}
	d := append([]uint64(nil), x...)
	ring.SubFrom(d, y)
	z, err := relu(m, step, cs, d)
	if err != nil || len(cs) == 0 {
		return z, err
	}
	ring.AddTo(z, y)
	ring.Reduce(z, cs[0].class.Out)
	return z, nil
}

// Lift returns shares of x modulo 2ᵏ′ and spends mats, for shares x modulo 2ᵐ of
// numbers in [−2ᵐ⁻², 2ᵐ⁻²).
//
// Rounds: 1. Sends: m bits to every party per element.
func Lift(m *transport.Mesh, step string, mats []*Material, x []uint64) ([]uint64, error) {
	cs := spendAll(KindLift, m.N(), m.Self(), mats)
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
	z := make([]uint64, len(x))
	for b := range cs {
		lo := b * class.N
		for i, r := range cs[b].r {
			z[lo+i] = -r - offset
			if m.Self() == 0 {
				z[lo+i] += c[lo+i]
			}
		}
		for i, top := range cs[b].rTop {
			z[lo+i] += wrap(c[lo+i], class.In) * top
		}
	}
	ring.Reduce(z, class.Out)
	return z, nil
}

// Step returns shares of the bits b = [x ≥ 0], modulo 2ᵏ′, and spends mats, for
// shares x modulo 2ᵐ:
//
//	Step(x) = e + (1−2e)·λ
//
// Rounds and Sends: as [ReLU].
func Step(m *transport.Mesh, step string, mats []*Material, x []uint64) ([]uint64, error) {
	cs := spendAll(KindStep, m.N(), m.Self(), mats)
	if len(cs) == 0 {
		return nil, nil
	}
	defer eraseAll(cs)
	c, err := open(m, step, cs, x, 0)
	if err != nil {
		return nil, err
	}
	z, err := signs(m, step, cs, c)
	if err != nil {
		return nil, err
	}
	class := cs[0].class
	for b := range cs {
		for i, lambda := range cs[b].lambda {
			e := &z[b*class.N+i]
			lambda *= 1 - 2**e
			if m.Self() != 0 { // the public term counts once
				*e = 0
			}
			*e += lambda
		}
	}
	ring.Reduce(z, class.Out)
	return z, nil
}

// wrap returns w = 2ᵐ·(1 − c_top).
func wrap(c uint64, m int) uint64 { return (1 - c>>(m-1)&1) << m }

// open returns c = x + offset + r mod 2ᵐ, to which each party may add an offset.
func open(m *transport.Mesh, step string, cs []content, x []uint64, offset uint64) ([]uint64, error) {
	class := cs[0].class
	if len(x) != len(cs)*class.N {
		panic(fmt.Sprintf("compare: %d elements for %d inferences of %d", len(x), len(cs), class.N))
	}
	c := make([]uint64, len(x))
	for b := range cs {
		part := c[b*class.N:][:class.N]
		copy(part, x[b*class.N:])
		ring.AddTo(part, cs[b].r)
	}
	for i := range c {
		c[i] += offset
	}
	sums, err := share.Open(m, step+StepOpen, share.Opening{X: c, Width: class.In})
	if err != nil {
		return nil, err
	}
	return sums[0], nil
}

// relu is [ReLU] in the widths of the material.
func relu(m *transport.Mesh, step string, cs []content, x []uint64) ([]uint64, error) {
	if len(cs) == 0 {
		return nil, nil
	}
	defer eraseAll(cs)
	c, err := open(m, step, cs, x, 0)
	if err != nil {
		return nil, err
	}
	e, err := signs(m, step, cs, c)
	if err != nil {
		return nil, err
	}
	class := cs[0].class
	z := make([]uint64, len(x))
	for b := range cs {
		lo := b * class.N
		cs[b].selectTo(z[lo:lo+class.N], c[lo:], e[lo:])
	}
	ring.Reduce(z, class.Out)
	return z, nil
}

// selectTo sets z to shares of b·(c − r + w·r_top), b = e + (1−2e)·λ.
func (m *content) selectTo(z, c, e []uint64) {
	public := uint64(0) // who adds public terms
	if m.self == 0 {
		public = 1
	}
	for i := range z {
		sign := 1 - 2*e[i]
		z[i] = c[i]*(e[i]*public+sign*m.lambda[i]) - (e[i]*m.r[i] + sign*m.lambdaR[i])
	}
	if m.rTop == nil {
		return
	}
	for i := range z {
		sign := 1 - 2*e[i]
		z[i] += wrap(c[i], m.class.In) * (e[i]*m.rTop[i] + sign*m.lambdaRTop[i])
	}
}

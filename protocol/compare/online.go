package compare

import (
	"fmt"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/carry"
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
	q := begin(KindReLU, m, step, mats)
	defer q.end()
	return q.relu(x, nil)
}

// Max returns shares of max(x, y) modulo 2ᵐ and spends mats:
//
//	max(x, y) = y + ReLU(x − y)
//
// Rounds and Sends: as [ReLU].
func Max(m *transport.Mesh, step string, mats []*Material, x, y []uint64) ([]uint64, error) {
	q := begin(KindMax, m, step, mats)
	defer q.end()
	if len(x) != len(y) {
		panic(fmt.Sprintf("compare: maximum of %d and %d elements", len(x), len(y)))
	}
	z, err := q.relu(x, y)
	if err != nil || len(q.cs) == 0 {
		return z, err
	}
	ring.AddTo(z, y)
	ring.Reduce(z, q.class.Out)
	return z, nil
}

// relu returns the ReLU of x − y, in the widths of the material.
func (q *request) relu(x, y []uint64) ([]uint64, error) {
	if len(q.cs) == 0 {
		return nil, nil
	}
	if err := q.open(x, y, 0); err != nil {
		return nil, err
	}
	if err := q.signs(q.c); err != nil {
		return nil, err
	}
	public := q.public()
	return q.results(func(z []uint64, m *content, c, e []uint64) { m.selectTo(z, c, e, public) }), nil
}

// selectTo sets z to shares of b·(c − r + w·r_top), b = e + (1−2e)·λ.
func (m *content) selectTo(z, c, e []uint64, public uint64) {
	c, e, r, lambda, lambdaR := c[:len(z)], e[:len(z)], m.r[:len(z)], m.lambda[:len(z)], m.lambdaR[:len(z)]
	for i := range z {
		sign := 1 - 2*e[i]
		z[i] = c[i]*(e[i]*public+sign*lambda[i]) - (e[i]*r[i] + sign*lambdaR[i])
	}
	if m.rTop == nil {
		return
	}
	top, lambdaTop := m.rTop[:len(z)], m.lambdaRTop[:len(z)]
	for i := range z {
		sign := 1 - 2*e[i]
		z[i] += wrap(c[i], m.class.In) * (e[i]*top[i] + sign*lambdaTop[i])
	}
}

// wrap returns w = 2ᵐ·(1 − c_top).
func wrap(c uint64, m int) uint64 { return (1 - c>>(m-1)&1) << m }

// Step returns shares of the bits b = [x ≥ 0], modulo 2ᵏ′, and spends mats, for
// shares x modulo 2ᵐ:
//
//	Step(x) = e + (1−2e)·λ
//
// Rounds and Sends: as [ReLU].
func Step(m *transport.Mesh, step string, mats []*Material, x []uint64) ([]uint64, error) {
	q := begin(KindStep, m, step, mats)
	defer q.end()
	if len(q.cs) == 0 {
		return nil, nil
	}
	if err := q.open(x, nil, 0); err != nil {
		return nil, err
	}
	if err := q.signs(q.c); err != nil {
		return nil, err
	}
	public := q.public()
	return q.results(func(z []uint64, m *content, _, e []uint64) {
		for i, lambda := range m.lambda {
			z[i] = e[i]*public + (1-2*e[i])*lambda
		}
	}), nil
}

// Lift returns shares of x modulo 2ᵏ′ and spends mats, for shares x modulo 2ᵐ of
// numbers in [−2ᵐ⁻², 2ᵐ⁻²].
//
// Rounds: 1. Sends: m bits to every party per element.
func Lift(m *transport.Mesh, step string, mats []*Material, x []uint64) ([]uint64, error) {
	q := begin(KindLift, m, step, mats)
	defer q.end()
	if len(q.cs) == 0 {
		return nil, nil
	}
	bits := q.class.In
	offset := uint64(1) << (bits - 2) // makes x non-negative
	if err := q.open(x, nil, offset); err != nil {
		return nil, err
	}
	public := q.public()
	return q.results(func(z []uint64, m *content, c, _ []uint64) {
		for i, r := range m.r {
			z[i] = public*(c[i]-offset) - r
		}
		for i, top := range m.rTop {
			z[i] += wrap(c[i], bits) * top
		}
	}), nil
}

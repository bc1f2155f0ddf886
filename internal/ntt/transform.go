package ntt

import "math/bits"

// Forward replaces a by its transform of len(a) points, a power of two from
// MinLen to n. That of fewer than n points is the transform modulo X^len(a) + 1
// with root ψ^(n/len(a)): its values are every (n/len(a))-th of those of
// a(X^(n/len(a))).
func (m *Modulus) Forward(a []uint64) {
	m.checkPoints(a)
	if use == portable {
		m.forwardPortable(a)
		return
	}
	m.forwardKernels(a)
}

// Inverse is the inverse of [Modulus.Forward], of n points.
func (m *Modulus) Inverse(a []uint64) {
	m.checkPoints(a)
	if len(a) != m.n {
		panic("ntt: an inverse transform of fewer points")
	}
	if use == portable {
		m.inversePortable(a)
		return
	}
	m.inverseKernels(a)
}

func (m *Modulus) checkPoints(a []uint64) {
	if n := len(a); n < MinLen || n > m.n || n&(n-1) != 0 {
		panic("ntt: a wrong number of points")
	}
}

// times returns y·w mod q, below 2q, for any y < 2⁵², with s = ⌊2⁵²·w/q⌋: the
// quotient is at most 1 too small.
func (m *Modulus) times(y, w, s uint64) uint64 {
	h, _ := bits.Mul64(y, s<<(64-word))
	return y*w - h*m.q
}

// less returns x mod q for x < 2q.
func (m *Modulus) less(x uint64) uint64 { return min(x, x-m.q) }

// forwardPortable takes the butterflies of Cooley and Tukey. Each step adds less
// than 2q, so that after 13 numbers are below 27q < 2⁵¹.
func (m *Modulus) forwardPortable(a []uint64) {
	n, q, twice := len(a), m.q, m.c[cTwice]
	w, s := m.forward[:m.n], m.forward[m.forward.shoup():]
	for groups, half := 1, n/2; half > 0; groups, half = 2*groups, half/2 {
		for g := range groups {
			x := a[2*g*half:][:half]
			y := a[(2*g+1)*half:][:len(x)]
			wg, sg := w[groups+g], s[groups+g]<<(64-word)
			for i, u := range x {
				v := y[i] // times wg, as [Modulus.times] does it
				h, _ := bits.Mul64(v, sg)
				v = v*wg - h*q
				x[i], y[i] = u+v, u+twice-v
			}
		}
	}
	for i, x := range a {
		a[i] = m.less(m.times(x, 1, m.c[cBarret]))
	}
}

// inversePortable takes those of Gentleman and Sande. Sums double, so they are
// reduced where they are formed.
func (m *Modulus) inversePortable(a []uint64) {
	n, q, twice := len(a), m.q, m.c[cTwice]
	w, s := m.inverse[:m.n], m.inverse[m.inverse.shoup():]
	for groups, half := n/2, 1; groups > 0; groups, half = groups/2, 2*half {
		for g := range groups {
			x := a[2*g*half:][:half]
			y := a[(2*g+1)*half:][:len(x)]
			wg, sg := w[groups+g], s[groups+g]<<(64-word)
			for i, u := range x {
				v := y[i]
				sum, d := u+v, u+twice-v
				h, _ := bits.Mul64(d, sg)
				x[i], y[i] = min(sum, sum-twice), d*wg-h*q
			}
		}
	}
	for i, x := range a {
		a[i] = m.less(m.times(x, m.c[cN], m.c[cNS]))
	}
}

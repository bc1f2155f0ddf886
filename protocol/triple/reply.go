package triple

import (
	"math/bits"

	lattigo "github.com/ldsec/lattigo/v2/ring"
	"github.com/tacit-mpc/tacit/internal/ring"
)

// A key is a public key: an encryption of zero, transformed.
type key struct{ p0, p1 *lattigo.Poly }

// An evaluator makes the replies of one block after the other. It serves one
// goroutine.
type evaluator struct {
	scaler
	u       *lattigo.Poly
	small   []int64
	useful  *lattigo.Poly // the coefficients of a reply, without gaps
	rounded numbers
}

func (s *scheme) evaluator() *evaluator {
	return &evaluator{newScaler(s), s.r.NewPoly(), make([]int64, degree), s.r.NewPoly(), makeNumbers(degree)}
}

// common finishes the part of a reply that all receivers get:
//
//	c1 = round(acc + u·p1 + e1),  u ternary, e1 an error,
//
// modulo 2^(k+extra1). It leaves u for [evaluator.private].
func (e *evaluator) common(dst []byte, acc [][]uint64, p1 *lattigo.Poly, s *sampler, k int) []byte {
	s.ternary(e.small)
	for i, m := range e.mod {
		u := e.u.Coeffs[i]
		clear(u)
		m.AddSmall(u, e.small)
		m.Forward(u)
	}
	e.finish(acc, p1, s)
	n := e.rounded
	e.basis.Round(n.hi, n.lo, acc, k, extra1)
	return n.append(dst, k, extra1)
}

// finish sets acc to the coefficients of acc + u·p + e, e an error.
func (e *evaluator) finish(acc [][]uint64, p *lattigo.Poly, s *sampler) {
	s.gaussian(e.small)
	for i, m := range e.mod {
		m.MulAdd(acc[i], e.u.Coeffs[i], p.Coeffs[i])
		m.Inverse(acc[i])
		m.AddSmall(acc[i], e.small)
	}
}

// private finishes the part for the receiver with public key part p0:
//
//	c0 = round(acc + u·p0 + e0 + Q·r/2ᵏ + f)
//
// at the coefficients in index, modulo 2^(k+extra0), with e0 an error, r the
// mask and f the flooding. It sets share = −r.
func (e *evaluator) private(dst []byte, acc [][]uint64, p0 *lattigo.Poly, s *sampler, index []int32, k int, share []uint64) []byte {
	e.finish(acc, p0, s)
	useful := e.useful.Coeffs
	for i, a := range acc {
		c := useful[i][:len(index)]
		for j, at := range index {
			c[j] = a[at]
		}
	}
	e.blind(useful, k, s.random(blindBytes*len(index)), share[:len(index)])
	n := e.rounded.first(len(index))
	e.basis.Round(n.hi, n.lo, useful, k, extra0)
	return n.append(dst, k, extra0)
}

// A decryptor opens replies. It serves one goroutine.
//
// It multiplies c1 by the secret key over the integers, modulo two primes. That
// they suffice is in doc.go, Correctness.
type decryptor struct {
	*scheme
	secret *lattigo.Poly // transformed
	c1s    [2][]uint64   // c1·s modulo the first two primes
	c1     []uint64
	got    numbers
}

func (s *scheme) decryptor(secret *lattigo.Poly) *decryptor {
	return &decryptor{s, secret, [2][]uint64{make([]uint64, degree), make([]uint64, degree)}, make([]uint64, degree), makeNumbers(degree)}
}

// open returns the plaintexts modulo 2ᵏ of the coefficients in index of a reply:
//
//	round((c1·s + 2^(extra1−extra0)·c0) / 2^extra1).
//
// It leaves the rounding errors, in units of 2⁻⁶⁴, in got.lo. The reply has
// the right length.
func (d *decryptor) open(reply []byte, index []int32, k int, share []uint64) error {
	split := numbersLen(degree, k, extra1)
	if err := d.got.parse(reply[:split], k, extra1); err != nil {
		return err
	}
	for i, product := range d.c1s {
		m := d.mod[i]
		m.Signed(d.c1, d.got.hi, d.got.lo, k, extra1)
		m.Forward(d.c1)
		clear(product)
		m.MulAdd(product, d.c1, d.secret.Coeffs[i])
		m.Inverse(product)
	}
	n := d.got.first(len(index))
	if err := n.parse(reply[split:], k, extra0); err != nil {
		return err
	}
	for j, at := range index {
		ph, pl := d.centred(at)
		ph, pl = shiftLeft(ph, pl, uint(128-k-extra1))
		ch, cl := shiftLeft(n.hi[j]>>uint(64-extra0), n.hi[j]<<extra0|n.lo[j], uint(128-k-extra0))
		lo, carry := bits.Add64(pl, cl, 0)
		hi := ph + ch + carry
		n.lo[j] = hi<<uint(k) | lo>>uint(64-k)
		share[j] = (hi>>uint(64-k) + n.lo[j]>>63) & ring.Mask(k)
	}
	return nil
}

// centred returns coefficient j of c1·s as a two's complement number.
func (d *decryptor) centred(j int32) (hi, lo uint64) {
	q0, q1 := d.primes[0], d.primes[1]
	x0, x1 := d.c1s[0][j], d.c1s[1][j]
	y := lattigo.MRed(lattigo.CRed(x1+q1-lattigo.BRedAdd(x0, q1, d.r.BredParams[1]), q1), d.garner, q1, d.r.MredParams[1])
	hi, lo = bits.Mul64(y, q0)
	lo, carry := bits.Add64(lo, x0, 0)
	hi += carry
	qh, ql := bits.Mul64(q0, q1)
	_, less := bits.Sub64(ql>>1|qh<<63, lo, 0)
	_, less = bits.Sub64(qh>>1, hi, less)
	minus := -less // all ones above half of q0·q1
	lo, borrow := bits.Sub64(lo, ql&minus, 0)
	hi, _ = bits.Sub64(hi, qh&minus, borrow)
	return hi, lo
}

func shiftLeft(hi, lo uint64, s uint) (uint64, uint64) {
	if s >= 64 {
		return lo << (s - 64), 0
	}
	return hi<<s | lo>>(64-s), lo << s
}

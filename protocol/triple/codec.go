package triple

import (
	"errors"
	"fmt"
	"math/bits"

	lattigo "github.com/ldsec/lattigo/v2/ring"
	"github.com/tacit-mpc/tacit/internal/ring"
)

// Errors of messages from a peer, wrapped in a [transport.PeerError]. A message
// of a wrong length does not get this far: it is a [transport.ErrDesync].
var (
	ErrResidue = errors.New("a residue is not below its modulus")
	ErrPadding = errors.New("unused bits are set")
)

// appendPoly appends p, reduced, as its residues modulo every prime.
func (s *suite) appendPoly(dst []byte, p *lattigo.Poly) []byte {
	for i, q := range s.primes {
		dst = ring.AppendPacked(dst, p.Coeffs[i], bits.Len64(q))
	}
	return dst
}

// parsePoly fills p from b, of polyBytes bytes from a peer.
func (s *suite) parsePoly(p *lattigo.Poly, b []byte) error {
	for i, q := range s.primes {
		c, width := p.Coeffs[i], bits.Len64(q)
		ring.Unpack(c, b, width)
		b = b[ring.PackedLen(degree, width):]
		for j, v := range c {
			if v >= q {
				return fmt.Errorf("coefficient %d modulo prime %d: %w", j, i, ErrResidue)
			}
		}
	}
	return nil
}

// A numbers is a vector of numbers of k+extra bits each. On the wire the k-bit
// parts come first.
type numbers struct{ hi, lo []uint64 }

func makeNumbers(n int) numbers { return numbers{make([]uint64, n), make([]uint64, n)} }

func (v numbers) first(n int) numbers { return numbers{v.hi[:n], v.lo[:n]} }

func numbersLen(n, k, extra int) int { return ring.PackedLen(n, k) + ring.PackedLen(n, extra) }

func (v numbers) append(dst []byte, k, extra int) []byte {
	return ring.AppendPacked(ring.AppendPacked(dst, v.hi, k), v.lo, extra)
}

// parse fills v from b, of numbersLen bytes from a peer.
func (v numbers) parse(b []byte, k, extra int) error {
	n := len(v.hi)
	split := ring.PackedLen(n, k)
	for _, part := range []struct {
		v     []uint64
		b     []byte
		width int
	}{{v.hi, b[:split], k}, {v.lo, b[split:], extra}} {
		ring.Unpack(part.v, part.b, part.width)
		if used := n * part.width % 8; used != 0 && part.b[len(part.b)-1]>>used != 0 {
			return ErrPadding
		}
	}
	return nil
}

// replyLen is the length of a reply of which useful coefficients are sent.
func replyLen(useful, k int) int {
	return numbersLen(degree, k, extra1) + numbersLen(useful, k, extra0)
}

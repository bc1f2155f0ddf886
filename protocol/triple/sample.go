package triple

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"

	lattigo "github.com/ldsec/lattigo/v2/ring"
	"github.com/tacit-mpc/tacit/internal/ntt"
	"github.com/tacit-mpc/tacit/internal/prg"
)

// A sampler draws polynomials from one stream. It serves one goroutine.
type sampler struct {
	*scheme
	src *prg.Stream
	buf []byte
}

func (s *scheme) sampler(seed [32]byte, label string, index ...uint64) *sampler {
	return &sampler{s, prg.NewStream(seed, label, index...), make([]byte, blindBytes*degree)}
}

// restart goes over to another stream.
func (s *sampler) restart(seed [32]byte, label string, index ...uint64) {
	s.src = prg.NewStream(seed, label, index...)
}

// random returns fresh bytes, up to blindBytes for a coefficient, which are
// good until the next call.
func (s *sampler) random(n int) []byte {
	s.src.Read(s.buf[:n])
	return s.buf[:n]
}

// ternary sets p to independent coefficients, uniform in {−1, 0, 1}.
func (s *sampler) ternary(p []int64) {
	for !ntt.Ternary(p, s.random(ntt.TernaryBytes*len(p))) {
	}
}

// gaussian sets p to independent errors.
func (s *sampler) gaussian(p []int64) { ntt.Gaussian(p, s.random(ntt.GaussianBytes*len(p))) }

// uniform sets p to independent coefficients, uniform modulo Q. What it draws
// is part of the wire format, as all parties expand the common polynomials.
func (s *sampler) uniform(p *lattigo.Poly) {
	var buf [512]byte
	at := len(buf)
	for i, q := range s.primes {
		c := p.Coeffs[i]
		mask := uint64(1)<<bits.Len64(q) - 1
		for j := 0; j < degree; {
			if at == len(buf) {
				s.src.Read(buf[:])
				at = 0
			}
			c[j] = binary.LittleEndian.Uint64(buf[at:]) & mask
			at += 8
			if c[j] < q { // or, once in 2¹⁹ times or less, again
				j++
			}
		}
	}
}

// newSeed draws a seed from rng.
func newSeed(rng io.Reader) (seed [32]byte, err error) {
	if _, err := io.ReadFull(rng, seed[:]); err != nil {
		return seed, fmt.Errorf("triple: random seed: %w", err)
	}
	return seed, nil
}

package triple

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	lattigo "github.com/ldsec/lattigo/v2/ring"
	"github.com/tacit-mpc/tacit/internal/prg"
)

// A sampler draws polynomials from one stream. It serves one goroutine.
type sampler struct {
	*scheme
	src   *source
	gauss *lattigo.GaussianSampler
}

func (s *scheme) sampler(seed [32]byte, label string, index ...uint64) *sampler {
	src := &source{Stream: prg.NewStream(seed, label, index...)}
	return &sampler{s, src, lattigo.NewGaussianSampler(src, s.r, sigma, tail)}
}

// ternary sets p to independent coefficients, uniform in {−1, 0, 1}: two bits
// each, drawn again where both are set.
func (s *sampler) ternary(p *lattigo.Poly) {
	var buf [512]byte
	var bits uint64
	at, have := len(buf), 0
	for j := range degree {
		t := uint64(3)
		for t == 3 {
			if have == 0 {
				if at == len(buf) {
					s.src.Read(buf[:])
					at = 0
				}
				bits, have = binary.LittleEndian.Uint64(buf[at:]), 32
				at += 8
			}
			t, bits, have = bits&3, bits>>2, have-1
		}
		for i, q := range s.primes { // 0, 1, and 2 for −1
			minus := -(t >> 1)
			p.Coeffs[i][j] = t&^minus | (q-1)&minus
		}
	}
	clear(buf[:])
}

// uniform sets p to independent coefficients, uniform modulo Q. What it draws
// is part of the wire format, as all parties expand the common polynomials.
func (s *sampler) uniform(p *lattigo.Poly) {
	var buf [512]byte
	at := len(buf)
	for i, q := range s.primes {
		c := p.Coeffs[i]
		mask := uint64(1)<<uint(s.bits) - 1
		for j := 0; j < degree; {
			if at == len(buf) {
				s.src.Read(buf[:])
				at = 0
			}
			c[j] = binary.LittleEndian.Uint64(buf[at:]) & mask
			at += 8
			if c[j] < q { // or, once in 2³⁰ times, again
				j++
			}
		}
	}
}

// addError adds independent errors to the coefficients of p.
func (s *sampler) addError(p *lattigo.Poly) {
	s.gauss.ReadAndAddLvl(len(s.primes)-1, p)
}

// A source is a stream in the form that lattigo's samplers read.
type source struct {
	*prg.Stream
	clock uint64
}

func (s *source) Clock(b []byte) {
	s.Read(b)
	s.clock++
}

func (s *source) GetClock() uint64 { return s.clock }

func (s *source) SetClock(b []byte, n uint64) error {
	if n < s.clock {
		return errors.New("a stream cannot be rewound")
	}
	for s.clock < n {
		s.Clock(b)
	}
	return nil
}

// newSeed draws a seed from rng.
func newSeed(rng io.Reader) (seed [32]byte, err error) {
	if _, err := io.ReadFull(rng, seed[:]); err != nil {
		return seed, fmt.Errorf("triple: random seed: %w", err)
	}
	return seed, nil
}

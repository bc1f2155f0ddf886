//go:build tweakcheck

package ot

import (
	"math/rand/v2"
	"testing"

	"github.com/tacit-mpc/tacit/transport"
)

func TestRepeatedTweakIsFound(t *testing.T) {
	together(t, 2, 4, func(m *transport.Mesh, s *Session, rng *rand.ChaCha8) error {
		all := All(2)
		b, err := s.Authenticate(m, "test: bits", []Request{{randomBits(rng, 9), all, all}})
		if err != nil {
			return err
		}
		req := AndRequest{A: b[0], B: b[0], Eval: 1 - m.Self(), Layer: 1, Gate: 2}
		later := req
		later.Element = 8 // of 9
		defer func() {
			if recover() == nil {
				t.Errorf("party %d: two products of one call have the same name", m.Self())
			}
		}()
		_, err = s.And(m, "test: and", []AndRequest{req, later})
		return err
	})
}

package triple

import (
	"math"
	"testing"

	lattigo "github.com/ldsec/lattigo/v2/ring"
	"github.com/tacit-mpc/tacit/internal/ntt"
)

// Every encryption carries errors: with keys and plaintexts of zero, they are all that is left.
func TestEveryEncryptionHasErrors(t *testing.T) {
	for i := range suites {
		s, err := schemes[i]()
		if err != nil {
			t.Fatal(err)
		}
		k := &keys{scheme: s, minus: s.r.NewPoly()}
		deviation := func(name string, p *lattigo.Poly) {
			sum := 0.0
			q := s.primes[0]
			for _, v := range p.Coeffs[0] {
				x := float64(int64(v))
				if v > q/2 {
					x = -float64(q - v)
				}
				sum += x * x
			}
			if d := math.Sqrt(sum / degree); math.Abs(d-ntt.Sigma) > 0.15 {
				t.Errorf("suite %d, %s: errors deviate by %.2f, want %.2f", i, name, d, ntt.Sigma)
			}
		}
		random := s.sampler([32]byte{9}, labelError)
		e, zero := s.evaluator(), s.r.NewPoly()
		p := s.r.NewPoly()
		en := k.encryptor()
		en.draw = random
		en.encryptTo(p, zero)
		s.r.InvNTT(p, p)
		deviation("encryption", p)
		p = s.r.NewPoly()
		e.common(nil, p.Coeffs, zero, random, s.width)
		deviation("common part of a reply", p)
		p = s.r.NewPoly()
		e.private(nil, p.Coeffs, zero, random, nil, s.width, nil)
		deviation("private part of a reply", p)
	}
}

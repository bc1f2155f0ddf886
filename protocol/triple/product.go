package triple

import (
	"github.com/tacit-mpc/tacit/internal/ntt"
)

// transform sets t to the transform of v, centred modulo 2ᵏ, modulo qᵢ. By the
// order of the transform, that of Σ v[j]·X^(j·spread) is t with each value
// repeated spread times.
func (s *scheme) transform(t, v []uint64, k, i int) {
	s.mod[i].Signed(t, v, nil, k, 0)
	s.mod[i].Forward(t)
}

// A panel has the ciphertexts that meet in one sum, by prime, interleaved as
// [ntt.Interleave] says, at most [ntt.MaxTerms] of them at a time.
type panel [][]uint64

func (s *scheme) newPanels(count, terms int) []panel {
	all := make([]panel, count)
	for i := range all {
		for range s.primes {
			all[i] = append(all[i], make([]uint64, terms*degree))
		}
	}
	return all
}

// set makes v, reduced, number j of so many terms.
func (p panel) set(j, terms int, v [][]uint64) {
	first := j / ntt.MaxTerms * ntt.MaxTerms
	for i := range p {
		ntt.Interleave(p[i][first*degree:], j-first, min(terms-first, ntt.MaxTerms), v[i])
	}
}

// products adds Σ t[j]∘p[j] modulo qᵢ to rows, which are degree apart.
func (s *scheme) products(rows []uint64, count int, t ntt.Factors, p panel, i int) {
	terms := len(p[i]) / degree
	for first := 0; first < terms; first += ntt.MaxTerms {
		part := t
		part.V = t.V[first*t.Step:]
		n := min(terms-first, ntt.MaxTerms)
		s.mod[i].AddDot(rows, count, degree, degree, part, p[i][first*degree:], n)
	}
}

package carry

import (
	"crypto/subtle"
	"slices"
	"sync"

	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

// A space is the working memory of [Signs], which is used again.
type space struct {
	evals   []eval
	words   []uint64 // planes of all evaluations
	size    int      // bytes of the message: of a bit of all elements
	bytes   []byte   // messages of all parties
	out, in [][]byte
}

var spaces = sync.Pool{New: func() any { return new(space) }}

// begin lays out planes for all vectors and computes level 0.
func (s *space) begin(t *Tree, vectors []Vector, first bool) {
	s.size, s.evals = 0, s.evals[:0]
	total, widest := 0, 0
	for _, v := range vectors {
		words := ot.PlaneWords(len(v.C))
		s.evals = append(s.evals, eval{Tree: t, k: v.K, len: len(v.C), words: words, terms: v.Terms})
		s.size += (len(v.C) + 7) / 8
		total += t.planes * words
		widest = max(widest, t.room*words)
	}
	s.words = slices.Grow(s.words[:0], total+widest)[:total+widest]
	group, rest := s.words[:widest], s.words[widest:]
	for i := range s.evals {
		e := &s.evals[i]
		size := t.planes * e.words
		e.group, e.planes, rest = group, rest[:size], rest[size:]
		e.start(vectors[i].C, first)
	}
}

// end forgets this party's shares.
func (s *space) end() {
	clear(s.words)
	clear(s.evals)
	spaces.Put(s)
}

// lay makes room for messages of so many bits of every element, and returns
// our own.
func (s *space) lay(m *transport.Mesh, bits int) []byte {
	size := bits * s.size
	s.bytes = slices.Grow(s.bytes[:0], m.N()*size)[:m.N()*size]
	s.out, s.in = s.out[:0], s.in[:0]
	own := s.bytes[m.Self()*size:][:size]
	for j := range m.N() {
		s.out, s.in = append(s.out, own), append(s.in, s.bytes[j*size:][:size])
	}
	return own
}

// open makes our message the XOR of those of all parties, and returns it.
func (s *space) open(m *transport.Mesh, step string) ([]byte, error) {
	if err := m.Exchange(step, s.out, s.in); err != nil {
		return nil, err
	}
	own := s.in[m.Self()]
	for j, part := range s.in {
		if j != m.Self() {
			subtle.XORBytes(own, own, part)
		}
	}
	return own, nil
}

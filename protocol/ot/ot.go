// Package ot makes correlated randomness from oblivious transfer: authenticated
// bits, products of bits, and products of a bit with ring elements, for n
// parties of which all but one may collude.
package ot

import (
	"io"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/transport"
)

// A Base is the correlation of this party with every peer, in both directions,
// from which [Base.Fork] makes sessions. It lives as long as its mesh.
type Base struct{}

// Setup runs the base OTs of all ordered pairs of parties.
func Setup(m *transport.Mesh, rng io.Reader) (*Base, error) { panic("ot: unfinished") }

// An Option is a public parameter of a session, the same at all parties.
type Option func(*options)

type options struct{ depth int }

// Depth sets the depth k of the trees of OT extension, 2, 4 or 8: a correlated
// OT costs 16/k bytes on the wire and 2ᵏ/k AES blocks per bit at either side.
// The default is 4.
func Depth(k int) Option { return func(o *options) { o.depth = k } }

// Fork starts a session with a fresh Δ. The key is the public, jointly known
// name of the batch, 32 bytes that never name another; it keys the hashes.
func (b *Base) Fork(m *transport.Mesh, rng io.Reader, key []byte, opts ...Option) (*Session, error) {
	panic("ot: unfinished")
}

// A Session makes the correlated randomness of one generation batch, under one
// Δ of this party. It is not safe for concurrent use. After [Session.Erase],
// every method panics.
type Session struct {
	self, n int
	delta   prg.Block
	counts  Counts
}

// Delta returns the Δ of this party, of which the lowest bit is 1.
func (s *Session) Delta() prg.Block { return s.delta }

// Hash returns the public hash named label and index, under a key of this
// batch. Hashes with other names, those of this package among them, have
// independent keys. A hash is to be used for at most 2²⁰ sums, counted over
// all parties.
func (s *Session) Hash(label string, index ...uint64) *prg.Hash { panic("ot: unfinished") }

// Erase forgets Δ and all keys.
func (s *Session) Erase() {}

// Zero returns the vector of n public zero bits, to which every party holds
// keys.
func (s *Session) Zero(n int) Bits { panic("ot: unfinished") }

// Share returns this party's XOR share of b·Δ of party owner, who must hold
// keys. The result may share memory with b.
//
//	share of j ≠ owner = Mⱼ,  share of owner = x·Δ ⊕ ⊕ⱼ Kⱼ
func (s *Session) Share(b Bits, owner int) []prg.Block { panic("ot: unfinished") }

// A Request asks for the authentication of shared bits.
type Request struct {
	// X is this party's share. A party that is not in Holders gives a vector of
	// the same length, whose content is ignored.
	X       []uint8
	Holders Set // parties with a share; the share of others is zero by structure
	Keys    Set // parties that get keys
}

// Authenticate authenticates the bits of all requests, which have the same
// shape at all parties.
//
// Rounds: 1.
func (s *Session) Authenticate(m *transport.Mesh, step string, reqs []Request) ([]Bits, error) {
	panic("ot: unfinished")
}

// An AndRequest asks for the products of the bits of A and B. All parties hold
// shares of both; all but Eval, the evaluator, hold keys. Layer, Gate and the
// elements Element, Element+1, … name the products.
type AndRequest struct {
	A, B        Bits
	Eval        int
	Layer, Gate int
	Element     uint64
}

// And returns this party's XOR shares of a ∧ b for every request.
//
// Rounds: 1.
func (s *Session) And(m *transport.Mesh, step string, reqs []AndRequest) ([][]uint8, error) {
	panic("ot: unfinished")
}

// A MulRequest asks for the products of every bit of Beta with one or more ring
// elements. V[w] are this party's additive shares, modulo 2^Widths[w], of the
// elements that the bits are multiplied with.
type MulRequest struct {
	Beta   Bits
	V      [][]uint64 // nil if One
	Widths []int
	// Order lists all parties. It is the order in which they receive, and the
	// last one never sends if One.
	Order []int
	// One means that all elements are the public constant 1.
	One         bool
	Layer, Gate int
	Element     uint64
}

// Mul returns this party's additive shares of Beta·V[w] modulo 2^Widths[w] for
// every request and w.
//
// Rounds: n−1 if all requests are for One, else n.
func (s *Session) Mul(m *transport.Mesh, step string, reqs []MulRequest) ([][][]uint64, error) {
	panic("ot: unfinished")
}

package ot

import (
	"fmt"
	"io"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/transport"
)

const (
	stepBits  = "fork: choices"
	stepTrees = "fork: trees"

	// KeyLen is the length of the key that names a batch.
	KeyLen = 32

	defaultDepth = 4
)

// An Option is a public parameter of a session, the same at all parties.
type Option func(*options)

type options struct{ depth int }

// Depth sets the depth k of the trees of OT extension, 2, 4 or 8: a correlated
// OT costs 16/k bytes on the wire and 2ᵏ/k AES blocks for every 128 of its 128
// bits, at either side. The default is 4.
func Depth(k int) Option {
	if k != 2 && k != 4 && k != 8 {
		panic(fmt.Sprintf("ot: trees of depth %d", k))
	}
	return func(o *options) { o.depth = k }
}

// A Session makes the correlated randomness of one generation batch, under one
// Δ of this party. It is not safe for concurrent use. After [Session.Erase],
// only [Session.Counts], Self and N do not panic.
type Session struct {
	self, n int
	depth   int
	delta   prg.Block
	key     []byte
	recv    []*receiver // [j]: party j holds Δ
	send    []*sender   // [j]: we hold Δ
	work    *scratch
	buf     *buffers
	arena   arena  // of the vectors of a scope
	step    arena  // of those that end with the step of one request
	chunk   uint64 // hash keys used so far
	counts  Counts
	erased  bool
}

// Erase forgets the base. With it and a recording of the traffic, one could
// find the Δ of every session that was forked.
func (b *Base) Erase() {
	b.work.erase()
	b.recv, b.send = make([]*receiver, b.n), make([]*sender, b.n)
	b.erased = true
}

// Fork starts a session with a fresh Δ. The key is the public, jointly known
// name of the batch, which never names another; it keys the hashes.
//
// The trees of the session are planted by 128 random OTs, for every ordered
// pair, made of the base correlation: with choice bits c from the peer,
//
//	M = K ⊕ c·Δ_base,  k₀ = KDF(K),  k₁ = KDF(K ⊕ Δ_base),  k_c = KDF(M)
//
// Rounds: 2. Sends: 2,048 and 4,096 bytes to every party.
func (b *Base) Fork(m *transport.Mesh, rng io.Reader, key []byte, opts ...Option) (*Session, error) {
	if b.erased {
		panic("ot: use of an erased base")
	}
	if len(key) != KeyLen || m.N() != b.n || m.Self() != b.self {
		panic("ot: fork with another key length or mesh than agreed")
	}
	o := options{depth: defaultDepth}
	for _, set := range opts {
		set(&o)
	}
	delta, err := randomDelta(rng)
	if err != nil {
		return nil, err
	}
	s := &Session{
		self: b.self, n: b.n, depth: o.depth, delta: delta, key: append([]byte(nil), key...),
		recv: make([]*receiver, b.n), send: make([]*sender, b.n), work: newScratch(o.depth),
		buf: new(buffers), step: arena{open: true},
	}

	keys, got, err := b.randomOTs(m, away(delta), key)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, b.n)
	for j := range peers(b.self, b.n) {
		leaves, sums, err := plant(rng, o.depth)
		if err != nil {
			return nil, err
		}
		s.recv[j] = &receiver{newForest(o.depth, leaves, false)}
		out[j] = cover(sums, keys[j])
	}
	in, err := swap(m, stepTrees, out, coverLen)
	if err != nil {
		return nil, err
	}
	for j := range peers(b.self, b.n) {
		s.send[j] = &sender{newForest(o.depth, regrow(o.depth, delta, got[j], in[j]), true), delta}
	}
	return s, nil
}

// randomOTs makes κ random OTs for every ordered pair: both keys of those that
// we give, and those keys of the peers' that the bits c choose.
func (b *Base) randomOTs(m *transport.Mesh, c prg.Block, batch []byte) (keys [][][2]prg.Block, got [][]prg.Block, err error) {
	x := make([]byte, unit/8)
	appendBlock(x[:0], c)
	out, macs := make([][]byte, b.n), make([][]prg.Block, b.n)
	for j := range peers(b.self, b.n) {
		out[j], macs[j] = make([]byte, extendLen(baseDepth, kappa)), make([]prg.Block, unit)
		b.recv[j].extend(b.work, macs[j], x, out[j])
	}
	in, err := swap(m, stepBits, out, extendLen(baseDepth, kappa))
	if err != nil {
		return nil, nil, err
	}
	keys, got = make([][][2]prg.Block, b.n), make([][]prg.Block, b.n)
	q := make([]prg.Block, unit)
	for j := range peers(b.self, b.n) {
		b.send[j].extend(b.work, q, in[j])
		for i := range kappa {
			keys[j] = append(keys[j], [2]prg.Block{
				forkKey(q[i], batch, b.self, j, i),
				forkKey(prg.Xor(q[i], b.send[j].delta), batch, b.self, j, i),
			})
			got[j] = append(got[j], forkKey(macs[j][i], batch, j, b.self, i))
		}
	}
	return keys, got, nil
}

// forkKey derives the key of OT i, which party giver offers to party taker.
func forkKey(x prg.Block, batch []byte, giver, taker, i int) prg.Block {
	return prg.DeriveBlock(append(appendBlock(nil, x), batch...), "ot: fork", uint64(giver), uint64(taker), uint64(i))
}

// Self returns the index of this party.
func (s *Session) Self() int { return s.self }

// N returns the number of parties.
func (s *Session) N() int { return s.n }

// Delta returns the Δ of this party, of which the lowest bit is 1.
func (s *Session) Delta() prg.Block {
	s.alive()
	return s.delta
}

// Hash returns the public hash named label and index, under a key of this
// batch. Hashes with other names, and those of this package, have independent
// keys. A hash is to be used for at most 2²⁰ sums, counted over all parties.
func (s *Session) Hash(label string, index ...uint64) *prg.Hash {
	s.alive()
	return prg.NewHash(prg.DeriveBlock(s.key, "hash: "+label, index...))
}

// Erase forgets Δ and all trees. The vectors made so far are their owners'.
func (s *Session) Erase() {
	s.delta = prg.Block{}
	for _, d := range s.send {
		if d != nil {
			d.delta = prg.Block{}
		}
	}
	if !s.erased {
		s.work.erase()
		s.arena.erase()
		s.step.erase()
		*s.buf = buffers{}
	}
	s.send, s.recv, s.work, s.buf = nil, nil, nil, nil
	s.erased = true
}

func (s *Session) alive() {
	if s.erased {
		panic("ot: use of an erased session")
	}
}

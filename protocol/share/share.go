// Package share computes on additively secret-shared vectors over ℤ/2ᵏℤ.
//
// A secret x is held as x = x₀ + x₁ + … + xₙ₋₁ mod 2ᵏ, where party i alone
// knows xᵢ. Linear operations are local and work on the elements directly.
// [Open] is the only function that reveals a secret to all parties, and
// [Zero] must be added before a share is revealed to one role.
//
// Security: passive, up to n−1 corrupt parties. Any n−1 shares of a vector that
// [Split] or [Deal] made are uniform; Open reveals exactly the sum, provided
// that the caller's share is uniform given everything that was sent before.
// [Zero] provides that where it does not hold by construction.
//
// Reference: D. Demmler, T. Schneider, M. Zohner, "ABY – A Framework for
// Efficient Mixed-Protocol Secure Two-Party Computation", NDSS 2015, Section
// III-A; R. Cramer, I. Damgård, Y. Ishai, "Share Conversion, Pseudorandom
// Secret-Sharing and Applications to Secure Computation", TCC 2005, for Zero.
//
// Deviations: the n−1 random shares are 32-byte seeds; pairwise seeds replace
// replicated ones in Zero, as there is no honest majority.
package share

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/transport"
)

// A Share is one party's part of a vector of secrets. Formatting, logging or
// marshalling a Share never shows its value.
type Share []uint64

// Format implements [fmt.Formatter] and hides x from every verb.
func (x Share) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Share[%d]", len(x)) }

// MarshalJSON always fails: shares travel through codecs of their own.
func (x Share) MarshalJSON() ([]byte, error) {
	return nil, errors.New("share: a share has no JSON form")
}

// Split shares v mod 2ᵏ among n parties. Only the owner of v calls it.
func Split(rand io.Reader, v []uint64, k, n int) ([]Share, error) {
	shares := make([]Share, n)
	last := append(Share(nil), v...)
	for i := range n - 1 {
		shares[i] = make(Share, len(v))
		if err := ring.Random(rand, shares[i], k); err != nil {
			return nil, fmt.Errorf("split: %w", err)
		}
		ring.SubFrom(last, shares[i])
	}
	ring.Reduce(last, k)
	shares[n-1] = last
	return shares, nil
}

// A Seed stands for a uniform share that [Expand] makes from it.
type Seed [32]byte

// Format implements [fmt.Formatter] and hides s from every verb.
func (s Seed) Format(f fmt.State, _ rune) { fmt.Fprint(f, "Seed") }

// Expand returns the share mod 2ᵏ, of length size, for which s stands. Label
// and index name the tensor, so that one seed serves several.
func Expand(s Seed, label string, index uint64, size, k int) (Share, error) {
	x := make(Share, size)
	if err := ring.Random(prg.NewStream(s, label, index), x, k); err != nil {
		return nil, fmt.Errorf("expand: %w", err)
	}
	return x, nil
}

// Deal shares v mod 2ᵏ among len(seeds)+1 parties: the parties with seeds
// expand theirs with the same label and index, the last one gets the returned
// share. The seeds must be fresh: with old seeds the party with the full vector
// learns the difference of the two secrets.
func Deal(seeds []Seed, label string, index uint64, v []uint64, k int) (Share, error) {
	last := append(Share(nil), v...)
	for _, s := range seeds {
		x, err := Expand(s, label, index, len(v), k)
		if err != nil {
			return nil, err
		}
		ring.SubFrom(last, x)
	}
	ring.Reduce(last, k)
	return last, nil
}

// Combine returns the secret mod 2ᵏ of which all shares are given.
func Combine(shares []Share, k int) []uint64 {
	sum := make([]uint64, len(shares[0]))
	for _, x := range shares {
		ring.AddTo(sum, x)
	}
	ring.Reduce(sum, k)
	return sum
}

// An Opening is a vector of secrets mod 2ᵏ, k = Width, to be opened.
type Opening struct {
	X     Share
	Width int
}

// Open reveals secrets to all parties. Only the low Width bits of each element
// leave this machine, densely packed.
//
// Rounds: 1. Sends: Σ Width·len(X) bits, each vector padded to a byte, to every
// party.
func Open(m *transport.Mesh, step string, xs ...Opening) ([][]uint64, error) {
	sums, own := make([][]uint64, len(xs)), make([]Opening, len(xs))
	for i, x := range xs {
		sums[i] = append(make([]uint64, 0, len(x.X)), x.X...)
		own[i] = Opening{sums[i], x.Width}
	}
	if err := OpenInPlace(m, step, own...); err != nil {
		return nil, err
	}
	return sums, nil
}

// OpenInPlace is [Open] that puts every secret in the place of this party's share
// of it.
func OpenInPlace(m *transport.Mesh, step string, xs ...Opening) error {
	size := 0
	for _, x := range xs {
		size += ring.PackedLen(len(x.X), x.Width)
	}
	b := boards.Get().(*board)
	defer boards.Put(b)
	msg := b.lay(m, size)
	for _, x := range xs {
		msg = ring.AppendPacked(msg, x.X, x.Width)
	}
	if err := m.Exchange(step, b.out, b.in); err != nil {
		return err
	}
	at := 0
	for _, x := range xs {
		size := ring.PackedLen(len(x.X), x.Width)
		for j, part := range b.in {
			if j != m.Self() {
				ring.AddPacked(x.X, part[at:at+size], x.Width)
			}
		}
		ring.Reduce(x.X, x.Width)
		at += size
	}
	return nil
}

// A board has the messages of all parties in an opening. Every party has them, so
// that a board is used again as it is.
type board struct {
	bytes   []byte
	out, in [][]byte
}

var boards = sync.Pool{New: func() any { return new(board) }}

// lay makes room for messages of size bytes. It returns our own, still empty.
func (b *board) lay(m *transport.Mesh, size int) []byte {
	b.bytes = slices.Grow(b.bytes[:0], m.N()*size)[:m.N()*size]
	b.out, b.in = b.out[:0], b.in[:0]
	own := b.bytes[m.Self()*size:][:0:size]
	for j := range m.N() {
		out, in := own[:size], b.bytes[j*size:][:size:size]
		if j == m.Self() {
			out, in = nil, nil
		}
		b.out, b.in = append(b.out, out), append(b.in, in)
	}
	return own
}

// Zero adds to x this party's share of a fresh sharing of zero mod 2ᵏ, so that
// all n shares together carry the secret and nothing else:
//
//	xᵢ ← xᵢ + Σ_{j>i} PRG(sᵢⱼ) − Σ_{j<i} PRG(sᵢⱼ)
//
// seeds[j] is the seed that this party shares with party j; label and index
// name session and tensor, and must not repeat under the same seeds.
func Zero(x Share, self int, seeds []Seed, label string, index uint64, k int) error {
	for j, s := range seeds {
		if j == self {
			continue
		}
		pad, err := Expand(s, label, index, len(x), k)
		if err != nil {
			return err
		}
		if j > self {
			ring.AddTo(x, pad)
		} else {
			ring.SubFrom(x, pad)
		}
	}
	ring.Reduce(x, k)
	return nil
}

// PairSeeds gives every two parties a common secret seed, to which both
// contribute. The seed of this party with itself is zero and unused.
//
// Rounds: 1. Sends: 32 bytes to every party.
func PairSeeds(m *transport.Mesh, step string, rand io.Reader) ([]Seed, error) {
	out, in := make([][]byte, m.N()), make([][]byte, m.N())
	for j := range m.N() {
		if j == m.Self() {
			continue
		}
		out[j], in[j] = make([]byte, len(Seed{})), make([]byte, len(Seed{}))
		if _, err := io.ReadFull(rand, out[j]); err != nil {
			return nil, fmt.Errorf("%s: %w", step, err)
		}
	}
	if err := m.Exchange(step, out, in); err != nil {
		return nil, err
	}
	seeds := make([]Seed, m.N())
	for j := range seeds {
		for b := range in[j] {
			seeds[j][b] = in[j][b] ^ out[j][b]
		}
	}
	return seeds, nil
}

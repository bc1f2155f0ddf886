package ot

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/testnet"
	"github.com/tacit-mpc/tacit/transport"
)

// stream returns the randomness of one party of a test.
func stream(seed uint64, party int) *rand.ChaCha8 {
	var s [32]byte
	binary.LittleEndian.PutUint64(s[:], seed)
	s[8] = byte(party)
	return rand.NewChaCha8(s)
}

// dealBases returns the bases of n parties without base OTs: the keys that
// these would make are public here.
func dealBases(t testing.TB, seed uint64, n int) []*Base {
	t.Helper()
	bases, deltas := make([]*Base, n), make([]prg.Block, n)
	rngs := make([]io.Reader, n)
	for i := range bases {
		rngs[i] = stream(seed, i)
		bases[i] = &Base{self: i, n: n, recv: make([]*receiver, n), send: make([]*sender, n), work: newScratch(baseDepth)}
		d, err := randomDelta(rngs[i])
		if err != nil {
			t.Fatal(err)
		}
		deltas[i] = d
	}
	for i := range n {
		for j := range peers(i, n) {
			leaves, sums, err := plant(rngs[i], baseDepth)
			if err != nil {
				t.Fatal(err)
			}
			bases[i].recv[j] = &receiver{newForest(baseDepth, leaves, false)}
			msg := cover(sums, make([][2]prg.Block, kappa))
			leaves = regrow(baseDepth, deltas[j], make([]prg.Block, kappa), msg)
			bases[j].send[i] = &sender{newForest(baseDepth, leaves, true), deltas[j]}
		}
	}
	return bases
}

var batches atomic.Uint64

// batch returns a key that no other session of the test binary has.
func batch() []byte {
	key := make([]byte, KeyLen)
	binary.LittleEndian.PutUint64(key, batches.Add(1))
	return key
}

// together runs f as each of n parties, with a session and its randomness.
func together(t *testing.T, n, depth int, f func(m *transport.Mesh, s *Session, rng *rand.ChaCha8) error) {
	t.Helper()
	bases, key := dealBases(t, 1, n), batch()
	testnet.Run(t, n, func(m *transport.Mesh) error {
		s, err := bases[m.Self()].Fork(m, stream(2, m.Self()), key, Depth(depth))
		if err != nil {
			return err
		}
		if got := costOf(m.Stats()); got != (Cost{Rounds: 2, Sent: PlanFork(n).Sent, Received: PlanFork(n).Received}) {
			return fmt.Errorf("fork cost %+v, planned %+v", got, PlanFork(n))
		}
		return f(m, s, stream(3, m.Self()))
	})
}

func costOf(s transport.Stats) Cost {
	return Cost{Rounds: s.Rounds, Sent: s.Sent, Received: s.Received}
}

// measure runs f and returns its cost, where step is new to m.
func measure(m *transport.Mesh, s *Session, step string, f func() error) (Cost, error) {
	before := s.Counts()
	if err := f(); err != nil {
		return Cost{}, err
	}
	var c Cost
	for _, st := range m.Steps() {
		if st.Step == step {
			c = costOf(st)
		}
	}
	after := s.Counts()
	c.Counts = Counts{
		after.COTs - before.COTs, after.Keys - before.Keys, after.Ands - before.Ands, after.Muls - before.Muls,
	}
	return c, nil
}

func randomBits(rng *rand.ChaCha8, n int) []uint8 {
	x := make([]uint8, n)
	for i := range x {
		x[i] = uint8(rng.Uint64() & 1)
	}
	return x
}

// checkBits checks the relation of every MAC and key, and where they are.
func checkBits(t *testing.T, deltas []prg.Block, parts []Bits) {
	t.Helper()
	for i, p := range parts {
		for j, q := range parts {
			if i == j || !p.Holders.Has(i) || !p.Keys.Has(j) {
				if i != j && !p.Holders.Has(i) && p.M[j] != nil {
					t.Errorf("party %d has MACs of a share it has not", i)
				}
				if i != j && !p.Keys.Has(j) && (p.M[j] != nil || q.K[i] != nil) {
					t.Errorf("MACs of party %d for party %d, who asked for no keys", i, j)
				}
				continue
			}
			if len(p.M[j]) != len(p.X) || len(q.K[i]) != len(p.X) {
				t.Fatalf("party %d to %d: %d bits, %d MACs, %d keys", i, j, len(p.X), len(p.M[j]), len(q.K[i]))
			}
			for e, x := range p.X {
				if p.M[j][e] != prg.Xor(q.K[i][e], prg.And(deltas[j], x)) {
					t.Fatalf("party %d to %d: bit %d is not authenticated", i, j, e)
				}
				if uint8(p.M[j][e][0]^q.K[i][e][0])&1 != x {
					t.Fatalf("party %d to %d: lowest bits do not differ by bit %d", i, j, e)
				}
			}
		}
	}
}

// open returns the bits that the parts share.
func open(parts []Bits) []uint8 {
	b := make([]uint8, parts[0].Len())
	for _, p := range parts {
		for e, x := range p.X {
			b[e] ^= x
		}
	}
	return b
}

func TestAuthenticateGivesMACsAtThePlannedCost(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		for _, depth := range []int{2, 4, 8} {
			t.Run(fmt.Sprintf("n=%d/k=%d", n, depth), func(t *testing.T) {
				some := All(n).Without(0)
				shapes := []AuthShape{
					{600, All(n), All(n)}, {0, All(n), All(n)}, {1, some, All(n)},
					{17, All(n), some}, {1000, some, All(n).Without(1)}, {5, 0, All(n)}, {20000 / depth, some, some.With(0)},
				}
				deltas, parts := make([]prg.Block, n), make([][]Bits, n)
				together(t, n, depth, func(m *transport.Mesh, s *Session, rng *rand.ChaCha8) error {
					deltas[m.Self()] = s.Delta()
					for call := range 2 {
						step := fmt.Sprint("test: bits ", call)
						var reqs []Request
						for _, sh := range shapes {
							reqs = append(reqs, Request{randomBits(rng, sh.N), sh.Holders, sh.Keys})
						}
						got, err := measure(m, s, step, func() error {
							b, err := s.Authenticate(m, step, reqs)
							parts[m.Self()] = append(parts[m.Self()], b...)
							return err
						})
						if err != nil {
							return err
						}
						if want := PlanAuthenticate(n, m.Self(), depth, shapes); got != want {
							t.Errorf("party %d: cost %+v, planned %+v", m.Self(), got, want)
						}
					}
					return nil
				})
				for r := range parts[0] {
					checkBits(t, deltas, at(parts, r))
				}
			})
		}
	}
}

// at returns the parts of vector r.
func at[T any](parts [][]T, r int) []T {
	var v []T
	for _, p := range parts {
		v = append(v, p[r])
	}
	return v
}

func TestLocalOperationsKeepTheRelations(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			const size = 40
			deltas, parts, shares := make([]prg.Block, n), make([][]Bits, n), make([][][]prg.Block, n)
			together(t, n, 4, func(m *transport.Mesh, s *Session, rng *rand.ChaCha8) error {
				b, err := s.Authenticate(m, "test: bits", []Request{
					{randomBits(rng, size), All(n), All(n)},
					{randomBits(rng, size), All(n), All(n).Without(1)},
					{randomBits(rng, size), Set(0).With(1), All(n)},
				})
				if err != nil {
					return err
				}
				zero := s.Zero(size)
				b = append(b, b[0].Xor(b[1]), b[2].Xor(b[0]), zero.Xor(b[0]), b[1].Xor(b[2]).Xor(zero),
					b[0].Slice(7, 19), b[2].Slice(3, 3), zero)
				parts[m.Self()], deltas[m.Self()] = b, s.Delta()
				for _, v := range b {
					shares[m.Self()] = append(shares[m.Self()], s.Share(v, 0))
				}
				return nil
			})
			for r := range parts[0] {
				v := at(parts, r)
				checkBits(t, deltas, v)
				for e, bit := range open(v) {
					var sum prg.Block
					for i := range n {
						sum = prg.Xor(sum, shares[i][r][e])
					}
					if sum != prg.And(deltas[0], bit) {
						t.Fatalf("vector %d: shares of bit %d times Δ are wrong", r, e)
					}
				}
			}
			sum := open(at(parts, 3))
			for e, b := range open(at(parts, 0)) {
				if sum[e] != b^open(at(parts, 1))[e] {
					t.Fatal("xor of shares is not the xor of bits")
				}
			}
		})
	}
}

func TestErasedSessionPanics(t *testing.T) {
	together(t, 2, 4, func(m *transport.Mesh, s *Session, rng *rand.ChaCha8) error {
		b := s.Zero(1)
		s.Erase()
		for name, use := range map[string]func(){
			"Delta":        func() { s.Delta() },
			"Hash":         func() { s.Hash("x") },
			"Zero":         func() { s.Zero(1) },
			"Share":        func() { s.Share(b, 0) },
			"Authenticate": func() { s.Authenticate(m, "test", nil) },
			"And":          func() { s.And(m, "test", nil) },
			"Mul":          func() { s.Mul(m, "test", nil) },
			"MulOwn":       func() { s.MulOwn(m, "test", nil) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s works after Erase", name)
					}
				}()
				use()
			}()
		}
		if s.delta != (prg.Block{}) {
			t.Error("Δ survives Erase")
		}
		return nil
	})
}

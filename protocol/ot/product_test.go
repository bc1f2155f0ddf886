package ot

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/transport"
)

func TestAndIsExactAtThePlannedCost(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			sizes := []int{0, 1, 100, 9000} // at n = 5 more than one hash key
			var shapes []AndShape
			var auth []AuthShape
			for eval := range n {
				for _, size := range sizes {
					shapes = append(shapes, AndShape{size, eval})
					sh := AuthShape{size, All(n), All(n).Without(eval)}
					auth = append(auth, sh, sh)
				}
			}
			parts, z := make([][]Bits, n), make([][][]uint8, n)
			together(t, n, 4, func(m *transport.Mesh, s *Session, rng *rand.ChaCha8) error {
				b, err := s.Authenticate(m, "test: bits", requests(rng, auth))
				if err != nil {
					return err
				}
				reqs := make([]AndRequest, len(shapes))
				for r, sh := range shapes {
					reqs[r] = AndRequest{A: b[2*r], B: b[2*r+1], Eval: sh.Eval, Layer: 5, Gate: r, Element: 77}
				}
				parts[m.Self()] = b
				got, err := measure(m, s, "test: and", func() (err error) {
					z[m.Self()], err = s.And(m, "test: and", reqs)
					return err
				})
				if want := PlanAnd(n, m.Self(), shapes); err == nil && got != want {
					t.Errorf("party %d: cost %+v, planned %+v", m.Self(), got, want)
				}
				return err
			})
			for r := range shapes {
				a, b := open(at(parts, 2*r)), open(at(parts, 2*r+1))
				for e := range a {
					var got uint8
					for i := range n {
						got ^= z[i][r][e]
					}
					if got != a[e]&b[e] {
						t.Fatalf("request %d, bit %d: %d ∧ %d = %d", r, e, a[e], b[e], got)
					}
				}
			}
		})
	}
}

func requests(rng *rand.ChaCha8, shapes []AuthShape) []Request {
	reqs := make([]Request, len(shapes))
	for r, sh := range shapes {
		reqs[r] = Request{randomBits(rng, sh.N), sh.Holders, sh.Keys}
	}
	return reqs
}

// mulCases returns requests of all kinds, and the authentication they need.
func mulCases(n int) (shapes []MulShape, auth []AuthShape) {
	rng := rand.New(rand.NewPCG(4, uint64(n)))
	for last := range n {
		for words := 1; words <= 5; words++ {
			for _, one := range []bool{true, false} {
				var order []int
				for _, i := range rng.Perm(n) {
					if i != last {
						order = append(order, i)
					}
				}
				order = append(order, last)
				widths := make([]int, words)
				for w := range widths {
					widths[w] = 1 + rng.IntN(64)
				}
				keys := All(n)
				if one {
					keys = keys.Without(last)
				}
				size := []int{0, 1, 33, 4097}[rng.IntN(4)]
				shapes = append(shapes, MulShape{size, widths, order, one})
				auth = append(auth, AuthShape{size, All(n), keys})
			}
		}
	}
	return shapes, auth
}

func TestMulIsExactAtThePlannedCost(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			shapes, auth := mulCases(n)
			parts, reqs, z := make([][]Bits, n), make([][]MulRequest, n), make([][][][]uint64, n)
			together(t, n, 4, func(m *transport.Mesh, s *Session, rng *rand.ChaCha8) error {
				b, err := s.Authenticate(m, "test: bits", requests(rng, auth))
				if err != nil {
					return err
				}
				mine := make([]MulRequest, len(shapes))
				for r, sh := range shapes {
					mine[r] = MulRequest{Beta: b[r], Widths: sh.Widths, Order: sh.Order, One: sh.One, Layer: 5, Gate: r, Element: 1 << 33}
					for _, width := range sh.Widths {
						v := make([]uint64, sh.N)
						if !sh.One {
							if err := ring.Random(rng, v, width); err != nil {
								return err
							}
							mine[r].V = append(mine[r].V, v)
						}
					}
				}
				parts[m.Self()], reqs[m.Self()] = b, mine
				got, err := measure(m, s, "test: mul", func() (err error) {
					z[m.Self()], err = s.Mul(m, "test: mul", mine)
					return err
				})
				if want := PlanMul(n, m.Self(), shapes); err == nil && got != want {
					t.Errorf("party %d: cost %+v, planned %+v", m.Self(), got, want)
				}
				return err
			})
			for r, sh := range shapes {
				beta := open(at(parts, r))
				for w, width := range sh.Widths {
					checkProduct(t, fmt.Sprintf("request %d, word %d", r, w), beta, sh, width, func(i, e int) (v, z0 uint64) {
						if !sh.One {
							v = reqs[i][r].V[w][e]
						}
						return v, z[i][r][w][e]
					})
				}
			}
		})
	}
}

// checkProduct checks that the shares that part returns satisfy z = β·v.
func checkProduct(t *testing.T, name string, beta []uint8, sh MulShape, width int, part func(i, e int) (v, z uint64)) {
	t.Helper()
	for e := range beta {
		var v, z uint64
		for i := range sh.Order {
			vi, zi := part(i, e)
			v, z = v+vi, z+zi
			if zi > ring.Mask(width) {
				t.Fatalf("%s: share %#x is not reduced mod 2^%d", name, zi, width)
			}
		}
		if sh.One {
			v = 1
		}
		if (z-uint64(beta[e])*v)&ring.Mask(width) != 0 {
			t.Fatalf("%s, element %d: %d·%#x = %#x mod 2^%d", name, e, beta[e], v, z, width)
		}
	}
}

func TestOneSkipsSendersByStructure(t *testing.T) {
	order := []int{2, 0, 1}
	sh := MulShape{8, []int{16}, order, true}
	var sends []string
	for round := range sh.rounds() {
		for j := range 3 {
			if sh.sends(round, j) {
				sends = append(sends, fmt.Sprintf("%d→%d", j, sh.receiver(round)))
			}
		}
	}
	if want := []string{"2→0", "0→1", "2→1"}; !slices.Equal(sends, want) {
		t.Errorf("senders %v, want %v", sends, want)
	}
}

func TestHashKeysServeAtMostTheirBound(t *testing.T) {
	s := &Session{key: make([]byte, KeyLen)}
	lens, per, blocks := []int{3, 1 << 18, 0, 40, 1 << 17, 9}, []int{12, 12, 12, 40, 40, 12}, []int{1, 2, 1, 1, 1, 3}
	used := map[any]int{}
	for r, cuts := range s.pieces(lens, per, blocks) {
		next := 0
		for _, p := range cuts {
			if p.lo != next || p.hi <= p.lo || p.hi-p.lo > run || len(p.hashes) < blocks[r] {
				t.Fatalf("request %d: piece %d to %d of %d hashes", r, p.lo, p.hi, len(p.hashes))
			}
			next = p.hi
			for _, h := range p.hashes[:blocks[r]] {
				used[h] += (p.hi - p.lo) * per[r]
			}
		}
		if next != lens[r] {
			t.Errorf("request %d: pieces end at %d of %d", r, next, lens[r])
		}
	}
	for _, sums := range used {
		if sums > hashesPerKey {
			t.Errorf("%d sums under one key", sums)
		}
	}
}

func TestSlotsAreDisjoint(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		widths := make([]int, 1+rng.IntN(7))
		for w := range widths {
			widths[w] = 1 + rng.IntN(64)
		}
		at, blocks := slots(widths)
		taken := map[[2]int]uint64{}
		for w, a := range at {
			bits := ring.Mask(widths[w]) << a.shift
			k := [2]int{a.block, a.half}
			if a.block >= blocks || int(a.shift)+widths[w] > 64 || taken[k]&bits != 0 {
				t.Fatalf("widths %v: word %d at %+v of %d blocks", widths, w, a, blocks)
			}
			taken[k] |= bits
		}
	}
}

func TestEmptyCallsTakeNoRound(t *testing.T) {
	together(t, 3, 4, func(m *transport.Mesh, s *Session, rng *rand.ChaCha8) error {
		before := m.Stats().Rounds
		if _, err := s.Authenticate(m, "test", nil); err != nil {
			return err
		}
		if _, err := s.And(m, "test", nil); err != nil {
			return err
		}
		if _, err := s.Mul(m, "test", nil); err != nil {
			return err
		}
		if err := s.MulOwn(m, "test", nil); err != nil {
			return err
		}
		if after := m.Stats().Rounds; after != before {
			t.Errorf("%d rounds for nothing", after-before)
		}
		return nil
	})
}

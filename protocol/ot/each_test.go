package ot

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/transport"
)

func TestAndEachIsExactAtThePlannedCost(t *testing.T) {
	shapes := []EachShape{{1, 1}, {127, 9}, {5000, 3}, {0, 2}, {300, 128}, {64, 0}, {130, 65}}
	for _, n := range []int{2, 3, 5} {
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			parts, shares := make([][]EachRequest, n), make([][][][]uint64, n)
			together(t, n, 4, func(m *transport.Mesh, s *Session, rng *rand.ChaCha8) error {
				var auth []Request
				for _, sh := range shapes {
					auth = append(auth, Request{X: randomBits(rng, sh.N), Holders: All(n), Keys: All(n)})
				}
				bits, err := s.Authenticate(m, "bits", auth)
				if err != nil {
					return err
				}
				var reqs []EachRequest
				for r, sh := range shapes {
					req := EachRequest{A: bits[r], Layer: 1, Gate: r}
					for range sh.Vectors {
						req.B = append(req.B, Plane(randomBits(rng, sh.N)))
					}
					reqs = append(reqs, req)
				}
				var z [][][]uint64
				got, err := measure(m, s, "each", func() error {
					z, err = s.AndEach(m, "each", reqs)
					return err
				})
				if err != nil {
					return err
				}
				if want := PlanAndEach(n, shapes); got != want {
					return fmt.Errorf("cost %+v, planned %+v", got, want)
				}
				parts[m.Self()], shares[m.Self()] = reqs, z
				return nil
			})
			if t.Failed() {
				return
			}
			for r, sh := range shapes {
				for w := range sh.Vectors {
					for i := range PlaneWords(sh.N) {
						var a, b, z uint64
						for p := range n {
							a ^= Plane(parts[p][r].A.X)[i]
							b ^= parts[p][r].B[w][i]
							z ^= shares[p][r][w][i]
						}
						if z != a&b {
							t.Fatalf("%+v: vector %d, word %d: %x, want %x", sh, w, i, z, a&b)
						}
					}
				}
			}
		})
	}
}

// Pieces cover all elements, and keys keep to their bound, for all numbers of parties.
func TestEachPiecesCoverWithinTheBound(t *testing.T) {
	for n := 2; n <= 64; n++ {
		const elements = 1000
		s, at, sums := &Session{n: n, key: make([]byte, KeyLen)}, 0, map[*prg.Hash]int{}
		req := EachRequest{A: Bits{X: make([]uint8, elements)}}
		for _, p := range s.eachPieces([]EachRequest{req})[0] {
			if p.lo != at || p.hi <= p.lo || p.lo%128 != 0 {
				t.Fatalf("%d parties: a piece from %d to %d after %d", n, p.lo, p.hi, at)
			}
			at = p.hi
			if sums[p.hashes[0]] += 2 * n * (n - 1) * (p.hi - p.lo); sums[p.hashes[0]] > hashesPerKey {
				t.Fatalf("%d parties: %d sums under one key", n, sums[p.hashes[0]])
			}
		}
		if at != elements {
			t.Fatalf("%d parties: pieces of %d elements", n, at)
		}
	}
}

func TestBitPlanes(t *testing.T) {
	rng := stream(4, 0)
	src := make([]prg.Block, 128)
	for i := range src {
		src[i] = prg.Block{rng.Uint64(), rng.Uint64()}
	}
	var dst [maxEach]prg.Block
	bitPlanes(&dst, src, maxEach)
	for w := range dst {
		for e := range src {
			if dst[w][e/64]>>(e%64)&1 != src[e][w/64]>>(w%64)&1 {
				t.Fatalf("bit %d of block %d is wrong", w, e)
			}
		}
	}
}

func BenchmarkAndEach(b *testing.B) {
	const n, vectors = 1 << 14, 8
	bases := dealBases(b, 1, 2)
	parallel(b, 2, func(m *transport.Mesh, i int) error {
		rng := stream(5, m.Self())
		s, err := bases[m.Self()].Fork(m, rng, batch())
		if err != nil {
			return err
		}
		bits, err := s.Authenticate(m, "bits", []Request{{X: randomBits(rng, n), Holders: All(2), Keys: All(2)}})
		if err != nil {
			return err
		}
		req := EachRequest{A: bits[0]}
		for range vectors {
			req.B = append(req.B, Plane(randomBits(rng, n)))
		}
		for range 100 {
			if _, err := s.AndEach(m, "each", []EachRequest{req}); err != nil {
				return err
			}
		}
		return nil
	})
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100/n/vectors, "ns/product")
}

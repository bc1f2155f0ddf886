package ot

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/transport"
)

// ownCases are shapes of all kinds: elementwise, outer and inner products,
// matrices in part, rows of several strips, parties that only hold or only send.
func ownCases(n int) []OwnShape {
	all := All(n)
	shapes := []OwnShape{
		{First: 0, N: 900, Rows: 1, Inner: 1, Cols: 1, Width: 40, Holders: all, Keys: all},
		{First: 17, N: 5, Rows: 1, Inner: 1, Cols: 1, Width: 64, Holders: all, Keys: all},
		{First: 3, N: 20, Rows: 1, Inner: 7, Cols: 1, Width: 33, Holders: all, Keys: all},
		{First: 2, N: 11, Rows: 3, Inner: 1, Cols: 4, Width: 21, Holders: all, Keys: all},
		{First: 5, N: 31, Rows: 2, Inner: 3, Cols: 5, Width: 17, Holders: all, Keys: all},
		{First: 1, N: 3, Rows: 2, Inner: 2, Cols: 1100, Width: 8, Holders: all, Keys: all},
		{First: 0, N: 2, Rows: 1, Inner: 2, Cols: 600, Width: 45, Holders: all, Keys: all},
		{First: 0, N: 0, Rows: 1, Inner: 2, Cols: 3, Width: 2, Holders: all, Keys: all},
		{First: 0, N: 9, Rows: 1, Inner: 1, Cols: 1, Width: 1, Holders: 1, Keys: all},
		{First: 4, N: 9, Rows: 1, Inner: 1, Cols: 2, Width: 5, Holders: all.Without(0), Keys: 1},
		{First: 4, N: 9, Rows: 1, Inner: 1, Cols: 2, Width: 5, Holders: 2, Keys: 2},
		{First: 0, N: 9000, Rows: 1, Inner: 1, Cols: 1, Width: 3, Holders: all, Keys: all},
	}
	rng := rand.New(rand.NewPCG(9, uint64(n)))
	for range 8 {
		shapes = append(shapes, OwnShape{
			First: rng.IntN(20), N: rng.IntN(50), Rows: 1 + rng.IntN(4), Inner: 1 + rng.IntN(5), Cols: 1 + rng.IntN(9),
			Width: 1 + rng.IntN(64), Holders: Set(rng.Uint64()) & all, Keys: Set(rng.Uint64()) & all,
		})
	}
	return shapes
}

// sizes returns the numbers of elements of X, V and Z that the request covers.
func (s OwnShape) sizes() (x, v, z int) {
	x = s.First + s.N
	rows := (x + s.Inner - 1) / s.Inner
	return x, (rows + s.Rows - 1) / s.Rows * s.Inner * s.Cols, rows * s.Cols
}

// An owner is what one party has of a request of a test.
type owner struct{ x, v, z []uint64 }

// own runs the requests of the shapes at one party, in one call.
func own(m *transport.Mesh, s *Session, rng *rand.ChaCha8, shapes []OwnShape) ([]owner, Cost, error) {
	owners, auth := make([]owner, len(shapes)), make([]Request, len(shapes))
	for r, sh := range shapes {
		nx, nv, nz := sh.sizes()
		o := owner{make([]uint64, nx), make([]uint64, nv), make([]uint64, nz)}
		if err := errors.Join(ring.Random(rng, o.x, 64), ring.Random(rng, o.v, 64)); err != nil {
			return nil, Cost{}, err
		}
		auth[r] = Request{X: make([]uint8, sh.N*sh.Width), Holders: sh.Holders, Keys: sh.Keys}
		OwnBits(auth[r].X, o.x[sh.First:], sh.Width)
		owners[r] = o
	}
	bits, err := s.Authenticate(m, "test: bits", auth)
	if err != nil {
		return nil, Cost{}, err
	}
	reqs := make([]OwnRequest, len(shapes))
	for r, sh := range shapes {
		reqs[r] = OwnRequest{OwnShape: sh, X: bits[r], V: owners[r].v, Z: owners[r].z, Layer: r, Element: 1 << 33}
	}
	cost, err := measure(m, s, "test: own", func() error { return s.MulOwn(m, "test: own", reqs) })
	return owners, cost, err
}

// checkOwn checks that the shares of all parties add up to the products.
func checkOwn(sh OwnShape, parties []owner) error {
	_, _, nz := sh.sizes()
	want, got := make([]uint64, nz), make([]uint64, nz)
	for i := range parties {
		ring.AddTo(got, parties[i].z)
		for j := range parties {
			if !sh.sends(j, i) {
				continue
			}
			for e := sh.First; e < sh.First+sh.N; e++ {
				row, k := e/sh.Inner, e%sh.Inner
				for c := range sh.Cols {
					want[row*sh.Cols+c] += parties[i].x[e] * parties[j].v[(row/sh.Rows*sh.Inner+k)*sh.Cols+c]
				}
			}
		}
	}
	for i := range want {
		if (want[i]-got[i])&ring.Mask(sh.Width) != 0 {
			return fmt.Errorf("%+v: word %d is %#x, want %#x", sh, i, got[i], want[i])
		}
	}
	return nil
}

func TestMulOwnIsExactAtThePlannedCost(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			shapes, owners := ownCases(n), make([][]owner, n)
			together(t, n, 4, func(m *transport.Mesh, s *Session, rng *rand.ChaCha8) error {
				var got Cost
				var err error
				owners[m.Self()], got, err = own(m, s, rng, shapes)
				if want := PlanMulOwn(n, m.Self(), shapes); err == nil && got != want {
					t.Errorf("party %d: cost %+v, planned %+v", m.Self(), got, want)
				}
				return err
			})
			for r, sh := range shapes {
				if err := checkOwn(sh, at(owners, r)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// The hash inputs of a call differ, whatever the shapes, and keys keep to their
// bound.
func TestOwnPiecesCoverAndDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 64).Draw(t, "n")
		sh := OwnShape{
			First: rapid.IntRange(0, 30).Draw(t, "first"), N: rapid.IntRange(1, 40).Draw(t, "elements"), Rows: 1, Inner: 1,
			Cols: rapid.SampledFrom([]int{1, 2, 7, 255, 256, 257, 1000, 3000}).Draw(t, "cols"), Width: rapid.IntRange(1, 64).Draw(t, "width"),
			Holders: All(n), Keys: All(n),
		}
		s := &Session{key: make([]byte, KeyLen)}
		sums, words, ends := map[*prg.Hash]int{}, 0, map[uint64]uint64{}
		for _, p := range s.ownPieces([]OwnShape{sh})[0] {
			blocks := hashBlocks(p.c1-p.c0, sh.Width-p.k)
			if blocks*(p.hi-p.lo) > run || (p.c1-p.c0)*(p.hi-p.lo) > runWords || p.hi-p.lo > 1 && p.c1-p.c0 != sh.Cols {
				t.Fatalf("piece %+v of %+v", p, sh)
			}
			words += (p.hi - p.lo) * (p.c1 - p.c0)
			sums[p.hash] += 2 * n * (n - 1) * blocks * (p.hi - p.lo)
			first := OwnRequest{OwnShape: sh, Element: 5}.tweak(0, 1, p)
			if first[0] < ends[first[1]] {
				t.Fatalf("%+v: piece %+v repeats a tweak", sh, p)
			}
			ends[first[1]] = first[0] + uint64(blocks*(p.hi-p.lo))
		}
		if words != sh.N*sh.Cols*sh.Width {
			t.Fatalf("%+v: %d words", sh, words)
		}
		for _, sum := range sums {
			if sum > hashesPerKey {
				t.Fatalf("%+v: %d sums under one key", sh, sum)
			}
		}
	})
}

func TestMulOwnRefuses(t *testing.T) {
	good := OwnRequest{
		OwnShape: OwnShape{N: 4, Rows: 1, Inner: 2, Cols: 3, Width: 1, Holders: 3, Keys: 3},
		X:        Bits{X: make([]uint8, 4), Holders: 3, Keys: 3}, V: make([]uint64, 12), Z: make([]uint64, 6),
	}
	good.check(0, 2)
	for name, spoil := range map[string]func(r *OwnRequest){
		"no width":      func(r *OwnRequest) { r.Width = 0 },
		"65 bits":       func(r *OwnRequest) { r.Width = 65 },
		"no columns":    func(r *OwnRequest) { r.Cols = 0 },
		"third party":   func(r *OwnRequest) { r.Keys = 7 },
		"other holders": func(r *OwnRequest) { r.Holders = 1 },
		"fewer bits":    func(r *OwnRequest) { r.X.X = r.X.X[1:] },
		"short V":       func(r *OwnRequest) { r.V = r.V[1:] },
		"short Z":       func(r *OwnRequest) { r.Z = r.Z[1:] },
		"huge element":  func(r *OwnRequest) { r.Element = ^uint64(0) - 2 },
	} {
		bad := good
		spoil(&bad)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s passes", name)
				}
			}()
			bad.check(0, 2)
		}()
	}
}

// A bit of a hash masks one word at most: else differences of words would be seen,
// though all products are right.
func TestWordsOfARowTakeDisjointBits(t *testing.T) {
	const rows = 2
	for width := 1; width <= 64; width++ {
		for _, cols := range []int{1, 2, 3, 10, 67} {
			blocks := hashBlocks(cols, width)
			h, words := make([]prg.Block, rows*blocks), make([]uint64, rows*cols)
			taken := 0
			for bit := range 128 * len(h) {
				clear(h)
				h[bit/128][bit/64%2] = 1 << (bit % 64)
				hashWords(words, h, cols, width)
				masked := 0
				for w, x := range words {
					if x&ring.Mask(width) == 0 {
						continue
					}
					if masked++; masked > 1 || w/cols != bit/128/blocks {
						t.Fatalf("%d columns of %d bits: bit %d masks word %d, of another row or not it alone", cols, width, bit, w)
					}
				}
				taken += masked
			}
			if want := rows * cols * width; taken != want {
				t.Errorf("%d columns of %d bits: %d bits of hashes mask them, want %d", cols, width, taken, want)
			}
		}
	}
}

package share_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/internal/testnet"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport"
)

// vec returns a vector mod 2ᵏ that starts with the corner cases of the ring.
func vec(rng *rand.ChaCha8, n, k int) []uint64 {
	v := []uint64{0, 1, ^uint64(0), 1 << (k - 1)}
	for len(v) < n {
		v = append(v, rng.Uint64())
	}
	ring.Reduce(v, k)
	return v[:n]
}

func TestSplitAndOpen(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		for _, k := range []int{1, 7, 20, 32, 63, 64} {
			t.Run(fmt.Sprintf("n=%d/k=%d", n, k), func(t *testing.T) {
				rng := rand.NewChaCha8([32]byte{byte(n), byte(k)})
				x, y := vec(rng, 9, k), vec(rng, 5, 13)
				xs, err := share.Split(rng, x, k, n)
				if err != nil {
					t.Fatal(err)
				}
				ys, err := share.Split(rng, y, 13, n)
				if err != nil {
					t.Fatal(err)
				}
				testnet.Run(t, n, func(m *transport.Mesh) error {
					got, err := share.Open(m, "test: open", share.Opening{X: xs[m.Self()], Width: k}, share.Opening{X: ys[m.Self()], Width: 13})
					if err != nil {
						return err
					}
					if !slices.Equal(got[0], x) || !slices.Equal(got[1], y) {
						t.Errorf("opened %v and %v, want %v and %v", got[0], got[1], x, y)
					}
					size := int64(ring.PackedLen(9, k)+ring.PackedLen(5, 13)) * int64(n-1)
					if s := m.Stats(); s.Rounds != 1 || s.Sent != size {
						t.Errorf("cost %+v, want 1 round and %d bytes", s, size)
					}
					return nil
				})
			})
		}
	}
}

// TestOpenSendsOnlyTheRing checks that bits above the width, which may depend on
// secrets, do not reach the wire.
func TestOpenSendsOnlyTheRing(t *testing.T) {
	testnet.Run(t, 2, func(m *transport.Mesh) error {
		dirty := share.Share{5 | 1<<40, 6 | 1<<63}
		got, err := share.Open(m, "test: open", share.Opening{X: dirty, Width: 5})
		if err == nil && !slices.Equal(got[0], []uint64{10, 12}) {
			t.Errorf("opened %v", got[0])
		}
		if m.Stats().Sent != 2 {
			t.Errorf("sent %d bytes, want 2", m.Stats().Sent)
		}
		return err
	})
}

func TestDealFromSeeds(t *testing.T) {
	rng := rand.NewChaCha8([32]byte{1})
	x := vec(rng, 100, 37)
	seeds := make([]share.Seed, 2)
	for i := range seeds {
		rng.Read(seeds[i][:])
	}
	last, err := share.Deal(seeds, "x", 7, x, 37)
	if err != nil {
		t.Fatal(err)
	}
	shares := []share.Share{last}
	for _, s := range seeds {
		e, err := share.Expand(s, "x", 7, len(x), 37)
		if err != nil {
			t.Fatal(err)
		}
		shares = append(shares, e)
	}
	if got := share.Combine(shares, 37); !slices.Equal(got, x) {
		t.Error("the shares do not sum to the secret")
	}
	other, err := share.Expand(seeds[0], "x", 8, len(x), 37)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(other, shares[1]) {
		t.Error("two tensors got the same pad")
	}
}

func TestZeroSumsToZero(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		outs := make([]share.Share, n)
		testnet.Run(t, n, func(m *transport.Mesh) error {
			rng := rand.NewChaCha8([32]byte{9, byte(m.Self())})
			seeds, err := share.PairSeeds(m, "test: seeds", rng)
			if err != nil {
				return err
			}
			x := make(share.Share, 50)
			outs[m.Self()] = x
			return share.Zero(x, m.Self(), seeds, "output", 3, 21)
		})
		for i, v := range share.Combine(outs, 21) {
			if v != 0 {
				t.Fatalf("n = %d: element %d sums to %d", n, i, v)
			}
		}
		for i := range outs {
			if slices.Equal(outs[i], make(share.Share, 50)) {
				t.Errorf("party %d added nothing", i)
			}
		}
	}
}

func TestShareHidesValue(t *testing.T) {
	s := share.Share{12345}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		if got := fmt.Sprintf(verb, s); got != "Share[1]" {
			t.Errorf("Sprintf(%q) = %q, want Share[1]", verb, got)
		}
		if got := fmt.Sprintf(verb, share.Seed{1}); got != "Seed" {
			t.Errorf("Sprintf(%q) = %q, want Seed", verb, got)
		}
	}
	if _, err := json.Marshal(s); err == nil {
		t.Error("a share was marshalled")
	}
}

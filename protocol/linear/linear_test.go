package linear_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/internal/testnet"
	"github.com/tacit-mpc/tacit/protocol/linear"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport"
)

var geometries = map[string]ring.Conv{
	"vector times matrix": ring.MatMul(1, 7, 5),
	"matrix product":      ring.MatMul(4, 6, 3),
	"convolution": {H: 6, W: 5, In: 2, KH: 3, KW: 2, Out: 4, StrideH: 2, StrideW: 1, DilH: 1, DilW: 2,
		Top: 1, Left: 0, Bottom: 1, Right: 1, Groups: 1},
	"depthwise": {H: 4, W: 4, In: 3, KH: 3, KW: 3, Out: 3, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1,
		Top: 1, Left: 1, Bottom: 1, Right: 1, Groups: 3},
}

func random(rng *rand.ChaCha8, n, k int) []uint64 {
	v := make([]uint64, n)
	for i := range v {
		v[i] = rng.Uint64()
	}
	ring.Reduce(v, k)
	return v
}

func split(t *testing.T, rng *rand.ChaCha8, v []uint64, k, n int) []share.Share {
	t.Helper()
	s, err := share.Split(rng, v, k, n)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// product is the ideal X∗W.
func product(c ring.Conv, x, w []uint64, batch, k int) []uint64 {
	z := make([]uint64, batch*c.OutLen())
	ring.NewFilter(c, w, k).MulAdd(z, x, batch)
	ring.Reduce(z, k)
	return z
}

func TestApply(t *testing.T) {
	const batch = 3
	for name, c := range geometries {
		for _, n := range []int{2, 3, 5} {
			for _, k := range []int{20, 64} {
				t.Run(fmt.Sprintf("%s/n=%d/k=%d", name, n, k), func(t *testing.T) {
					rng := rand.NewChaCha8([32]byte{byte(n), byte(k)})
					layer := linear.Layer{Conv: c, Width: k}
					w, x := random(rng, c.WeightLen(), k), random(rng, batch*c.InLen(), k)
					want := product(c, x, w, batch, k)
					ws, xs := split(t, rng, w, k, n), split(t, rng, x, k, n)
					a := random(rng, len(x), k)
					as := split(t, rng, a, k, n)

					masks := make([]share.Share, n) // of the weights, known to the test's dealer
					ready := make([]*linear.Weights, n)
					testnet.Run(t, n, func(m *transport.Mesh) error {
						r, err := linear.Deal(m, rand.NewChaCha8([32]byte{7, byte(m.Self())}), []linear.Layer{layer}, []share.Share{ws[m.Self()]})
						if err != nil {
							return err
						}
						ready[m.Self()], masks[m.Self()] = r[0], r[0].B
						if got, want := m.Stats().Sent, int64(linear.DealSize([]linear.Layer{layer})*(n-1)); got != want {
							t.Errorf("deal sent %d bytes, planned %d", got, want)
						}
						return nil
					})
					cs := split(t, rng, product(c, a, share.Combine(masks, k), batch, k), k, n)
					outs := make([]share.Share, n)
					testnet.Run(t, n, func(m *transport.Mesh) error {
						i := m.Self()
						b, err := ready[i].AppendBinary(nil)
						if err != nil {
							return err
						}
						weights, rest, err := linear.ParseWeights(i, layer, b)
						if err != nil || len(rest) != 0 {
							return fmt.Errorf("stored weights: %d bytes left, %w", len(rest), err)
						}
						masks := weights.Masks(as[i], cs[i])
						for j := range masks {
							if masks[j], rest, err = layer.ParseMask(layer.AppendMask(nil, masks[j])); err != nil || len(rest) != 0 {
								return fmt.Errorf("stored mask: %d bytes left, %w", len(rest), err)
							}
						}
						outs[i], err = weights.Apply(m, "test: open D", masks, xs[i])
						if got, want := m.Stats().Sent, int64(layer.ApplySize(batch)*(n-1)); got != want || m.Stats().Rounds != 1 {
							t.Errorf("apply: %+v, planned 1 round and %d bytes", m.Stats(), want)
						}
						return err
					})
					if got := share.Combine(outs, k); !slices.Equal(got, want) {
						t.Errorf("X∗W = %v, want %v", got, want)
					}
				})
			}
		}
	}
}

func TestMaskReusePanics(t *testing.T) {
	layer := linear.Layer{Conv: ring.MatMul(1, 1, 1), Width: 8}
	testnet.Run(t, 2, func(m *transport.Mesh) error {
		w, err := linear.Deal(m, rand.NewChaCha8([32]byte{}), []linear.Layer{layer}, []share.Share{{1}})
		if err != nil {
			return err
		}
		masks := w[0].Masks(share.Share{3}, share.Share{4})
		if _, err := w[0].Apply(m, "test: open D", masks, share.Share{5}); err != nil {
			return err
		}
		defer func() {
			if recover() == nil {
				t.Error("the second use of a mask did not panic")
			}
		}()
		_, err = w[0].Apply(m, "test: open D", masks, share.Share{5})
		return err
	})
}

func FuzzParse(f *testing.F) {
	layer := linear.Layer{Conv: ring.MatMul(1, 2, 3), Width: 9}
	f.Add(make([]byte, 20))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, rest, err := layer.ParseMask(b); err == nil && len(layer.AppendMask(nil, m))+len(rest) != len(b) {
			t.Error("a mask of another length")
		}
		if _, _, err := linear.ParseWeights(0, layer, b); err == nil && len(b) < 2*ring.PackedLen(6, 9) {
			t.Error("weights from too few bytes")
		}
	})
}

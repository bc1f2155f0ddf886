package triple

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/internal/testnet"
	"github.com/tacit-mpc/tacit/transport"
)

func rng(t testing.TB, party int) io.Reader {
	var seed [32]byte
	copy(seed[:], fmt.Sprintf("%d %s", party, t.Name()))
	return rand.NewChaCha8(seed)
}

// values draws shares: random, or extreme ones that test carries and signs.
func values(r io.Reader, n, width int, extreme bool) []uint64 {
	v := make([]uint64, n)
	if err := ring.Random(r, v, 64); err != nil { // bits above the width do not count
		panic(err)
	}
	if extreme {
		for i := range v {
			v[i] = []uint64{1 << (width - 1), ring.Mask(width), ring.Mask(width) >> 1}[v[i]%3]
		}
	}
	return v
}

// run checks that the shares of n parties add up to the product of the sums,
// and that every step cost what was planned.
func run(t *testing.T, n, planned, batch int, extreme bool, layers ...Layer) {
	t.Helper()
	var mu sync.Mutex
	a, b, z := make([][]uint64, len(layers)), make([][]uint64, len(layers)), make([][]uint64, len(layers))
	for l, layer := range layers {
		a[l], b[l] = make([]uint64, batch*layer.Conv.InLen()), make([]uint64, layer.Conv.WeightLen())
		z[l] = make([]uint64, batch*layer.Conv.OutLen())
	}
	testnet.Run(t, n, func(m *transport.Mesh) error {
		r := rng(t, m.Self())
		as, bs := make([][]uint64, len(layers)), make([][]uint64, len(layers))
		for l, layer := range layers {
			as[l] = values(r, len(a[l]), layer.Width, extreme)
			bs[l] = values(r, len(b[l]), layer.Width, extreme)
		}
		c, err := Setup(m, r, layers, bs, planned)
		if err != nil {
			return err
		}
		zs, err := c.Multiply(m, r, as, batch)
		if err != nil {
			return err
		}
		want := slices.Concat(PlanSetup(n, m.Self(), layers, planned).Steps, PlanMultiply(n, m.Self(), layers, planned, batch).Steps)
		if got := m.Steps(); !slices.Equal(got, want) {
			t.Errorf("steps %+v, planned %+v", got, want)
		}
		mu.Lock()
		defer mu.Unlock()
		for l := range layers {
			ring.AddTo(a[l], as[l])
			ring.AddTo(b[l], bs[l])
			ring.AddTo(z[l], zs[l])
		}
		return nil
	})
	for l, layer := range layers {
		want := make([]uint64, len(z[l]))
		ring.NewFilter(layer.Conv, b[l]).MulAdd(want, a[l], batch)
		wrong := 0
		for i := range want {
			if (want[i]-z[l][i])&ring.Mask(layer.Width) != 0 {
				wrong++
			}
		}
		if wrong > 0 {
			t.Errorf("layer %d, %+v, %+v: %d of %d wrong", l, layer, choose(layer, n, planned), wrong, len(want))
		}
	}
}

func TestMultiplyIsExact(t *testing.T) {
	run(t, 2, 1, 1, false, Layer{ring.MatMul(1, 784, 128), 64}, Layer{ring.MatMul(5, 30, 7), 33})
}

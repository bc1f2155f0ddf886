package linear

import (
	"testing"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport"
)

// TestApplyAllocatesWhatItReturns leaves out the network: a party alone exchanges
// nothing. A single mask's vectors serve as the result, a batch takes a vector.
func TestApplyAllocatesWhatItReturns(t *testing.T) {
	l := Layer{Conv: ring.MatMul(1, 300, 40), Width: 40}
	weights := make(share.Share, l.Conv.WeightLen())
	w := newWeights(0, l, weights, weights)
	m := transport.Pipe(t.Context(), 1)[0]
	none := [][]byte{nil}
	exchange := fewestAllocations(func() {
		if err := m.Exchange("open D", none, none); err != nil {
			t.Fatal(err)
		}
	})
	for batch, want := range map[int]float64{1: 0, 8: 1} {
		var masks [][]*Mask
		for range 2 * turns {
			masks = append(masks, w.Masks(make(share.Share, batch*l.Conv.InLen()), make(share.Share, batch*l.Conv.OutLen())))
		}
		x := make(share.Share, batch*l.Conv.InLen())
		apply := fewestAllocations(func() {
			if _, err := w.Apply(m, "open D", masks[0], x); err != nil {
				t.Fatal(err)
			}
			masks = masks[1:]
		})
		if apply-exchange != want {
			t.Errorf("batch %d: %v allocations besides %v of an exchange, want %v", batch, apply-exchange, exchange, want)
		}
	}
}

const turns = 100

// fewestAllocations is the steady state: pools may lose what they hold at any time.
func fewestAllocations(f func()) float64 {
	least := testing.AllocsPerRun(1, f)
	for range turns - 1 {
		least = min(least, testing.AllocsPerRun(1, f))
	}
	return least
}

package prep

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/tacit-mpc/tacit/protocol/compare"
	"github.com/tacit-mpc/tacit/protocol/linear"
	"github.com/tacit-mpc/tacit/protocol/product"
	"github.com/tacit-mpc/tacit/protocol/share"
	"pgregory.net/rapid"
)

// portionOf returns masks of one layer for some inferences.
func portionOf(size int) portion {
	p := portion{seeds: make([][]share.Seed, size), masks: [][]*linear.Mask{make([]*linear.Mask, size)}}
	for i := range size {
		p.seeds[i], p.masks[0][i] = make([]share.Seed, 2), new(linear.Mask)
	}
	return p
}

// TestDeliveryIsComplete hands out batches that are cut at random, where either half
// fails at random: what is handed out is complete and in order, and is the
// whole batch if nobody fails.
func TestDeliveryIsComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		batch := rapid.IntRange(1, 12).Draw(t, "batch")
		size := rapid.IntRange(1, 12).Draw(t, "portion")
		classes := rapid.IntRange(0, 3).Draw(t, "classes")
		masks := rapid.IntRange(0, batch).Draw(t, "masks")
		comparisons := rapid.IntRange(0, batch).Draw(t, "comparisons")
		if rapid.Bool().Draw(t, "well") {
			masks, comparisons = batch, batch
		}
		var made []*Inference
		d := newDelivery(func(x *Inference) error {
			made = append(made, x)
			return nil
		}, classes, rapid.IntRange(0, 4).Draw(t, "room"))
		d.products = make([][]*product.Material, batch)
		go func() {
			defer close(d.portions)
			for from := 0; from < masks; from += size {
				if !d.pass(portionOf(min(size, masks-from))) {
					return
				}
			}
		}()
		if err := offer(d, batch, comparisons); err != nil && comparisons == batch {
			t.Fatal(err)
		}
		close(d.ended)
		if masks == batch && comparisons == batch && len(made) != batch {
			t.Fatalf("%d inferences of %d", len(made), batch)
		}
		if len(made) > min(masks, batch) || classes > 0 && len(made) > comparisons {
			t.Fatalf("%d inferences from %d masks, %d comparisons", len(made), masks, comparisons)
		}
		for i, x := range made {
			if len(x.masks) != 1 || x.masks[0] == nil || x.zero == nil || len(x.mats) != classes {
				t.Fatalf("inference %d is incomplete", i)
			}
		}
	})
}

// offer makes comparisons, and fails after some inferences if they are fewer
// than the batch.
func offer(d *delivery, batch, comparisons int) error {
	if d.classes == 0 {
		d.waiting = make([][]*compare.Material, batch)
	}
	for i := range comparisons {
		for range d.classes {
			if err := d.take(i, new(compare.Material)); err != nil {
				return err
			}
		}
	}
	if comparisons < batch {
		return errors.New("a peer left")
	}
	return d.hand(0)
}

// TestMasksWait checks the bound on masks: while nothing is taken, the half
// that makes them stops with one portion that waits and one that it holds, and
// with a third once the first is being handed out.
func TestMasksWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDelivery(func(*Inference) error { return nil }, 1, 1)
		d.products = make([][]*product.Material, 20)
		made := 0
		go func() {
			for made = 1; d.pass(portionOf(2)); made++ {
			}
		}()
		for i, want := range []int{3, 3, 4, 4, 5} { // portions, of two inferences each
			synctest.Wait()
			if i == 0 && made != 2 {
				t.Errorf("before the first inference %d portions", made)
			}
			if err := d.take(i, new(compare.Material)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if made != want {
				t.Errorf("after inference %d: %d portions, want %d", i, made, want)
			}
		}
		close(d.ended) // as when comparisons fail: the other half ends
		synctest.Wait()
	})
}

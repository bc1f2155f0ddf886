package prep

import (
	"github.com/tacit-mpc/tacit/protocol/compare"
	"github.com/tacit-mpc/tacit/protocol/linear"
	"github.com/tacit-mpc/tacit/protocol/product"
	"github.com/tacit-mpc/tacit/protocol/share"
)

// waitingMemory bounds the comparisons that wait for the masks of linear layers.
const waitingMemory = 64 << 20

// A delivery hands out inferences once both halves of their material are there.
// It belongs to the half that makes comparisons, which is the slower one as a
// rule.
type delivery struct {
	sink    func(*Inference) error
	classes int
	room    int // inferences that may wait

	products [][]*product.Material // [inference][product], made before the comparisons
	waiting  [][]*compare.Material // those of whole inferences, but for the last
	next     int                   // the first of them

	made  chan struct{} // closed when the other half has ended, well if it set seeds
	seeds [][]share.Seed
	masks [][]*linear.Mask // [layer][inference]
}

// take is the [compare.Sink].
func (d *delivery) take(inference int, m *compare.Material) error {
	if inference == d.next+len(d.waiting) {
		d.waiting = append(d.waiting, nil)
	}
	last := len(d.waiting) - 1
	d.waiting[last] = append(d.waiting[last], m)
	if len(d.waiting[last]) < d.classes {
		return nil
	}
	select {
	case <-d.made:
	default:
		if len(d.waiting) < d.room {
			return nil
		}
	}
	return d.hand()
}

// hand waits for the other half and hands out what is complete. If the other
// half failed, it is for that to say why.
func (d *delivery) hand() error {
	<-d.made
	if d.seeds == nil {
		return nil
	}
	for _, mats := range d.waiting {
		x := &Inference{zero: d.seeds[d.next], mats: mats, products: d.products[d.next]}
		d.products[d.next] = nil
		for _, layer := range d.masks {
			x.masks = append(x.masks, layer[d.next])
			layer[d.next] = nil
		}
		d.next++
		if err := d.sink(x); err != nil {
			return err
		}
	}
	d.waiting = nil
	return nil
}

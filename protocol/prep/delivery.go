package prep

import (
	"github.com/tacit-mpc/tacit/protocol/compare"
	"github.com/tacit-mpc/tacit/protocol/linear"
	"github.com/tacit-mpc/tacit/protocol/product"
	"github.com/tacit-mpc/tacit/protocol/share"
)

// waitingMemory bounds the comparisons that wait for the masks of linear layers.
const waitingMemory = 64 << 20

// A portion is what the half that makes masks has for some inferences.
type portion struct {
	seeds [][]share.Seed
	masks [][]*linear.Mask // [layer][inference]
}

// A delivery hands out inferences once both halves of their material are there.
// It belongs to the half that makes comparisons, which is the slower one as a
// rule: the other waits for it when two portions are ahead of what is handed out.
//
// That ends well: parties make the same in the same order, and the halves wait
// for each other only with what is next to be handed out. The party that has handed
// out the least waits for nothing but messages that the others have sent.
type delivery struct {
	sink    func(*Inference) error
	classes int
	room    int // inferences that may wait, at least one

	products [][]*product.Material // [inference][product], made before the comparisons
	waiting  [][]*compare.Material // those of whole inferences, but for the last
	next     int                   // the first of them

	portions chan portion  // in order; closed when the other half has ended
	now      portion       // which is handed out
	at       int           // where in it
	ended    chan struct{} // closed when this half has ended
}

func newDelivery(sink func(*Inference) error, classes, room int) *delivery {
	return &delivery{
		sink: sink, classes: classes, room: max(1, room),
		portions: make(chan portion, 1), ended: make(chan struct{}),
	}
}

// pass is called by the other half: it passes a portion on and waits until there is
// room for it. It reports false if this half has failed.
func (d *delivery) pass(p portion) bool {
	select {
	case d.portions <- p:
		return true
	case <-d.ended:
		return false
	}
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
	return d.hand(d.room - 1)
}

// hand hands out what is complete, and waits for the other half while more than
// wait inferences are left. If the other half failed, it is for that to say why.
func (d *delivery) hand(wait int) error {
	for len(d.waiting) > 0 && d.more(len(d.waiting) > wait) {
		x := &Inference{zero: d.now.seeds[d.at], mats: d.waiting[0], products: d.products[d.next]}
		d.products[d.next] = nil
		for _, layer := range d.now.masks {
			x.masks = append(x.masks, layer[d.at])
			layer[d.at] = nil
		}
		d.waiting[0], d.waiting = nil, d.waiting[1:]
		d.next++
		d.at++
		if err := d.sink(x); err != nil {
			return err
		}
	}
	return nil
}

// more reports whether there are masks for the next inference, and waits for
// them if told to.
func (d *delivery) more(wait bool) bool {
	if d.at < len(d.now.seeds) {
		return true
	}
	d.now, d.at = portion{}, 0
	if wait {
		d.now = <-d.portions // nothing if the other half has failed
	} else {
		select {
		case d.now = <-d.portions:
		default:
		}
	}
	return len(d.now.seeds) > 0
}

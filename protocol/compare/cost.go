package compare

import (
	"slices"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/carry"
	"github.com/tacit-mpc/tacit/protocol/garble"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

// A Cost is what a call costs one party, exactly: Steps has the rounds and bytes
// that [transport.Mesh.Steps] shows of it, the counts are what
// [ot.Session.Counts] shows.
type Cost struct {
	Gates int64 // And gates: those garbled or evaluated, and products of masks
	ot.Counts
	Steps []transport.Stats
}

// add adds a call under a step name.
func (c *Cost) add(step string, cost ot.Cost) {
	if cost.Rounds == 0 {
		return
	}
	c.Counts.Add(cost.Counts)
	i := slices.IndexFunc(c.Steps, func(s transport.Stats) bool { return s.Step == step })
	if i < 0 {
		i = len(c.Steps)
		c.Steps = append(c.Steps, transport.Stats{Step: step})
	}
	c.Steps[i].Rounds += cost.Rounds
	c.Steps[i].Sent += cost.Sent
	c.Steps[i].Received += cost.Received
}

// PlanGenerate returns the cost of [Generate] for party self of n, with
// OT-extension trees of the given depth.
func PlanGenerate(n, self, depth int, classes []Class, batch int) Cost {
	return planGenerate(n, self, depth, classes, batch, chunkMemory)
}

func planGenerate(n, self, depth int, classes []Class, batch, memory int) Cost {
	var c Cost
	for _, us := range chunks(unitsOf(n, classes, batch), n, memory) {
		c.addChunk(n, self, depth, us)
	}
	return c
}

// addChunk adds the steps of [generation.run].
func (c *Cost) addChunk(n, self, depth int, us []unit) {
	var batches []garble.Batch
	var carried []carry.Batch
	var ride []ot.AuthShape
	var bits, products []ot.MulShape
	for _, u := range us {
		o := order(n, u.eval)
		for k := range u.class.In {
			bits = append(bits, ot.MulShape{N: u.len(), Widths: []int{u.class.rWidth() - k}, Order: o, One: true})
		}
		if !u.class.signed() {
			ride = append(ride, liftShape(u, n))
			continue
		}
		lambda := ot.MulShape{N: u.len(), Widths: u.class.productWidths(), Order: o}
		if u.class.selects() {
			products = append(products, slices.Repeat([]ot.MulShape{lambda}, u.class.signs())...)
		} else {
			lambda.One = true
			bits = append(bits, lambda)
		}
		if u.class.carried() {
			carried = append(carried, u.class.masks(n, u.inference, u.block))
		} else {
			for k := range u.class.signs() {
				batches = append(batches, u.class.batch(n, self, u.inference, name{}, u.block, k))
			}
		}
		c.Gates += int64(u.len() * u.class.Gates())
	}
	with := ride
	if len(carried) > 0 {
		with = nil
	}
	for _, step := range garble.Plan(n, self, depth, batches, with) {
		c.add(stepGenerate+step.Step, step.Cost)
	}
	if len(carried) > 0 {
		for _, step := range carry.Plan(n, self, depth, carried, ride) {
			c.add(stepCarry+step.Step, step.Cost)
		}
	}
	c.add(stepBits, ot.PlanMul(n, self, bits))
	c.add(stepSelect, ot.PlanMul(n, self, products))
}

// PlanOnline returns the cost for party self of n of [ReLU], [Max], [Lift],
// [Step] or [EvalSpline], by the kind of the class, on a request of batch inferences under the given step.
func PlanOnline(n, self int, step string, class Class, batch int) Cost {
	var c Cost
	if batch == 0 {
		return c
	}
	open := int64(n-1) * int64(ring.PackedLen(batch*class.N, class.In))
	c.add(step+StepOpen, ot.Cost{Rounds: 1, Sent: open, Received: open})
	vectors := batch * class.signs()
	broadcast := func(bits int) int64 { return int64(n-1) * int64((bits+7)/8) }
	part := func(p int) int {
		lo, hi := class.part(n, p)
		return vectors * (hi - lo)
	}
	if class.carried() {
		for _, s := range carry.PlanSigns(n, class.tree(), slices.Repeat([]int{class.N}, vectors)) {
			c.add(step+s.Step, s.Cost)
		}
		return c
	}
	if !class.garbled() {
		return c
	}
	c.Gates = int64(batch * class.N * class.Gates())
	label := int64(16 * (class.In - 1))
	own := part(self)
	labels := ot.Cost{Rounds: 1, Sent: label * int64(vectors*class.N-own), Received: label * int64((n-1)*own)}
	c.add(step+StepLabels, labels)
	bits := ot.Cost{Rounds: 1, Sent: broadcast(own)}
	for p := range n {
		if p != self {
			bits.Received += int64((part(p) + 7) / 8)
		}
	}
	c.add(step+StepBits, bits)
	return c
}

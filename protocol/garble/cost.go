package garble

import (
	"github.com/tacit-mpc/tacit/protocol/ot"
)

// A StepCost is what a step of [Run] costs one party.
type StepCost struct {
	Step string // after the prefix of the caller
	ot.Cost
}

// Plan returns the cost of [Run], for party self of n and with OT-extension
// trees of the given depth, on the batches, with requests that ride along.
func Plan(n, self, depth int, batches []Batch, ride []ot.AuthShape) []StepCost {
	var masks, products []ot.AuthShape
	var ands []ot.AndShape
	for _, b := range batches {
		keys := b.keys()
		all, labelled := b.Circuit.Products()
		masks = append(masks,
			ot.AuthShape{N: (len(b.Circuit.Masked()) + len(b.Circuit.Ands())) * b.Len, Holders: ot.All(n), Keys: keys},
			ot.AuthShape{N: b.Len, Holders: keys, Keys: ot.Set(0).With(b.Eval)})
		for range all {
			ands = append(ands, ot.AndShape{N: b.Len, Eval: b.Eval})
		}
		if labelled > 0 {
			products = append(products, ot.AuthShape{N: labelled * b.Len, Holders: ot.All(n), Keys: keys})
		}
	}
	return []StepCost{
		{StepMasks, ot.PlanAuthenticate(n, self, depth, append(masks, ride...))},
		{StepProducts, ot.PlanAnd(n, self, ands)},
		{StepAuth, ot.PlanAuthenticate(n, self, depth, products)},
		{StepRows, planRows(n, self, batches)},
	}
}

// planRows returns the cost of [sendRows].
func planRows(n, self int, batches []Batch) ot.Cost {
	if len(batches) == 0 {
		return ot.Cost{}
	}
	c := ot.Cost{Rounds: 1}
	sent, received := rowSizes(n, self, batches)
	for p := range n {
		c.Sent += int64(sent[p].bytes())
		c.Received += int64(received[p].bytes())
	}
	return c
}

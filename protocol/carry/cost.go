package carry

import "github.com/tacit-mpc/tacit/protocol/ot"

// A StepCost is what a step of [Run] costs one party.
type StepCost struct {
	Step string // after the prefix of the caller
	ot.Cost
}

// Plan returns the cost of [Run], for party self of n and with OT-extension
// trees of the given depth, on the batches, with requests that ride along.
func Plan(n, self, depth int, batches []Batch, ride []ot.AuthShape) []StepCost {
	var masks []ot.AuthShape
	var steps [max(rootArity, wideGroup)][]ot.EachShape
	for _, b := range batches {
		shapes := b.shapes(n)
		masks = append(masks, shapes[:]...)
		For(b.Bits, b.Times).each(func(nd node, _ int) {
			for t := 1; t < nd.arity; t++ {
				steps[t] = append(steps[t], ot.EachShape{N: b.Len, Vectors: nd.size(t - 1)})
			}
		})
	}
	products := StepCost{Step: StepProducts}
	for _, shapes := range steps {
		products.Add(ot.PlanAndEach(n, shapes))
	}
	return []StepCost{{StepMasks, ot.PlanAuthenticate(n, self, depth, append(masks, ride...))}, products}
}

// PlanSigns returns the cost of [Signs] to one of n parties, for evaluations of
// the tree with the given lengths.
func PlanSigns(n int, t *Tree, lens []int) []StepCost {
	if len(lens) == 0 {
		return nil
	}
	bytes := int64(0) // for each bit of a comparison, to all parties
	for _, l := range lens {
		bytes += int64((n - 1) * ((l + 7) / 8))
	}
	carries := StepCost{Step: StepCarries}
	for level := 1; level <= t.levels; level++ {
		sent := bytes * int64(t.Opened(level))
		carries.Add(ot.Cost{Rounds: 1, Sent: sent, Received: sent})
	}
	return []StepCost{carries, {StepBits, ot.Cost{Rounds: 1, Sent: bytes, Received: bytes}}}
}

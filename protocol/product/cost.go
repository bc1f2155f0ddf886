package product

import (
	"slices"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

// A Cost is what a call costs one party, exactly: Steps has the rounds and bytes that
// [transport.Mesh.Steps] shows of it, the counts are what [ot.Session.Counts] shows.
type Cost struct {
	ot.Counts
	Steps []transport.Stats
}

// add adds a call under a step name.
func (c *Cost) add(step string, cost ot.Cost) {
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

// PlanGenerate returns the cost of [Generate] for party self of n, with OT-extension
// trees of the given depth.
func PlanGenerate(n, self, depth int, classes []Class, batch int) Cost {
	return planGenerate(n, self, depth, classes, batch, chunkMemory)
}

func planGenerate(n, self, depth int, classes []Class, batch, memory int) Cost {
	var c Cost
	for _, us := range chunks(unitsOf(classes, batch), n, memory) {
		var auth []ot.AuthShape
		var own []ot.OwnShape
		for _, u := range us {
			for _, sh := range u.shapes(n) {
				auth, own = append(auth, sh.Auth()), append(own, sh)
			}
		}
		c.add(stepBits, ot.PlanAuthenticate(n, self, depth, auth))
		c.add(stepCorrect, ot.PlanMulOwn(n, self, own))
	}
	return c
}

// PlanOnline returns the cost for party self of n of [Multiply] on a request of batch
// inferences under the given step.
func PlanOnline(n, self int, step string, class Class, batch int) Cost {
	var c Cost
	if batch == 0 {
		return c
	}
	bytes := int64(n-1) * int64(ring.PackedLen(batch*class.XLen(), class.Width)+ring.PackedLen(batch*class.YLen(), class.Width))
	c.add(step+StepOpen, ot.Cost{Rounds: 1, Sent: bytes, Received: bytes})
	return c
}

package prep

import (
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/compare"
	"github.com/tacit-mpc/tacit/protocol/linear"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/protocol/product"
	"github.com/tacit-mpc/tacit/protocol/triple"
	"github.com/tacit-mpc/tacit/transport"
)

// treeDepth is the default of the parameter of the OT extension, which sends
// 128/treeDepth bits for each correlated OT: see docs/protocols.md, section 6, for
// the choice.
const treeDepth = 4

// maskMemory is the default of what the masks of linear layers that are made at
// once take: hundreds of inferences of a small network, which fill ciphertexts.
const maskMemory = 64 << 20

// A Cost is what preparation costs one party, exactly.
type Cost struct {
	OT, HE      transport.Stats // what the two meshes report in all
	Counts      ot.Counts       // of oblivious transfers and their products
	Gates       int64           // And gates garbled or evaluated, and products of masks
	Ciphertexts int64           // made by this party; one sent to several counts once
}

// Add returns the cost of both.
func (c Cost) Add(d Cost) Cost {
	c.OT, c.HE = sum(c.OT, d.OT), sum(c.HE, d.HE)
	c.Counts.Add(d.Counts)
	c.Gates += d.Gates
	c.Ciphertexts += d.Ciphertexts
	return c
}

// Rounds returns the number of rounds, one mesh after the other.
func (c Cost) Rounds() int { return c.OT.Rounds + c.HE.Rounds }

// Sent returns the bytes sent on both meshes.
func (c Cost) Sent() int64 { return c.OT.Sent + c.HE.Sent }

func sum(a transport.Stats, bs ...transport.Stats) transport.Stats {
	for _, b := range bs {
		a.Rounds += b.Rounds
		a.Sent += b.Sent
		a.Received += b.Received
	}
	return a
}

// everyone is a round in which each party sends size bytes to each other.
func everyone(n, size int) transport.Stats {
	all := int64(n-1) * int64(size)
	return transport.Stats{Rounds: 1, Sent: all, Received: all}
}

// planned is the batch for which triples are packed: the usual one, or what is
// made of it at once.
func (o options) planned(layers []triple.Layer, hint int) int {
	return min(hint, triple.Fit(layers, o.memory))
}

// portion is the number of inferences whose masks are made at once.
func (o options) portion(n int, layers []triple.Layer, planned, batch int) int {
	return triple.Portion(n, layers, planned, batch, o.memory)
}

// PlanSetup returns the cost of [NewPreparer] at party self of n.
func PlanSetup(program *model.Program, n, self, hint int, opts ...Option) Cost {
	base := ot.PlanSetup(n)
	c := Cost{OT: transport.Stats{Rounds: base.Rounds, Sent: base.Sent, Received: base.Received}, Counts: base.Counts}
	if layers := tripleLayers(Count(program).Layers); len(layers) > 0 {
		he := triple.PlanSetup(n, self, layers, optionsOf(opts).planned(layers, hint))
		c.HE, c.Ciphertexts = sum(c.HE, he.Steps...), he.Ciphertexts
	}
	return c
}

// PlanGenerate returns the cost of [Preparer.Generate] for a batch at party self
// of n, after a setup with the given hint.
func PlanGenerate(program *model.Program, n, self, hint, batch int, opts ...Option) Cost {
	demand := Count(program, opts...)
	c := Cost{HE: everyone(n, 32)} // the seeds for sharings of zero
	if demand.transfers() {
		depth := optionsOf(opts).depth
		fork, cmp := ot.PlanFork(n), compare.PlanGenerate(n, self, depth, demand.Classes, batch)
		products := product.PlanGenerate(n, self, depth, demand.Products, batch)
		c.OT = sum(everyone(n, 32), append(cmp.Steps, products.Steps...)...)
		c.OT = sum(c.OT, transport.Stats{Rounds: fork.Rounds, Sent: fork.Sent, Received: fork.Received})
		c.Counts, c.Gates = cmp.Counts, cmp.Gates
		c.Counts.Add(products.Counts)
		c.Counts.Add(fork.Counts)
	}
	if layers := tripleLayers(demand.Layers); len(layers) > 0 {
		o := optionsOf(opts)
		planned := o.planned(layers, hint)
		size := o.portion(n, layers, planned, batch)
		c = c.addMultiply(triple.PlanMultiply(n, self, layers, planned, size), batch/size)
		if rest := batch % size; rest > 0 {
			c = c.addMultiply(triple.PlanMultiply(n, self, layers, planned, rest), 1)
		}
	}
	return c
}

// addMultiply returns the cost with that of so many multiplications.
func (c Cost) addMultiply(he triple.Cost, times int) Cost {
	one := sum(transport.Stats{}, he.Steps...)
	c.HE.Rounds += times * one.Rounds
	c.HE.Sent += int64(times) * one.Sent
	c.HE.Received += int64(times) * one.Received
	c.Ciphertexts += int64(times) * he.Ciphertexts
	return c
}

func tripleLayers(layers []linear.Layer) []triple.Layer {
	out := make([]triple.Layer, len(layers))
	for i, l := range layers {
		out[i] = triple.Layer{Conv: l.Conv, Width: l.Width}
	}
	return out
}

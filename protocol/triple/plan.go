package triple

import (
	"fmt"
	"math"
	"slices"

	"github.com/tacit-mpc/tacit/internal/ntt"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/transport"
)

// Steps of this package, as [transport.Mesh.Steps] reports them.
const (
	stepSeed  = "triple: common seed"
	stepKeys  = "triple: keys and encrypted masks"
	stepReply = "triple: masked products"
)

// The cost model of the planner, in nanoseconds of one core as measured, and in
// integers, so that all parties plan the same whatever their processors. Costs
// of polynomials are for each prime, unless they say otherwise.
const (
	nsTransform = 10_000     // of N points
	nsGather    = 2          // a coefficient of A, for all primes
	nsProduct   = 1_200      // a product added to a sum
	nsCommon    = 40_000     // finishing c1
	nsReply     = 22_000     // finishing c0
	nsUseful    = 7          // a coefficient of c0
	nsDecrypt   = 65_000     // a reply, for all primes
	nsEncrypt   = 450_000    // a ciphertext of B, by its owner and by a receiver
	nsByte      = 40         // at 200 Mbit/s
	nsMemory    = 50_000_000 // a ciphertext of B beyond what a layer should need
)

const (
	inMemory = 128 // ciphertexts of B that a layer may well need: 96 MiB at three parties and 40 bits
	reuse    = 16  // batches over which a Setup pays off
)

// blocks is the number of replies to one receiver.
func (s shape) blocks(batch int) int { return s.bundles * s.cols * s.rows(batch) }

// weightBlocks is the number of ciphertexts of B.
func (s shape) weightBlocks() int { return s.bundles * s.cols * s.inner }

// cost is the time that one of n parties takes for a batch.
func (s shape) cost(l Layer, n, batch int) int64 {
	suite := suites[suiteOf(l.Width)]
	primes, peers := int64(len(suite.primes)), int64(n-1)
	rows := int64(s.bundles) * int64(s.rows(batch))
	encodes := rows * int64(s.inner)
	products := encodes * int64(s.cols) * int64(n)
	replies := rows * int64(s.cols)
	weights := int64(s.weightBlocks())
	useful := int64(batch) * int64(l.Conv.OutLen())

	t := encodes * (primes*nsTransform/int64(s.spread) + nsGather*degree/int64(s.spread))
	t += products * primes * nsProduct
	t += replies * (primes*(nsCommon+peers*nsReply) + peers*nsDecrypt)
	t += useful * peers * primes * nsUseful
	t += (replies*degree*int64(l.Width+extra1) + useful*int64(l.Width+extra0)) / 8 * peers * nsByte
	t += weights * (nsEncrypt + int64(suite.polyBytes())*nsByte) * peers / reuse
	return t + max(weights-inMemory, 0)*nsMemory
}

// choose returns the cheapest packing of a layer for n parties and a batch. It
// is a function of public numbers, which all parties know.
func choose(l Layer, n, batch int) shape {
	best, least := shape{}, int64(math.MaxInt64)
	try := func(s shape) {
		if c := s.cost(l, n, batch); c < least {
			best, least = s, c
		}
	}
	for _, b := range bundlings(l.Conv) {
		width := pow2(b.groups * b.out())
		for spread := 1; spread <= min(width, maxSpread); spread *= 2 {
			for _, kw := range cuts(b.groups * b.KH * b.KW * b.in()) {
				if kw*spread <= degree {
					try(matrix{b, kw, spread}.shape())
				}
			}
			tryImages(b, spread, try)
		}
	}
	return best
}

func tryImages(b bundling, spread int, try func(shape)) {
	if b.KH*b.KW == 1 {
		return // the same as a matrix
	}
	h, _ := b.Size()
	for _, tr := range cuts(h) {
		for _, cw := range cuts(b.groups * b.in()) {
			p := image{b, cw, spread, tr}
			if int64(cw)*int64(p.th())*int64(p.pw())*int64(spread) <= degree {
				try(p.shape())
			}
		}
	}
}

// maxSpread leaves a transform of 16 points, the least that lattigo has.
const maxSpread = degree / 16

// bundlings lists sets of groups to take together: powers of two, and all.
func bundlings(c ring.Conv) []bundling {
	var all []bundling
	for g := 1; g < c.Groups && g*(c.Out/c.Groups) <= maxSpread; g *= 2 {
		all = append(all, bundling{c, g})
	}
	if len(all) == 0 || c.Out <= maxSpread {
		all = append(all, bundling{c, c.Groups})
	}
	return all
}

// cuts lists the block sizes that cut n into 1, 2, … blocks as evenly as
// possible, up to the number of coefficients.
func cuts(n int) []int {
	var all []int
	for size := n; size >= 1; {
		if size <= degree {
			all = append(all, size)
		}
		blocks := ceil(n, size)
		if blocks == n {
			break
		}
		size = ceil(n, blocks+1)
		if ceil(n, size) == blocks { // no size makes blocks+1
			size--
		}
	}
	return all
}

// A Cost is what one party does in a step.
type Cost struct {
	Ciphertexts int64             // made by this party; one sent to several parties counts once
	Steps       []transport.Stats // as [transport.Mesh.Steps] reports them
}

// PlanSetup is the cost of [Setup] for party self of n. The layers are valid.
func PlanSetup(n, self int, layers []Layer, batch int) Cost {
	return newPlan(n, layers, batch).setupCost()
}

// PlanMultiply is the cost of [Context.Multiply] on batch inferences for party
// self of n, under a Setup for planned inferences.
func PlanMultiply(n, self int, layers []Layer, planned, batch int) Cost {
	return newPlan(n, layers, planned).multiplyCost(batch)
}

// A plan is what follows from public numbers.
type plan struct {
	n      int
	layers []Layer
	shapes []shape
}

func newPlan(n int, layers []Layer, batch int) *plan {
	p := &plan{n: n, layers: slices.Clone(layers)}
	for _, l := range layers {
		p.shapes = append(p.shapes, choose(l, n, batch))
	}
	return p
}

// suite is the index of the parameters of a layer.
func (p *plan) suite(layer int) int { return suiteOf(p.layers[layer].Width) }

// used says which suites the layers need.
func (p *plan) used() (used [len(suites)]bool) {
	for l := range p.layers {
		used[p.suite(l)] = true
	}
	return used
}

func (p *plan) setupCost() (c Cost) {
	var length int64
	for i, used := range p.used() {
		if used { // the public key is an encryption of zero
			c.Ciphertexts++
			length += int64(suites[i].polyBytes())
		}
	}
	for l, s := range p.shapes {
		n := int64(s.weightBlocks())
		c.Ciphertexts += n
		length += n * int64(suites[p.suite(l)].polyBytes())
	}
	c.Steps = []transport.Stats{
		broadcast(stepSeed, seedBytes, p.n),
		broadcast(stepKeys, length, p.n),
	}
	return c
}

func (p *plan) multiplyCost(batch int) (c Cost) {
	step := transport.Stats{Step: stepReply}
	for _, piece := range p.pieces(batch) {
		for _, j := range piece.jobs {
			c.Ciphertexts += int64(len(j.blocks)) * int64(p.n-1)
		}
		one := broadcast(stepReply, int64(piece.length), p.n)
		step.Rounds += one.Rounds
		step.Sent += one.Sent
		step.Received += one.Received
	}
	c.Steps = []transport.Stats{step}
	return c
}

// MultiplyMemory bounds what [Context.Multiply] allocates beside its result, in
// bytes, with so many processors: pieces that are made, on their way, and opened,
// and for every goroutine the sums of a job, its rows of A and what it takes to
// finish a block.
func MultiplyMemory(n int, layers []Layer, planned, batch, processors int) int64 {
	return newPlan(n, layers, planned).memory(batch, processors)
}

func (p *plan) memory(batch, processors int) int64 {
	const poly = 8 * degree
	var longest, each, jobs, blocks int64
	for _, s := range p.shapes {
		blocks += int64(s.blocks(batch))
	}
	for _, piece := range p.pieces(batch) {
		longest = max(longest, int64(piece.length))
		jobs = max(jobs, int64(len(piece.jobs)))
	}
	for i, used := range p.used() {
		if !used {
			continue
		}
		primes := int64(len(suites[i].primes))
		sums := primes * int64(p.n*p.together()) * poly
		rows := int64(0)
		for l, s := range p.shapes {
			if height, _ := p.size(s, batch); p.suite(l) == i {
				rows = max(rows, int64(16*height*s.inner*(degree/s.spread+ntt.Padding)))
			}
		}
		each += sums + rows + (2*primes+24)*poly
	}
	const other = 4 << 10 // of a block: its place, a stream
	return 4*int64(p.n-1)*longest + min(jobs, int64(processors))*each + other*blocks
}

// checkLength refuses what does not fit a message.
func checkLength(length int64) error {
	if length > transport.MaxMessage {
		return fmt.Errorf("triple: a message of %d bytes is longer than %d: fewer inferences at once or smaller layers are needed", length, transport.MaxMessage)
	}
	return nil
}

// broadcast is a round in which every party sends length bytes to every other.
func broadcast(step string, length int64, n int) transport.Stats {
	bytes := length * int64(n-1)
	return transport.Stats{Step: step, Rounds: 1, Sent: bytes, Received: bytes}
}

// weight is what a coefficient of layer l counts for: see doc.go, Security.
func (p *plan) weight(l int) int64 {
	w := int64(1)
	for w*w<<16 < int64(p.shapes[l].terms) {
		w++
	}
	return w
}

// coefficients is what a Multiply adds to the count of masked coefficients, of
// all receivers.
func (p *plan) coefficients(batch int) int64 {
	var sum int64
	for l, layer := range p.layers {
		sum += p.weight(l) * int64(batch) * int64(layer.Conv.OutLen()) * int64(p.n-1)
	}
	return sum
}

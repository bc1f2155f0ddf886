package compare

import (
	"fmt"
	"io"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/protocol/carry"
	"github.com/tacit-mpc/tacit/protocol/garble"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

// A source makes correlated randomness: an [ot.Session].
type source interface {
	garble.Source
	carry.Source
	Mul(m *transport.Mesh, step string, reqs []ot.MulRequest) ([][][]uint64, error)
	Hash(label string, index ...uint64) *prg.Hash
	Scope(f func() error) error
}

// Steps of [Generate].
const (
	stepGenerate = "comparisons"
	stepCarry    = stepGenerate + ", carried"
	stepBits     = stepGenerate + ": bits of r to shares"
	stepSelect   = stepGenerate + ": λ, λ·r, λ·r_top"
)

// Generate makes the material of batch inferences with the given classes, and
// returns it by inference and class. For every element:
//
//	rₖ       authenticated random bits, k < m
//	[r]      = Σ 2ᵏ·[rₖ], with [rₖ] mod 2^(max(m, k′)−k); r_top = r_(m−1)
//	tables   of Comparison(m), by the garblers, with output mask λ, or
//	terms    of carry.For(m), with mask λ of the sign
//	[λ], [λr] mod 2ᵏ′ and [λr_top] mod 2^(k′−m); for a Step just [λ]
//
// A Spline has tables or masks, λ and its products for each knot, and one r.
//
// All classes, inferences and evaluators go through the same rounds, a chunk of
// elements at a time; see [GenerateTo]. A session must not be used for two calls
// of which the layers meet.
func Generate(m *transport.Mesh, s *ot.Session, rng io.Reader, classes []Class, batch int) ([][]*Material, error) {
	mats, _, err := generate(m, s, rng, classes, batch, chunkMemory)
	return mats, err
}

func generate(m *transport.Mesh, s source, rng io.Reader, classes []Class, batch, memory int) ([][]*Material, Work, error) {
	if err := validate(m.N(), classes, batch); err != nil {
		return nil, Work{}, err
	}
	mats := make([][]*Material, batch)
	work, err := generateTo(m, s, rng, classes, batch, memory, func(inference int, mat *Material) error {
		mats[inference] = append(mats[inference], mat)
		return nil
	})
	if err != nil {
		return nil, work, err
	}
	return mats, work, nil
}

// Work counts what was done.
type Work struct {
	Gates  int64 // And gates garbled, or products made, of all comparisons
	Chunks int
}

// A Sink takes the material of one class of one inference once it is complete:
// those of inference 0 in the order of the classes, those of inference 1, and so
// on. Its error ends the generation.
type Sink func(inference int, m *Material) error

// GenerateTo is [Generate] in bounded memory. Elements are made in chunks, each
// of as many as take about 128 MiB of a party's memory while they are made: for
// three parties and 20 bits about 15,000 garbled comparisons or 28,000 carried
// ones. Besides the chunk there is the material that was made in it, and of one
// class of one inference that is not complete; see [Bound]. So a small program
// takes one chunk, and a large one no more memory for a larger batch.
//
// Rounds: 2n+3 for every chunk, fewer where no class needs a step; with [Carry]
// one more for m from 18 to 21, and two from 22 to 25. Where a chunk has both back
// ends, up to 6 more. Sends: see [PlanGenerate].
//
// Security: r and λ are unknown to any n−1 parties. Shares of r are padded by
// every pair of parties, in the full width of r, as bit 0 is.
func GenerateTo(m *transport.Mesh, s *ot.Session, rng io.Reader, classes []Class, batch int, sink Sink) (Work, error) {
	return generateTo(m, s, rng, classes, batch, chunkMemory, sink)
}

// Bound returns how many bytes [GenerateTo] uses at most at party self of n, for
// a batch of any length, if the sink keeps nothing.
func Bound(n, self int, classes []Class) int64 { return bound(n, self, classes, chunkMemory) }

func bound(n, self int, classes []Class, memory int) int64 {
	unit, largest := 0, 0
	for _, c := range classes {
		largest = max(largest, c.heapLen(n, self))
		unit = max(unit, min(c.N, c.blockLen(n))*c.memory(n))
	}
	return int64(memory + unit + 2*largest)
}

func generateTo(m *transport.Mesh, s source, rng io.Reader, classes []Class, batch, memory int, sink Sink) (Work, error) {
	if err := validate(m.N(), classes, batch); err != nil {
		return Work{}, err
	}
	g := generation{m: m, s: s, rng: rng, classes: len(classes)}
	blocks := make([]prg.Block, 2)
	s.Hash("compare").Sum(blocks, blocks, prg.Block{})
	copy(g.id[:], prg.Bytes(blocks))

	cs := chunks(unitsOf(m.N(), classes, batch), m.N(), memory)
	for i, us := range cs {
		if err := g.begin(us); err != nil {
			return g.work, err
		}
		if err := s.Scope(func() error { return g.run(us) }); err != nil {
			return g.work, err
		}
		complete := batch * len(classes)
		if i+1 < len(cs) {
			complete = g.number(cs[i+1][0])
		}
		for ; g.first < complete; g.first++ {
			mat := g.mats[0]
			g.mats[0], g.mats = nil, g.mats[1:]
			if err := sink(g.first/len(classes), mat); err != nil {
				return g.work, err
			}
		}
	}
	return g.work, nil
}

// validate checks the arguments of [Generate]. Layers are part of tweaks, so
// that each class needs one of its own.
func validate(n int, classes []Class, batch int) error {
	if n > maxParties || batch < 0 || batch > maxInferences {
		return fmt.Errorf("compare: batch of %d inferences among %d parties", batch, n)
	}
	seen := map[int]bool{}
	for _, c := range classes {
		if err := c.Validate(); err != nil {
			return err
		}
		if seen[c.Layer] {
			return fmt.Errorf("compare: two classes of layer %d", c.Layer)
		}
		seen[c.Layer] = true
	}
	return nil
}

// A generation makes chunk after chunk.
type generation struct {
	m       *transport.Mesh
	s       source
	rng     io.Reader
	id      name
	classes int
	first   int         // the number of the first material that is not complete
	mats    []*Material // from there on
	work    Work
}

// number counts the classes of all inferences.
func (g *generation) number(u unit) int { return u.inference*g.classes + u.index }

func (g *generation) material(u unit) *Material { return g.mats[g.number(u)-g.first] }

// begin starts the material of which a chunk has the first units.
func (g *generation) begin(us []unit) error {
	for _, u := range us {
		if g.number(u) < g.first+len(g.mats) {
			continue
		}
		mat, err := newMaterial(u.class, g.m.N(), g.m.Self(), u.inference, g.id, g.s.Delta(), g.rng)
		if err != nil {
			return err
		}
		g.mats = append(g.mats, mat)
	}
	return nil
}

func (g *generation) run(us []unit) error {
	g.work.Chunks++
	bits, err := g.masks(us)
	if err != nil {
		return err
	}
	if err := g.shares(us, bits); err != nil {
		return err
	}
	return g.products(us, bits)
}

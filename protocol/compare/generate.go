package compare

import (
	"fmt"
	"io"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/ring"
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
		unit = max(unit, min(c.N, max(maxBlock, maxRun))*c.memory(n))
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
	bits, jobs, err := g.masks(us)
	if err != nil {
		return err
	}
	if err := g.shares(us, bits, jobs); err != nil {
		return err
	}
	return g.products(us, jobs)
}

// A job is a vector of comparisons in the making, by either back end.
type job interface {
	Masked(k int) ot.Bits // bit k of r
	Out() ot.Bits         // λ
}

// masks draws the bits of r, makes what the comparisons take, and returns for
// every unit the bits of r and, where signs are compared, its job.
func (g *generation) masks(us []unit) ([][]ot.Bits, []job, error) {
	n := g.m.N()
	jobs := make([]job, len(us))
	var garbled []*garble.Job
	var carried []*carry.Job
	var ride []ot.Request
	for i, u := range us {
		mat := g.material(u)
		switch {
		case u.class.garbled():
			j, err := garble.New(u.class.batch(n, g.m.Self(), u.inference, mat.id, u.block), mat.seed, g.rng)
			if err != nil {
				return nil, nil, err
			}
			jobs[i], garbled = j, append(garbled, j)
		case u.class.carried():
			j, err := carry.New(u.class.masks(n, u.inference, u.block), g.rng)
			if err != nil {
				return nil, nil, err
			}
			jobs[i], carried = j, append(carried, j)
		default:
			x, err := randomBits(g.rng, u.class.In*u.len())
			if err != nil {
				return nil, nil, err
			}
			ride = append(ride, ot.Request{X: x, Holders: liftShape(u, n).Holders, Keys: liftShape(u, n).Keys})
		}
	}
	rode, err := g.compare(garbled, carried, ride)
	if err != nil {
		return nil, nil, err
	}
	bits := make([][]ot.Bits, len(us))
	for i, u := range us {
		bits[i] = make([]ot.Bits, u.class.In)
		if jobs[i] == nil {
			// The first party's share needs no key: its step is local.
			rode[0].X, rode[0].Holders = ride[0].X, ot.All(n)
			for k := range bits[i] {
				bits[i][k] = rode[0].Slice(k*u.len(), (k+1)*u.len())
			}
			rode, ride = rode[1:], ride[1:]
			continue
		}
		for k := range bits[i] {
			bits[i][k] = jobs[i].Masked(k)
		}
		g.keep(u, jobs[i])
	}
	return bits, jobs, nil
}

// compare runs the back ends that have jobs. The requests ride with the second,
// if it has.
func (g *generation) compare(garbled []*garble.Job, carried []*carry.Job, ride []ot.Request) (rode []ot.Bits, err error) {
	if len(garbled) > 0 || len(carried) == 0 {
		with := ride
		if len(carried) > 0 {
			with = nil
		}
		if rode, err = garble.Run(g.m, g.s, stepGenerate, garbled, with); err != nil {
			return nil, err
		}
	}
	if len(carried) > 0 {
		if rode, err = carry.Run(g.m, g.s, stepCarry, carried, ride); err != nil {
			return nil, err
		}
	}
	return rode, nil
}

// keep adds to the material of a unit what its job made.
func (g *generation) keep(u unit, j job) {
	mat := g.material(u)
	switch j := j.(type) {
	case *garble.Job:
		g.work.Gates += int64(len(j.Circuit.Ands()) * j.Len)
		if u.eval == g.m.Self() {
			mat.tables = append(mat.tables, j.Tables())
		}
	case *carry.Job:
		g.work.Gates += int64(j.Made())
		carry.Place(mat.terms, u.class.N, u.lo, j.Terms(), u.len())
	}
}

// liftShape is how the bits of r are authenticated where there is no circuit: as
// far as the conversion to shares needs it.
func liftShape(u unit, n int) ot.AuthShape {
	o := order(n, u.eval)
	return ot.AuthShape{N: u.class.In * u.len(), Holders: ot.All(n).Without(o[0]), Keys: ot.All(n).Without(o[n-1])}
}

// randomBits draws n bits.
func randomBits(rng io.Reader, n int) ([]uint8, error) {
	packed, bits := make([]byte, (n+7)/8), make([]uint8, n)
	if _, err := io.ReadFull(rng, packed); err != nil {
		return nil, fmt.Errorf("draw bits: %w", err)
	}
	for i := range bits {
		bits[i] = packed[i/8] >> (i % 8) & 1
	}
	clear(packed)
	return bits, nil
}

// shares converts the bits of r and, where nothing is multiplied with it, λ.
func (g *generation) shares(us []unit, bits [][]ot.Bits, jobs []job) error {
	var reqs []ot.MulRequest
	for i, u := range us {
		convert := func(b ot.Bits, gate, width int) {
			reqs = append(reqs, ot.MulRequest{
				Beta: b, Widths: []int{width}, Order: order(g.m.N(), u.eval), One: true,
				Layer: u.class.Layer, Gate: gate, Element: u.class.element(u.inference, u.lo),
			})
		}
		for k, b := range bits[i] {
			convert(b, k, u.class.rWidth()-k)
		}
		if u.class.signed() && !u.class.selects() {
			convert(jobs[i].Out(), u.class.In, u.class.Out)
		}
	}
	shares, err := g.s.Mul(g.m, stepBits, reqs)
	if err != nil {
		return err
	}
	for _, u := range us {
		mat := g.material(u)
		r := mat.r[u.lo:u.hi]
		for k := range u.class.In {
			for e, v := range shares[k][0] {
				r[e] += v << k
			}
		}
		ring.Reduce(r, u.class.rWidth())
		if w := u.class.topWidth(); w > 0 {
			top := mat.rTop[u.lo:u.hi]
			copy(top, shares[u.class.In-1][0])
			ring.Reduce(top, w)
		}
		shares = shares[u.class.In:]
		if u.class.signed() && !u.class.selects() {
			copy(mat.lambda[u.lo:u.hi], shares[0][0])
			ring.Reduce(mat.lambda[u.lo:u.hi], u.class.Out)
			shares = shares[1:]
		}
	}
	return nil
}

// products multiplies λ with 1, r and r_top.
func (g *generation) products(us []unit, jobs []job) error {
	var reqs []ot.MulRequest
	for i, u := range us {
		if !u.class.selects() {
			continue
		}
		mat, o := g.material(u), order(g.m.N(), u.eval)
		v := [][]uint64{make([]uint64, u.len()), mat.r[u.lo:u.hi]}
		if o[0] == g.m.Self() {
			for e := range v[0] {
				v[0][e] = 1
			}
		}
		if u.class.topWidth() > 0 {
			v = append(v, mat.rTop[u.lo:u.hi])
		}
		reqs = append(reqs, ot.MulRequest{
			Beta: jobs[i].Out(), V: v, Widths: u.class.productWidths(), Order: o,
			Layer: u.class.Layer, Element: u.class.element(u.inference, u.lo),
		})
	}
	if len(reqs) == 0 {
		return nil
	}
	shares, err := g.s.Mul(g.m, stepSelect, reqs)
	if err != nil {
		return err
	}
	for _, u := range us {
		if !u.class.selects() {
			continue
		}
		mat := g.material(u)
		for w, dst := range mat.products() {
			copy(dst[u.lo:u.hi], shares[0][w])
			ring.Reduce(dst[u.lo:u.hi], u.class.productWidths()[w])
		}
		shares = shares[1:]
	}
	return nil
}

package compare

import (
	"fmt"
	"io"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/garble"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

// A source makes correlated randomness: an [ot.Session].
type source interface {
	garble.Source
	Mul(m *transport.Mesh, step string, reqs []ot.MulRequest) ([][][]uint64, error)
	Hash(label string, index ...uint64) *prg.Hash
}

// Steps of [Generate].
const (
	stepGenerate = "comparisons"
	stepBits     = stepGenerate + ": bits of r to shares"
	stepSelect   = stepGenerate + ": λ, λ·r, λ·r_top"
)

// Generate makes the material of batch inferences with the given classes, and
// returns it by inference and class. For every element:
//
//	rₖ       authenticated random bits, k < m
//	[r]      = Σ 2ᵏ·[rₖ], with [rₖ] mod 2^(max(m, k′)−k); r_top = r_(m−1)
//	tables   of Comparison(m), by the garblers, with output mask λ
//	[λ], [λr] mod 2ᵏ′ and [λr_top] mod 2^(k′−m)
//
// All classes, inferences and evaluators go through the same rounds, a chunk of
// elements at a time, so that memory is bounded. A session must not be used
// for two calls of which the layers meet.
//
// Rounds: 2n+3 for every chunk of 2¹⁴ elements, fewer where no class needs a
// step. Sends: see [PlanGenerate].
//
// Security: r and λ are unknown to any n−1 parties. Shares of r are padded by
// every pair of parties, in the full width of r, as bit 0 is.
func Generate(m *transport.Mesh, s *ot.Session, rng io.Reader, classes []Class, batch int) ([][]*Material, error) {
	return generate(m, s, rng, classes, batch, chunkLen)
}

func generate(m *transport.Mesh, s source, rng io.Reader, classes []Class, batch, chunk int) ([][]*Material, error) {
	if err := validate(m.N(), classes, batch); err != nil {
		return nil, err
	}
	var id name
	blocks := make([]prg.Block, 2)
	s.Hash("compare").Sum(blocks, blocks, prg.Block{})
	copy(id[:], prg.Bytes(blocks))

	mats := make([][]*Material, batch)
	for i := range mats {
		for _, c := range classes {
			mat, err := newMaterial(c, m.N(), m.Self(), i, id, s.Delta(), rng)
			if err != nil {
				return nil, err
			}
			mats[i] = append(mats[i], mat)
		}
	}
	for _, us := range chunks(unitsOf(m.N(), classes, batch), chunk) {
		g := generation{m: m, s: s, rng: rng, mats: mats}
		if err := g.run(us); err != nil {
			return nil, err
		}
	}
	return mats, nil
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

// A unit is a block of one inference.
type unit struct {
	class            Class
	index, inference int // of the class; of the inference
	block
}

// unitsOf lists all units such that evaluators take turns, so that every chunk
// has work for all of them.
func unitsOf(n int, classes []Class, batch int) []unit {
	var us []unit
	for inference := range batch {
		for index, c := range classes {
			left := make([][]block, n)
			for p := range n {
				left[p] = c.blocks(n, p)
			}
			for more := true; more; {
				more = false
				for p := range n {
					if len(left[p]) > 0 {
						us = append(us, unit{c, index, inference, left[p][0]})
						left[p], more = left[p][1:], true
					}
				}
			}
		}
	}
	return us
}

// chunks cuts the list of units into runs of about size elements.
func chunks(us []unit, size int) [][]unit {
	var cs [][]unit
	start, elements := 0, 0
	for i, u := range us {
		if elements > 0 && elements+u.len() > size {
			cs = append(cs, us[start:i])
			start, elements = i, 0
		}
		elements += u.len()
	}
	if start < len(us) {
		cs = append(cs, us[start:])
	}
	return cs
}

// order returns the order in which the parties receive when the bits of a unit
// are multiplied: the evaluator, who has no keys, is last.
func order(n, eval int) []int {
	o := make([]int, n)
	for t := range o {
		o[t] = (eval + 1 + t) % n
	}
	return o
}

// A generation makes one chunk.
type generation struct {
	m    *transport.Mesh
	s    source
	rng  io.Reader
	mats [][]*Material
}

func (g *generation) run(us []unit) error {
	bits, jobs, err := g.masks(us)
	if err != nil {
		return err
	}
	if err := g.shares(us, bits); err != nil {
		return err
	}
	return g.products(us, jobs)
}

func (g *generation) material(u unit) *Material { return g.mats[u.inference][u.index] }

// masks draws the bits of r, garbles, and returns for every unit the bits of r
// and, where there is a circuit, its garbling.
func (g *generation) masks(us []unit) ([][]ot.Bits, []*garble.Job, error) {
	n := g.m.N()
	jobs := make([]*garble.Job, len(us))
	var garbled []*garble.Job
	var ride []ot.Request
	var drawn [][]uint8
	for i, u := range us {
		if !u.class.garbled() {
			x, err := randomBits(g.rng, u.class.In*u.len())
			if err != nil {
				return nil, nil, err
			}
			drawn = append(drawn, x)
			ride = append(ride, ot.Request{X: x, Holders: liftShape(u, n).Holders, Keys: liftShape(u, n).Keys})
			continue
		}
		mat := g.material(u)
		j, err := garble.New(u.class.batch(n, g.m.Self(), u.inference, mat.id, u.block), mat.seed, g.rng)
		if err != nil {
			return nil, nil, err
		}
		jobs[i] = j
		garbled = append(garbled, j)
	}
	rode, err := garble.Run(g.m, g.s, stepGenerate, garbled, ride)
	if err != nil {
		return nil, nil, err
	}
	bits := make([][]ot.Bits, len(us))
	for i, u := range us {
		bits[i] = make([]ot.Bits, u.class.In)
		if jobs[i] == nil {
			// The first party's share needs no key: its step is local.
			rode[0].X, rode[0].Holders = drawn[0], ot.All(n)
			for k := range bits[i] {
				bits[i][k] = rode[0].Slice(k*u.len(), (k+1)*u.len())
			}
			rode, drawn = rode[1:], drawn[1:]
			continue
		}
		for k := range bits[i] {
			bits[i][k] = jobs[i].Masked(k)
		}
		if u.eval == g.m.Self() {
			mat := g.material(u)
			mat.tables = append(mat.tables, jobs[i].Tables())
		}
	}
	return bits, jobs, nil
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

// shares converts the bits of r.
func (g *generation) shares(us []unit, bits [][]ot.Bits) error {
	var reqs []ot.MulRequest
	for i, u := range us {
		for k, b := range bits[i] {
			reqs = append(reqs, ot.MulRequest{
				Beta: b, Widths: []int{u.class.rWidth() - k}, Order: order(g.m.N(), u.eval), One: true,
				Layer: u.class.Layer, Gate: k, Element: u.class.element(u.inference, u.lo),
			})
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
	}
	return nil
}

// products multiplies λ with 1, r and r_top.
func (g *generation) products(us []unit, jobs []*garble.Job) error {
	var reqs []ot.MulRequest
	for i, u := range us {
		if jobs[i] == nil {
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
	for i, u := range us {
		if jobs[i] == nil {
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

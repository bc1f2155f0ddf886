package product

import (
	"fmt"
	"io"

	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

// A source makes correlated randomness: an [ot.Session].
type source interface {
	Authenticate(m *transport.Mesh, step string, reqs []ot.Request) ([]ot.Bits, error)
	MulOwn(m *transport.Mesh, step string, reqs []ot.OwnRequest) error
	Scope(f func() error) error
}

// Steps of [Generate].
const (
	stepBits    = "products: bits"
	stepCorrect = "products: corrections"
)

// Generate makes the material of batch inferences with the given classes, and returns
// it by inference and class. Every party i draws its shares of A and B. For the bits
// x of Aᵢ, or of Bᵢ if these are fewer, it runs transfers with every party j:
//
//	d = H(K) − H(K ⊕ Δⱼ) + v, with the rows v of Bⱼ, or the columns of Aⱼ
//	Cᵢ += 2ᵏ·(H(M) + x·d),  Cⱼ −= 2ᵏ·H(K),  at last Cᵢ += Aᵢ·Bᵢ
//
// All classes and inferences go through the same rounds, a chunk of elements at a
// time; see [GenerateTo]. A session must not be used for two calls of which the
// layers meet.
func Generate(m *transport.Mesh, s *ot.Session, rand io.Reader, classes []Class, batch int) ([][]*Material, error) {
	return generate(m, s, rand, classes, batch, chunkMemory)
}

func generate(m *transport.Mesh, s source, rand io.Reader, classes []Class, batch, memory int) ([][]*Material, error) {
	if err := validate(m.N(), classes, batch); err != nil {
		return nil, err
	}
	mats := make([][]*Material, batch)
	err := generateTo(m, s, rand, classes, batch, memory, func(inference int, mat *Material) error {
		mats[inference] = append(mats[inference], mat)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return mats, nil
}

// GenerateTo is [Generate] in bounded memory. It hands on the material of inference 0
// in the order of the classes, then that of inference 1, and so on, once it is
// complete; an error of the sink ends the generation. Elements that choose are
// worked on in chunks, of as many as take about 128 MiB of a party's memory: for
// three parties and 40 bits about 19,000 products of elements, or the products of
// 2,100 elements with rows of 64. Besides the chunk there is the material that was made
// in it, and that of one class of one inference; see [Bound].
//
// Rounds: 2 for every chunk. Sends: for w bits of an element that chooses, 16·w/depth
// bytes to every party, and w(w+1)/2 bits for every product to each of them; half of
// that, with w−1 for w, for a square.
//
// Security: A and B are unknown to any n−1 parties, as every party draws its shares.
func GenerateTo(m *transport.Mesh, s *ot.Session, rand io.Reader, classes []Class, batch int, sink func(inference int, mat *Material) error) error {
	return generateTo(m, s, rand, classes, batch, chunkMemory, sink)
}

// Bound returns how many bytes [GenerateTo] uses at most at one of n parties, for a
// batch of any length, if the sink keeps nothing.
func Bound(n int, classes []Class) int64 { return bound(n, classes, chunkMemory) }

func bound(n int, classes []Class, memory int) int64 {
	unit, largest := 0, 0
	for _, c := range classes {
		largest = max(largest, c.heapLen())
		unit = max(unit, c.unitLen()*c.memory(n))
	}
	return int64(memory + unit + 2*largest)
}

func generateTo(m *transport.Mesh, s source, rand io.Reader, classes []Class, batch, memory int, sink func(int, *Material) error) error {
	if err := validate(m.N(), classes, batch); err != nil {
		return err
	}
	g := generation{m: m, s: s, rand: rand, classes: len(classes)}
	cs := chunks(unitsOf(classes, batch), m.N(), memory)
	for i, us := range cs {
		if err := g.begin(us); err != nil {
			return err
		}
		if err := s.Scope(func() error { return g.run(us) }); err != nil {
			return err
		}
		complete := batch * len(classes)
		if i+1 < len(cs) {
			complete = g.number(cs[i+1][0])
		}
		for ; g.first < complete; g.first++ {
			mat := g.drafts[0].finish(m.Yield)
			g.drafts[0], g.drafts = nil, g.drafts[1:]
			if err := sink(g.first/len(classes), mat); err != nil {
				return err
			}
		}
	}
	return nil
}

// validate checks the arguments of [Generate]. Layers are part of tweaks, so that
// each class needs one of its own.
func validate(n int, classes []Class, batch int) error {
	if n > maxParties || batch < 0 || batch > maxInferences {
		return fmt.Errorf("product: batch of %d inferences among %d parties", batch, n)
	}
	seen := map[int]bool{}
	for _, c := range classes {
		if err := c.Validate(); err != nil {
			return err
		}
		if seen[c.Layer] {
			return fmt.Errorf("product: two classes of layer %d", c.Layer)
		}
		seen[c.Layer] = true
		if !c.fits(batch) {
			return fmt.Errorf("product: a batch of %d inferences of %v is too large", batch, c)
		}
	}
	return nil
}

// A generation makes chunk after chunk.
type generation struct {
	m       *transport.Mesh
	s       source
	rand    io.Reader
	classes int
	first   int      // the number of the first material that is not complete
	drafts  []*draft // from there on
}

// number counts the classes of all inferences.
func (g *generation) number(u unit) int { return u.inference*g.classes + u.index }

func (g *generation) draft(u unit) *draft { return g.drafts[g.number(u)-g.first] }

// begin starts the material of which a chunk has the first units.
func (g *generation) begin(us []unit) error {
	for _, u := range us {
		if g.number(u) < g.first+len(g.drafts) {
			continue
		}
		d, err := newDraft(u.class, g.m.N(), g.m.Self(), u.inference, g.rand)
		if err != nil {
			return err
		}
		g.drafts = append(g.drafts, d)
	}
	return nil
}

// run makes the products of shares of different parties.
func (g *generation) run(us []unit) error {
	var auth []ot.Request
	var reqs []ot.OwnRequest
	for _, u := range us {
		d := g.draft(u)
		x := make([]uint8, u.len()*u.class.bits())
		ot.OwnBits(x, d.x[u.lo:u.hi], u.class.bits())
		for _, sh := range u.shapes(g.m.N()) {
			auth = append(auth, ot.Request{X: x, Holders: sh.Holders, Keys: sh.Keys})
			reqs = append(reqs, ot.OwnRequest{
				OwnShape: sh, V: d.v, Z: d.z, Layer: u.class.Layer, Element: u.class.element(u.inference),
			})
		}
	}
	defer func() {
		for _, req := range auth {
			clear(req.X)
		}
	}()
	bits, err := g.s.Authenticate(g.m, stepBits, auth)
	if err != nil {
		return err
	}
	for r := range reqs {
		reqs[r].X = bits[r]
	}
	return g.s.MulOwn(g.m, stepCorrect, reqs)
}

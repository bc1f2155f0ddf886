package triple

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	lattigo "github.com/ldsec/lattigo/v2/ring"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/transport"
)

// A Layer is one product of a program: its geometry, and the width of the ring
// of its result.
type Layer struct {
	Conv  ring.Conv
	Width int
}

// A Context is one party's keys, and its and the others' encrypted mask shares,
// for one version of the masks B. It serves one goroutine.
type Context struct {
	*plan
	self    int
	suites  [len(suites)]*keys // nil where no layer uses it
	masks   []resident
	counted int64 // coefficients masked under these keys
	made    atomic.Int64
}

// keys are those of one suite.
type keys struct {
	*scheme
	secret *lattigo.Poly // transformed, in Montgomery form
	public []key         // of every party; ours is not used
}

// A resident is what stays of the masks of one layer: the ciphertexts by block,
// transformed and in Montgomery form, and our own share in the clear.
type resident struct {
	c1  []*lattigo.Poly
	c0  [][]*lattigo.Poly // by party; ours is nil
	own *ring.Filter
}

// Ciphertexts returns how many ciphertexts this party has made, as [Cost]
// counts them.
func (c *Context) Ciphertexts() int64 { return c.made.Load() }

func (c *Context) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Context[%d layers]", len(c.masks)) }

// Setup makes keys and encrypts this party's share b[l] of the mask of every
// layer l for all other parties. It keeps b. The ciphertexts are packed so that
// Multiply on batch inferences is cheapest.
//
//	seed = H(seed₀, seed₁, …), from a fresh random seedᵢ of every party
//	pᵢ   = (−p·sᵢ + e, p),                          p  = PRG(seed)
//	Bᵢ   = (−c1·sᵢ + e + round(Q·bᵢ/2⁶⁴), c1),      c1 = PRG(seed), for every block
//
// All parties encrypt under the same p and c1, of which only the seed is sent.
// A Setup that failed is repeated only as a whole, as two plaintexts must never
// meet under one (sᵢ, c1).
//
// Rounds: 2. Sends: the seed with a digest of the layers, then a polynomial for every suite in use and for
// every block, to every other party; see [PlanSetup].
func Setup(m *transport.Mesh, rng io.Reader, layers []Layer, b [][]uint64, batch int) (*Context, error) {
	if err := validate(layers, batch); err != nil {
		return nil, err
	}
	c := &Context{plan: newPlan(m.N(), layers, batch), self: m.Self(), masks: make([]resident, len(layers))}
	if err := checkLength(c.setupCost().Steps[1].Sent / int64(max(1, m.N()-1))); err != nil {
		return nil, err
	}
	for l := range layers {
		c.masks[l].own = ring.NewFilter(layers[l].Conv, b[l], layers[l].Width)
	}
	for i, used := range c.used() {
		if !used {
			continue
		}
		s, err := schemes[i]()
		if err != nil {
			return nil, err
		}
		c.suites[i] = &keys{scheme: s, public: make([]key, m.N())}
	}
	seed, err := newSeed(rng)
	if err != nil {
		return nil, err
	}
	own, err := newSeed(rng)
	if err != nil {
		return nil, err
	}
	common, err := c.agree(m, own, batch)
	if err != nil {
		return nil, err
	}
	msg, err := c.encrypt(m, common, seed, b)
	if err != nil {
		return nil, err
	}
	all, err := m.Broadcast(stepKeys, msg)
	if err != nil {
		return nil, err
	}
	if err := c.receive(m, all); err != nil {
		return nil, err
	}
	return c, nil
}

// validate refuses layers that are impossible or too large to plan for.
func validate(layers []Layer, batch int) error {
	if batch < 1 {
		return fmt.Errorf("triple: a batch of %d", batch)
	}
	for i, l := range layers {
		if err := l.Conv.Validate(); err != nil {
			return fmt.Errorf("triple: layer %d: %w", i, err)
		}
		if l.Width < 1 || l.Width > 64 {
			return fmt.Errorf("triple: layer %d: width %d is outside 1..64", i, l.Width)
		}
		const limit = 1 << 30 // elements; places are int32
		if h := max(l.Conv.InLen(), l.Conv.OutLen()); h > limit/batch {
			return fmt.Errorf("triple: layer %d: %d elements for %d inferences are too many", i, h, batch)
		}
	}
	return nil
}

// ErrPlan means that a peer multiplies other layers, or plans other batches.
var ErrPlan = errors.New("parties have different layers or batches")

// seedBytes is the length of what every party sends first: its part of the
// common seed, and the digest of what it is going to do.
const seedBytes = 2 * sha256.Size

// agree returns the common seed, a hash of the contributions of all parties.
func (c *Context) agree(m *transport.Mesh, own [32]byte, batch int) (seed [32]byte, err error) {
	h := sha256.New()
	fmt.Fprintf(h, "tacit/triple/plan %d %d %v", c.n, batch, c.layers)
	digest := h.Sum(nil)
	all, err := m.Broadcast(stepSeed, append(own[:], digest...))
	if err != nil {
		return seed, err
	}
	h = sha256.New()
	io.WriteString(h, "tacit/triple/common seed")
	for j, msg := range all {
		if !bytes.Equal(msg[len(own):], digest) {
			return seed, &transport.PeerError{Party: j, Step: stepSeed, Err: ErrPlan}
		}
		h.Write(msg)
	}
	return [32]byte(h.Sum(nil)), nil
}

// Labels of streams: of the common seed, and of this party's seed of a Setup.
const (
	labelKey    = "triple: public key"
	labelCommon = "triple: common part"
	labelSecret = "triple: secret key"
	labelError  = "triple: error"
	labelReply  = "triple: reply"
)

// encrypt makes the keys and the message with our public keys and masks.
func (c *Context) encrypt(m *transport.Mesh, common, seed [32]byte, b [][]uint64) ([]byte, error) {
	var msg []byte
	for _, k := range c.suites {
		if k == nil {
			continue
		}
		own := k.generate(common, seed)
		c.made.Add(1)
		msg = k.appendPoly(msg, own.p0)
		k.r.MForm(own.p1, own.p1)
		for j := range k.public {
			k.public[j].p1 = own.p1
		}
	}
	for l := range c.masks {
		n := c.shapes[l].weightBlocks()
		c.masks[l].c1 = make([]*lattigo.Poly, n)
		k := c.suites[c.suite(l)]
		start, size := len(msg), k.polyBytes()
		msg = append(msg, make([]byte, n*size)...)
		err := parallel(m, n, func() func(int) error {
			w, p0 := make([]uint64, degree), k.r.NewPoly()
			return func(i int) error {
				c1 := k.r.NewPoly()
				k.sampler(common, labelCommon, uint64(l), uint64(i)).uniform(c1)
				c.encode(w, b[l], l, i)
				k.scaleUp(w, p0)
				k.encryptTo(p0, c1, k.sampler(seed, labelError, uint64(l), uint64(i)))
				k.appendPoly(msg[start+i*size:][:0], p0)
				k.r.MForm(c1, c1)
				c.masks[l].c1[i] = c1
				c.made.Add(1)
				return nil
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return msg, nil
}

// generate makes the secret key and returns the public one, transformed.
func (k *keys) generate(common, seed [32]byte) key {
	s := k.sampler(seed, labelSecret, uint64(k.index))
	k.secret = k.r.NewPoly()
	s.ternary(k.secret)
	k.r.NTT(k.secret, k.secret)
	k.r.MForm(k.secret, k.secret)

	own := key{k.r.NewPoly(), k.r.NewPoly()}
	k.sampler(common, labelKey, uint64(k.index)).uniform(own.p1)
	k.encryptTo(own.p0, own.p1, s)
	return own
}

// encode sets w to block i of the masks b of layer l, in the top bits.
func (c *Context) encode(w, b []uint64, l, i int) {
	s := c.shapes[l]
	s.weights(w, b, i/s.inner/s.cols, i%s.inner, i/s.inner%s.cols)
	for j := range w {
		w[j] <<= uint(64 - c.layers[l].Width)
	}
}

// encryptTo sets p0 = NTT(p0 + e) − p1∘s, where p1 is transformed already.
func (k *keys) encryptTo(p0, p1 *lattigo.Poly, s *sampler) {
	s.addError(p0)
	k.r.NTT(p0, p0)
	k.r.MulCoeffsMontgomeryAndSub(p1, k.secret, p0)
}

// receive checks and keeps the keys and ciphertexts of the other parties.
func (c *Context) receive(m *transport.Mesh, msgs [][]byte) error {
	for l := range c.masks {
		c.masks[l].c0 = make([][]*lattigo.Poly, c.n)
	}
	for j, msg := range msgs {
		if j == c.self {
			continue
		}
		for _, k := range c.suites {
			if k == nil {
				continue
			}
			p0, err := k.parse(msg)
			if err != nil {
				return &transport.PeerError{Party: j, Step: stepKeys, Err: fmt.Errorf("public key: %w", err)}
			}
			k.public[j].p0 = p0
			msg = msg[k.polyBytes():]
		}
		for l := range c.masks {
			n := c.shapes[l].weightBlocks()
			k, c0 := c.suites[c.suite(l)], make([]*lattigo.Poly, n)
			err := parallel(m, n, func() func(int) error {
				return func(i int) (err error) {
					c0[i], err = k.parse(msg[i*k.polyBytes():])
					if err != nil {
						err = &transport.PeerError{Party: j, Step: stepKeys, Err: fmt.Errorf("layer %d, ciphertext %d: %w", l, i, err)}
					}
					return err
				}
			})
			if err != nil {
				return err
			}
			c.masks[l].c0[j] = c0
			msg = msg[n*k.polyBytes():]
		}
		msgs[j] = nil // which may be large
	}
	return nil
}

// parse reads a transformed polynomial and puts it in Montgomery form.
func (k *keys) parse(b []byte) (*lattigo.Poly, error) {
	p := k.r.NewPoly()
	if err := k.parsePoly(p, b); err != nil {
		return nil, err
	}
	k.r.MForm(p, p)
	return p, nil
}

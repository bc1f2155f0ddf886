package triple

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	lattigo "github.com/ldsec/lattigo/v2/ring"
	"github.com/tacit-mpc/tacit/internal/ntt"
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
	crew    *crew
}

// keys are those of one suite.
type keys struct {
	*scheme
	secret *lattigo.Poly // transformed
	minus  *lattigo.Poly // −secret, transformed
	public []key         // of every party; of ours p1 alone
}

// A resident is what stays of the masks of one layer: the ciphertexts,
// transformed, a panel for every party, bundle and column block, and our own
// share in the clear. Our own panels are the common part, c1.
type resident struct {
	panels [][]panel // by party, then block
	own    *ring.Filter
}

// Ciphertexts returns how many ciphertexts this party has made, as [Cost]
// counts them.
func (c *Context) Ciphertexts() int64 { return c.made.Load() }

func (c *Context) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Context[%d layers]", len(c.masks)) }

// Setup makes keys and encrypts this party's share b[l] of the mask of every
// layer l for all other parties. It keeps b. The ciphertexts are packed so that
// Multiply on batch inferences is cheapest. A Context keeps 64 KiB for every
// prime, ciphertext and party, and after a Multiply the buffers of its goroutines.
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
	fmt.Fprintf(h, "tacit/triple/plan %d %d %v %v", c.n, batch, c.layers, suites)
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
		for j := range k.public {
			k.public[j].p1 = own.p1
		}
	}
	for l := range c.masks {
		n, inner := c.shapes[l].weightBlocks(), c.shapes[l].inner
		k := c.suites[c.suite(l)]
		panels := k.newPanels(n/inner, inner)
		start, size := len(msg), k.polyBytes()
		msg = append(msg, make([]byte, n*size)...)
		err := parallel(m, n, func(int) func(int) error {
			w, c0, c1 := make([]uint64, degree), k.r.NewPoly(), k.r.NewPoly()
			e := k.encryptor()
			return func(i int) error {
				k.sampler(common, labelCommon, uint64(l), uint64(i)).uniform(c1)
				c.encode(w, b[l], l, i)
				e.scaleUp(w, c0.Coeffs)
				e.draw.restart(seed, labelError, uint64(l), uint64(i))
				e.encryptTo(c0, c1)
				k.appendPoly(msg[start+i*size:][:0], c0)
				panels[i/inner].set(i%inner, inner, c1.Coeffs)
				c.made.Add(1)
				return nil
			}
		})
		if err != nil {
			return nil, err
		}
		c.masks[l].panels = make([][]panel, c.n)
		c.masks[l].panels[c.self] = panels
	}
	return msg, nil
}

// generate makes the secret key and returns the public one, transformed.
func (k *keys) generate(common, seed [32]byte) key {
	s, small := k.sampler(seed, labelSecret, uint64(k.index)), make([]int64, degree)
	s.ternary(small)
	k.secret, k.minus = k.r.NewPoly(), k.r.NewPoly()
	for i, m := range k.mod {
		m.AddSmall(k.secret.Coeffs[i], small)
		m.Forward(k.secret.Coeffs[i])
	}
	k.r.Neg(k.secret, k.minus)
	clear(small)

	own := key{k.r.NewPoly(), k.r.NewPoly()}
	e := k.encryptor()
	e.draw = s
	k.sampler(common, labelKey, uint64(k.index)).uniform(own.p1)
	e.encryptTo(own.p0, own.p1)
	return own
}

// An encryptor makes ciphertexts. It serves one goroutine.
type encryptor struct {
	scaler
	keys  *keys
	draw  *sampler
	small []int64
}

func (k *keys) encryptor() *encryptor {
	return &encryptor{newScaler(k.scheme), k, &sampler{k.scheme, nil, make([]byte, ntt.GaussianBytes*degree)}, make([]int64, degree)}
}

// encryptTo sets p0 = NTT(p0 + e) − p1∘s, where p1 is transformed already.
func (e *encryptor) encryptTo(p0, p1 *lattigo.Poly) {
	e.draw.gaussian(e.small)
	for i, m := range e.mod {
		c := p0.Coeffs[i]
		m.AddSmall(c, e.small)
		m.Forward(c)
		m.MulAdd(c, p1.Coeffs[i], e.keys.minus.Coeffs[i])
	}
}

// encode sets w to block i of the masks b of layer l, in the top bits.
func (c *Context) encode(w, b []uint64, l, i int) {
	s := c.shapes[l]
	s.weights(w, b, i/s.inner/s.cols, i%s.inner, i/s.inner%s.cols)
	for j := range w {
		w[j] <<= uint(64 - c.layers[l].Width)
	}
}

// receive checks and keeps the keys and ciphertexts of the other parties.
func (c *Context) receive(m *transport.Mesh, msgs [][]byte) error {
	for j, msg := range msgs {
		if j == c.self {
			continue
		}
		for _, k := range c.suites {
			if k == nil {
				continue
			}
			p0 := k.r.NewPoly()
			if err := k.parsePoly(p0, msg); err != nil {
				return &transport.PeerError{Party: j, Step: stepKeys, Err: fmt.Errorf("public key: %w", err)}
			}
			k.public[j].p0 = p0
			msg = msg[k.polyBytes():]
		}
		for l := range c.masks {
			n, inner := c.shapes[l].weightBlocks(), c.shapes[l].inner
			k := c.suites[c.suite(l)]
			panels := k.newPanels(n/inner, inner)
			err := parallel(m, n, func(int) func(int) error {
				c0 := k.r.NewPoly()
				return func(i int) error {
					if err := k.parsePoly(c0, msg[i*k.polyBytes():]); err != nil {
						return &transport.PeerError{Party: j, Step: stepKeys, Err: fmt.Errorf("layer %d, ciphertext %d: %w", l, i, err)}
					}
					panels[i/inner].set(i%inner, inner, c0.Coeffs)
					return nil
				}
			})
			if err != nil {
				return err
			}
			c.masks[l].panels[j] = panels
			msg = msg[n*k.polyBytes():]
		}
		msgs[j] = nil // which may be large
	}
	return nil
}

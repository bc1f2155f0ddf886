// Package linear applies secret weights, resident at the parties, to secret
// inputs: one opening of the size of the input, one local product.
//
// Notation: X is the input, W the weights, Z = X∗W with ∗ a convolution of any
// geometry, all modulo 2ᵏ. B is the mask of the weights, which lives as long as
// the version of the model, and E = W − B; A is the mask of one input and
// C = A∗B.
//
//	deal:     E = Open(W − B), Vᵢ = Bᵢ + [i = 0]·E
//	offline:  Uᵢ = Aᵢ∗E + Cᵢ
//	online:   D = Open(X − A), Zᵢ = D∗Vᵢ + Uᵢ
//
// Security: passive, up to n−1 corrupt parties, which may include the model
// owner or the client. E is uniform as B is, and W is opened under one B only:
// a new version of the weights takes a new B. D is uniform as A is: a [Mask]
// serves one input, and its second use panics.
//
// Reference: D. Beaver, "Efficient Multiparty Protocols Using Circuit
// Randomization", CRYPTO '91, Section 2; P. Mohassel, Y. Zhang, "SecureML", IEEE
// S&P 2017, Section IV-A, for matrices.
//
// Deviations: the mask of the weights is reused over inferences, as only the one
// opening W − B depends on it; C comes from package triple.
package linear

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport"
)

// A Layer is the public part of a linear layer.
type Layer struct {
	Conv  ring.Conv
	Width int // k
}

// Weights is one party's part of the weights of a layer.
type Weights struct {
	Layer
	B share.Share // of the mask of the weights
	E []uint64    // W − B, public among the parties
	v *ring.Filter
	e *ring.Filter
}

// Format implements [fmt.Formatter] and hides the weights from every verb.
func (w *Weights) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Weights[%d]", len(w.B)) }

// newWeights derives what is computed with. Party 0 adds the public E.
func newWeights(self int, l Layer, b share.Share, e []uint64) *Weights {
	v := append([]uint64(nil), b...)
	if self == 0 {
		ring.AddTo(v, e)
		ring.Reduce(v, l.Width)
	}
	return &Weights{Layer: l, B: b, E: e, v: ring.NewFilter(l.Conv, v, l.Width), e: ring.NewFilter(l.Conv, e, l.Width)}
}

// Deal turns this party's shares of the weights of all layers, w[i] of
// layers[i].Conv.WeightLen() elements, into resident weights.
//
// Rounds: 1. Sends: Width bits for every weight, to every party.
func Deal(m *transport.Mesh, rand io.Reader, layers []Layer, w []share.Share) ([]*Weights, error) {
	open := make([]share.Opening, len(layers))
	masks := make([]share.Share, len(layers))
	for i, l := range layers {
		masks[i] = make(share.Share, len(w[i]))
		if err := ring.Random(rand, masks[i], l.Width); err != nil {
			return nil, fmt.Errorf("deal: %w", err)
		}
		x := append(share.Share(nil), w[i]...)
		ring.SubFrom(x, masks[i])
		open[i] = share.Opening{X: x, Width: l.Width}
	}
	es, err := share.Open(m, "deal: open W - B", open...)
	if err != nil {
		return nil, err
	}
	out := make([]*Weights, len(layers))
	for i, l := range layers {
		out[i] = newWeights(m.Self(), l, masks[i], es[i])
	}
	return out, nil
}

// AppendBinary appends the weights for [ParseWeights]: B, then E.
func (w *Weights) AppendBinary(b []byte) ([]byte, error) {
	b = ring.AppendPacked(b, w.B, w.Width)
	return ring.AppendPacked(b, w.E, w.Width), nil
}

// ErrTruncated means that stored bytes end too early.
var ErrTruncated = errors.New("stored data is truncated")

// ParseWeights reads what AppendBinary wrote at party self, and returns the rest
// of b.
func ParseWeights(self int, l Layer, b []byte) (*Weights, []byte, error) {
	n := l.Conv.WeightLen()
	size := ring.PackedLen(n, l.Width)
	if len(b) < 2*size {
		return nil, nil, fmt.Errorf("weights: %w", ErrTruncated)
	}
	mask, e := make(share.Share, n), make([]uint64, n)
	ring.Unpack(mask, b, l.Width)
	ring.Unpack(e, b[size:], l.Width)
	return newWeights(self, l, mask, e), b[2*size:], nil
}

// A Mask hides one input of a layer and carries what completes the product. It
// is spent by [Weights.Apply].
type Mask struct {
	_    noCopy
	a, u share.Share
}

// noCopy makes go vet reject copies of the structs that contain it.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// Format implements [fmt.Formatter] and hides the mask from every verb.
func (t *Mask) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Mask[%d]", len(t.a)) }

// Masks makes the masks of a batch of inputs from this party's shares of A and
// of C = A∗B, which it takes over.
func (w *Weights) Masks(a, c share.Share) []*Mask {
	in, out := w.Conv.InLen(), w.Conv.OutLen()
	batch := len(a) / in
	w.e.MulAdd(c, a, batch)
	ring.Reduce(c, w.Width)
	masks := make([]*Mask, batch)
	for i := range masks {
		masks[i] = &Mask{a: a[i*in:][:in:in], u: c[i*out:][:out:out]}
	}
	return masks
}

// AppendMask appends the mask for [ParseMask]. It does not spend it: the store
// that keeps the bytes hands them out once.
func (l Layer) AppendMask(b []byte, t *Mask) []byte {
	if t.a == nil {
		panic("linear: a spent mask")
	}
	b = ring.AppendPacked(b, t.a, l.Width)
	return ring.AppendPacked(b, t.u, l.Width)
}

// MaskLen returns the number of bytes of a stored mask.
func (l Layer) MaskLen() int {
	return ring.PackedLen(l.Conv.InLen(), l.Width) + ring.PackedLen(l.Conv.OutLen(), l.Width)
}

// ParseMask reads what AppendMask wrote and returns the rest of b.
func (l Layer) ParseMask(b []byte) (*Mask, []byte, error) {
	if len(b) < l.MaskLen() {
		return nil, nil, fmt.Errorf("mask: %w", ErrTruncated)
	}
	t := &Mask{a: make(share.Share, l.Conv.InLen()), u: make(share.Share, l.Conv.OutLen())}
	ring.Unpack(t.a, b, l.Width)
	ring.Unpack(t.u, b[ring.PackedLen(len(t.a), l.Width):], l.Width)
	return t, b[l.MaskLen():], nil
}

func (t *Mask) spend() (a, u share.Share) {
	if t.a == nil {
		panic("linear: mask used twice")
	}
	a, u = t.a, t.u
	t.a, t.u = nil, nil
	return a, u
}

// Apply returns a share of X∗W for a batch of inputs, one after the other in x,
// and spends as many masks.
//
//	D = Open(X − A)
//	Zᵢ = D∗Vᵢ + Uᵢ
//
// Rounds: 1. Sends: Width bits for every element of x, to every party.
func (w *Weights) Apply(m *transport.Mesh, step string, masks []*Mask, x share.Share) (share.Share, error) {
	if in := w.Conv.InLen(); len(x) != len(masks)*in {
		panic(fmt.Sprintf("linear: %d elements for %d inputs of %d", len(x), len(masks), in))
	}
	if len(masks) == 1 { // whose vectors serve as D and Z
		a, u := masks[0].spend()
		ring.Sub(a, x, a)
		return w.complete(m, step, a, u, 1)
	}
	d := vectors.Get().(*share.Share)
	defer vectors.Put(d)
	if cap(*d) < len(x) {
		*d = make(share.Share, len(x))
	}
	*d = (*d)[:len(x)]
	return w.complete(m, step, *d, w.unmask(*d, masks, x), len(masks))
}

// vectors are former D, which all parties know: they need not be cleared.
var vectors = sync.Pool{New: func() any { return new(share.Share) }}

// unmask spends the masks of x. It sets d = X − A and returns U, both for all
// inputs.
func (w *Weights) unmask(d share.Share, masks []*Mask, x share.Share) share.Share {
	in, out := w.Conv.InLen(), w.Conv.OutLen()
	us := make(share.Share, 0, len(masks)*out)
	for i, t := range masks {
		a, u := t.spend()
		ring.Sub(d[i*in:][:in], x[i*in:], a)
		us = append(us, u...)
		clear(a)
		clear(u)
	}
	return us
}

// complete opens d and returns d∗Vᵢ + u, in the place of u.
func (w *Weights) complete(m *transport.Mesh, step string, d, u share.Share, batch int) (share.Share, error) {
	if err := share.OpenInPlace(m, step, share.Opening{X: d, Width: w.Width}); err != nil {
		return nil, err
	}
	w.v.MulAdd(u, d, batch)
	ring.Reduce(u, w.Width)
	return u, nil
}

// DealSize returns the bytes that Deal sends to every party.
func DealSize(layers []Layer) (size int) {
	for _, l := range layers {
		size += ring.PackedLen(l.Conv.WeightLen(), l.Width)
	}
	return size
}

// ApplySize returns the bytes that Apply sends to every party.
func (l Layer) ApplySize(batch int) int { return ring.PackedLen(batch*l.Conv.InLen(), l.Width) }

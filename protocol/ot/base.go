package ot

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/ot/simot"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/transport"
)

const (
	stepOffer  = "base OT: A"
	stepChoose = "base OT: B"
	stepCover  = "base OT: trees"

	baseDepth = 4
	// cipherLen is the length of circl's ciphertext of a 16-byte message: nonce,
	// message, tag.
	cipherLen = 12 + 16 + 16
	answerLen = kappa*2*cipherLen + coverLen
)

// ErrCiphertext means that what a peer sent in a base OT does not decrypt.
var ErrCiphertext = errors.New("ciphertext does not open")

// A Base is the correlation of this party with every peer, in both directions,
// from which [Base.Fork] makes sessions. It lives no longer than the mesh it
// was set up on, and is not safe for concurrent use.
type Base struct {
	self, n int
	recv    []*receiver // [j]: party j holds Δ
	send    []*sender   // [j]: we hold Δ
	work    *scratch
	erased  bool
}

// Setup runs κ = 128 base OTs for every ordered pair of parties: the sender of
// the base OTs, who plants trees, becomes the receiver of correlated OTs.
//
//	A = aG                                    sender → receiver
//	B = bG + c·A                              receiver → sender
//	Enc_{H(A,B,aB)}(m₀), Enc_{H(A,B,aB−aA)}(m₁), sums of trees under m₀, m₁
//
// It takes the scalars and nonces from crypto/rand, as circl does, and all
// else from rng.
//
// Rounds: 3. Sends: 23,552 bytes to every party.
//
// Reference: Chou and Orlandi, "The Simplest Protocol for Oblivious Transfer",
// LATINCRYPT 2015, ePrint 2015/267.
func Setup(m *transport.Mesh, rng io.Reader) (*Base, error) {
	n, self := m.N(), m.Self()
	delta, err := randomDelta(rng)
	if err != nil {
		return nil, err
	}
	b := &Base{self: self, n: n, recv: make([]*receiver, n), send: make([]*sender, n), work: newScratch(baseDepth)}
	gives, takes, out := make([]*giver, n), make([]*taker, n), make([][]byte, n)

	for j := range peers(self, n) {
		m.Yield()
		if gives[j], err = newGiver(rng); err != nil {
			return nil, err
		}
		out[j] = gives[j].offer
	}
	offers, err := swap(m, stepOffer, out, kappa*elementLen)
	if err != nil {
		return nil, err
	}

	for j := range peers(self, n) {
		m.Yield()
		if takes[j], err = newTaker(offers[j], away(delta)); err != nil {
			return nil, reject(m, stepOffer, j, err)
		}
		out[j] = takes[j].choice
	}
	choices, err := swap(m, stepChoose, out, kappa*elementLen)
	if err != nil {
		return nil, err
	}

	for j := range peers(self, n) {
		m.Yield()
		leaves, sums, err := plant(rng, baseDepth)
		if err != nil {
			return nil, err
		}
		keys, msg, err := gives[j].answer(choices[j], self, j)
		if err != nil {
			return nil, reject(m, stepChoose, j, err)
		}
		b.recv[j] = &receiver{newForest(baseDepth, leaves, false)}
		out[j] = append(msg, cover(sums, keys)...)
	}
	answers, err := swap(m, stepCover, out, answerLen)
	if err != nil {
		return nil, err
	}

	for j := range peers(self, n) {
		m.Yield()
		keys, err := takes[j].open(answers[j], j, self)
		if err != nil {
			return nil, reject(m, stepCover, j, err)
		}
		leaves := regrow(baseDepth, delta, keys, answers[j][2*kappa*cipherLen:])
		b.send[j] = &sender{newForest(baseDepth, leaves, true), delta}
	}
	return b, nil
}

// peers yields the parties other than self.
func peers(self, n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for j := range n {
			if j != self && !yield(j) {
				return
			}
		}
	}
}

// swap sends out[j] to every peer j and returns what it sent, of the given
// length.
func swap(m *transport.Mesh, step string, out [][]byte, length int) ([][]byte, error) {
	in := make([][]byte, m.N())
	for j := range peers(m.Self(), m.N()) {
		in[j] = make([]byte, length)
	}
	if err := m.Exchange(step, out, in); err != nil {
		return nil, err
	}
	return in, nil
}

// reject ends the session because of what party j sent.
func reject(m *transport.Mesh, step string, j int, err error) error {
	m.Close()
	return &transport.PeerError{Party: j, Step: step, Err: err}
}

// A giver is the sender of the base OTs of one ordered pair.
type giver struct {
	ots   []simot.Sender
	msgs  [][2]prg.Block
	offer []byte
}

func newGiver(rng io.Reader) (*giver, error) {
	msgs, err := randomBlocks(rng, 2*kappa)
	if err != nil {
		return nil, err
	}
	g := &giver{ots: make([]simot.Sender, kappa), msgs: make([][2]prg.Block, kappa)}
	for i := range g.ots {
		g.msgs[i] = [2]prg.Block{msgs[2*i], msgs[2*i+1]}
		e := g.ots[i].InitSender(suite, appendBlock(nil, msgs[2*i]), appendBlock(nil, msgs[2*i+1]), i)
		if g.offer, err = encodeElement(g.offer, e); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// answer returns the keys of the OTs and the message that lets the receiver
// find one of each pair.
func (g *giver) answer(choice []byte, self, peer int) (keys [][2]prg.Block, msg []byte, err error) {
	for i := range g.ots {
		b, err := decodeElement(choice[i*elementLen : (i+1)*elementLen])
		if err != nil {
			return nil, nil, err
		}
		err = guard(func() error {
			e0, e1 := g.ots[i].Round2Sender(b)
			msg = append(append(msg, e0...), e1...)
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	name := transcript(g.offer, choice)
	for i, m := range g.msgs {
		keys = append(keys, [2]prg.Block{
			baseKey(m[0], name, self, peer, i), baseKey(m[1], name, self, peer, i),
		})
	}
	return keys, msg, nil
}

// A taker is the receiver of the base OTs of one ordered pair.
type taker struct {
	ots           []simot.Receiver
	bits          prg.Block // the choices
	offer, choice []byte
}

func newTaker(offer []byte, bits prg.Block) (*taker, error) {
	t := &taker{ots: make([]simot.Receiver, kappa), bits: bits, offer: offer}
	for i := range t.ots {
		a, err := decodeElement(offer[i*elementLen : (i+1)*elementLen])
		if err != nil {
			return t, err
		}
		var b group.Element
		err = guard(func() error {
			b = t.ots[i].Round1Receiver(suite, int(deltaBit(bits, i)), i, a)
			return nil
		})
		if err != nil {
			return t, err
		}
		if t.choice, err = encodeElement(t.choice, b); err != nil {
			return t, err
		}
	}
	return t, nil
}

// open returns the keys of the OTs on the chosen side.
func (t *taker) open(msg []byte, peer, self int) ([]prg.Block, error) {
	name := transcript(t.offer, t.choice)
	keys := make([]prg.Block, kappa)
	for i := range t.ots {
		e := msg[2*i*cipherLen : 2*(i+1)*cipherLen]
		err := guard(func() error {
			return t.ots[i].Round3Receiver(e[:cipherLen], e[cipherLen:], int(deltaBit(t.bits, i)))
		})
		if err != nil {
			return nil, fmt.Errorf("%w: base OT %d", ErrCiphertext, i)
		}
		keys[i] = baseKey(readBlock(t.ots[i].Returnmc()), name, peer, self, i)
	}
	return keys, nil
}

// transcript names the base OTs of a pair by all that was said.
func transcript(offer, choice []byte) []byte {
	h := sha256.New()
	h.Write(offer)
	h.Write(choice)
	return h.Sum(nil)
}

// baseKey binds the message of an OT to the transcript, the pair and the
// position, which circl's own key derivation does not.
func baseKey(msg prg.Block, transcript []byte, giver, taker, i int) prg.Block {
	return prg.DeriveBlock(append(appendBlock(nil, msg), transcript...), "ot: base", uint64(giver), uint64(taker), uint64(i))
}

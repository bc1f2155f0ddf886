package ot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/testnet"
	"github.com/tacit-mpc/tacit/transport"
)

func TestSetupMakesABaseAtThePlannedCost(t *testing.T) {
	for _, n := range []int{2, 3} {
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			key := batch()
			deltas, parts := make([]prg.Block, n), make([]Bits, n)
			testnet.Run(t, n, func(m *transport.Mesh) error {
				rng := stream(7, m.Self())
				b, err := Setup(m, rng)
				if err != nil {
					return err
				}
				if got := costOf(m.Stats()); got != PlanSetup(n) {
					t.Errorf("setup cost %+v, planned %+v", got, PlanSetup(n))
				}
				var last prg.Block
				for range 2 { // two batches on one base
					s, err := b.Fork(m, rng, key)
					if err != nil {
						return err
					}
					if s.Delta() == last {
						t.Error("Δ repeats")
					}
					last = s.Delta()
					v, err := s.Authenticate(m, "test: bits", []Request{{randomBits(rng, 700), All(n), All(n)}})
					if err != nil {
						return err
					}
					deltas[m.Self()], parts[m.Self()] = s.Delta(), v[0]
				}
				return nil
			})
			checkBits(t, deltas, parts)
		})
	}
}

// rogue runs Setup, a fork and an authentication of party 0 against a party 1
// that does as told, and returns what party 0 says.
func rogue(t *testing.T, party1 func(m *transport.Mesh) error) (err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		meshes := transport.Pipe(t.Context(), 2)
		var parties sync.WaitGroup
		parties.Go(func() {
			party1(meshes[1])
			meshes[1].Close()
		})
		parties.Go(func() {
			m := meshes[0]
			defer m.Close()
			var b *Base
			var s *Session
			if b, err = Setup(m, stream(1, 0)); err != nil {
				return
			}
			if s, err = b.Fork(m, stream(2, 0), batch()); err != nil {
				return
			}
			_, err = s.Authenticate(m, "test: bits", []Request{{make([]uint8, 3), All(2), All(2)}})
		})
		parties.Wait()
	})
	return err
}

// say sends msg, which party 0 may refuse, and hears as many bytes as it should.
func say(m *transport.Mesh, step string, msg []byte, want int) error {
	return m.Exchange(step, [][]byte{msg, nil}, [][]byte{make([]byte, want), nil})
}

func TestRoguePeerIsNamedAndNeverPanics(t *testing.T) {
	const offer = kappa * elementLen
	elements := func() []byte {
		g, err := newGiver(stream(5, 5))
		if err != nil {
			t.Fatal(err)
		}
		return g.offer
	}
	garbage := bytes.Repeat([]byte{0xa5}, 1<<16)
	zeros := make([]byte, 1<<16)
	for _, c := range []struct {
		name, step string
		err        error
		peer       func(m *transport.Mesh) error
	}{
		{"short offer", stepOffer, transport.ErrDesync, func(m *transport.Mesh) error {
			return say(m, stepOffer, garbage[:offer-1], offer)
		}},
		{"garbage offer", stepOffer, ErrElement, func(m *transport.Mesh) error {
			return say(m, stepOffer, garbage[:offer], offer)
		}},
		{"identities as offer", stepOffer, ErrElement, func(m *transport.Mesh) error {
			return say(m, stepOffer, zeros[:offer], offer)
		}},
		{"identities as choice", stepChoose, ErrElement, func(m *transport.Mesh) error {
			return errors.Join(say(m, stepOffer, elements(), offer), say(m, stepChoose, zeros[:offer], offer))
		}},
		{"garbage ciphertexts", stepCover, ErrCiphertext, func(m *transport.Mesh) error {
			return errors.Join(say(m, stepOffer, elements(), offer), say(m, stepChoose, elements(), offer),
				say(m, stepCover, garbage[:answerLen], answerLen))
		}},
		{"another step", stepChoose, transport.ErrDesync, func(m *transport.Mesh) error {
			// It hears what party 0 says, or it would be the first to complain.
			return errors.Join(say(m, stepOffer, elements(), offer),
				m.Exchange(stepCover, [][]byte{elements(), nil}, make([][]byte, 2)),
				m.Exchange(stepChoose, make([][]byte, 2), [][]byte{make([]byte, offer), nil}))
		}},
		{"short bits", "test: bits", transport.ErrDesync, func(m *transport.Mesh) error {
			b, err := Setup(m, stream(1, 1))
			if err != nil {
				return err
			}
			s, err := b.Fork(m, stream(2, 1), make([]byte, KeyLen))
			if err != nil {
				return err
			}
			return say(m, "test: bits", garbage[:7], extendLen(s.depth, 3))
		}},
		{"garbage throughout the fork", "", nil, func(m *transport.Mesh) error {
			if _, err := Setup(m, stream(1, 1)); err != nil {
				return err
			}
			n := extendLen(baseDepth, kappa)
			return errors.Join(say(m, stepBits, garbage[:n], n), say(m, stepTrees, garbage[:coverLen], coverLen),
				say(m, "test: bits", garbage[:extendLen(defaultDepth, 3)], extendLen(defaultDepth, 3)))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := rogue(t, c.peer)
			if c.err == nil {
				if err != nil {
					t.Errorf("bytes that mean nothing wrong: %v", err)
				}
				return
			}
			var p *transport.PeerError
			if !errors.As(err, &p) || !errors.Is(err, c.err) || p.Party != 1 || p.Step != c.step {
				t.Errorf("got %v, want party 1 at %q: %v", err, c.step, c.err)
			}
		})
	}
}

func TestRandomnessFailureIsAnError(t *testing.T) {
	for _, have := range []int{0, 16, 16 + 2*16*kappa} {
		meshes := transport.Pipe(t.Context(), 2)
		meshes[1].Close() // the peer is gone too, which comes later
		if _, err := Setup(meshes[0], io.LimitReader(stream(1, 0), int64(have))); err == nil {
			t.Errorf("setup with %d random bytes succeeds", have)
		}
	}
}

// FuzzElement checks that the decoder of group elements accepts canonical
// encodings only, and never the identity.
func FuzzElement(f *testing.F) {
	g, err := newGiver(stream(1, 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(g.offer[:elementLen])
	f.Add(make([]byte, elementLen))
	f.Add(bytes.Repeat([]byte{0xff}, elementLen))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeElement(b)
		if err != nil {
			return
		}
		again, err := encodeElement(nil, e)
		if err != nil || e.IsIdentity() || !bytes.Equal(again, b) {
			t.Errorf("accepted %x, which encodes as %x (%v)", b, again, err)
		}
	})
}

// FuzzAnswer checks that no message of a base OT's sender makes its receiver
// panic, or accept other ciphertexts than those for it.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte{1}, uint16(3))
	f.Add([]byte{}, uint16(kappa*2*cipherLen))
	g, err := newGiver(stream(1, 1))
	if err != nil {
		f.Fatal(err)
	}
	bits := prg.Block{5, 6}
	k, err := newTaker(g.offer, bits)
	if err != nil {
		f.Fatal(err)
	}
	_, good, err := g.answer(k.choice, 0, 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, xor []byte, from uint16) {
		msg := bytes.Clone(good)
		used := false
		for i, x := range xor {
			if at := int(from) + i; at < len(msg) {
				msg[at] ^= x
				ot, side := at/(2*cipherLen), uint8(at/cipherLen%2)
				used = used || x != 0 && deltaBit(bits, ot) == side
			}
		}
		if _, err := k.open(msg, 0, 1); (err != nil) != used {
			t.Errorf("ciphertexts changed: %v, error: %v", used, err)
		}
	})
}

// FuzzRegrow checks that the trees grow from any message.
func FuzzRegrow(f *testing.F) {
	f.Add(uint64(1), []byte("x"))
	f.Fuzz(func(t *testing.T, delta uint64, b []byte) {
		msg := make([]byte, coverLen)
		copy(msg, b)
		for _, k := range []int{2, 4, 8} {
			leaves := regrow(k, prg.Block{delta, ^delta}, make([]prg.Block, kappa), msg)
			for _, tree := range leaves {
				if len(leaves) != kappa/k || len(tree) != 1<<k || tree[0] != (prg.Block{}) {
					t.Fatal("shape of the trees")
				}
			}
		}
	})
}

// FuzzBits checks packing against unpacking.
func FuzzBits(f *testing.F) {
	f.Add([]byte{1, 0, 1, 1, 0, 1, 0, 0, 1})
	f.Fuzz(func(t *testing.T, x []byte) {
		for i := range x {
			x[i] &= 1
		}
		p, y := make([]byte, (len(x)+7)/8+1), make([]byte, len(x))
		packBits(p, x)
		unpackBits(y, p)
		if !bytes.Equal(x, y) || p[len(p)-1] != 0 {
			t.Errorf("%v becomes %v", x, y)
		}
	})
}

func TestErasedBasePanics(t *testing.T) {
	b := dealBases(t, 1, 2)[0]
	b.Erase()
	defer func() {
		if recover() == nil {
			t.Error("an erased base forks")
		}
	}()
	b.Fork(transport.Pipe(t.Context(), 2)[0], stream(1, 1), batch())
}

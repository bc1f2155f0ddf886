package ot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"
	"sync"
	"testing"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/transport"
)

// A tap is a link that keeps what is sent, by step.
type tap struct {
	out  chan<- []byte
	in   <-chan []byte
	sent map[string][]byte
}

func (l *tap) Send(step string, msg []byte) error {
	l.sent[step] = append(l.sent[step], msg...)
	l.out <- bytes.Clone(msg)
	return nil
}

func (l *tap) Recv(step string, msg []byte) error {
	if copy(msg, <-l.in) != len(msg) {
		return transport.ErrDesync
	}
	return nil
}

func (l *tap) Abort(int, string) {}
func (l *tap) Close() error      { return nil }

// record runs a fork and one call of each kind between two parties, each with
// the shares x of bits and v of ring elements of 20 bits. It returns all that
// party 0 sent.
func record(t *testing.T, seed uint64, key []byte, x []uint8, v []uint64) map[string][]byte {
	t.Helper()
	a, b := make(chan []byte, 1), make(chan []byte, 1)
	taps := [2]*tap{{a, b, map[string][]byte{}}, {b, a, map[string][]byte{}}}
	bases := dealBases(t, seed, 2)
	prg.ForgetTweaks()
	var parties sync.WaitGroup
	for i := range 2 {
		links := make([]transport.Link, 2)
		links[1-i] = taps[i]
		m := transport.New(context.Background(), i, links)
		parties.Go(func() {
			s, err := bases[i].Fork(m, stream(seed, 10+i), key)
			if err != nil {
				t.Error(err)
				return
			}
			b, err := s.Authenticate(m, "bits", []Request{{x, All(2), All(2)}, {x, All(2), All(2)}})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err = s.And(m, "and", []AndRequest{{A: b[0], B: b[1], Eval: 1}}); err != nil {
				t.Error(err)
			}
			order := []int{1, 0}
			if _, err = s.Mul(m, "mul", []MulRequest{{Beta: b[0], V: [][]uint64{v}, Widths: []int{20}, Order: order}}); err != nil {
				t.Error(err)
			}
		})
	}
	parties.Wait()
	return taps[0].sent
}

// TestTranscriptIsPinned fails if any message changes.
func TestTranscriptIsPinned(t *testing.T) {
	const n = 20001 // more than a run and than a chunk, and no multiple of either
	x, v := randomBits(stream(8, 0), n), make([]uint64, n)
	for i := range v {
		v[i] = uint64(i) * 0x9e3779b97f4a7c15
	}
	sent := record(t, 3, make([]byte, KeyLen), x, v)
	sum := sha256.New()
	for _, step := range slices.Sorted(maps.Keys(sent)) {
		fmt.Fprintf(sum, "%s %d ", step, len(sent[step]))
		sum.Write(sent[step])
	}
	if got, want := hex.EncodeToString(sum.Sum(nil)[:16]), "6b19b4d4d19df3ac005df9a5599ba80a"; got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

func TestTranscriptsAreReproducible(t *testing.T) {
	key, x, v := batch(), make([]uint8, 30), make([]uint64, 30)
	first := record(t, 3, key, x, v)
	if !maps.EqualFunc(first, record(t, 3, key, x, v), bytes.Equal) {
		t.Error("the same randomness gives other messages")
	}
	for step, msg := range record(t, 4, key, x, v) {
		if bytes.Equal(msg, first[step]) {
			t.Errorf("%s: other randomness gives the same message", step)
		}
	}
}

// TestMessagesHideTheirContent sends extreme shares: without its mask, every
// message of theirs would be all zeros, or all ones.
func TestMessagesHideTheirContent(t *testing.T) {
	const n = 1 << 14
	for _, bit := range []uint8{0, 1} {
		x, v := bytes.Repeat([]byte{bit}, n), make([]uint64, n)
		for i := range v {
			v[i] = -uint64(bit)
		}
		for step, msg := range record(t, 5, batch(), x, v) {
			ones := 0
			for _, b := range msg {
				ones += bits.OnesCount8(b)
			}
			total := float64(8 * len(msg))
			if z := (float64(ones) - total/2) / math.Sqrt(total/4); math.Abs(z) > 5 {
				t.Errorf("%s, shares %d: %d ones of %.0f bits, z = %.1f", step, bit, ones, total, z)
			}
		}
	}
}

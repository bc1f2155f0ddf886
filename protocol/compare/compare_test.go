package compare

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/internal/testnet"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

// tape is the randomness of one party.
func tape(seed uint64, party int) io.Reader {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	binary.LittleEndian.PutUint64(key[8:], uint64(party))
	return rand.NewChaCha8(key)
}

// bases are those of n parties, made once for all tests, as they take most of
// the time of a small test.
var bases = map[int][]*ot.Base{}

func basesOf(t testing.TB, n int) []*ot.Base {
	t.Helper()
	if bases[n] != nil {
		return bases[n]
	}
	made, errs := make([]*ot.Base, n), make([]error, n)
	var parties sync.WaitGroup
	for p, m := range transport.Pipe(context.Background(), n) {
		parties.Go(func() { made[p], errs[p] = ot.Setup(m, tape(1, p)) })
	}
	parties.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	bases[n] = made
	return made
}

// withSession runs f at n parties with a session each.
func withSession(t *testing.T, n int, f func(m *transport.Mesh, s *ot.Session, rng io.Reader) error) {
	t.Helper()
	made := basesOf(t, n)
	prg.ForgetTweaks()
	testnet.Run(t, n, func(m *transport.Mesh) error {
		rng := tape(2, m.Self())
		s, err := made[m.Self()].Fork(m, rng, make([]byte, ot.KeyLen))
		if err != nil {
			return err
		}
		return f(m, s, rng)
	})
}

// shareOf returns party p's share mod 2⁶⁴ of the public test vector v, of which
// any k bits low are shares mod 2ᵏ. All parties call it with the same seed.
func shareOf(v []uint64, n, p int, seed uint64) []uint64 {
	last := slices.Clone(v)
	for i := range n - 1 {
		x := make([]uint64, len(v))
		if err := ring.Random(tape(seed, i), x, 64); err != nil {
			panic(err)
		}
		if i == p {
			return x
		}
		ring.SubFrom(last, x)
	}
	return last
}

// reveal returns the secret mod 2ᵏ of which z is this party's share.
func reveal(m *transport.Mesh, z []uint64, k int) ([]int64, error) {
	parts, err := m.Broadcast("test: reveal", ring.AppendPacked(nil, z, k))
	if err != nil {
		return nil, err
	}
	sum, part := make([]uint64, len(z)), make([]uint64, len(z))
	for _, p := range parts {
		ring.Unpack(part, p, k)
		ring.AddTo(sum, part)
	}
	out := make([]int64, len(z))
	for i := range sum {
		out[i] = ring.Signed(sum[i], k)
	}
	return out, nil
}

// column returns the material of one class by inference.
func column(mats [][]*Material, class int) []*Material {
	var c []*Material
	for _, inference := range mats {
		c = append(c, inference[class])
	}
	return c
}

// run runs the function of the class on x, and y for a maximum, and opens the
// result.
func run(m *transport.Mesh, mats []*Material, x, y []uint64) ([]int64, error) {
	var z []uint64
	var err error
	class := mats[0].Class()
	n, p := m.N(), m.Self()
	switch class.Kind {
	case KindReLU:
		z, err = ReLU(m, "test", mats, shareOf(x, n, p, 7))
	case KindLift:
		z, err = Lift(m, "test", mats, shareOf(x, n, p, 7))
	case KindStep:
		z, err = Step(m, "test", mats, shareOf(x, n, p, 7))
	case KindSpline:
		z, err = EvalSpline(m, "test", mats, splineOf(class), shareOf(x, n, p, 7))
	case KindMax:
		z, err = Max(m, "test", mats, shareOf(x, n, p, 7), shareOf(y, n, p, 8))
	}
	if err != nil {
		return nil, err
	}
	for _, v := range z {
		if v&^ring.Mask(class.Out) != 0 {
			return nil, fmt.Errorf("share %#x is not reduced to %d bits", v, class.Out)
		}
	}
	return reveal(m, z, class.Out)
}

// want is the function of the class in the clear: its result mod 2ᵏ′.
func want(c Class, x, y int64) int64 {
	z := x
	switch c.Kind {
	case KindReLU:
		z = max(x, 0)
	case KindMax:
		z = max(x, y)
	case KindSpline:
		z = splineOf(c).at(x)
	case KindStep:
		z = 0
		if x >= 0 {
			z = 1
		}
	}
	return ring.Signed(uint64(z), c.Out)
}

// A trial is a class with inputs for a batch of inferences.
type trial struct {
	class Class
	batch int
	x, y  []int64
}

func words(v []int64) []uint64 {
	w := make([]uint64, len(v))
	for i, x := range v {
		w[i] = uint64(x)
	}
	return w
}

var bothBackends = []Backend{Garbled, Carry}

// check runs trials that have the same batch, with both back ends in one
// generation, and reports wrong results.
func check(m *transport.Mesh, s *ot.Session, rng io.Reader, trials []trial, memory int) error {
	var classes []Class
	for _, b := range bothBackends {
		for _, tr := range trials {
			tr.class.Backend = b
			tr.class.Layer = len(classes)
			classes = append(classes, tr.class)
		}
	}
	mats, _, err := generate(m, s, rng, classes, trials[0].batch, memory)
	if err != nil {
		return err
	}
	for k, c := range classes {
		tr := trials[k%len(trials)]
		got, err := run(m, column(mats, k), words(tr.x), words(tr.y))
		if err != nil {
			return err
		}
		for i, x := range tr.x {
			var y int64
			if tr.y != nil {
				y = tr.y[i]
			}
			if got[i] != want(c, x, y) {
				return fmt.Errorf("%+v: element %d: (%d, %d) gives %d, want %d", c, i, x, y, got[i], want(c, x, y))
			}
		}
	}
	return nil
}

// allOf repeats all numbers from lo to hi−1 until there are about count.
func allOf(lo, hi int64, count int) []int64 {
	var v []int64
	for len(v) < count {
		for x := lo; x < hi; x++ {
			v = append(v, x)
		}
	}
	return v
}

// Every input meets a fresh r, λ and evaluator in every repetition; with 4·4ᵐ
// elements, as up to m = 4 where n = 2, nearly every pair of input and r occurs.
func TestSmallWidthsExhaustively(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			var trials []trial
			for m := 2; m <= 6; m++ {
				if n == 5 && m%2 == 1 { // classes are what takes time
					continue
				}
				half := int64(1) << (m - 1)
				count := min(4<<(2*m), 2048/(n*n))
				for out := max(1, m-2); out <= m+3; out++ {
					x := allOf(-half, half, count)
					trials = append(trials, trial{class: Class{Kind: KindReLU, In: m, Out: out, N: len(x), Layer: len(trials)}, batch: 1, x: x})
					trials = append(trials, trial{class: Class{Kind: KindStep, In: m, Out: out, N: len(x), Layer: len(trials)}, batch: 1, x: x})
					x = allOf(-half/2, half/2+1, count)
					trials = append(trials, trial{class: Class{Kind: KindLift, In: m, Out: out, N: len(x), Layer: len(trials)}, batch: 1, x: x})
					knots := []int{1, 2, min(int(half)+1, 9)}[out%3] // 9 are all for m = 4
					x = x[:max(len(x)/2, int(half)+1)]
					trials = append(trials, trial{class: Class{Kind: KindSpline, In: m, Out: out, N: len(x), Knots: knots, Layer: len(trials)}, batch: 1, x: x})
				}
				var x, y []int64
				for a := -half / 2; a < half/2; a++ {
					for b := -half / 2; b < half/2; b++ {
						x, y = append(x, a), append(y, b)
					}
				}
				trials = append(trials, trial{class: Class{Kind: KindMax, In: m, Out: m, N: len(x), Layer: len(trials)}, batch: 1, x: x, y: y})
			}
			withSession(t, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
				return check(m, s, rng, trials, chunkMemory)
			})
		})
	}
}

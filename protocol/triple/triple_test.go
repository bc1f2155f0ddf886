package triple

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/internal/testnet"
	"github.com/tacit-mpc/tacit/transport"
)

func rng(t testing.TB, party int) io.Reader {
	var seed [32]byte
	copy(seed[:], fmt.Sprintf("%d %s", party, t.Name()))
	return rand.NewChaCha8(seed)
}

// values draws shares: random, or extreme ones that test carries and signs.
func values(r io.Reader, n, width int, extreme bool) []uint64 {
	v := make([]uint64, n)
	if err := ring.Random(r, v, 64); err != nil { // bits above the width do not count
		panic(err)
	}
	if extreme {
		for i := range v {
			v[i] = []uint64{1 << (width - 1), ring.Mask(width), ring.Mask(width) >> 1}[v[i]%3]
		}
	}
	return v
}

// run checks that the shares of n parties add up to the product of the sums,
// and that every step cost what was planned.
func run(t *testing.T, n, planned, batch int, extreme bool, layers ...Layer) {
	t.Helper()
	var mu sync.Mutex
	var a, b, z [][][]uint64 // by party, then layer
	testnet.Run(t, n, func(m *transport.Mesh) error {
		r := rng(t, m.Self())
		as, bs := make([][]uint64, len(layers)), make([][]uint64, len(layers))
		for l, layer := range layers {
			as[l] = values(r, batch*layer.Conv.InLen(), layer.Width, extreme)
			bs[l] = values(r, layer.Conv.WeightLen(), layer.Width, extreme)
		}
		c, err := Setup(m, r, layers, bs, planned)
		if err != nil {
			return err
		}
		zs, err := c.Multiply(m, r, as, batch)
		if err != nil {
			return err
		}
		setup, multiply := PlanSetup(n, m.Self(), layers, planned), PlanMultiply(n, m.Self(), layers, planned, batch)
		if got, want := m.Steps(), slices.Concat(setup.Steps, multiply.Steps); !slices.Equal(got, want) {
			t.Errorf("steps %+v, planned %+v", got, want)
		}
		if got, want := c.Ciphertexts(), setup.Ciphertexts+multiply.Ciphertexts; got != want {
			t.Errorf("%d ciphertexts, planned %d", got, want)
		}
		mu.Lock()
		defer mu.Unlock()
		a, b, z = append(a, as), append(b, bs), append(z, zs)
		return nil
	})
	if t.Failed() {
		return
	}
	for l, layer := range layers {
		want := make([]uint64, batch*layer.Conv.OutLen())
		ring.NewFilter(layer.Conv, sum(b, l), layer.Width).MulAdd(want, sum(a, l), batch)
		ring.Reduce(want, layer.Width)
		got := sum(z, l)
		ring.Reduce(got, layer.Width)
		if !slices.Equal(got, want) {
			t.Errorf("layer %d, %+v as %+v: wrong result", l, layer, choose(layer, n, planned))
		}
	}
}

// sum adds the shares of layer l.
func sum(shares [][][]uint64, l int) []uint64 {
	var s []uint64
	for _, x := range shares {
		if s == nil {
			s = make([]uint64, len(x[l]))
		}
		ring.AddTo(s, x[l])
	}
	return s
}

// kinds are geometries of all kinds and widths of all suites.
var kinds = []Layer{
	{ring.MatMul(1, 784, 10), 34},
	{ring.MatMul(5, 30, 7), 64},
	{ring.Conv{H: 14, W: 14, In: 1, KH: 5, KW: 5, Out: 6, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Groups: 1}, 40},
	{ring.Conv{H: 7, W: 6, In: 4, KH: 3, KW: 3, Out: 6, StrideH: 2, StrideW: 1, DilH: 1, DilW: 2, Top: 1, Left: 2, Bottom: 1, Right: 2, Groups: 2}, 48},
	{ring.Conv{H: 6, W: 6, In: 8, KH: 3, KW: 3, Out: 8, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Top: 1, Left: 1, Bottom: 1, Right: 1, Groups: 8}, 20},
	{ring.Conv{H: 1, W: 31, In: 3, KH: 1, KW: 5, Out: 4, StrideH: 1, StrideW: 2, DilH: 1, DilW: 3, Left: 4, Groups: 1}, 1},
}

func TestMultiplyIsExact(t *testing.T) {
	for _, test := range []struct {
		n, planned, batch int
		extreme           bool
	}{
		{2, 1, 1, false},
		{2, 16, 16, true},
		{3, 4, 4, false},
		{3, 4, 1, true},   // fewer than planned
		{2, 1, 16, false}, // more than planned
		{5, 1, 2, false},
	} {
		t.Run(fmt.Sprintf("n=%d batch=%d of %d", test.n, test.batch, test.planned), func(t *testing.T) {
			layers := kinds
			if test.n > 3 {
				layers = kinds[1:4]
			}
			run(t, test.n, test.planned, test.batch, test.extreme, layers...)
		})
	}
}

func TestRandomGeometriesAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 6 {
		layers := make([]Layer, 3)
		for i := range layers {
			layers[i] = Layer{randomConv(r), 1 + r.IntN(64)}
		}
		run(t, 2+r.IntN(2), 1+r.IntN(4), 1+r.IntN(16), r.IntN(2) == 0, layers...)
	}
}

// TestPieces: a batch that travels in several pieces is exact, and takes the
// memory and the rounds that are planned.
func TestPieces(t *testing.T) {
	layer := Layer{conv(28, 1, 5, 6), 40}
	small, large := newPlan(2, []Layer{layer}, 160), newPlan(2, []Layer{layer}, 320)
	if a, b := len(small.pieces(160)), len(large.pieces(320)); a != 2 || b != 4 {
		t.Errorf("%d and %d pieces", a, b)
	}
	if a, b := small.memory(160, 2), large.memory(320, 2); b > a+a/8 || b > 48<<20 {
		t.Errorf("memory of %d bytes for a batch of 160, %d for 320", a, b)
	}
	run(t, 2, 160, 160, false, layer)
	run(t, 3, 64, 64, true, layer, kinds[0])
}

// TestMemory adds up all that Multiply allocates, whatever is freed meanwhile.
func TestMemory(t *testing.T) {
	const n, batch = 2, 320
	layers := []Layer{{conv(28, 1, 5, 6), 40}}
	var ready, parties sync.WaitGroup
	ready.Add(n)
	begin := make(chan struct{})
	for _, m := range transport.Pipe(t.Context(), n) {
		parties.Go(func() {
			r := rng(t, m.Self())
			c, err := Setup(m, r, layers, [][]uint64{values(r, layers[0].Conv.WeightLen(), 40, false)}, batch)
			a := values(r, batch*layers[0].Conv.InLen(), 40, false)
			ready.Done()
			<-begin
			if err == nil {
				_, err = c.Multiply(m, r, [][]uint64{a}, batch)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	ready.Wait()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	close(begin)
	parties.Wait()
	runtime.ReadMemStats(&after)
	cost := PlanMultiply(n, 0, layers, batch, batch)
	result := int64(8 * batch * layers[0].Conv.OutLen())
	bound := n * (MultiplyMemory(n, layers, batch, batch, runtime.GOMAXPROCS(0)) + result + cost.Steps[0].Sent) // which the links copy
	got := int64(after.TotalAlloc - before.TotalAlloc)
	t.Logf("%d of %d bytes", got, bound)
	if got > bound {
		t.Errorf("%d bytes, at most %d expected", got, bound)
	}
}

// party runs Setup and Multiply of one party on random shares.
func party(t testing.TB, m *transport.Mesh, batch int, layers ...Layer) (*Context, [][]uint64, error) {
	r := rng(t, m.Self())
	as, bs := make([][]uint64, len(layers)), make([][]uint64, len(layers))
	for l, layer := range layers {
		as[l] = values(r, batch*layer.Conv.InLen(), layer.Width, false)
		bs[l] = values(r, layer.Conv.WeightLen(), layer.Width, false)
	}
	c, err := Setup(m, r, layers, bs, batch)
	if err != nil {
		return nil, nil, err
	}
	z, err := c.Multiply(m, r, as, batch)
	return c, z, err
}

// TestTranscriptsAreReproducible: the shares follow from the randomness of the
// parties, whatever the number of processors.
func TestTranscriptsAreReproducible(t *testing.T) {
	var first [][]uint64
	for _, processors := range []int{1, 3} {
		old := runtime.GOMAXPROCS(processors)
		testnet.Run(t, 2, func(m *transport.Mesh) error {
			_, z, err := party(t, m, 2, kinds[0], kinds[2])
			if m.Self() == 0 && first == nil {
				first = z
			} else if m.Self() == 0 && !slices.EqualFunc(first, z, slices.Equal) {
				t.Error("another result with other processors")
			}
			return err
		})
		runtime.GOMAXPROCS(old)
	}
}

// TestRepliesAreFresh sends the same a twice: nothing of a reply repeats, as the
// encryption of zero, the mask and the flooding are fresh. (Production never
// uses an a twice.)
func TestRepliesAreFresh(t *testing.T) {
	layer := kinds[0]
	testnet.Run(t, 2, func(m *transport.Mesh) error {
		r := rng(t, m.Self())
		b := [][]uint64{values(r, layer.Conv.WeightLen(), layer.Width, false)}
		c, err := Setup(m, r, []Layer{layer}, b, 1)
		if err != nil {
			return err
		}
		a := [][]uint64{values(r, layer.Conv.InLen(), layer.Width, false)}
		piece := c.pieces(1)[0]
		length := piece.length
		var replies [2][][]byte
		for i := range replies {
			replies[i] = [][]byte{make([]byte, length), make([]byte, length)}
			seed, err := newSeed(r)
			if err != nil {
				return err
			}
			z := [][]uint64{make([]uint64, layer.Conv.OutLen())}
			if err := c.crewOf(m.Workers()).makeReplies(m, piece, seed, a, 1, replies[i], z); err != nil {
				return err
			}
		}
		// Bytes agree once in 256 by chance.
		same, x, y := 0, replies[0][1-m.Self()], replies[1][1-m.Self()]
		for i := range x {
			if x[i] == y[i] {
				same++
			}
		}
		if same > length/128 {
			t.Errorf("%d of %d bytes of two replies agree", same, length)
		}
		return nil
	})
}

func TestExhaustedKeysRefuse(t *testing.T) {
	testnet.Run(t, 2, func(m *transport.Mesh) error {
		c, _, err := party(t, m, 1, kinds[1])
		if err != nil {
			return err
		}
		used := int64(kinds[1].Conv.OutLen())
		if c.counted != used {
			t.Errorf("%d coefficients counted, want %d", c.counted, used)
		}
		before := m.Stats()
		c.counted = limit - used + 1
		a := [][]uint64{make([]uint64, kinds[1].Conv.InLen())}
		_, err = c.Multiply(m, rng(t, 9), a, 1)
		if e, ok := errors.AsType[*ExhaustedError](err); !ok || e.Coefficients != limit+1 || e.Limit != limit {
			t.Errorf("error %v", err)
		}
		if m.Stats() != before {
			t.Error("something was sent")
		}
		return nil
	})
}

// TestLargeBlocksCountMore: see doc.go, Security.
func TestLargeBlocksCountMore(t *testing.T) {
	p := newPlan(3, kinds[:1], 1)
	for terms, want := range map[int]int64{1: 1, 1 << 16: 1, 1<<16 + 1: 2, 1 << 18: 2, 9 << 16: 3} {
		p.shapes[0].terms = terms
		if got := p.coefficients(5); got != want*5*2*10 {
			t.Errorf("%d terms: %d coefficients count as %d", terms, 5*2*10, got)
		}
	}
}

func TestWrongArguments(t *testing.T) {
	m := transport.Pipe(t.Context(), 2)[0]
	good := Layer{ring.MatMul(1, 2, 3), 20}
	b := [][]uint64{make([]uint64, 6)}
	for _, test := range []struct {
		layer Layer
		batch int
		want  string
	}{
		{good, 0, "batch of 0"},
		{Layer{good.Conv, 65}, 1, "width 65"},
		{Layer{good.Conv, 0}, 1, "width 0"},
		{Layer{ring.Conv{}, 20}, 1, "dimension 0"},
		{good, 1 << 30, "too many"},
		{Layer{ring.MatMul(1, 1<<15, 1<<15), 20}, 1, "longer than"},
	} {
		if _, err := Setup(m, rng(t, 0), []Layer{test.layer}, b, test.batch); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v, batch %d: error %v", test.layer, test.batch, err)
		}
	}
	if _, err := Setup(m, strings.NewReader("short"), []Layer{good}, b, 1); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short randomness: error %v", err)
	}
}

func TestWrongInputs(t *testing.T) {
	testnet.Run(t, 2, func(m *transport.Mesh) error {
		c, _, err := party(t, m, 1, kinds[1])
		if err != nil {
			return err
		}
		for _, test := range []struct {
			a     [][]uint64
			batch int
			want  string
		}{
			{nil, 1, "0 inputs for 1 layers"},
			{[][]uint64{make([]uint64, 149)}, 1, "layer 0: 149 elements, want 150"},
			{[][]uint64{nil}, -1, "batch of -1"},
			{[][]uint64{nil}, 1 << 22, "longer than"},
		} {
			if _, err := c.Multiply(m, rng(t, 0), test.a, test.batch); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%d inputs, batch %d: error %v", len(test.a), test.batch, err)
			}
		}
		return nil
	})
}

// TestContextEnds: work stops when the session does.
func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	boom := errors.New("boom")
	cancel(boom)
	calls := 0
	err := parallel(transport.Pipe(ctx, 2)[0], 1000, func(int) func(int) error {
		return func(int) error { calls++; return nil }
	})
	if !errors.Is(err, boom) || calls > 0 {
		t.Errorf("error %v after %d calls", err, calls)
	}
	err = parallel(transport.Pipe(t.Context(), 2)[0], 1000, func(int) func(int) error {
		return func(i int) error {
			if i == 3 {
				return boom
			}
			return nil
		}
	})
	if err != boom {
		t.Errorf("error %v", err)
	}
}

// TestTamperedMessages: party 0 sends what no honest party would.
func TestTamperedMessages(t *testing.T) {
	odd := Layer{ring.MatMul(1, 3, 3), 33} // 3·33 and 3·4 bits leave some unused
	ones := func(n int64) []byte { return bytes.Repeat([]byte{0xff}, int(n)) }
	for name, test := range map[string]struct {
		attack func(m *transport.Mesh) error
		step   string
		want   error
	}{
		"residues": {func(m *transport.Mesh) error {
			c := &Context{plan: newPlan(3, []Layer{odd}, 1)}
			if _, err := c.agree(m, [32]byte{}, 1); err != nil {
				return err
			}
			_, err := m.Broadcast(stepKeys, ones(PlanSetup(3, 0, []Layer{odd}, 1).Steps[1].Sent/2))
			return err
		}, stepKeys, ErrResidue},
		"length": {func(m *transport.Mesh) error {
			return m.Exchange(stepSeed, [][]byte{nil, ones(seedBytes - 1), ones(seedBytes - 1)}, [][]byte{nil, ones(seedBytes), ones(seedBytes)})
		}, stepSeed, transport.ErrDesync},
		"another plan": {func(m *transport.Mesh) error {
			c := &Context{plan: newPlan(3, []Layer{odd}, 1)}
			_, err := c.agree(m, [32]byte{}, 2)
			if e, ok := errors.AsType[*transport.PeerError](err); !ok || e.Party == 0 || !errors.Is(err, ErrPlan) {
				return fmt.Errorf("at the other side: %w", err)
			}
			return nil
		}, stepSeed, ErrPlan},
		"padding": {func(m *transport.Mesh) error {
			c, err := Setup(m, rng(t, 0), []Layer{odd}, [][]uint64{make([]uint64, 9)}, 1)
			if err != nil {
				return err
			}
			_, err = m.Broadcast(stepReply, ones(int64(c.pieces(1)[0].length)))
			return err
		}, stepReply, ErrPadding},
	} {
		t.Run(name, func(t *testing.T) {
			testnet.Run(t, 3, func(m *transport.Mesh) error {
				if m.Self() == 0 {
					if err := test.attack(m); err != nil && test.want != transport.ErrDesync {
						return err
					}
					return nil
				}
				_, _, err := party(t, m, 1, odd)
				e, ok := errors.AsType[*transport.PeerError](err)
				if !ok || e.Party != 0 || e.Step != test.step {
					t.Errorf("party %d: error %v", m.Self(), err)
				}
				if ok && !errors.Is(err, test.want) && test.want != transport.ErrDesync { // which one party may learn from another
					t.Errorf("party %d: error %v, want %v", m.Self(), err, test.want)
				}
				return nil
			})
		})
	}
}

func TestContextsDoNotPrint(t *testing.T) {
	testnet.Run(t, 2, func(m *transport.Mesh) error {
		c, _, err := party(t, m, 1, kinds[1])
		if got := fmt.Sprintf("%v %+v %#v", c, c, c); got != "Context[1 layers] Context[1 layers] Context[1 layers]" {
			t.Errorf("printed as %.100s", got)
		}
		return err
	})
}

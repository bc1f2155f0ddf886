package product

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/bits"
	"sync"
	"testing"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/protocol/ot/ottest"
	"github.com/tacit-mpc/tacit/transport"
)

// Sizes of the view tests. A sample is an element of either half of a class, as
// squares take other directions in each.
const (
	viewParties = 3
	viewBits    = 5
	viewLen     = maxRun
)

// A tap is a link that keeps what is sent, by run and step.
type tap struct {
	out  chan<- []byte
	in   <-chan []byte
	run  *int // of the sending party
	sent map[string][]byte
}

func (l *tap) Send(step string, msg []byte) error {
	key := fmt.Sprint(*l.run, step)
	l.sent[key] = append(l.sent[key], msg...)
	l.out <- bytes.Clone(msg)
	return nil
}

func (l *tap) Recv(_ string, msg []byte) error {
	copy(msg, <-l.in)
	return nil
}

func (l *tap) Abort(int, string) {}
func (l *tap) Close() error      { return nil }

// A leak is a fault planted at all parties, and so at the honest one whoever that
// is.
type leak int

const (
	clean      leak = iota
	leakA           // shares of A are 0
	leakB           // shares of B are 0
	leakPads        // corrections lack their pads
	leakReuse       // a second product has the same A and B
	leakReuseB      // a second product has the same B
	numberLeaks
)

var leakNames = [...]string{"clean", "A is 0", "B is 0", "no pads", "triples reused", "B reused"}

// A loom is randomness in which part of what is drawn is zero, or repeats. The draws
// of a run are A and B of products, and A of squares.
type loom struct {
	io.Reader
	leak  leak
	reads int
	old   [][]byte
}

func (l *loom) Read(p []byte) (int, error) {
	if _, err := io.ReadFull(l.Reader, p); err != nil {
		return 0, err
	}
	const draws = 3
	isB := l.reads%draws == 1
	switch l.leak {
	case leakA, leakB:
		if isB == (l.leak == leakB) {
			clear(p)
		}
	case leakReuse, leakReuseB:
		if l.reads >= draws && (isB || l.leak == leakReuse) {
			copy(p, l.old[l.reads-draws])
		}
		l.old = append(l.old, bytes.Clone(p))
	}
	l.reads++
	return len(p), nil
}

// padless is a source whose corrections lack the pads of the senders.
type padless struct{ *ot.Session }

func (s padless) MulOwn(m *transport.Mesh, step string, reqs []ot.OwnRequest) error {
	out, in := make([][]byte, m.N()), make([][]byte, m.N())
	sends := func(req ot.OwnRequest, j, i int) bool { return i != j && req.Holders.Has(i) && req.Keys.Has(j) }
	for _, req := range reqs {
		for k := range req.Width {
			for p := range m.N() {
				if sends(req, m.Self(), p) {
					out[p] = ring.AppendPacked(out[p], req.V[req.First:][:req.N], req.Width-k)
				}
				if sends(req, p, m.Self()) {
					in[p] = append(in[p], make([]byte, ring.PackedLen(req.N, req.Width-k))...)
				}
			}
		}
	}
	if err := m.Exchange(step, out, in); err != nil {
		return err
	}
	v := make([]uint64, viewLen)
	for _, req := range reqs {
		for k := range req.Width {
			for p := range m.N() {
				if !sends(req, p, m.Self()) {
					continue
				}
				ring.Unpack(v, in[p], req.Width-k)
				in[p] = in[p][ring.PackedLen(req.N, req.Width-k):]
				for e, x := range v {
					req.Z[req.First+e] += uint64(req.X.X[k*req.N+e]) * x << k
				}
			}
		}
	}
	return nil
}

// A seen is what the parties drew in one run.
type seen [viewParties]struct{ a, b, square []uint64 }

func viewClasses(second int) []Class {
	c := Class{T: 2 * viewLen, M: 1, K: 1, N: 1, Width: viewBits, Layer: 2 * second}
	square := c
	square.Square, square.Layer = true, c.Layer+1
	return []Class{c, square}
}

// run multiplies x by y, and x by itself, in all elements.
func (s *seen) run(m *transport.Mesh, source source, rng io.Reader, x, y uint64, second int) error {
	classes := viewClasses(second)
	mats, err := generate(m, source, rng, classes, 1, 1<<40)
	if err != nil {
		return err
	}
	own := &s[m.Self()]
	own.a, own.b, own.square = clone(mats[0][0].a), clone(mats[0][0].b), clone(mats[0][1].a)
	for i, step := range []string{"product", "square"} {
		xs, ys := make([]uint64, 2*viewLen), make([]uint64, 2*viewLen)
		for e := range xs {
			xs[e], ys[e] = x, y
		}
		z, err := Multiply(m, step, mats[0][i:i+1], shareOf(xs, m.N(), m.Self(), 7), shareOf(ys, m.N(), m.Self(), 8))
		if err != nil {
			return err
		}
		if i == 1 {
			ys = xs
		}
		got, err := reveal(m, z, viewBits)
		if err != nil {
			return err
		}
		for e, w := range want(classes[i], 1, xs, ys) {
			if got[e] != w {
				return fmt.Errorf("%s: %d and %d give %d", step, x, y, got[e])
			}
		}
	}
	return nil
}

func clone(v []uint64) []uint64 { return append([]uint64(nil), v...) }

// The inputs of the first run are one of two pairs, those of the second are fixed.
var viewInputs = [...][2]uint64{{3, 5}, {20, 14}}

// taps returns the links of all parties, whose runs have the given numbers, and what
// will be sent, by sender and receiver.
func taps(number []int) (links [][]transport.Link, sent [viewParties][viewParties]map[string][]byte) {
	for i := range viewParties {
		links = append(links, make([]transport.Link, viewParties))
		for j := range i {
			there, back := make(chan []byte, 1), make(chan []byte, 1)
			sent[i][j], sent[j][i] = map[string][]byte{}, map[string][]byte{}
			links[i][j] = &tap{there, back, &number[i], sent[i][j]}
			links[j][i] = &tap{back, there, &number[j], sent[j][i]}
		}
	}
	return links, sent
}

// viewRuns runs every leak on two inputs, twice each, and returns what was sent, by
// sender and receiver, and the runs.
func viewRuns(t *testing.T) ([viewParties][viewParties]map[string][]byte, []*seen) {
	const n = viewParties
	made := ottest.Bases(t, n)
	prg.ForgetTweaks()
	var runs []*seen
	for range 4 * numberLeaks {
		runs = append(runs, new(seen))
	}
	number := make([]int, n)
	links, sent := taps(number)
	one := func(m *transport.Mesh, l leak, input int) error {
		p := m.Self()
		key := make([]byte, ot.KeyLen)
		key[0], key[1] = byte(l), byte(input)
		session, err := made[p].Fork(m, ottest.Tape(30+uint64(l), 10*p+input), key)
		if err != nil {
			return err
		}
		var s source = session
		if l == leakPads {
			s = padless{session}
		}
		rng := &loom{Reader: ottest.Tape(20+uint64(l), 10*p+input), leak: l}
		for second := range 2 {
			number[p] = 4*int(l) + 2*input + second
			xy := [2]uint64{9, 22}
			if second == 0 {
				xy = viewInputs[input]
			}
			if err := runs[number[p]].run(m, s, rng, xy[0], xy[1], second); err != nil {
				return fmt.Errorf("%s: %w", leakNames[l], err)
			}
		}
		return nil
	}
	var parties sync.WaitGroup
	for p := range n {
		m := transport.New(t.Context(), p, links[p])
		parties.Go(func() {
			for i := range 2 * numberLeaks {
				if err := one(m, i/2, int(i%2)); err != nil {
					t.Errorf("party %d: %v", p, err)
				}
			}
		})
	}
	parties.Wait()
	return sent, runs
}

// A view is a column of bits for every bit that is seen of a sample.
type view [][]uint64

// add appends the bits of a vector: of both halves of a class, or one of them.
func (v *view) add(x []uint64, width int) {
	for ; len(x) > 0; x = x[viewLen:] {
		for k := range width {
			column := make([]uint64, viewLen/64)
			for e, w := range x[:viewLen] {
				column[e/64] |= w >> k & 1 << (e % 64)
			}
			*v = append(*v, column)
		}
	}
}

// addRun appends what all parties but h see of a run: what h sends, and what is
// opened, with and without what the coalition knows itself.
func (v *view) addRun(sent [viewParties][viewParties]map[string][]byte, number int, s *seen, h int) {
	opened := func(step string, at int, known func(p int) []uint64) {
		sum, less := make([]uint64, 2*viewLen), make([]uint64, 2*viewLen)
		for p := range viewParties {
			x := make([]uint64, 2*viewLen)
			ring.Unpack(x, sent[p][(p+1)%viewParties][fmt.Sprint(number, step+StepOpen)][at:], viewBits)
			ring.AddTo(sum, x)
			if p == h {
				v.add(x, viewBits)
			} else {
				ring.AddTo(less, known(p))
			}
		}
		ring.AddTo(less, sum)
		v.add(sum, viewBits)
		v.add(less, viewBits)
	}
	opened("product", 0, func(p int) []uint64 { return s[p].a })
	opened("product", ring.PackedLen(2*viewLen, viewBits), func(p int) []uint64 { return s[p].b })
	opened("square", 0, func(p int) []uint64 { return s[p].square })
	for p := range viewParties {
		msg := sent[h][p][fmt.Sprint(number, stepCorrect)]
		for half := 0; len(msg) > 0; half++ { // of products, then of squares
			width := viewBits
			if half >= 2 {
				width--
			}
			for ; width > 0; width-- {
				x := make([]uint64, viewLen)
				ring.Unpack(x, msg, width)
				msg = msg[ring.PackedLen(viewLen, width):]
				v.add(x, width)
			}
		}
	}
}

// What any n−1 parties see does not depend on the inputs: bits, and sums of two bits,
// are equally distributed for two inputs. As their own random shares would hide leaks,
// these are taken out of what they see. The test is worth something because each
// planted leak makes it fail.
func TestViewsAreIndependentOfInputs(t *testing.T) {
	sent, runs := viewRuns(t)
	if t.Failed() {
		return
	}
	for l := range numberLeaks {
		for h := range viewParties {
			var views [2]view
			for input := range views {
				for second := range 2 {
					number := 4*int(l) + 2*input + second
					views[input].addRun(sent, number, runs[number], h)
				}
			}
			z, limit := distance(views[0], views[1])
			t.Logf("%s, honest %d: %d bits, %.2f standard deviations, limit %.2f", leakNames[l], h, len(views[0]), z, limit)
			if l != clean && z < 2*limit {
				t.Errorf("%s, honest %d: the planted leak is not seen", leakNames[l], h)
			}
			if l == clean && z > limit {
				t.Errorf("honest %d: views differ", h)
			}
		}
	}
}

// sums counts the ones in every column and in the sum of every two columns.
func (v view) sums() []int {
	var counts []int
	zero := make([]uint64, viewLen/64)
	for i, x := range v {
		for _, y := range append(v[:i:i], zero) {
			n := 0
			for w := range x {
				n += bits.OnesCount64(x[w] ^ y[w])
			}
			counts = append(counts, n)
		}
	}
	return counts
}

// distance returns the largest number of standard deviations by which a bit, or the
// sum of two bits, differs between two views, and what the largest exceeds in less
// than one of ten thousand tests.
func distance(a, b view) (worst, limit float64) {
	x, y := a.sums(), b.sums()
	for i := range x {
		worst = max(worst, math.Abs(float64(x[i]-y[i]))/math.Sqrt(viewLen/2))
	}
	return worst, math.Sqrt(2 * math.Log(1e4*float64(len(x))))
}

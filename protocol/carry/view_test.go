package carry

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/bits"
	"sync"
	"testing"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

const (
	viewParties = 3
	viewBits    = 10
	viewLen     = 4096
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

// A leak is a fault planted at all parties, and so at the honest one whoever
// that is.
type leak int

const (
	clean      leak = iota
	leakMasks       // shares of α and β are 0
	leakLambda      // shares of λ are 0
	leakBits        // shares of the bits of r are 0
	leakPads        // products lack their pads
	leakReuse       // a second r has the same masks
	leakShare       // two comparisons with one r have the same masks α, β
	leakTwins       // and λ
	numberLeaks
)

var leakNames = [...]string{"clean", "masks 0", "λ 0", "bits of r 0", "no pads", "masks reused", "masks shared", "λ shared"}

// A loom is randomness in which part of what is drawn is zero, or repeats.
type loom struct {
	io.Reader
	leak  leak
	times int
	old   []byte
}

func (l *loom) Read(p []byte) (int, error) {
	if _, err := io.ReadFull(l.Reader, p); err != nil {
		return 0, err
	}
	plane := 8 * ot.PlaneWords(viewLen)
	r, rest := p[:viewBits*plane], p[viewBits*plane:]
	masks, lambda := rest[:len(rest)-l.times*plane], rest[len(rest)-l.times*plane:]
	switch l.leak {
	case leakMasks:
		clear(masks)
	case leakLambda:
		clear(lambda)
	case leakBits:
		clear(r)
	case leakReuse:
		copy(masks, l.old)
		l.old = bytes.Clone(masks)
	case leakShare: // of the root, the only node with masks
		copy(masks[len(masks)/2:], masks)
	case leakTwins:
		copy(lambda[plane:], lambda)
	}
	return len(p), nil
}

// padless is a source whose products lack the pads of the senders.
type padless struct{ *ot.Session }

func (s padless) AndEach(m *transport.Mesh, step string, reqs []ot.EachRequest) ([][][]uint64, error) {
	var msg []byte
	for _, req := range reqs {
		for _, b := range req.B {
			msg = AppendPlanes(msg, b, viewLen)
		}
	}
	sum, err := xorOf(m, step, msg)
	if err != nil {
		return nil, err
	}
	z := make([][][]uint64, len(reqs))
	for r, req := range reqs {
		a := ot.Plane(req.A.X)
		for range req.B {
			b := make([]uint64, len(a))
			sum = readPlane(b, sum, viewLen)
			p := make([]uint64, len(a))
			addMul(p, a, b)
			z[r] = append(z[r], p)
		}
	}
	return z, nil
}

// A seen is one run: what is public, and what the parties drew.
type seen struct {
	c     []uint64
	drawn [viewParties][][]uint64
}

func (s *seen) run(m *transport.Mesh, source Source, rng io.Reader, times int, x uint64, layer int) error {
	j, err := New(Batch{Bits: viewBits, Times: times, Order: orderOf(viewParties, 0), Layer: layer, Len: viewLen, Stride: viewLen}, rng)
	if err != nil {
		return err
	}
	s.drawn[m.Self()] = j.drawn
	if _, err := Run(m, source, "run", []*Job{j}, nil); err != nil {
		return err
	}
	c, err := masked(m, j)
	if err != nil {
		return err
	}
	for i := range c {
		c[i] = (c[i] + x) & (1<<viewBits - 1)
	}
	if m.Self() == 0 {
		s.c = c
	}
	return checkJob(m, j, c)
}

// viewRuns runs every leak on two inputs, twice each, and returns what was sent,
// by sender and receiver, and the runs.
func viewRuns(t *testing.T, times int) (sent [viewParties][viewParties]map[string][]byte, runs []*seen) {
	const n = viewParties
	made := basesOf(t, n)
	prg.ForgetTweaks()
	for range 4 * numberLeaks {
		runs = append(runs, new(seen))
	}
	number, links := make([]int, n), make([][]transport.Link, n)
	for i := range n {
		links[i] = make([]transport.Link, n)
		for j := range i {
			there, back := make(chan []byte, 1), make(chan []byte, 1)
			sent[i][j], sent[j][i] = map[string][]byte{}, map[string][]byte{}
			links[i][j] = &tap{there, back, &number[i], sent[i][j]}
			links[j][i] = &tap{back, there, &number[j], sent[j][i]}
		}
	}
	one := func(m *transport.Mesh, l leak, input int) error {
		p := m.Self()
		key := make([]byte, ot.KeyLen)
		key[0], key[1] = byte(l), byte(input)
		session, err := made[p].Fork(m, tape(30+uint64(l), 10*p+input), key)
		if err != nil {
			return err
		}
		var source Source = session
		if l == leakPads {
			source = padless{session}
		}
		rng := &loom{Reader: tape(20+uint64(l), 10*p+input), leak: l, times: times}
		for second := range 2 {
			number[p] = 4*int(l) + 2*input + second
			x := uint64(77) // the second comparison has one input
			if second == 0 {
				x = [...]uint64{1<<viewBits - 3, 200}[input]
			}
			if err := runs[number[p]].run(m, source, rng, times, x, second); err != nil {
				return fmt.Errorf("%s: %w", leakNames[l], err)
			}
		}
		return nil
	}
	var parties sync.WaitGroup
	for p := range n {
		m := transport.New(t.Context(), p, links[p])
		parties.Go(func() {
			for i := range 2 * leaksOf(times) {
				if err := one(m, i/2, int(i%2)); err != nil {
					t.Errorf("party %d: %v", p, err)
				}
			}
		})
	}
	parties.Wait()
	return sent, runs
}

// leaksOf returns how many leaks apply.
func leaksOf(times int) leak {
	if times > 1 {
		return numberLeaks
	}
	return leakShare
}

// columns are the bits that all parties but h see of a run, by element: c, what
// is opened, with and without what the coalition knows itself, and the messages
// of h.
func columns(sent [viewParties][viewParties]map[string][]byte, number int, s *seen, times, h int) [][]uint64 {
	words := ot.PlaneWords(viewLen)
	known := func(i int) []uint64 {
		sum := make([]uint64, words)
		for p := range viewParties {
			if p != h {
				add(sum, s.drawn[p][i])
			}
		}
		return sum
	}
	c, less := make([]uint64, viewLen), make([]uint64, viewLen)
	for i, v := range s.c {
		c[i] = ^v
		var r uint64
		for k := range viewBits {
			r |= bitAt(known(k), i) << k
		}
		less[i] = ^(v - r)
	}
	view := append(notOf(c, viewBits), notOf(less, viewBits)...)
	for k := range viewBits {
		x := known(k)
		add(x, view[k])
		view = append(view, x)
	}

	// What is opened has masks that were drawn after r, and λ last.
	tree := For(viewBits, times)
	drawn := map[int]int{}
	next := viewBits
	tree.each(func(n node, k int) {
		if n.level > 0 {
			alphas, tops := n.masks()
			for _, mask := range append(alphas, tops...) {
				drawn[tree.of(k, mask)] = next
				next++
			}
		}
	})
	var masks, lambdas []int
	for k := range times {
		tree.openings(1, func(_ node, _ int, _ bool, mask int) { masks = append(masks, tree.of(k, mask)) })
		lambdas = append(lambdas, tree.of(k, tree.terms))
		drawn[lambdas[k]] = next + k
	}
	at := func(p int, step string) []byte { return sent[p][(p+1)%viewParties][fmt.Sprint(number, step)] }
	opened := func(step string, masks []int) {
		var parts [viewParties][]byte
		for p := range parts {
			parts[p] = at(p, step)
		}
		for _, mask := range masks {
			sum, own := make([]uint64, words), make([]uint64, words)
			for p := range parts {
				x := make([]uint64, words)
				parts[p] = readPlane(x, parts[p], viewLen)
				add(sum, x)
				if p == h {
					own = x
				}
			}
			stripped := known(drawn[mask])
			add(stripped, sum)
			view = append(view, sum, own, stripped)
		}
	}
	opened("test"+StepCarries, masks)
	opened("test"+StepBits, lambdas)
	for p := range viewParties {
		msg := sent[h][p][fmt.Sprint(number, "run"+StepProducts)]
		for len(msg) > 0 {
			x := make([]uint64, words)
			msg = readPlane(x, msg, viewLen)
			view = append(view, x)
		}
	}
	return view
}

// What any n−1 parties see does not depend on the input: bits, and sums of two
// bits, are equally distributed for two inputs. As their own random shares would
// hide leaks, these are taken out of what they see. The test is worth something
// because each planted leak makes it fail.
func TestViewsAreIndependentOfInputs(t *testing.T) {
	for times := 1; times <= 2; times++ {
		t.Run(fmt.Sprintf("%d times", times), func(t *testing.T) { checkViews(t, times) })
	}
}

func checkViews(t *testing.T, times int) {
	sent, runs := viewRuns(t, times)
	if t.Failed() {
		return
	}
	for l := range leaksOf(times) {
		for h := range viewParties {
			var views [2][][]uint64
			for input := range views {
				for second := range 2 {
					number := 4*int(l) + 2*input + second
					views[input] = append(views[input], columns(sent, number, runs[number], times, h)...)
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
func sums(view [][]uint64) []int {
	var counts []int
	for i, x := range view {
		zero := make([]uint64, len(x))
		for _, y := range append(view[:i:i], zero) {
			n := 0
			for w := range x {
				n += bits.OnesCount64(x[w] ^ y[w])
			}
			counts = append(counts, n)
		}
	}
	return counts
}

// distance returns the largest number of standard deviations by which a bit, or
// the sum of two bits, differs between two views, and what the largest exceeds
// in about one of a hundred tests.
func distance(a, b [][]uint64) (worst, limit float64) {
	x, y := sums(a), sums(b)
	for i := range x {
		worst = max(worst, math.Abs(float64(x[i]-y[i]))/math.Sqrt(viewLen/2))
	}
	return worst, math.Sqrt(2 * math.Log(100*float64(len(x))))
}

package compare

import (
	"fmt"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/transport"
)

// A mute link sends nothing and receives zeros: a party on mute links works alone.
type mute struct{}

func (mute) Send(string, []byte) error       { return nil }
func (mute) Recv(_ string, msg []byte) error { clear(msg); return nil }
func (mute) Abort(party int, step string)    {}
func (mute) Close() error                    { return nil }

// alone is the mesh of party 0 of n on mute links.
func alone(b testing.TB, n int) *transport.Mesh {
	links := make([]transport.Link, n)
	for p := 1; p < n; p++ {
		links[p] = mute{}
	}
	return transport.New(b.Context(), 0, links)
}

// splineFor is [splineOf] for a spline, and else nil.
func splineFor(c Class) *Spline {
	if c.Kind != KindSpline {
		return nil
	}
	return splineOf(c)
}

// call runs the function of the class on one request.
func call(m *transport.Mesh, mats []*Material, s *Spline, x []uint64) (err error) {
	switch mats[0].class.Kind {
	case KindReLU:
		_, err = ReLU(m, "test", mats, x)
	case KindMax:
		_, err = Max(m, "test", mats, x, x)
	case KindLift:
		_, err = Lift(m, "test", mats, x)
	case KindStep:
		_, err = Step(m, "test", mats, x)
	case KindSpline:
		_, err = EvalSpline(m, "test", mats, s, x)
	}
	return err
}

// One party on its own, without a network: what it computes online, and what it
// allocates.
func BenchmarkOnline(b *testing.B) {
	for _, class := range []Class{
		{KindReLU, 20, 32, benchLen, 0, 0, Carry}, {KindReLU, 20, 32, benchLen, 0, 0, Garbled}, {KindLift, 20, 32, benchLen, 0, 0, Carry},
		{KindSpline, 18, 36, 1024, 0, 32, Carry}, {KindSpline, 18, 36, 1024, 0, 32, Garbled},
	} {
		b.Run(fmt.Sprintf("%v/%v", class.Kind, class.Backend), func(b *testing.B) {
			m, x := alone(b, 3), make([]uint64, class.N)
			stored, err := noise(b, class, 3, 0, 0).AppendBinary(nil)
			if err != nil {
				b.Fatal(err)
			}
			s := splineFor(class)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				mat, err := ParseMaterial(class, 3, 0, stored)
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				if err := call(m, []*Material{mat}, s, x); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(class.N), "ns/element")
		})
	}
}

// Once memory is there, a request of one inference allocates what its exchanges do,
// the names of its steps, streams of labels and, without assembly, keys of hashes: no vector, plane or message. All
// messages are short, as exchanges of long ones start goroutines.
func TestOnlineReusesItsMemory(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the pools keep what they have
	const n, runs = 3, 20
	stream := testing.AllocsPerRun(runs, func() { prg.NewStream([32]byte{}, "labels", 1, 2) })
	hash := testing.AllocsPerRun(runs, func() { prg.NewHash(prg.Block{1, 2}) })
	for _, class := range []Class{
		{KindReLU, 20, 32, 1280, 0, 0, Carry}, {KindMax, 20, 20, 1280, 0, 0, Carry}, {KindLift, 20, 32, 1280, 0, 0, Carry},
		{KindStep, 20, 3, 1280, 0, 0, Carry}, {KindSpline, 18, 36, 1280, 0, 9, Carry}, {KindReLU, 30, 32, 1280, 0, 0, Carry},
		{KindReLU, 20, 32, 100, 0, 0, Garbled}, {KindSpline, 18, 36, 24, 0, 4, Garbled},
	} {
		t.Run(fmt.Sprintf("%v of %d bits/%v", class.Kind, class.In, class.Backend), func(t *testing.T) {
			m, x := alone(t, n), make([]uint64, class.N)
			s := splineFor(class)
			var mats []*Material
			for i := range runs + 2 {
				mats = append(mats, noise(t, class, n, 0, i))
			}
			one := func() {
				if err := call(m, mats[:1], s, x); err != nil {
					t.Fatal(err)
				}
				mats = mats[1:]
			}
			one()
			rounds := m.Stats().Rounds
			msg, in := slices.Repeat([][]byte{make([]byte, 10)}, n), slices.Repeat([][]byte{make([]byte, 10)}, n)
			want := testing.AllocsPerRun(runs, func() {
				for range rounds {
					if err := m.Exchange("bare", msg, in); err != nil {
						t.Fatal(err)
					}
				}
			})
			want += float64(rounds)
			if class.garbled() { // one block for each of the other evaluators
				want += (stream*(n-1) + 2*hash) * float64(class.signs())
			}
			if got := testing.AllocsPerRun(runs, one); got != want {
				t.Errorf("%v allocations, want %v", got, want)
			}
		})
	}
}

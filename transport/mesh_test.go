package transport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tacit-mpc/tacit/internal/testnet"
	"github.com/tacit-mpc/tacit/transport"
)

// A world is n framed meshes whose connections a test can cut.
type world struct {
	meshes []*transport.Mesh
	conns  [][]transport.Conn // conns[i][j] is party i's end of its link to j
}

// newWorld connects n parties by streams that hold what was written until it is
// read, as real ones do, unless they are bare.
func newWorld(ctx context.Context, n int, bare bool) *world {
	w := &world{conns: make([][]transport.Conn, n)}
	links := make([][]transport.Link, n)
	for i := range n {
		w.conns[i], links[i] = make([]transport.Conn, n), make([]transport.Link, n)
		for j := range i {
			var o transport.LinkOptions
			if s := transport.NewShaper(transport.Profile{}); bare {
				w.conns[i][j], w.conns[j][i] = net.Pipe()
			} else {
				w.conns[i][j], w.conns[j][i] = transport.Memory(s, s)
				o.Holds = 100 // some messages of the tests are longer
			}
			links[i][j] = transport.NewLink(w.conns[i][j], o)
			links[j][i] = transport.NewLink(w.conns[j][i], o)
		}
	}
	for i := range n {
		w.meshes = append(w.meshes, transport.New(ctx, i, links[i]))
	}
	return w
}

// kill makes a party vanish, as seen by the given others.
func (w *world) kill(party int, seenBy ...int) {
	for _, j := range seenBy {
		w.conns[party][j].Close()
	}
}

// errs runs f as each of the given parties and returns their errors.
func (w *world) errs(f func(m *transport.Mesh) error, parties ...int) map[int]error {
	var mu sync.Mutex
	var calls sync.WaitGroup
	errs := make(map[int]error)
	for _, i := range parties {
		calls.Go(func() {
			err := f(w.meshes[i])
			mu.Lock()
			defer mu.Unlock()
			errs[i] = err
		})
	}
	calls.Wait()
	return errs
}

func rounds(k int) func(m *transport.Mesh) error {
	return func(m *transport.Mesh) error {
		m.Timeout(time.Minute)
		for range k {
			if _, err := m.Broadcast("test: open", []byte{1, 2, 3}); err != nil {
				return err
			}
		}
		return nil
	}
}

func wantBlame(t *testing.T, errs map[int]error, party int) {
	t.Helper()
	for i, err := range errs {
		if e, ok := errors.AsType[*transport.PeerError](err); !ok || e.Party != party {
			t.Errorf("party %d: err = %v, want blame on party %d", i, err, party)
		}
	}
}

func others(n, party int) (rest []int) {
	for i := range n {
		if i != party {
			rest = append(rest, i)
		}
	}
	return rest
}

func TestBroadcastReachesAllAndIsCounted(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		f := func(m *transport.Mesh) error {
			for range 3 {
				in, err := m.Broadcast("test: open", []byte{byte(m.Self()), 7})
				if err != nil {
					return err
				}
				for j, msg := range in {
					if !bytes.Equal(msg, []byte{byte(j), 7}) {
						return fmt.Errorf("from party %d: %v", j, msg)
					}
				}
			}
			k := int64(3 * (n - 1))
			if want := (transport.Stats{Rounds: 3, Sent: 2 * k, Received: 2 * k}); m.Stats() != want {
				return fmt.Errorf("stats = %+v, want %+v", m.Stats(), want)
			}
			if sent, received := m.Frames(); sent != k || received != k {
				return fmt.Errorf("frames = %d, %d, want %d", sent, received, k)
			}
			m.Close()
			return nil
		}
		testnet.Run(t, n, f)
		testnet.Over(t, n, transport.Profile{}, f)
	}
}

func TestLongMessagesDoNotDeadlock(t *testing.T) {
	testnet.Over(t, 3, transport.Profile{}, func(m *transport.Mesh) error {
		long := bytes.Repeat([]byte{byte(m.Self())}, 3<<20)
		in, err := m.Broadcast("test: long", long)
		if err != nil {
			return err
		}
		for j := range in {
			if !bytes.Equal(in[j], bytes.Repeat([]byte{byte(j)}, 3<<20)) {
				return fmt.Errorf("message of party %d is wrong", j)
			}
		}
		return nil
	})
}

func TestAllBlameThePartyThatDied(t *testing.T) {
	for _, n := range []int{3, 5} {
		for dead := range n {
			alive := others(n, dead)
			for _, witness := range alive {
				// Only the witness sees the connection fail. The others
				// have its message already and wait for the dead party.
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t.Context(), n, false)
					go func() { synctest.Wait(); w.kill(dead, witness) }()
					wantBlame(t, w.errs(rounds(2), alive...), dead)
				})
				// The same, but the others wait for the witness.
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t.Context(), n, false)
					go func() { synctest.Wait(); w.kill(dead, witness) }()
					wantBlame(t, w.errs(func(m *transport.Mesh) error {
						if m.Self() == witness {
							return m.Await("test: await", dead, make([]byte, 1))
						}
						return rounds(1)(m)
					}, alive...), dead)
				})
			}
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t.Context(), n, false)
				go func() { synctest.Wait(); w.kill(dead, alive...) }()
				wantBlame(t, w.errs(rounds(2), alive...), dead)
			})
		}
	}
}

func TestASenderLearnsWhoFailedFromAPeerThatGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t.Context(), 3, false)
		// Party 1 finds party 2 dead before party 0, which receives nothing
		// from party 1, sends to it.
		w.kill(2, 1)
		errs := w.errs(func(m *transport.Mesh) error {
			if m.Self() == 1 {
				return m.Await("test: never", 2, make([]byte, 1))
			}
			time.Sleep(time.Second)
			return m.Exchange("test: send", [][]byte{nil, make([]byte, 100), nil}, make([][]byte, 3))
		}, 0, 1)
		wantBlame(t, errs, 2)
	})
}

func TestAPartyThatStallsTimesOut(t *testing.T) {
	for name, meshes := range map[string]func(context.Context) []*transport.Mesh{
		"pipe":   func(ctx context.Context) []*transport.Mesh { return transport.Pipe(ctx, 3) },
		"framed": func(ctx context.Context) []*transport.Mesh { return newWorld(ctx, 3, true).meshes },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{meshes: meshes(t.Context())}
				start := time.Now()
				errs := w.errs(func(m *transport.Mesh) error {
					return rounds(1)(m)
				}, 0, 1)
				wantBlame(t, errs, 2)
				for i, err := range errs {
					e, _ := errors.AsType[*transport.PeerError](err)
					_, told := errors.AsType[*transport.AbortError](err)
					if e.Step != "test: open" || !errors.Is(err, transport.ErrTimeout) && !told {
						t.Errorf("party %d: err = %v", i, err)
					}
				}
				if took := time.Since(start); took < time.Minute || took > time.Minute+2*time.Second {
					t.Errorf("gave up after %v", took)
				}
			})
		})
	}
}

func TestAwaitHasNoTimeout(t *testing.T) {
	took := testnet.Over(t, 2, transport.Profile{}, func(m *transport.Mesh) error {
		m.Timeout(time.Second)
		if m.Self() == 0 {
			time.Sleep(time.Hour)
			return m.Exchange("test: command", [][]byte{nil, {42}}, make([][]byte, 2))
		}
		msg := make([]byte, 1)
		if err := m.Await("test: command", 0, msg); err != nil {
			return err
		}
		if msg[0] != 42 || m.Stats().Rounds != 1 {
			return fmt.Errorf("got %v, %+v", msg, m.Stats())
		}
		return nil
	})
	if took != time.Hour {
		t.Errorf("took %v", took)
	}
}

func TestCancellationReportsItsCauseAndBlamesNobodyElse(t *testing.T) {
	why := errors.New("the client went away")
	for _, n := range []int{3, 5} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			w := newWorld(t.Context(), n, false)
			links := make([]transport.Link, n)
			for j := 1; j < n; j++ {
				links[j] = transport.NewLink(w.conns[0][j], transport.LinkOptions{})
			}
			w.meshes[0] = transport.New(ctx, 0, links)
			go func() { synctest.Wait(); cancel(why) }()
			errs := w.errs(func(m *transport.Mesh) error {
				if m.Self() == 0 {
					return m.Await("test: await", n-1, make([]byte, 1))
				}
				return rounds(1)(m)
			}, others(n, n-1)...)
			if err := errs[0]; !errors.Is(err, why) {
				t.Errorf("party 0: err = %v, want %v", err, why)
			}
			if e, ok := errors.AsType[*transport.PeerError](errs[0]); ok {
				t.Errorf("party 0 blames party %d for its own cancellation", e.Party)
			}
			delete(errs, 0)
			wantBlame(t, errs, 0)
		})
	}
}

func TestASharedContextReportsItsCauseToAll(t *testing.T) {
	why := errors.New("shutdown")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		w := &world{meshes: transport.Pipe(ctx, 3)}
		go func() { synctest.Wait(); cancel(why) }()
		for i, err := range w.errs(rounds(1), 0, 1) {
			if !errors.Is(err, why) {
				t.Errorf("party %d: err = %v, want %v", i, err, why)
			}
		}
	})
}

func TestADesynchronisedStepNamesWhatWasExpected(t *testing.T) {
	steps := []struct {
		step string
		n    int
	}{{"test: other", 4}, {"test: mine", 5}}
	for name, connect := range map[string]func(context.Context) []*transport.Mesh{
		"pipe":   func(ctx context.Context) []*transport.Mesh { return transport.Pipe(ctx, 2) },
		"framed": func(ctx context.Context) []*transport.Mesh { return transport.PipeOver(ctx, 2, transport.Profile{}) },
	} {
		for _, other := range steps {
			t.Run(fmt.Sprint(name, other), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := &world{meshes: connect(t.Context())}
					var desync error
					for _, err := range w.errs(func(m *transport.Mesh) error {
						if m.Self() == 1 {
							return m.Exchange(other.step, [][]byte{make([]byte, other.n), nil}, make([][]byte, 2))
						}
						_, err := m.Broadcast("test: mine", make([]byte, 4))
						return err
					}, 0, 1) {
						if errors.Is(err, transport.ErrDesync) {
							desync = err
						}
					}
					if desync == nil || !bytes.Contains([]byte(desync.Error()), []byte(`"test: mine", 4 bytes`)) {
						t.Errorf("err = %v, want ErrDesync that names the step", desync)
					}
				})
			})
		}
	}
}

func TestErrorsAreFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t.Context(), 2, false)
		w.kill(1, 0)
		first := rounds(1)(w.meshes[0])
		if err := rounds(1)(w.meshes[0]); !errors.Is(err, first) || first == nil {
			t.Errorf("errors = %v, then %v", first, err)
		}
		w.meshes[1].Close()
		if err := rounds(1)(w.meshes[1]); !errors.Is(err, transport.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestWhatWasSentBeforeCloseArrives(t *testing.T) {
	p := transport.Profile{RTT: 50 * time.Millisecond, BitsPerSecond: 1e6}
	f := func(m *transport.Mesh) error {
		defer m.Close()
		if m.Self() == 0 {
			return m.Exchange("test: last", [][]byte{nil, make([]byte, 1<<20), make([]byte, 1<<20)}, make([][]byte, 3))
		}
		in := make([][]byte, 3)
		in[0] = make([]byte, 1<<20)
		return m.Exchange("test: last", make([][]byte, 3), in)
	}
	testnet.Run(t, 3, f)
	testnet.Over(t, 3, p, f)
}

func TestEmulatedTimeIsRoundTripsAndBits(t *testing.T) {
	p := transport.Profile{RTT: 40 * time.Millisecond, BitsPerSecond: 100e6}
	const bytes, k = 12_500 - transport.FrameHeader, 10 // 1 ms per message
	took := testnet.Over(t, 3, p, func(m *transport.Mesh) error {
		for range k {
			if _, err := m.Broadcast("test: open", make([]byte, bytes)); err != nil {
				return err
			}
		}
		return nil
	})
	// Two messages per round leave by one line, then travel half a round trip.
	if want := k * (20 + 2) * time.Millisecond; took != want {
		t.Errorf("took %v, want %v", took, want)
	}
}

func TestAShaperDelaysARealConnection(t *testing.T) {
	p := transport.Profile{RTT: 40 * time.Millisecond, BitsPerSecond: 8e6} // 1 ms for 1000 bytes
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		start := time.Now()
		c := transport.NewShaper(p).Conn(a)
		c.Write(make([]byte, 1000))
		c.Write(make([]byte, 2000))
		c.Close()
		for _, want := range []time.Duration{21, 23, 23} {
			n, err := io.ReadFull(b, make([]byte, 1000))
			if took := time.Since(start); err != nil || took != want*time.Millisecond {
				t.Errorf("read %d bytes after %v, %v; want %v ms", n, took, err, want)
			}
		}
		if _, err := b.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("at the end: %v, want EOF", err)
		}
		if _, err := c.Write([]byte{1}); err == nil {
			t.Error("Write after Close succeeded")
		}
	})
}

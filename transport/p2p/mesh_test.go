package p2p

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tacit-mpc/tacit/transport"
)

// connect returns the meshes of n parties over nodes on loopback. Party i
// opens the streams to all parties before it.
func connect(ctx context.Context, t testing.TB, n int) ([]*transport.Mesh, []*Node) {
	t.Helper()
	nodes, links := make([]*Node, n), make([][]transport.Link, n)
	for i := range n {
		nodes[i] = newNode(t, everybody, loopback)
		links[i] = make([]transport.Link, n)
		for j := range i {
			links[i][j] = transport.NewLink(open(t, nodes[i], nodes[j], Online, ""), transport.LinkOptions{})
			links[j][i] = transport.NewLink(accept(t, nodes[j]).Stream, transport.LinkOptions{})
		}
	}
	meshes := make([]*transport.Mesh, n)
	for i := range n {
		meshes[i] = transport.New(ctx, i, links[i])
	}
	return meshes, nodes
}

// each runs f as all parties and returns their errors.
func each(meshes []*transport.Mesh, f func(m *transport.Mesh) error) []error {
	errs := make([]error, len(meshes))
	var parties sync.WaitGroup
	for i, m := range meshes {
		parties.Go(func() { errs[i] = f(m) })
	}
	parties.Wait()
	return errs
}

func TestAMeshRunsOverStreams(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		meshes, _ := connect(t.Context(), t, n)
		for i, err := range each(meshes, func(m *transport.Mesh) error {
			defer m.Close()
			for _, size := range []int{1, 1000, 1 << 20, 100} {
				in, err := m.Broadcast("test: open", bytes.Repeat([]byte{byte(m.Self())}, size))
				if err != nil {
					return err
				}
				for j := range in {
					if bytes.Count(in[j], []byte{byte(j)}) != size {
						return fmt.Errorf("message of party %d is wrong", j)
					}
				}
			}
			return nil
		}) {
			if err != nil {
				t.Errorf("party %d of %d: %v", i, n, err)
			}
		}
	}
}

func TestAllBlameTheNodeThatWentAway(t *testing.T) {
	for dead := range 3 {
		meshes, nodes := connect(t.Context(), t, 3)
		errs := each(meshes, func(m *transport.Mesh) error {
			for round := 0; ; round++ {
				if m.Self() == dead && round == 10 {
					// Without a word, as a process that is killed.
					nodes[dead].closeConns()
					return nil
				}
				if _, err := m.Broadcast("test: open", make([]byte, 100)); err != nil {
					return err
				}
			}
		})
		for i, err := range errs {
			if e, ok := errors.AsType[*transport.PeerError](err); i != dead && (!ok || e.Party != dead) {
				t.Errorf("party %d: err = %v, want blame on party %d", i, err, dead)
			}
		}
	}
}

func BenchmarkRoundTrip64(b *testing.B) {
	meshes, _ := connect(b.Context(), b, 2)
	msg := make([]byte, 64)
	var took []time.Duration
	b.ResetTimer()
	for _, err := range each(meshes, func(m *transport.Mesh) error {
		out, in := [][]byte{nil, nil}, [][]byte{nil, nil}
		for range b.N {
			start := time.Now()
			for turn := range 2 {
				out[1-m.Self()], in[1-m.Self()] = nil, nil
				if turn == m.Self() {
					out[1-m.Self()] = msg
				} else {
					in[1-m.Self()] = make([]byte, 64)
				}
				if err := m.Exchange("bench: turn", out, in); err != nil {
					return err
				}
			}
			if m.Self() == 0 {
				took = append(took, time.Since(start))
			}
		}
		return nil
	}) {
		if err != nil {
			b.Fatal(err)
		}
	}
	report(b, took)
}

// report reports the median and the slowest hundredth of some times.
func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
}

func BenchmarkBroadcast(b *testing.B) {
	for _, size := range []int{100, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			meshes, _ := connect(b.Context(), b, 3)
			b.SetBytes(int64(2 * size))
			var took []time.Duration
			b.ResetTimer()
			for _, err := range each(meshes, func(m *transport.Mesh) error {
				msg := make([]byte, size)
				for range b.N {
					start := time.Now()
					if _, err := m.Broadcast("bench: broadcast", msg); err != nil {
						return err
					}
					if m.Self() == 0 {
						took = append(took, time.Since(start))
					}
				}
				return nil
			}) {
				if err != nil {
					b.Fatal(err)
				}
			}
			report(b, took)
		})
	}
}

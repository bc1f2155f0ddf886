package carry

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/testnet"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

const depth = 4 // of the sessions: the default

func tape(seed uint64, party int) io.Reader {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	binary.LittleEndian.PutUint64(key[8:], uint64(party))
	return rand.NewChaCha8(key)
}

// bases are those of n parties, made once for all tests.
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

func orderOf(n, first int) []int {
	o := make([]int, n)
	for i := range o {
		o[i] = (first + i) % n
	}
	return o
}

// xorOf returns the XOR of the parties' messages.
func xorOf(m *transport.Mesh, step string, msg []byte) ([]byte, error) {
	parts, err := m.Broadcast(step, msg)
	if err != nil {
		return nil, err
	}
	sum := make([]byte, len(msg))
	for _, p := range parts {
		subtle.XORBytes(sum, sum, p)
	}
	return sum, nil
}

// notOf returns the low m bits of ¬c, as planes.
func notOf(c []uint64, m int) [][]uint64 {
	words := ot.PlaneWords(len(c))
	flat := make([]uint64, m*words)
	complement(flat, words, c, m)
	return slices.Collect(slices.Chunk(flat, words))
}

// bitAt returns bit i of a plane.
func bitAt(plane []uint64, i int) uint64 { return plane[i/64] >> (i % 64) & 1 }

// revealed returns the XOR of the parties' planes of n bits.
func revealed(m *transport.Mesh, p []uint64, n int) ([]uint64, error) {
	sum, err := xorOf(m, "test: reveal", AppendPlanes(nil, p, n))
	if err != nil {
		return nil, err
	}
	z := make([]uint64, len(p))
	readPlane(z, sum, n)
	return z, nil
}

// sign tells whether c − r mod 2ᵐ is at least 0 as a signed number.
func sign(c, r uint64, m int) uint64 { return 1 - (c-r)>>(m-1)&1 }

// masked reveals the r of a job.
func masked(m *transport.Mesh, j *Job) ([]uint64, error) {
	r := make([]uint64, j.Len)
	for k := range j.Bits {
		plane, err := revealed(m, ot.Plane(j.Masked(k).X), len(r))
		if err != nil {
			return nil, err
		}
		for i := range r {
			r[i] |= bitAt(plane, i) << k
		}
	}
	return r, nil
}

// checkJob compares numbers c, less 301k in comparison k, with the r of a job.
func checkJob(m *transport.Mesh, j *Job, c []uint64) error {
	r, err := masked(m, j)
	if err != nil {
		return err
	}
	terms := append([]uint64(nil), j.Terms()...)
	vectors := make([]Vector, j.Times)
	for k := range vectors {
		v := Vector{k, terms, make([]uint64, len(c)), make([]uint64, len(c))}
		for i := range c {
			v.C[i] = c[i] - uint64(301*k)
		}
		vectors[k] = v
	}
	if err := Signs(m, "test", j.tree, vectors); err != nil {
		return err
	}
	for k := range j.Times {
		lambda, err := revealed(m, ot.Plane(j.Out(k).X), len(c))
		if err != nil {
			return err
		}
		for i := range c {
			less := vectors[k].C[i]
			if got, want := vectors[k].E[i]^bitAt(lambda, i), sign(less, r[i], j.Bits); got != want {
				return fmt.Errorf("%d bits, comparison %d: %d against %d gives %d", j.Bits, k, less, r[i], got)
			}
		}
	}
	return nil
}

// For m up to 5 and two parties nearly all pairs of c and r occur; beyond, the
// trees have one level or two.
func TestComparisonsAreExact(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			withSession(t, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
				var jobs []*Job
				var inputs [][]uint64
				source := rand.New(rand.NewPCG(1, 2))
				for bits := 2; bits <= 64; bits++ {
					if bits > 5 && n > 2 && bits%n != 1 {
						continue
					}
					c := make([]uint64, 150/n)
					if bits <= 5 {
						c = make([]uint64, 4<<(2*bits)/(n-1)/(n-1))
					}
					for i := range c {
						c[i] = uint64(i) & (1<<bits - 1)
						if bits > 5 {
							c[i] = source.Uint64() >> (64 - bits)
						}
					}
					j, err := New(Batch{Bits: bits, Times: 1 + bits%4, Order: orderOf(n, bits%n), Layer: bits, Len: len(c), Stride: uint64(len(c))}, rng)
					if err != nil {
						return err
					}
					jobs, inputs = append(jobs, j), append(inputs, c)
				}
				if _, err := Run(m, s, "test", jobs, nil); err != nil {
					return err
				}
				for i, j := range jobs {
					if err := checkJob(m, j, inputs[i]); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

// Where c and r differ in few bits, a borrow passes many levels.
func TestEveryBorrowArrives(t *testing.T) {
	const width = 64
	withSession(t, 2, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
		j, err := New(Batch{Bits: width, Times: 1, Order: orderOf(2, 0), Len: 4 * width}, rng)
		if err != nil {
			return err
		}
		if _, err := Run(m, s, "test", []*Job{j}, nil); err != nil {
			return err
		}
		c, err := masked(m, j)
		if err != nil {
			return err
		}
		for k := range width {
			c[4*k] ^= 1 << k
			c[4*k+1] += 1 << k
			c[4*k+2] -= 1 << k
		}
		return checkJob(m, j, c)
	})
}

func TestShapes(t *testing.T) {
	for _, c := range []struct{ m, times, levels, products, opened, terms int }{
		{2, 1, 0, 0, 0, 2}, {5, 1, 0, 11, 0, 16}, {6, 1, 1, 6, 2, 14}, {20, 1, 1, 85, 8, 113}, {25, 1, 1, 149, 10, 184}, {26, 1, 2, 84, 13, 123}, {64, 1, 2, 265, 33, 362},
		{18, 8, 1, 180, 4, 237}, {18, 32, 1, 300, 4, 477}, {7, 2, 0, 57, 0, 65}, {26, 16, 1, 722, 8, 891},
	} {
		tree := For(c.m, c.times)
		opened := 0
		for l := 1; l <= tree.Levels(); l++ {
			opened += tree.Opened(l)
		}
		if tree.Levels() != c.levels || tree.Products() != c.products || opened != c.opened || tree.Terms() != c.terms {
			t.Errorf("m = %d, %d times: %d levels, %d products, %d opened, %d terms, want %+v", c.m, c.times, tree.Levels(), tree.Products(), opened, tree.Terms(), c)
		}
	}
	for m := 2; m <= 64; m++ {
		want := 2
		if m <= 5 {
			want = 0
		} else if m <= 25 {
			want = 1
		}
		if got := For(m, 1).Levels(); got != want {
			t.Errorf("m = %d: %d levels, want %d", m, got, want)
		}
	}
}

func TestCostsAreThePlannedOnes(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		withSession(t, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
			var batches []Batch
			var jobs []*Job
			for i, bits := range []int{2, 7, 20, 33} {
				b := Batch{Bits: bits, Times: 1 + i%3, Order: orderOf(n, i%n), Layer: i, Len: 1 + 100*i, Stride: 1000}
				j, err := New(b, rng)
				if err != nil {
					return err
				}
				batches, jobs = append(batches, b), append(jobs, j)
			}
			before, counts := len(m.Steps()), s.Counts()
			if _, err := Run(m, s, "run", jobs, nil); err != nil {
				return err
			}
			var sum ot.Counts
			for i, want := range Plan(n, m.Self(), depth, batches, nil) {
				got := m.Steps()[before+i]
				if got.Step != "run"+want.Step || got.Rounds != want.Rounds || got.Sent != want.Sent || got.Received != want.Received {
					return fmt.Errorf("%+v, planned %+v", got, want)
				}
				sum.Add(want.Counts)
			}
			after := s.Counts()
			if got := (ot.Counts{COTs: after.COTs - counts.COTs, Keys: after.Keys - counts.Keys, Ands: after.Ands - counts.Ands}); got != sum {
				return fmt.Errorf("counts %+v, planned %+v", got, sum)
			}
			for _, j := range jobs {
				before := len(m.Steps())
				step := fmt.Sprint("job ", j.Layer)
				if err := Signs(m, step, j.tree, []Vector{{0, j.Terms(), make([]uint64, j.Len), make([]uint64, j.Len)}}); err != nil {
					return err
				}
				var planned []transport.Stats
				for _, c := range PlanSigns(n, j.tree, []int{j.Len}) {
					if c.Rounds > 0 {
						planned = append(planned, transport.Stats{Step: step + c.Step, Rounds: c.Rounds, Sent: c.Sent, Received: c.Received})
					}
				}
				if got := m.Steps()[before:]; !reflect.DeepEqual(got, planned) {
					return fmt.Errorf("%+v, planned %+v", got, planned)
				}
			}
			return nil
		})
	}
}

func TestPlanes(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{1, 7, 64, 65, 300} {
		c := make([]uint64, n)
		for i := range c {
			c[i] = rng.Uint64()
		}
		for k, p := range notOf(c, 64) {
			x := make([]uint8, n)
			unpack(x, p)
			for i := range c {
				if want := ^c[i] >> k & 1; bitAt(p, i) != want || uint64(x[i]) != want {
					t.Fatalf("%d numbers: bit %d of number %d is wrong", n, k, i)
				}
			}
			ones := 0
			for _, w := range p {
				ones += bits.OnesCount64(w)
			}
			for _, b := range x {
				ones -= int(b)
			}
			if ones != 0 {
				t.Fatal("stray bits")
			}
		}
	}
}

package garble

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"sync"
	"testing"

	"github.com/tacit-mpc/tacit/circuits"
	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/protocol/ot/ottest"
	"github.com/tacit-mpc/tacit/transport"
)

// A listened link hashes what is sent over it.
type listened struct {
	transport.Link
	heard hash.Hash
}

func (l *listened) Send(step string, msg []byte) error {
	fmt.Fprintf(l.heard, "%s %d ", step, len(msg))
	l.heard.Write(msg)
	return l.Link.Send(step, msg)
}

// A wire is one end of a link in memory.
type wire struct {
	out chan<- []byte
	in  <-chan []byte
}

func (w *wire) Send(_ string, msg []byte) error {
	w.out <- append([]byte(nil), msg...)
	return nil
}

func (w *wire) Recv(_ string, msg []byte) error {
	if got := <-w.in; copy(msg, got) != len(got) || len(msg) != len(got) {
		return transport.ErrDesync
	}
	return nil
}

func (w *wire) Abort(int, string) {}
func (w *wire) Close() error      { return nil }

// digest runs the jobs at n parties and hashes all that is sent and kept.
func digest(t *testing.T, n int, tests []instance) string {
	t.Helper()
	made := ottest.Bases(t, n)
	prg.ForgetTweaks()
	links := make([][]transport.Link, n)
	for i := range links {
		links[i] = make([]transport.Link, n)
		for j := range i {
			there, back := make(chan []byte, 1), make(chan []byte, 1)
			links[i][j] = &listened{&wire{there, back}, sha256.New()}
			links[j][i] = &listened{&wire{back, there}, sha256.New()}
		}
	}
	kept := make([]hash.Hash, n)
	var parties sync.WaitGroup
	for p := range n {
		kept[p] = sha256.New()
		parties.Go(func() {
			if err := keep(transport.New(t.Context(), p, links[p]), made[p], tests, kept[p]); err != nil {
				t.Error(err)
			}
		})
	}
	parties.Wait()
	sum := sha256.New()
	for p := range n {
		sum.Write(kept[p].Sum(nil))
		for j := range n {
			if j != p {
				sum.Write(links[p][j].(*listened).heard.Sum(nil))
			}
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// keep garbles and evaluates the tests and writes what it has then to w.
func keep(m *transport.Mesh, base *ot.Base, tests []instance, w io.Writer) error {
	rng := ottest.Tape(2, m.Self())
	s, err := base.Fork(m, rng, make([]byte, ot.KeyLen))
	if err != nil {
		return err
	}
	var jobs []*Job
	for i, in := range tests {
		in.batch.Self = m.Self()
		j, err := New(in.batch, [32]byte{byte(i), byte(m.Self())}, rng)
		if err != nil {
			return err
		}
		jobs = append(jobs, j)
	}
	if _, err := Run(m, s, "test", jobs, nil); err != nil {
		return err
	}
	for i, in := range tests {
		bits := []ot.Bits{jobs[i].Out()}
		for k := range in.batch.Circuit.Masked() {
			bits = append(bits, jobs[i].Masked(k))
		}
		for _, b := range bits {
			w.Write(b.X)
			for j := range m.N() {
				fmt.Fprint(w, b.M[j], b.K[j])
			}
		}
		if tables := jobs[i].Tables(); tables != nil {
			data, err := tables.AppendBinary(nil)
			if err != nil {
				return err
			}
			w.Write(data)
		}
		x, err := in.evaluate(m, s, jobs[i])
		if err != nil {
			return err
		}
		w.Write(x)
	}
	return nil
}

// TestTranscriptIsPinned fails if any message, bit of material or output
// changes, on any path of the kernels.
func TestTranscriptIsPinned(t *testing.T) {
	for n, want := range map[int]string{2: "7023f27465e5d38e05971b71915a9313", 3: "16479b3b1b9e71e8b73023e708c603ad"} {
		tests := instances(n)
		for i, size := range []int{1, 16, 1024, 1111} {
			in := instance{batch: Batch{
				Circuit: circuits.Comparison(20), Parties: n, Eval: i % n, Key: prg.Block{uint64(i), 8}, Layer: 100 + i, Len: size,
			}}
			rng := ottest.Tape(9, i)
			for range in.batch.Circuit.Public() {
				v := make([]uint8, size)
				rng.Read(v)
				for e := range v {
					v[e] &= 1
				}
				in.values = append(in.values, v)
			}
			tests = append(tests, in)
		}
		if got := digest(t, n, tests); got != want {
			t.Errorf("%d parties: digest %s, want %s", n, got, want)
		}
	}
}

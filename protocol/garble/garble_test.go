package garble

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tacit-mpc/tacit/circuits"
	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/protocol/ot/ottest"
	"github.com/tacit-mpc/tacit/transport"
)

// wild returns a circuit whose gates have operands of all classes, with and
// without a need for labels.
func wild(rng *rand.Rand) *circuits.Circuit {
	var b circuits.Builder
	var publics, masks, mixed []circuits.Wire
	for range 4 {
		publics, masks = append(publics, b.Public()), append(masks, b.Masked())
	}
	publics = append(publics, b.Xor(publics[0], publics[1]))
	masks = append(masks, b.Xor(masks[2], masks[3]))
	pick := func(w []circuits.Wire) circuits.Wire { return w[rng.IntN(len(w))] }
	mixed = append(mixed, b.And(pick(publics), pick(masks)), b.Xor(pick(publics), pick(masks)))
	for range 12 {
		x := pick(mixed)
		var w circuits.Wire
		switch rng.IntN(6) {
		case 0:
			w = b.And(x, pick(publics))
		case 1:
			w = b.And(pick(masks), x)
		case 2, 3:
			w = b.And(x, pick(mixed))
		case 4:
			w = b.Xor(x, pick(mixed))
		default:
			w = b.Xor(b.Xor(x, pick(publics)), pick(masks))
		}
		mixed = append(mixed, w)
	}
	return b.Build(b.Xor(b.Xor(mixed[len(mixed)-1], mixed[len(mixed)-2]), masks[0]))
}

// An instance is a job of a test with the values of its public inputs, and what
// the parties hold of it afterwards.
type instance struct {
	batch  Batch
	values [][]uint8
}

func instances(n int) []instance {
	rng := rand.New(rand.NewPCG(5, uint64(n)))
	list := []*circuits.Circuit{circuits.Comparison(2), circuits.Comparison(3), circuits.Comparison(12)}
	for range 12 {
		list = append(list, wild(rng))
	}
	var all []instance
	for i, c := range list {
		in := instance{batch: Batch{
			Circuit: c, Parties: n, Eval: i % n, Key: prg.Block{uint64(i), 7}, Layer: i, Element: 1000, Len: 40 + i,
		}}
		for range c.Public() {
			v := make([]uint8, in.batch.Len)
			for e := range v {
				v[e] = uint8(rng.Uint32() & 1)
			}
			in.values = append(in.values, v)
		}
		all = append(all, in)
	}
	return all
}

// evaluate evaluates the job at its evaluator, and returns the masked output.
func (in instance) evaluate(m *transport.Mesh, s *ot.Session, j *Job) ([]uint8, error) {
	batch := j.Batch
	out, got, labels := make([][]byte, m.N()), make([][]byte, m.N()), make([][]prg.Block, m.N())
	if m.Self() != batch.Eval {
		own := make([]prg.Block, batch.LabelLen())
		batch.Labels(own, j.seed, s.Delta(), in.values)
		out[batch.Eval] = prg.Bytes(own)
	}
	for p := range got {
		if m.Self() == batch.Eval && p != batch.Eval {
			labels[p] = make([]prg.Block, batch.LabelLen())
			got[p] = prg.Bytes(labels[p])
		}
	}
	if err := m.Exchange("test: labels", out, got); err != nil || m.Self() != batch.Eval {
		return make([]uint8, batch.Len), err
	}
	data, err := j.Tables().AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	stored, err := ParseTables(batch, data)
	if err != nil {
		return nil, err
	}
	return stored.Eval(labels, in.values), nil
}

// all returns the XOR of the vectors of all parties.
func all(m *transport.Mesh, x []uint8) ([]uint8, error) {
	parts, err := m.Broadcast("test: open", x)
	if err != nil {
		return nil, err
	}
	sum := make([]uint8, len(x))
	for _, p := range parts {
		for i, v := range p {
			sum[i] ^= v
		}
	}
	return sum, nil
}

func (in instance) check(m *transport.Mesh, s *ot.Session, j *Job) error {
	masked, err := in.evaluate(m, s, j)
	if err != nil {
		return err
	}
	for e, x := range j.Out().X {
		masked[e] ^= x
	}
	got, err := all(m, masked)
	if err != nil {
		return err
	}
	c := in.batch.Circuit
	masks := make([][]uint8, len(c.Masked()))
	for k := range masks {
		if masks[k], err = all(m, j.Masked(k).X); err != nil {
			return err
		}
	}
	for e := range got {
		public, mask := make([]uint64, len(in.values)), make([]uint64, len(masks))
		for k := range public {
			public[k] = uint64(in.values[k][e])
		}
		for k := range mask {
			mask[k] = uint64(masks[k][e])
		}
		if uint64(got[e]) != c.Eval(public, mask)&1 {
			return fmt.Errorf("circuit %d, element %d: %d is wrong", in.batch.Layer, e, got[e])
		}
	}
	return nil
}

// checkOut checks that the mask of the output has the MACs that it claims.
func checkOut(m *transport.Mesh, s *ot.Session, j *Job) error {
	for owner := range m.N() {
		sum := make([]uint8, 16*j.Len)
		copy(sum, prg.Bytes(append([]prg.Block(nil), s.Share(j.Out(), owner)...)))
		product, err := all(m, sum)
		if err != nil {
			return err
		}
		lambda, err := all(m, j.Out().X)
		if err != nil {
			return err
		}
		if owner != m.Self() {
			continue
		}
		for e := range lambda {
			want := []prg.Block{prg.And(s.Delta(), lambda[e])}
			if !bytes.Equal(product[16*e:16*e+16], prg.Bytes(want)) {
				return fmt.Errorf("output mask %d: wrong product with Δ of party %d", e, owner)
			}
		}
	}
	return nil
}

func TestCircuitsAreEvaluatedAtThePlannedCost(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			tests := instances(n)
			ottest.Run(t, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
				var jobs []*Job
				var batches []Batch
				for _, in := range tests {
					in.batch.Self = m.Self()
					var seed [32]byte
					if _, err := io.ReadFull(rng, seed[:]); err != nil {
						return err
					}
					j, err := New(in.batch, seed, rng)
					if err != nil {
						return err
					}
					jobs, batches = append(jobs, j), append(batches, in.batch)
				}
				ride := ot.Request{X: make([]uint8, 9), Holders: ot.All(n), Keys: ot.All(n)}
				before := len(m.Steps())
				rode, err := Run(m, s, "test", jobs, []ot.Request{ride})
				if err != nil {
					return err
				}
				if len(rode) != 1 || rode[0].Len() != 9 {
					return fmt.Errorf("rode along: %v", rode)
				}
				for i, p := range Plan(n, m.Self(), 4, batches, []ot.AuthShape{ride.Shape()}) {
					got := m.Steps()[before+i]
					if got.Step != "test"+p.Step || got.Rounds != p.Rounds || got.Sent != p.Sent || got.Received != p.Received {
						return fmt.Errorf("step %+v, planned %+v", got, p)
					}
				}
				for i, in := range tests {
					if (jobs[i].Tables() != nil) != (m.Self() == in.batch.Eval) {
						return fmt.Errorf("circuit %d: tables at a garbler, or none at the evaluator", i)
					}
					if err := checkOut(m, s, jobs[i]); err != nil {
						return fmt.Errorf("circuit %d: %w", i, err)
					}
					if err := in.check(m, s, jobs[i]); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

// No label of a wire whose value varies may be known beforehand: its active
// label would be Δ.
func TestLabelsVaryByPartAndSeed(t *testing.T) {
	seen := map[prg.Block]string{}
	for _, eval := range []int{0, 1} {
		for _, element := range []uint64{0, 100} {
			for _, seed := range []byte{1, 2} {
				b := Batch{Circuit: circuits.Comparison(5), Parties: 3, Self: 2, Eval: eval, Element: element, Len: 10}
				labels := make([]prg.Block, b.LabelLen())
				b.zeroLabels(labels, [32]byte{seed})
				name := fmt.Sprint(eval, element, seed)
				for _, l := range labels {
					if l == (prg.Block{}) || seen[l] != "" {
						t.Fatalf("label of %s is zero or that of %q", name, seen[l])
					}
					seen[l] = name
				}
			}
		}
	}
}

func TestLabelsCarryTheValues(t *testing.T) {
	b := Batch{Circuit: circuits.Comparison(3), Parties: 2, Self: 1, Len: 4}
	delta := prg.Block{3, 4}
	values := [][]uint8{{0, 1, 0, 1}, {1, 1, 0, 0}, {1, 1, 1, 1}}
	zero, active := make([]prg.Block, b.LabelLen()), make([]prg.Block, b.LabelLen())
	b.zeroLabels(zero, [32]byte{1})
	b.Labels(active, [32]byte{1}, delta, values)
	for i := range zero {
		if got := prg.Xor(zero[i], active[i]); got != prg.And(delta, values[i/4][i%4]) {
			t.Errorf("label %d moves by %x", i, got)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("accepted room for one label too few")
		}
	}()
	b.Labels(active[1:], [32]byte{1}, delta, values)
}

func TestParseTablesRefuses(t *testing.T) {
	b := Batch{Circuit: circuits.Comparison(6), Parties: 3, Eval: 0, Len: 3}
	size := TableLen(b.Circuit, 3, 3)
	stray := make([]byte, size)
	stray[size-1] = 0x80
	for name, data := range map[string][]byte{"nothing": nil, "short": make([]byte, size-1), "long": make([]byte, size+1), "stray": stray} {
		if tables, err := ParseTables(b, data); err == nil || tables != nil || !strings.HasPrefix(err.Error(), "garble: ") {
			t.Errorf("%s: %v, %v", name, tables, err)
		}
	}
}

func FuzzParseTables(f *testing.F) {
	f.Add(uint8(6), uint8(3), uint8(3), make([]byte, TableLen(circuits.Comparison(6), 3, 3)))
	f.Fuzz(func(t *testing.T, m, n, elements uint8, data []byte) {
		if m < 2 || m > 64 || n < 2 {
			return
		}
		b := Batch{Circuit: circuits.Comparison(int(m)), Parties: int(n), Len: int(elements)}
		tables, err := ParseTables(b, data)
		if err != nil {
			return
		}
		again, err := tables.AppendBinary(nil)
		if err != nil || !bytes.Equal(again, data) {
			t.Error("accepted what AppendBinary does not write")
		}
	})
}

func TestTablesDoNotPrint(t *testing.T) {
	tables := newTables(Batch{Circuit: circuits.Comparison(4), Parties: 2, Len: 3})
	for _, verb := range []string{"%v", "%+v", "%#v", "%x"} {
		if got := fmt.Sprintf(verb, tables); got != "Tables[3]" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

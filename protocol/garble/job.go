package garble

import (
	"fmt"
	"io"

	"github.com/tacit-mpc/tacit/circuits"
	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

// A Source makes the correlated randomness of one session: an [ot.Session].
type Source interface {
	Delta() prg.Block
	Blocks(n int) []prg.Block
	Bytes(n int) []byte
	Xor(b, c ot.Bits) ot.Bits
	Authenticate(m *transport.Mesh, step string, reqs []ot.Request) ([]ot.Bits, error)
	And(m *transport.Mesh, step string, reqs []ot.AndRequest) ([][]uint8, error)
}

// Steps of [Run], after the prefix of the caller.
const (
	StepMasks    = ": authenticate masks"
	StepProducts = ": products of masks"
	StepAuth     = ": authenticate products"
	StepRows     = ": rows to evaluators"
)

// A Job is the garbling of one batch.
type Job struct {
	Batch

	gates []gate
	seed  [32]byte // of the labels; only a garbler's is used
	drawn []uint8  // this party's shares of all masks

	masks    []mask    // by wire
	products [][]uint8 // shares of λa·λb by gate, nil where it is 0
	sums     []mask    // λa·λb ⊕ λc by gate, of gates with labels
	out      ot.Bits
	tables   *Tables
}

// Format implements [fmt.Formatter] and hides the job from every verb.
func (j *Job) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Job[%d]", j.Len) }

// New starts the garbling of b. It draws this party's shares of all masks from
// rng in one read: masked inputs, then And gates, a bit for each element. The
// seed is that from which this party, as a garbler, makes the labels of public
// inputs, here and in [Batch.Labels].
func New(b Batch, seed [32]byte, rng io.Reader) (*Job, error) {
	j := &Job{Batch: b, gates: gates(b.Circuit), seed: seed}
	n := (len(b.Circuit.Masked()) + len(j.gates)) * b.Len
	packed := make([]byte, (n+7)/8)
	if _, err := io.ReadFull(rng, packed); err != nil {
		return nil, fmt.Errorf("draw masks: %w", err)
	}
	j.drawn = make([]uint8, n)
	prg.UnpackBits(j.drawn, packed)
	clear(packed)
	return j, nil
}

// Share makes j work on the masked inputs of another job that has not run yet, in
// place of its own. All else, labels and masks of gates, is apart.
func (j *Job) Share(other *Job) {
	inputs := len(j.Circuit.Masked()) * j.Len
	copy(j.drawn[:inputs], other.drawn[:inputs])
}

// Masked returns the bits of masked input k. The garblers hold keys.
func (j *Job) Masked(k int) ot.Bits { return *j.masks[j.Circuit.Masked()[k]][0] }

// Out returns the mask of the output. All parties hold keys.
func (j *Job) Out() ot.Bits { return j.out }

// Tables returns what the evaluator needs later, and nil at garblers.
func (j *Job) Tables() *Tables { return j.tables }

// Run garbles all jobs. The requests ride along in its first round, and their
// bits are returned.
//
// Rounds: 4, without the second and third where no job has products for them.
// Sends: to the evaluator of each job, the rows G0, G1 and K of the package
// comment, for every element; see [Plan].
//
// Security: see the package comment. What garblers see are messages of
// [Source]; the evaluator alone gets rows.
func Run(m *transport.Mesh, s Source, step string, jobs []*Job, ride []ot.Request) ([]ot.Bits, error) {
	var reqs []ot.Request
	for _, j := range jobs {
		reqs = append(reqs, j.maskRequests()...)
	}
	bits, err := s.Authenticate(m, step+StepMasks, append(reqs, ride...))
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		j.setMasks(s, bits[0], bits[1])
		bits = bits[2:]
	}
	if err := multiplyMasks(m, s, step, jobs); err != nil {
		return nil, err
	}
	if err := sendRows(m, s, step, jobs); err != nil {
		return nil, err
	}
	return bits, nil
}

// maskRequests asks for all masks towards the garblers, and for the mask of the
// output also towards the evaluator, who multiplies with it.
func (j *Job) maskRequests() []ot.Request {
	return []ot.Request{
		{X: j.drawn, Holders: ot.All(j.Parties), Keys: j.keys()},
		{X: j.outShare(), Holders: j.keys(), Keys: ot.Set(0).With(j.Eval)},
	}
}

// outShare returns this party's share of the mask of the output.
func (j *Job) outShare() []uint8 {
	x := make([]uint8, j.Len)
	var add func(w circuits.Wire, drawn map[circuits.Wire]int)
	add = func(w circuits.Wire, drawn map[circuits.Wire]int) {
		switch g := j.Circuit.Gates()[w]; g.Op {
		case circuits.Xor:
			add(g.A, drawn)
			add(g.B, drawn)
		case circuits.Masked, circuits.And:
			for e, v := range j.drawn[drawn[w]*j.Len:][:j.Len] {
				x[e] ^= v
			}
		}
	}
	add(j.Circuit.Out(), j.places())
	return x
}

// places returns the place of every wire with a mask of its own in drawn.
func (j *Job) places() map[circuits.Wire]int {
	place := map[circuits.Wire]int{}
	for _, w := range append(append([]circuits.Wire(nil), j.Circuit.Masked()...), j.Circuit.Ands()...) {
		place[w] = len(place)
	}
	return place
}

// setMasks derives the masks of all wires from those of inputs and gates.
func (j *Job) setMasks(s Source, drawn, toEval ot.Bits) {
	place := j.places()
	j.masks = make([]mask, len(j.Circuit.Gates()))
	for w, g := range j.Circuit.Gates() {
		switch g.Op {
		case circuits.Masked, circuits.And:
			lo := place[circuits.Wire(w)] * j.Len
			b := drawn.Slice(lo, lo+j.Len)
			j.masks[w][0] = &b
		case circuits.Xor:
			j.masks[w] = j.sum(s, g.A, g.B)
		}
	}
	// The mask of the output has keys at the garblers by its derivation, and a
	// fresh one at the evaluator.
	out := *j.whole(s, j.Circuit.Out())
	out.M, out.K = append([][]prg.Block(nil), out.M...), append([][]prg.Block(nil), out.K...)
	out.Keys = ot.All(j.Parties)
	if j.Self == j.Eval {
		for _, i := range j.garblers() {
			out.K[i] = toEval.K[i]
		}
	} else {
		out.M[j.Eval] = toEval.M[j.Eval]
	}
	j.out = out
	j.drawn = nil
}

// sum returns the mask of a sum of wires a and b. If more than two vectors make
// it up, it adds those of a or b for good.
func (j *Job) sum(s Source, a, b circuits.Wire) mask {
	if j.masks[a].len()+j.masks[b].len() > 2 {
		for _, w := range []circuits.Wire{a, b} {
			if j.masks[w].len() == 2 {
				j.masks[w] = mask{j.whole(s, w)}
			}
		}
	}
	m := j.masks[a]
	for _, v := range j.masks[b] {
		switch {
		case v == nil:
		case m[0] == nil:
			m[0] = v
		default:
			m[1] = v
		}
	}
	return m
}

// whole returns the mask of wire w, which is not 0, as one vector.
func (j *Job) whole(s Source, w circuits.Wire) *ot.Bits {
	m := j.masks[w]
	if m[1] == nil {
		return m[0]
	}
	b := s.Xor(*m[0], *m[1])
	return &b
}

func (m mask) len() int {
	n := 0
	for _, b := range m {
		if b != nil {
			n++
		}
	}
	return n
}

// multiplyMasks makes the products of the masks of the operands of every gate,
// all at once, and authenticates those that labels depend on.
func multiplyMasks(m *transport.Mesh, s Source, step string, jobs []*Job) error {
	var ands []ot.AndRequest
	for _, j := range jobs {
		ands = append(ands, j.andRequests()...)
	}
	var products [][]uint8
	var err error
	if len(ands) > 0 {
		if products, err = s.And(m, step+StepProducts, ands); err != nil {
			return err
		}
	}
	var auth []ot.Request
	for _, j := range jobs {
		products = j.setProducts(products)
		if x := j.labelledProducts(s); len(x) > 0 {
			auth = append(auth, ot.Request{X: x, Holders: ot.All(j.Parties), Keys: j.keys()})
		}
	}
	var bits []ot.Bits
	if len(auth) > 0 {
		if bits, err = s.Authenticate(m, step+StepAuth, auth); err != nil {
			return err
		}
	}
	for _, j := range jobs {
		bits = j.setSums(bits)
	}
	return nil
}

func (j *Job) andRequests() []ot.AndRequest {
	var reqs []ot.AndRequest
	for _, g := range j.gates {
		if !g.product {
			continue
		}
		r := ot.AndRequest{Eval: j.Eval, Layer: j.Layer, Gate: g.number, Element: j.Element}
		r.A, r.AddA = j.masks[g.a].parts()
		r.B, r.AddB = j.masks[g.b].parts()
		reqs = append(reqs, r)
	}
	return reqs
}

// parts returns the vectors whose sum a mask is, of which the second may be empty.
func (m mask) parts() (b, c ot.Bits) {
	if m[1] != nil {
		c = *m[1]
	}
	return *m[0], c
}

// setProducts takes the products of j and returns those of later jobs.
func (j *Job) setProducts(products [][]uint8) [][]uint8 {
	j.products = make([][]uint8, len(j.gates))
	for _, g := range j.gates {
		if g.product {
			j.products[g.number], products = products[0], products[1:]
		}
	}
	return products
}

func (j *Job) labelledProducts(s Source) []uint8 {
	_, n := j.Circuit.Products()
	x := s.Bytes(n * j.Len)
	at := 0
	for _, g := range j.gates {
		if g.product && g.labelled {
			at += copy(x[at:], j.products[g.number])
		}
	}
	return x
}

// setSums takes the authenticated products of j and returns those of later jobs.
func (j *Job) setSums(bits []ot.Bits) []ot.Bits {
	j.sums = make([]mask, len(j.gates))
	lo := 0
	for _, g := range j.gates {
		if !g.labelled {
			continue
		}
		j.sums[g.number] = j.masks[g.out]
		if g.product {
			b := bits[0].Slice(lo, lo+j.Len)
			j.sums[g.number][1] = &b
			lo += j.Len
		}
	}
	if lo > 0 {
		return bits[1:]
	}
	return bits
}

// sendRows sends the rows of every garbler to the evaluators and adds up what
// this party gets as one.
func sendRows(m *transport.Mesh, s Source, step string, jobs []*Job) error {
	if len(jobs) == 0 {
		return nil
	}
	out, in := make([][]byte, m.N()), make([][]byte, m.N())
	got := make([][]prg.Block, m.N())
	batches := make([]Batch, len(jobs))
	for i, j := range jobs {
		batches[i] = j.Batch
	}
	sent, received := rowSizes(m.N(), m.Self(), batches)
	for p := range m.N() {
		if p == m.Self() {
			continue
		}
		// Blocks come first and the bits, packed, fill the start of the rest.
		blocks, bits := s.Blocks(sent[p].room()), s.Bytes(sent[p].bits)
		out[p] = prg.Bytes(blocks)[:sent[p].bytes()]
		tail, rest := out[p][16*sent[p].blocks:], bits
		for _, j := range jobs {
			m.Yield()
			if j.Eval == p {
				size := j.sent(m.Self())
				j.garble(s, blocks[:size.blocks], rest[:size.bits])
				blocks, rest = blocks[size.blocks:], rest[size.bits:]
			}
		}
		prg.PackBits(tail, bits)
		clear(bits)
		got[p] = s.Blocks(received[p].room())
		in[p] = prg.Bytes(got[p])[:received[p].bytes()]
	}
	if err := m.Exchange(step+StepRows, out, in); err != nil {
		return err
	}
	bits := make([][]uint8, m.N())
	for p := range got {
		bits[p] = s.Bytes(received[p].bits)
		if p != m.Self() {
			prg.UnpackBits(bits[p], in[p][16*received[p].blocks:])
		}
	}
	for _, j := range jobs {
		if j.Eval == m.Self() {
			j.collect(got, bits)
		}
	}
	return nil
}

// A size is that of a message: blocks and bits.
type size struct{ blocks, bits int }

func (s size) bytes() int { return 16*s.blocks + (s.bits+7)/8 }

// room is the number of blocks that a message takes.
func (s size) room() int { return s.blocks + (s.bits+127)/128 }

// sent returns the size of what garbler j sends of the batch.
func (b *Batch) sent(j int) size {
	return size{b.sizes().sentRows * b.Len, b.sentBitRows(j) * b.Len}
}

// rowSizes returns the sizes of what this party sends to and gets from each
// other in the round of rows.
func rowSizes(n, self int, batches []Batch) (sent, received []size) {
	sent, received = make([]size, n), make([]size, n)
	add := func(to *size, s size) { to.blocks, to.bits = to.blocks+s.blocks, to.bits+s.bits }
	for _, b := range batches {
		if b.Eval != self {
			add(&sent[b.Eval], b.sent(self))
			continue
		}
		for _, p := range b.garblers() {
			add(&received[p], b.sent(p))
		}
	}
	return sent, received
}

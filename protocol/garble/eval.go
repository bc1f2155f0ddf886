package garble

import (
	"errors"
	"fmt"

	"github.com/tacit-mpc/tacit/circuits"
	"github.com/tacit-mpc/tacit/internal/prg"
)

// Tables are what the evaluator keeps of one garbled batch: the sums of all
// rows and of its own shares. They are secret, and for one evaluation.
type Tables struct {
	Batch

	// By gate with labels and owner: ΣG0, ΣG1 where b varies, ΣK, each a vector
	// over the elements.
	rows []prg.Block
	// By gate, vectors over the elements: the lowest bits of the designated
	// garbler's zero labels, or the sums of the rows of a gate without labels.
	bits []uint8
}

func newTables(b Batch) *Tables {
	s := b.sizes()
	return &Tables{Batch: b, rows: make([]prg.Block, s.rows*b.Len), bits: make([]uint8, s.bits*b.Len)}
}

// Format hides t from every verb.
func (t *Tables) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Tables[%d]", t.Len) }

// TableLen is the length of the encoding of the tables of a batch of elements,
// for a circuit garbled among n parties.
func TableLen(c *circuits.Circuit, n, elements int) int {
	s := sizesOf(c, n)
	return size{s.rows * elements, s.bits * elements}.bytes()
}

// AppendBinary appends the encoding of t, of [TableLen] bytes.
func (t *Tables) AppendBinary(dst []byte) ([]byte, error) {
	dst = append(dst, prg.Bytes(t.rows)...)
	n := len(dst)
	dst = append(dst, make([]byte, (len(t.bits)+7)/8)...)
	prg.PackBits(dst[n:], t.bits)
	return dst, nil
}

// ParseTables returns the tables of batch b that data encodes.
func ParseTables(b Batch, data []byte) (*Tables, error) {
	if want := TableLen(b.Circuit, b.Parties, b.Len); len(data) != want {
		return nil, fmt.Errorf("garble: tables of %d bytes, want %d", len(data), want)
	}
	t := newTables(b)
	n := copy(prg.Bytes(t.rows), data)
	if used := len(t.bits) % 8; used > 0 && data[len(data)-1]>>used != 0 {
		return nil, errors.New("garble: tables with stray bits")
	}
	prg.UnpackBits(t.bits, data[n:])
	return t, nil
}

// Erase forgets the content of t.
func (t *Tables) Erase() {
	clear(t.rows)
	clear(t.bits)
	t.rows, t.bits = nil, nil
}

// Eval evaluates the batch and returns the masked outputs. labels[i] are the
// active labels of garbler i as [Batch.Labels] made them; values are those of
// the public inputs. Eval erases t.
func (t *Tables) Eval(labels [][]prg.Block, values [][]uint8) []uint8 {
	out := make([]uint8, t.Len)
	t.EvalTo(out, labels, values)
	return out
}

// EvalTo is [Tables.Eval] with the place for its result.
func (t *Tables) EvalTo(out []uint8, labels [][]prg.Block, values [][]uint8) {
	defer t.Erase()
	t.evaluate(out, labels, values)
}

package compare

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tacit-mpc/tacit/circuits"
	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/carry"
	"github.com/tacit-mpc/tacit/protocol/garble"
)

// A field is a vector of the encoding, with its width.
type field struct {
	v     []uint64
	width int
}

// backend returns the back end that c makes use of.
func (c Class) backend() Backend {
	if c.signed() {
		return c.Backend
	}
	return Garbled
}

// fields returns r, r_top, λ, λr, λr_top, as far as the class has them.
func (c *content) fields() []field {
	f := []field{{c.r, c.class.rWidth()}}
	if c.rTop != nil {
		f = append(f, field{c.rTop, c.class.topWidth()})
	}
	if c.class.signed() {
		for w, v := range c.products() {
			f = append(f, field{v, c.class.productWidths()[w]})
		}
	}
	return f
}

// headerLen is the length of the index of the inference and the back end.
const headerLen = 8

// EncodedLen is the length of the encoding of a Material of the class for party
// self of n.
func (c Class) EncodedLen(n, self int) int {
	size := headerLen + ring.PackedLen(c.N, c.rWidth())
	if w := c.topWidth(); w > 0 {
		size += ring.PackedLen(c.N, w)
	}
	if !c.signed() {
		return size
	}
	for _, w := range c.productWidths() {
		size += ring.PackedLen(c.signs()*c.N, w)
	}
	if c.carried() {
		return size + c.tree().Terms()*ring.PackedLen(c.N, 1)
	}
	size += len(name{}) + len(content{}.seed) + 16
	circuit := circuits.Comparison(c.In)
	for _, b := range c.blocks(n, self) {
		size += c.signs() * garble.TableLen(circuit, n, b.len())
	}
	return size
}

// heapLen is about the length of a Material in memory.
func (c Class) heapLen(n, self int) int { return c.EncodedLen(n, self) + (16+24*c.signs())*c.N }

// AppendBinary appends the encoding of m, which is as secret as m, for a store
// that hands it out at most once. It panics if m is spent.
//
// The encoding is the index in the batch, in 7 bytes, the back end, the packed
// vectors, and where there is a circuit the name of the batch, the seed, Δ and
// the tables, or the terms of carried comparisons. Class and party are not part
// of it.
func (m *Material) AppendBinary(dst []byte) ([]byte, error) {
	if m.spent.Load() {
		panic("compare: material is spent")
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(m.index)|uint64(m.class.backend())<<56)
	for _, f := range m.fields() {
		dst = ring.AppendPacked(dst, f.v, f.width)
	}
	if m.class.carried() {
		return carry.AppendPlanes(dst, m.terms, m.class.N), nil
	}
	if !m.class.garbled() {
		return dst, nil
	}
	dst = append(dst, m.id[:]...)
	dst = append(dst, m.seed[:]...)
	dst = append(dst, prg.Bytes([]prg.Block{m.delta})...)
	for _, t := range m.tables {
		var err error
		if dst, err = t.AppendBinary(dst); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// ParseMaterial returns the Material of party self of n that data encodes. It
// accepts nothing but what AppendBinary writes for the class.
func ParseMaterial(class Class, n, self int, data []byte) (*Material, error) {
	if err := class.Validate(); err != nil {
		return nil, err
	}
	if n < 2 || n > maxParties || self < 0 || self >= n {
		return nil, fmt.Errorf("compare: material of party %d of %d", self, n)
	}
	if want := class.EncodedLen(n, self); len(data) != want {
		return nil, fmt.Errorf("compare: material of %d bytes, want %d", len(data), want)
	}
	index := binary.LittleEndian.Uint64(data)
	if b := Backend(index >> 56); b != class.backend() {
		return nil, fmt.Errorf("compare: material for the back end %v, want %v", b, class.backend())
	}
	if index &= 1<<56 - 1; index >= maxInferences {
		return nil, fmt.Errorf("compare: material of inference %d", index)
	}
	data = data[headerLen:]
	m := new(Material)
	m.content = content{class: class, n: n, self: self, index: int(index)}
	m.allocate()
	for _, f := range m.fields() {
		size := ring.PackedLen(len(f.v), f.width)
		if used := len(f.v) * f.width % 8; used > 0 && data[size-1]>>used != 0 {
			return nil, errors.New("compare: material with stray bits")
		}
		ring.Unpack(f.v, data, f.width)
		data = data[size:]
	}
	if class.carried() {
		if !carry.ReadPlanes(m.terms, data, class.N) {
			return nil, errors.New("compare: material with stray bits")
		}
		return m, nil
	}
	if !class.garbled() {
		return m, nil
	}
	if err := m.parseGarbled(data); err != nil {
		return nil, err
	}
	return m, nil
}

// parseGarbled takes what belongs to the circuit from data, whose length is
// right.
func (m *Material) parseGarbled(data []byte) error {
	data = data[copy(m.id[:], data):]
	data = data[copy(m.seed[:], data):]
	m.delta = prg.Block{binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[8:])}
	if m.delta[0]&1 == 0 {
		return errors.New("compare: material with an even difference")
	}
	data = data[16:]
	for _, b := range m.class.blocks(m.n, m.self) {
		for k := range m.class.signs() {
			batch := m.class.batch(m.n, m.self, m.index, m.id, b, k)
			size := garble.TableLen(batch.Circuit, m.n, batch.Len)
			t, err := garble.ParseTables(batch, data[:size])
			if err != nil {
				return err
			}
			m.tables = append(m.tables, t)
			data = data[size:]
		}
	}
	return nil
}

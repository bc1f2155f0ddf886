package product

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// headerLen is the length of the index of the inference.
const headerLen = 8

// fields returns the vectors of the encoding.
func (c *content) fields() [][]uint64 {
	if c.class.Square {
		return [][]uint64{c.a, c.c}
	}
	return [][]uint64{c.a, c.b, c.c}
}

// EncodedLen is the length of the encoding of a Material of the class, which is the
// same for every party self of n.
func (c Class) EncodedLen(n, self int) int {
	size := headerLen
	for _, length := range []int{c.XLen(), c.YLen(), c.ZLen()} {
		size += ring.PackedLen(length, c.Width)
	}
	return size
}

// AppendBinary appends the encoding of m, which is as secret as m, for a store that
// hands it out at most once. It panics if m is spent.
//
// The encoding is the index in the batch, in 8 bytes, and the packed shares of A, of
// B unless these are squares, and of C. Class and party are not part of it.
func (m *Material) AppendBinary(dst []byte) ([]byte, error) {
	if m.spent.Load() {
		panic("product: material is spent")
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(m.index))
	for _, v := range m.fields() {
		dst = ring.AppendPacked(dst, v, m.class.Width)
	}
	return dst, nil
}

// ParseMaterial returns the Material of party self of n that data encodes. It accepts
// nothing but what AppendBinary writes for the class.
func ParseMaterial(class Class, n, self int, data []byte) (*Material, error) {
	if err := class.Validate(); err != nil {
		return nil, err
	}
	if n < 2 || n > maxParties || self < 0 || self >= n {
		return nil, fmt.Errorf("product: material of party %d of %d", self, n)
	}
	if want := class.EncodedLen(n, self); len(data) != want {
		return nil, fmt.Errorf("product: material of %d bytes, want %d", len(data), want)
	}
	index := binary.LittleEndian.Uint64(data)
	if index >= maxInferences {
		return nil, fmt.Errorf("product: material of inference %d", index)
	}
	data = data[headerLen:]
	m := new(Material)
	m.content = content{class: class, n: n, self: self, index: int(index)}
	m.allocate()
	for _, v := range m.fields() {
		size := ring.PackedLen(len(v), class.Width)
		if used := len(v) * class.Width % 8; used > 0 && data[size-1]>>used != 0 {
			return nil, errors.New("product: material with stray bits")
		}
		ring.Unpack(v, data, class.Width)
		data = data[size:]
	}
	return m, nil
}

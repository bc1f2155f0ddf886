package ot

import "encoding/binary"

const (
	lowBits  = 0x0101010101010101 // the lowest bit of every byte
	diagonal = 0x8040201008040201 // bit i of byte i
)

// packBits packs bytes of value 0 or 1, the first in the lowest bit, and pads
// with zeros to the length of dst.
func packBits(dst []byte, x []uint8) {
	clear(dst)
	whole := len(x) / 8
	for i := range whole {
		// The product has bit 8i of the factor at 56+i, and nothing else there.
		dst[i] = byte(binary.LittleEndian.Uint64(x[8*i:]) & lowBits * 0x0102040810204080 >> 56)
	}
	for i, b := range x[8*whole:] {
		dst[whole] |= (b & 1) << i
	}
}

// unpackBits is the inverse of [packBits].
func unpackBits(x []uint8, src []byte) {
	whole := len(x) / 8
	for i := range whole {
		spread := uint64(src[i]) * lowBits & diagonal // byte i is 0 or 2^i
		binary.LittleEndian.PutUint64(x[8*i:], (spread+0x7f*lowBits)>>7&lowBits)
	}
	for i := range x[8*whole:] {
		x[8*whole+i] = src[whole] >> i & 1
	}
}

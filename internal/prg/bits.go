package prg

import "encoding/binary"

const (
	lowBits  = 0x0101010101010101 // the lowest bit of every byte
	diagonal = 0x8040201008040201 // bit i of byte i
)

// PackBits packs the lowest bits of the bytes of x, the first in the lowest
// bit, and pads with zeros to the length of dst.
func PackBits(dst []byte, x []uint8) {
	clear(dst)
	PackBitsAt(dst, 0, x)
}

// PackBitsAt packs x into the bits of dst from bit at on, which are zero.
func PackBitsAt(dst []byte, at int, x []uint8) {
	head := min(-at&7, len(x))
	for i, b := range x[:head] {
		dst[(at+i)/8] |= (b & 1) << ((at + i) % 8)
	}
	dst, x = dst[(at+head)/8:], x[head:]
	whole := len(x) / 8
	for i := range dst[:whole] {
		// The product has bit 8i of the factor at 56+i, and nothing else there.
		dst[i] = byte(binary.LittleEndian.Uint64(x[8*i:]) & lowBits * 0x0102040810204080 >> 56)
	}
	for i, b := range x[8*whole:] {
		dst[whole] |= (b & 1) << i
	}
}

// UnpackBits is the inverse of [PackBits]: it sets bytes to 0 or 1.
func UnpackBits(x []uint8, src []byte) { UnpackBitsAt(x, src, 0) }

// UnpackBitsAt is the inverse of [PackBitsAt].
func UnpackBitsAt(x []uint8, src []byte, at int) {
	head := min(-at&7, len(x))
	for i := range x[:head] {
		x[i] = src[(at+i)/8] >> ((at + i) % 8) & 1
	}
	src, x = src[(at+head)/8:], x[head:]
	whole := len(x) / 8
	for i, b := range src[:whole] {
		spread := uint64(b) * lowBits & diagonal // byte i is 0 or 2^i
		binary.LittleEndian.PutUint64(x[8*i:], (spread+0x7f*lowBits)>>7&lowBits)
	}
	for i := range x[8*whole:] {
		x[8*whole+i] = src[whole] >> i & 1
	}
}

package carry

import (
	"slices"

	"github.com/tacit-mpc/tacit/protocol/ot"
)

// complement sets the first m planes, of words each, to the low bits of ¬c, and
// to zero beyond the last element.
func complement(planes []uint64, words int, c []uint64, m int) {
	clear(planes[:m*words])
	var square [64]uint64
	for lo := 0; lo < len(c); lo += 64 {
		part := c[lo:min(lo+64, len(c))]
		for i, v := range part {
			square[i] = ^v
		}
		clear(square[len(part):])
		transpose(&square)
		for k := range m {
			planes[k*words+lo/64] = square[k]
		}
	}
}

// transpose transposes a square of bits: in six rounds it swaps the
// off-diagonal quarters of ever smaller squares (Warren, "Hacker's Delight",
// Section 7-3).
func transpose(a *[64]uint64) {
	m := uint64(0x00000000ffffffff)
	for j := 32; j != 0; j, m = j>>1, m^(m<<(j>>1)) {
		for k := 0; k < 64; k = (k + j + 1) &^ j {
			t := (a[k]>>j ^ a[k+j]) & m
			a[k] ^= t << j
			a[k+j] ^= t
		}
	}
}

// unpack returns the first n bits of a plane, a byte each.
func unpack(dst []uint8, plane []uint64) {
	const (
		low      = 0x0101010101010101 // the lowest bit of every byte
		diagonal = 0x8040201008040201 // bit i of byte i
	)
	for i := 0; i < len(dst); i += 8 {
		spread := plane[i/64] >> (i % 64) & 0xff * low & diagonal // byte i is 0 or 2^i
		spread = (spread + 0x7f*low) >> 7 & low
		for b := range dst[i:min(i+8, len(dst))] {
			dst[i+b] = uint8(spread >> (8 * b))
		}
	}
}

// AppendPlanes appends planes of n bits, without their padding.
func AppendPlanes(dst []byte, planes []uint64, n int) []byte {
	words, size := ot.PlaneWords(n), (n+7)/8
	zero := make([]uint64, words)
	for ; len(planes) > 0; planes = planes[words:] {
		dst = slices.Grow(dst, size)[:len(dst)+size]
		putPlane(dst[len(dst)-size:], n, planes[:words], zero)
	}
	return dst
}

// ReadPlanes reads what [AppendPlanes] wrote, and reports whether src is just
// that.
func ReadPlanes(planes []uint64, src []byte, n int) bool {
	words, size := ot.PlaneWords(n), (n+7)/8
	if len(src) != len(planes)/words*size {
		return false
	}
	for ; len(planes) > 0; planes = planes[words:] {
		if n%8 > 0 && src[size-1]>>(n%8) != 0 {
			return false
		}
		src = readPlane(planes[:words], src, n)
	}
	return true
}

// Place copies the planes src of n elements into planes of size elements, from
// element lo on, which is at the start of a block of 128.
func Place(dst []uint64, size, lo int, src []uint64, n int) {
	to, from := ot.PlaneWords(size), ot.PlaneWords(n)
	for ; len(src) > 0; src, dst = src[from:], dst[to:] {
		copy(dst[lo/64:to], src[:from])
	}
}

// Package ring computes on vectors over ℤ/2ᵏℤ, k = 1..64.
//
// An element is a uint64 of which the low k bits count: sums and products wrap
// modulo 2⁶⁴, which maps onto every smaller ring, so that a function needs the
// width only where bits are dropped, sent or drawn.
package ring

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Mask returns 2ᵏ−1.
func Mask(k int) uint64 { return ^uint64(0) >> (64 - uint(k)) }

// Reduce sets v = v mod 2ᵏ.
func Reduce(v []uint64, k int) {
	mask := Mask(k)
	for i := range v {
		v[i] &= mask
	}
}

// Signed returns the representative of x mod 2ᵏ in [−2ᵏ⁻¹, 2ᵏ⁻¹).
func Signed(x uint64, k int) int64 {
	s := 64 - uint(k)
	return int64(x<<s) >> s
}

// AddTo sets z = z + x.
func AddTo(z, x []uint64) {
	x = x[:len(z)]
	for i := range z {
		z[i] += x[i]
	}
}

// SubFrom sets z = z − x.
func SubFrom(z, x []uint64) {
	x = x[:len(z)]
	for i := range z {
		z[i] -= x[i]
	}
}

// Random fills v with uniform elements mod 2ᵏ from rand.
func Random(rand io.Reader, v []uint64, k int) error {
	b := make([]byte, 8*len(v))
	if _, err := io.ReadFull(rand, b); err != nil {
		return fmt.Errorf("random elements: %w", err)
	}
	mask := Mask(k)
	for i := range v {
		v[i] = binary.LittleEndian.Uint64(b[8*i:]) & mask
	}
	clear(b)
	return nil
}

// PackedLen returns the number of bytes of n elements mod 2ᵏ.
func PackedLen(n, k int) int { return (n*k + 7) / 8 }

// AppendPacked appends the low k bits of every element, least significant
// first. Bits above k never leave the machine.
func AppendPacked(dst []byte, v []uint64, k int) []byte {
	mask := Mask(k)
	var acc uint64
	var have int // bits in acc, < 64
	for _, x := range v {
		x &= mask
		acc |= x << uint(have)
		if have += k; have >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, acc)
			have -= 64
			acc = x >> uint(k-have) // a shift by 64 gives 0
		}
	}
	for ; have > 0; have -= 8 {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	return dst
}

// Unpack is the inverse of [AppendPacked]. It reads PackedLen(len(v), k) bytes.
func Unpack(v []uint64, src []byte, k int) {
	src = src[:PackedLen(len(v), k)]
	mask := Mask(k)
	for i := range v {
		bit := i * k
		var b [16]byte
		copy(b[:], src[bit/8:])
		s := uint(bit % 8)
		v[i] = (binary.LittleEndian.Uint64(b[:])>>s | uint64(b[8])<<1<<(63-s)) & mask
	}
}

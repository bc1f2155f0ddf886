package ring

import (
	"encoding/binary"
	"slices"
)

// PackedLen returns the number of bytes of n elements mod 2ᵏ.
func PackedLen(n, k int) int { return (n*k + 7) / 8 }

// AppendPacked appends the low k bits of every element, least significant
// first. Bits above k never leave the machine.
func AppendPacked(dst []byte, v []uint64, k int) []byte {
	at := len(dst)
	dst = slices.Grow(dst, PackedLen(len(v), k))[:at+PackedLen(len(v), k)]
	done := packGroups(dst[at:], v, k)
	pack(dst[at+done*k/8:], v[done:], k)
	return dst
}

// Unpack is the inverse of [AppendPacked]. It reads PackedLen(len(v), k) bytes.
func Unpack(v []uint64, src []byte, k int) {
	src = src[:PackedLen(len(v), k)]
	done := unpackGroups(v, src, k)
	unpack(v[done:], src[done*k/8:], k)
}

// AddPacked sets v = v + x, with x what [Unpack] reads.
func AddPacked(v []uint64, src []byte, k int) {
	src = src[:PackedLen(len(v), k)]
	done := addGroups(v, src, k)
	v, src = v[done:], src[done*k/8:]
	var x [64]uint64 // a multiple of 8: a part ends with a byte
	for len(v) > 0 {
		n := min(len(v), len(x))
		unpack(x[:n], src[:PackedLen(n, k)], k)
		AddTo(v[:n], x[:n])
		v, src = v[n:], src[PackedLen(n, k):]
	}
	clear(x[:])
}

// pack fills out with v.
func pack(out []byte, v []uint64, k int) {
	if k == 64 {
		for i, x := range v {
			binary.LittleEndian.PutUint64(out[8*i:], x)
		}
		return
	}
	mask := Mask(k)
	var acc uint64
	have := uint(0) // bits in acc, < 64
	for _, x := range v {
		x &= mask
		acc |= x << (have & 63)
		if have += uint(k); have >= 64 {
			binary.LittleEndian.PutUint64(out, acc)
			out = out[8:]
			have -= 64
			acc = x >> ((uint(k) - have) & 63) // k − have ≥ 1 bits of x are in out
		}
	}
	for i := range out {
		out[i] = byte(acc)
		acc >>= 8
	}
}

// unpack fills v from src, of exactly its length.
func unpack(v []uint64, src []byte, k int) {
	if k == 64 {
		for i := range v {
			v[i] = binary.LittleEndian.Uint64(src[8*i:])
		}
		return
	}
	mask := Mask(k)
	i, bit := 0, 0
	if k <= 57 { // 8 bytes from that of the first bit hold an element
		for ; i < len(v); i++ {
			b := src[bit/8:]
			if len(b) < 8 {
				break
			}
			v[i] = binary.LittleEndian.Uint64(b) >> (bit & 7) & mask
			bit += k
		}
	} else {
		for ; i < len(v); i++ {
			b := src[bit/8:]
			if len(b) < 9 {
				break
			}
			s := uint(bit & 7)
			v[i] = (binary.LittleEndian.Uint64(b)>>s | uint64(b[8])<<1<<(63-s)) & mask
			bit += k
		}
	}
	for ; i < len(v); i++ {
		var b [9]byte
		copy(b[:], src[bit/8:])
		s := uint(bit & 7)
		v[i] = (binary.LittleEndian.Uint64(b[:])>>s | uint64(b[8])<<1<<(63-s)) & mask
		bit += k
	}
}

// Package prg derives pseudorandomness: keyed streams, the tweakable hash of
// the protocols, and the block operations of oblivious-transfer extension.
//
// Every operation has one definition and several implementations: portable Go,
// AES-NI, VAES on 256 and on 512 bits, chosen once by what the processor has.
// All give the same results, as parties on different machines expand the same
// seeds. The build tag purego leaves only the portable ones. The assembly is
// written by the generator in asm, a module of its own; go generate runs it.
//
// A destination may be longer than its source, never shorter: that panics.
//
// Nothing here branches on, or indexes by, the value of a block.
//
// In builds with the tag tweakcheck, [Hash.Pair] panics when a tweak repeats.
package prg

import (
	"crypto/subtle"
	"unsafe"
)

//go:generate go run -C asm . -out ../kernels_amd64.s -stubs ../stubs_amd64.go -pkg prg

// A Block is 128 bits, as two little-endian words.
type Block = [2]uint64

// Xor returns a ⊕ b.
func Xor(a, b Block) Block { return Block{a[0] ^ b[0], a[1] ^ b[1]} }

// And returns a where the lowest bit of b is 1, and 0 where it is 0, in
// constant time.
func And(a Block, b uint8) Block {
	m := -uint64(b & 1)
	return Block{a[0] & m, a[1] & m}
}

// Bytes views blocks as bytes, without a copy. Hosts are little-endian.
func Bytes(b []Block) []byte {
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&b[0])), 16*len(b))
}

// XorInto sets dst[i] = dst[i] ⊕ src[i] for all of src.
func XorInto(dst, src []Block) {
	dst = dst[:len(src):len(dst)]
	subtle.XORBytes(Bytes(dst), Bytes(dst), Bytes(src))
}

// MaskXor sets dst[i] = dst[i] ⊕ bit·src[i] for all of src, with the lowest bit
// of bit, in constant time.
func MaskXor(dst, src []Block, bit uint64) {
	dst = dst[:len(src):len(dst)]
	mask := -(bit & 1)
	done := maskXorKernel(dst, src, mask)
	for i := done; i < len(src); i++ {
		dst[i][0] ^= src[i][0] & mask
		dst[i][1] ^= src[i][1] & mask
	}
}

// Fold sets v[i] = v[i] ⊕ b[i] and sum[i] = sum[i] ⊕ b[i] for all of b. The
// three do not overlap.
func Fold(v, sum, b []Block) {
	v, sum = v[:len(b):len(v)], sum[:len(b):len(sum)]
	done := foldKernel(v, sum, b)
	XorInto(v[done:], b[done:])
	XorInto(sum[done:], b[done:])
}

// Lsbs packs the lowest bit of every block, 16 to a word: bit i%16 of
// dst[i/16] is that of src[i], and the bits past the end of src are 0. It
// writes (len(src)+15)/16 words.
func Lsbs(dst []uint16, src []Block) {
	dst = dst[: (len(src)+15)/16 : len(dst)]
	done := lsbsKernel(dst, src)
	clear(dst[done/16:])
	for i := done; i < len(src); i++ {
		dst[i/16] |= uint16(src[i][0]&1) << (i % 16)
	}
}

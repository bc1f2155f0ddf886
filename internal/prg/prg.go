// Package prg derives pseudorandomness: keyed streams, the tweakable hash of
// the protocols, and the block operations of oblivious-transfer extension.
package prg

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"unsafe"
)

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

// Bytes views blocks as bytes.
func Bytes(b []Block) []byte {
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&b[0])), 16*len(b))
}

// A Hash is the tweakable circular-correlation-robust hash
//
//	H(x, t) = π(σ(x) ⊕ t) ⊕ σ(x) ⊕ t,  σ(l ‖ r) = (l ⊕ r) ‖ l
//
// with π = AES-128 under the key of the hash. See docs/protocols.md for the
// assumption: inputs are natural (uniform keys and labels of honest runs).
type Hash struct{ pi cipher.Block }

// NewHash returns the hash with the public key k, which is fresh for every
// batch and chunk of material.
func NewHash(k Block) *Hash {
	b := make([]byte, 16)
	binary.LittleEndian.PutUint64(b, k[0])
	binary.LittleEndian.PutUint64(b[8:], k[1])
	pi, err := aes.NewCipher(b)
	if err != nil {
		panic(err)
	}
	return &Hash{pi}
}

// Sum sets dst[i] = H(src[i], tweak + i), where i is added to the low word of
// the tweak. dst may be src.
func (h *Hash) Sum(dst, src []Block, tweak Block) {
	var b [16]byte
	for i, x := range src {
		s := Block{x[0] ^ x[1] ^ (tweak[0] + uint64(i)), x[0] ^ tweak[1]}
		binary.LittleEndian.PutUint64(b[:], s[0])
		binary.LittleEndian.PutUint64(b[8:], s[1])
		h.pi.Encrypt(b[:], b[:])
		dst[i] = Block{binary.LittleEndian.Uint64(b[:]) ^ s[0], binary.LittleEndian.Uint64(b[8:]) ^ s[1]}
	}
}

// Pair sets h0[i] = H(src[i], tweak + i) and hx[i] = h0[i] ⊕ H(src[i] ⊕ delta, tweak + i).
func (h *Hash) Pair(h0, hx, src []Block, tweak, delta Block) {
	h.Sum(h0, src, tweak)
	for i := range src {
		hx[i] = Xor(src[i], delta)
	}
	h.Sum(hx, hx, tweak)
	for i := range src {
		hx[i] = Xor(hx[i], h0[i])
	}
}

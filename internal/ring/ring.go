// Package ring computes on vectors over ℤ/2ᵏℤ, k = 1..64.
//
// An element is a uint64 of which the low k bits count: sums and products wrap
// modulo 2⁶⁴, which maps onto every smaller ring, so that a function needs the
// width only where bits are dropped, sent or drawn.
//
// Nothing here branches on, or indexes by, the value of an element.
//
// Products run on AVX-512 or AVX2 where the processor has it, chosen once, else
// in portable Go: on words of 32 bits up to that width, with AVX512-IFMA up to 52,
// else on words of 64. Elements are packed with AVX512-VBMI or in portable Go. The
// results are the same. The build tag purego leaves only the portable form. The assembly is written by the generator in asm, a module
// of its own; go generate runs it.
package ring

import (
	"encoding/binary"
	"fmt"
	"io"
)

//go:generate go run -C asm . -out ../tile_amd64.s -stubs ../tile_stubs_amd64.go -pkg ring

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

// Sub sets z = x − y. z may be one of them.
func Sub(z, x, y []uint64) {
	x, y = x[:len(z)], y[:len(z)]
	for i := range z {
		z[i] = x[i] - y[i]
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

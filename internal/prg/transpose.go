package prg

import "encoding/binary"

// Transpose turns 128 rows of n bits into n blocks: bit r of dst[c] is bit c of
// row r, which starts at src[r·stride]. Bits count from the least significant
// bit of the first byte, in rows and in blocks.
func Transpose(dst []Block, src []byte, stride, n int) {
	if n < 0 || stride < (n+7)/8 || len(src) < 127*stride+(n+7)/8 || len(dst) < n {
		panic("prg: transpose: shape")
	}
	for c := transposeKernel(dst, src, stride, n); c < n; c += 64 {
		transposeColumns(dst[c:min(c+64, n)], src[c/8:], stride)
	}
}

// transposeColumns makes up to 64 columns.
func transposeColumns(dst []Block, src []byte, stride int) {
	var t [64]uint64
	for h := range 2 {
		for r := range 64 {
			row := src[(64*h+r)*stride:]
			if len(dst) == 64 {
				t[r] = binary.LittleEndian.Uint64(row)
				continue
			}
			var b [8]byte
			copy(b[:(len(dst)+7)/8], row)
			t[r] = binary.LittleEndian.Uint64(b[:])
		}
		transpose64(&t)
		for i := range dst {
			dst[i][h] = t[i]
		}
	}
}

// transpose64 transposes a 64×64 bit matrix in place: in six rounds it swaps
// the off-diagonal quarters of ever smaller squares (Warren, "Hacker's
// Delight", Section 7-3).
func transpose64(a *[64]uint64) {
	m := uint64(0x00000000ffffffff)
	for j := 32; j != 0; j, m = j>>1, m^(m<<(j>>1)) {
		for k := 0; k < 64; k = (k + j + 1) &^ j {
			t := (a[k]>>j ^ a[k+j]) & m
			a[k] ^= t << j
			a[k+j] ^= t
		}
	}
}

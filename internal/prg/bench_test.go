package prg

import (
	"fmt"
	"testing"
)

// perBlock reports the time of f for each of n blocks, at every level.
func perBlock(b *testing.B, n int, f func() func()) {
	defer func(l level) { use = l }(use)
	for l := range best() + 1 {
		use = l
		b.Run(fmt.Sprintf("%v/%d", l, n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(16 * n))
			run := f()
			for b.Loop() {
				run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/block")
		})
	}
}

func BenchmarkSum(b *testing.B) {
	for _, n := range []int{1, 4, 15, 1024} {
		src, dst := blocks(n), make([]Block, n)
		perBlock(b, n, func() func() {
			h := NewHash(Block{1, 2})
			return func() { h.Sum(dst, src, Block{3, 4}) }
		})
	}
}

func BenchmarkPair(b *testing.B) {
	for _, n := range []int{4, 1024} {
		src, h0, hx := blocks(n), make([]Block, n), make([]Block, n)
		perBlock(b, n, func() func() {
			h := NewHash(Block{1, 2})
			return func() {
				ForgetTweaks()
				h.Pair(h0, hx, src, Block{3, 4}, Block{5, 6})
			}
		})
	}
}

func BenchmarkGGM(b *testing.B) {
	src, left, right := blocks(1024), make([]Block, 1024), make([]Block, 1024)
	perBlock(b, 1024, func() func() { return func() { GGM(left, right, src) } })
}

func BenchmarkStream(b *testing.B) {
	for _, n := range []int{1, 32, 4096} {
		dst := make([]Block, n)
		perBlock(b, n, func() func() {
			s := NewKeyStream(Block{1, 2})
			return func() { s.Blocks(dst) }
		})
	}
}

func BenchmarkNewStream(b *testing.B) {
	perBlock(b, 1, func() func() { return func() { NewStream([32]byte{}, "bench", 1) } })
}

func BenchmarkNewKeyStream(b *testing.B) {
	perBlock(b, 1, func() func() { return func() { NewKeyStream(Block{}) } })
}

func BenchmarkTranspose(b *testing.B) {
	src, dst := Bytes(blocks(4096)), make([]Block, 4096)
	perBlock(b, 4096, func() func() { return func() { Transpose(dst, src, 512, 4096) } })
}

func BenchmarkFold(b *testing.B) {
	v, s, x := blocks(128), blocks(128), blocks(128)
	perBlock(b, 128, func() func() { return func() { Fold(v, s, x) } })
}

func BenchmarkMaskXor(b *testing.B) {
	v, x := blocks(128), blocks(128)
	perBlock(b, 128, func() func() { return func() { MaskXor(v, x, 1) } })
}

func BenchmarkLsbs(b *testing.B) {
	x, bits := blocks(1024), make([]uint16, 64)
	perBlock(b, 1024, func() func() { return func() { Lsbs(bits, x) } })
}

//go:build !purego

package ring

import "golang.org/x/sys/cpu"

// A level is an implementation of the product of a tile.
type level int

const (
	portable level = iota
	avx2
	avx512
)

func (l level) String() string { return [...]string{"portable", "avx2", "avx512"}[l] }

// best is the fastest level that this machine has.
func best() level {
	switch {
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ:
		return avx512
	case cpu.X86.HasAVX2:
		return avx2
	}
	return portable
}

// use is the level in force. Only tests change it.
var use = best()

// worthSplitting is the number of products that take about 0.4 ms: below it a
// second goroutine gains nothing.
func worthSplitting() int { return [...]int{1 << 20, 1 << 22, 1 << 23}[use] }

// tileRows is the height of the next tile of n rows that are left.
func tileRows(n int) int {
	switch {
	case use == avx512 && n >= 8:
		return 8
	case use == avx512 && n >= 4:
		return 4
	case use == avx2 && n >= 2:
		return 2
	}
	return 1
}

// tile adds to rows rows of 8 words of c the product of rows of a by the part t
// of a strip b.
func tile(rows int, c []uint64, ldc int, a []uint64, lda int, b []uint64, t part) {
	// Assembly has no bounds checks.
	_ = c[(rows-1)*ldc+lanes-1]
	_ = a[(rows-1)*lda+(t.segs-1)*t.seg+t.run-1]
	_ = b[t.segs*t.run*lanes-1]
	if use == portable {
		tilePortable(c, a, b, t)
		return
	}
	lc, la, seg, run, segs := uintptr(8*ldc), uintptr(8*lda), uintptr(8*t.seg), uintptr(t.run), uintptr(t.segs)
	switch {
	case use == avx512 && rows == 8:
		tile8AVX512(&c[0], lc, &a[0], la, seg, &b[0], run, segs)
	case use == avx512 && rows == 4:
		tile4AVX512(&c[0], lc, &a[0], la, seg, &b[0], run, segs)
	case use == avx512:
		tile1AVX512(&c[0], lc, &a[0], la, seg, &b[0], run, segs)
	case rows == 2:
		tile2AVX2(&c[0], lc, &a[0], la, seg, &b[0], run, segs)
	default:
		tile1AVX2(&c[0], lc, &a[0], la, seg, &b[0], run, segs)
	}
}

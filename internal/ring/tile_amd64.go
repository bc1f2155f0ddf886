//go:build !purego

package ring

import "golang.org/x/sys/cpu"

// A level is an implementation of the product of a tile.
type level int

const (
	portable level = iota
	avx2
	avx512
	ifma // avx512, and products of 52 bits
)

func (l level) String() string { return [...]string{"portable", "avx2", "avx512", "ifma"}[l] }

// best is the fastest level that this machine has.
func best() level {
	switch x := cpu.X86; {
	case x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512IFMA:
		return ifma
	case x.HasAVX512F && x.HasAVX512DQ:
		return avx512
	case x.HasAVX2:
		return avx2
	}
	return portable
}

// use is the level in force. Only tests change it.
var use = best()

// worthSplitting is the number of words of weights whose products take about 0.4
// ms: below it a second goroutine gains nothing.
func worthSplitting() int { return [...]int{1 << 20, 1 << 22, 1 << 23, 1 << 23}[use] }

// tileRows is the height of the next tile of n rows that are left.
func (k word) tileRows(n int) int {
	switch {
	case use >= avx512 && n >= 8:
		return 8
	case use >= avx512 && n >= 4, use == avx2 && k == word32 && n >= 4:
		return 4
	case use == avx2 && k != word32 && n >= 2:
		return 2
	}
	return 1
}

// masked reports whether tiles write only the columns in use, or else all of
// the strip.
func masked() bool { return use >= avx512 }

// tile adds to rows rows of c the product of rows of a by the part t of a strip
// b. What it writes of a row is the given number of columns, if tiles are
// masked, or all of the strip.
func (k word) tile(rows int, c []uint64, ldc, columns int, a []uint64, lda int, b []uint64, t part) {
	if !masked() {
		columns = k.lanes()
	}
	// Assembly has no bounds checks.
	_ = c[(rows-1)*ldc+columns-1]
	_ = a[(rows-1)*lda+(t.segs-1)*t.seg+t.run-1]
	_ = b[t.segs*t.run*line-1]
	switch use {
	case portable:
		k.tilePortable(c, a, b, t)
	case avx2:
		k.tileAVX2(rows, &c[0], uintptr(8*ldc), &a[0], uintptr(8*lda), &b[0], t)
	default:
		k.tileAVX512(rows, &c[0], uintptr(8*ldc), uintptr(1)<<columns-1, &a[0], uintptr(8*lda), &b[0], t)
	}
}

func (k word) tileAVX2(rows int, c *uint64, ldc uintptr, a *uint64, lda uintptr, b *uint64, t part) {
	seg, run, segs := uintptr(8*t.seg), uintptr(t.run), uintptr(t.segs)
	switch {
	case k == word32 && rows == 4:
		tile4x32AVX2(c, ldc, a, lda, seg, b, run, segs)
	case k == word32:
		tile1x32AVX2(c, ldc, a, lda, seg, b, run, segs)
	case rows == 2:
		tile2x64AVX2(c, ldc, a, lda, seg, b, run, segs)
	default:
		tile1x64AVX2(c, ldc, a, lda, seg, b, run, segs)
	}
}

// tileAVX512 is a switch, as a call through a variable would move all that it
// points to to the heap.
func (k word) tileAVX512(rows int, c *uint64, ldc, mask uintptr, a *uint64, lda uintptr, b *uint64, t part) {
	seg, run, segs := uintptr(8*t.seg), uintptr(t.run), uintptr(t.segs)
	if k == word52 && use < ifma {
		k = word64
	}
	switch {
	case k == word32 && rows == 8:
		tile8x32AVX512(c, ldc, mask, a, lda, seg, b, run, segs)
	case k == word32 && rows == 4:
		tile4x32AVX512(c, ldc, mask, a, lda, seg, b, run, segs)
	case k == word32:
		tile1x32AVX512(c, ldc, mask, a, lda, seg, b, run, segs)
	case k == word52 && rows == 8:
		tile8x52IFMA(c, ldc, mask, a, lda, seg, b, run, segs)
	case k == word52 && rows == 4:
		tile4x52IFMA(c, ldc, mask, a, lda, seg, b, run, segs)
	case k == word52:
		tile1x52IFMA(c, ldc, mask, a, lda, seg, b, run, segs)
	case rows == 8:
		tile8x64AVX512(c, ldc, mask, a, lda, seg, b, run, segs)
	case rows == 4:
		tile4x64AVX512(c, ldc, mask, a, lda, seg, b, run, segs)
	default:
		tile1x64AVX512(c, ldc, mask, a, lda, seg, b, run, segs)
	}
}

// pairs reports whether two strips at a time are faster, for 8 rows.
func (k word) pairs() bool { return k == word52 && use == ifma }

// tilePair is tile for 8 rows and two strips, the second of which is next words
// after b.
func (k word) tilePair(c []uint64, ldc, columns int, a []uint64, lda int, b []uint64, next int, t part) {
	_ = c[7*ldc+columns-1]
	_ = a[7*lda+(t.segs-1)*t.seg+t.run-1]
	_ = b[next+t.segs*t.run*line-1]
	tile8x52IFMAPair(&c[0], uintptr(8*ldc), uintptr(1)<<columns-1, &a[0], uintptr(8*lda), uintptr(8*t.seg), &b[0], uintptr(8*next), uintptr(t.run), uintptr(t.segs))
}

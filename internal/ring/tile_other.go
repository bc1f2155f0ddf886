//go:build !amd64 || purego

package ring

// worthSplitting is the number of products that take about 0.4 ms: below it a
// second goroutine gains nothing.
func worthSplitting() int { return 1 << 20 }

// tileRows is the height of the next tile of n rows that are left.
func tileRows(int) int { return 1 }

// tile adds to a row of 8 words of c the product of a row of a by the part t of
// a strip b.
func tile(_ int, c []uint64, _ int, a []uint64, _ int, b []uint64, t part) { tilePortable(c, a, b, t) }

//go:build !amd64 || purego

package ring

// worthSplitting is the number of words of weights whose products take about 0.4
// ms: below it a second goroutine gains nothing.
func worthSplitting() int { return 1 << 20 }

// tileRows is the height of the next tile of n rows that are left.
func (word) tileRows(int) int { return 1 }

// masked reports whether tiles write only the columns in use, or else all of
// the strip.
func masked() bool { return false }

// tile adds to a row of c the product of a row of a by the part t of a strip b.
func (k word) tile(_ int, c []uint64, _, _ int, a []uint64, _ int, b []uint64, t part) {
	k.tilePortable(c, a, b, t)
}

// pairs reports whether two strips at a time are faster, for 8 rows.
func (word) pairs() bool { return false }

// tilePair is not called where there are no pairs.
func (word) tilePair([]uint64, int, int, []uint64, int, []uint64, int, part) {}

package ring

// line is a row of a strip, in words of memory: one cache line, one register of
// 512 bits.
const line = 8

// A word is the form in which weights are kept and multiplied.
//
// All forms take inputs and outputs as elements of the package: a product of
// smaller words reads the low bits of an input, and adds to an output a number
// that is right in as many low bits. Sums wrap within the word or run over it,
// which is the same for the bits that count.
type word int

const (
	word64 word = iota // mod 2⁶⁴
	word52             // mod 2⁵², where the processor has such products; else mod 2⁶⁴
	word32             // mod 2³², two weights in each word of memory
)

// wordOf is the smallest word for elements mod 2ᵏ.
func wordOf(k int) word {
	switch {
	case k <= 32:
		return word32
	case k <= 52:
		return word52
	}
	return word64
}

// lanes is the number of columns of a strip.
func (k word) lanes() int {
	if k == word32 {
		return 2 * line
	}
	return line
}

// put sets the weight in a column of a row of a strip, which must be zero.
func (k word) put(row []uint64, column int, v uint64) {
	if k == word32 {
		row[column/2] |= v << 32 >> (32 - column%2*32)
	} else {
		row[column] = v
	}
}

// tilePortable is the tile of one row: c += a·b for all columns of a strip.
func (k word) tilePortable(c, a, b []uint64, t part) {
	for s := range t.segs {
		run := a[s*t.seg:][:t.run]
		strip := b[s*t.run*line:][:t.run*line]
		if k != word32 {
			sum4((*[4]uint64)(c), run, strip)
			sum4((*[4]uint64)(c[4:]), run, strip[4:])
			continue
		}
		for q := range 4 {
			sum4of32((*[4]uint64)(c[4*q:]), run, strip[2*q:])
		}
	}
}

// sum4 does half a strip. It is a function of its own for the four sums to stay
// in registers.
//
//go:noinline
func sum4(c *[4]uint64, a, b []uint64) {
	c0, c1, c2, c3 := c[0], c[1], c[2], c[3]
	q := 0
	for _, x := range a {
		r := (*[4]uint64)(b[q:])
		c0 += x * r[0]
		c1 += x * r[1]
		c2 += x * r[2]
		c3 += x * r[3]
		q += line
	}
	c[0], c[1], c[2], c[3] = c0, c1, c2, c3
}

// sum4of32 does a quarter of a strip of two weights a word. The high bits of
// what it adds mean nothing.
//
//go:noinline
func sum4of32(c *[4]uint64, a, b []uint64) {
	c0, c1, c2, c3 := c[0], c[1], c[2], c[3]
	q := 0
	for _, x := range a {
		r := (*[2]uint64)(b[q:])
		c0 += x * r[0]
		c1 += x * (r[0] >> 32)
		c2 += x * r[1]
		c3 += x * (r[1] >> 32)
		q += line
	}
	c[0], c[1], c[2], c[3] = c0, c1, c2, c3
}

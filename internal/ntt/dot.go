package ntt

import "math/bits"

// MaxTerms is the longest sum of [Modulus.AddDot].
const MaxTerms = 4000

// lanes is how many coefficients a kernel takes at a time.
const lanes = 8

// Factors are the left factors of sums of products for several rows: that of
// row r, term j and coefficient x is V[r·Row + j·Step + x/Spread]. Spread is a
// power of two, as of transforms of fewer points: see [Modulus.Forward].
type Factors struct {
	V         []uint64
	Row, Step int
	Spread    int
}

// Padding is by how much Step exceeds the number of points at least.
const Padding = lanes

// Interleave writes v as term j of so many: the form in which [Modulus.AddDot]
// takes right factors. Eight coefficients of every term follow each other.
func Interleave(w []uint64, j, terms int, v []uint64) {
	for x := 0; x < len(v); x += lanes {
		copy(w[(x*terms + j*lanes):][:lanes], v[x:])
	}
}

// AddDot adds to every row, of n coefficients, the sum of products of its
// factors by those in w, as [Interleave] writes them, which are the same for
// all rows. Rows are stride apart. In sums of up to 60 terms, numbers in w may
// have 52 bits.
func (m *Modulus) AddDot(dst []uint64, rows, n, stride int, t Factors, w []uint64, terms int) {
	if rows == 0 || n == 0 || terms == 0 {
		return
	}
	if n%lanes != 0 || n%min(n, t.Spread) != 0 || terms > MaxTerms || t.Spread&(t.Spread-1) != 0 || t.Step < ceil(n, t.Spread)+Padding {
		panic("ntt: a malformed sum")
	}
	// Assembly has no bounds checks.
	_ = dst[(rows-1)*stride+n-1]
	_ = t.V[(rows-1)*t.Row+terms*t.Step-1]
	_ = w[n*terms-1]
	if use == portable {
		for r := range rows {
			m.dotPortable(dst[r*stride:][:n], t.V[r*t.Row:], t, w, terms)
		}
		return
	}
	m.dotKernels(dst, rows, n, stride, t, w, terms)
}

func ceil(a, b int) int { return (a + b - 1) / b }

func (m *Modulus) dotPortable(dst, v []uint64, t Factors, w []uint64, terms int) {
	shift := bits.TrailingZeros(uint(t.Spread))
	for x := 0; x < len(dst); x += lanes {
		tile := w[x*terms:][:lanes*terms]
		if t.Spread >= lanes/2 {
			m.dotHalf(dst[x:][:lanes/2], v[x>>shift:], tile, t.Step)
			m.dotHalf(dst[x+lanes/2:][:lanes/2], v[(x+lanes/2)>>shift:], tile[lanes/2:], t.Step)
			continue
		}
		for l := range lanes {
			hi, lo := uint64(0), dst[x+l]
			for j, at := l, (x+l)>>shift; j < len(tile); j, at = j+lanes, at+t.Step {
				hi, lo = addProduct(hi, lo, v[at], tile[j])
			}
			dst[x+l] = m.reduce(hi, lo)
		}
	}
}

// dotHalf is for half a tile with one factor for each term.
func (m *Modulus) dotHalf(dst, v, tile []uint64, step int) {
	dst = dst[:4]
	var h0, h1, h2, h3 uint64
	l0, l1, l2, l3 := dst[0], dst[1], dst[2], dst[3]
	for at := 0; len(tile) >= 4; at += step {
		f := v[at]
		h0, l0 = addProduct(h0, l0, f, tile[0])
		h1, l1 = addProduct(h1, l1, f, tile[1])
		h2, l2 = addProduct(h2, l2, f, tile[2])
		h3, l3 = addProduct(h3, l3, f, tile[3])
		tile = tile[min(lanes, len(tile)):]
	}
	dst[0], dst[1], dst[2], dst[3] = m.reduce(h0, l0), m.reduce(h1, l1), m.reduce(h2, l2), m.reduce(h3, l3)
}

// addProduct returns hi·2⁶⁴ + lo + a·b.
func addProduct(hi, lo, a, b uint64) (uint64, uint64) {
	h, l := bits.Mul64(a, b)
	lo, carry := bits.Add64(lo, l, 0)
	return hi + h + carry, lo
}

// reduce returns hi·2⁶⁴ + lo mod q for hi < 2⁶³: a reduction of Montgomery, and
// the product by 2⁶⁴ that undoes its division.
func (m *Modulus) reduce(hi, lo uint64) uint64 {
	h, _ := bits.Mul64(lo*m.inv, m.q)
	x := hi - h + m.q
	s, _ := bits.Mul64(x, m.s64)
	return m.less(x*m.r64 - s*m.q)
}

// MulAdd sets acc = acc + a∘b.
func (m *Modulus) MulAdd(acc, a, b []uint64) {
	n := len(acc)
	a, b = a[:n], b[:n]
	i := m.mulAddKernel(acc, a, b)
	for ; i < n; i++ {
		h, l := bits.Mul64(a[i], b[i])
		l, carry := bits.Add64(l, acc[i], 0)
		acc[i] = m.reduce(h+carry, l)
	}
}

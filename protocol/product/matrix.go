package product

import "github.com/tacit-mpc/tacit/internal/ring"

const (
	// manyRows is from how many rows on it pays to lay out the other matrix for the
	// kernel, which takes as long as 15 to 20 rows in plain loops.
	manyRows = 32
	// yieldAfter is the number of products of elements between two calls of yield.
	yieldAfter = 1 << 16
)

// mulAdd computes z += x·y for t products of an m×k by a k×n matrix modulo 2^width,
// where the bits of x and y above are 0; those of z mean nothing afterwards. It calls
// yield now and then.
func mulAdd(z, x, y []uint64, t, m, k, n, width int, yield func()) {
	if m*k*n == 1 {
		x, y = x[:len(z)], y[:len(z)]
		for i := range z {
			z[i] += x[i] * y[i]
		}
		return
	}
	done := 0
	for i := range t {
		z, x, y := z[i*m*n:][:m*n], x[i*m*k:][:m*k], y[i*k*n:][:k*n]
		if done += m * k * n; done >= yieldAfter {
			yield()
			done = 0
		}
		if m >= manyRows {
			ring.NewFilter(ring.MatMul(m, k, n), y, width).MulAdd(z, x, 1)
			continue
		}
		mulAddOne(z, x, y, m, k, n)
	}
}

// mulAddOne computes z += x·y for one product.
func mulAddOne(z, x, y []uint64, m, k, n int) {
	for r := range m {
		row := z[r*n:][:n]
		for i, a := range x[r*k:][:k] {
			for c, b := range y[i*n:][:n] {
				row[c] += a * b
			}
		}
	}
}

package product

// mulAdd computes z += x·y for t products of an m×k by a k×n matrix. It calls yield
// between them.
func mulAdd(z, x, y []uint64, t, m, k, n int, yield func()) {
	if m*k*n == 1 {
		x, y = x[:len(z)], y[:len(z)]
		for i := range z {
			z[i] += x[i] * y[i]
		}
		return
	}
	for i := range t {
		yield()
		mulAddOne(z[i*m*n:][:m*n], x[i*m*k:][:m*k], y[i*k*n:][:k*n], m, k, n)
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

package product

import (
	"io"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// A draft is material in the making, in the geometry of transfers: this party's
// shares of the matrices that choose, of the others, and of their products. They
// are A, B and C, or the transposed B, A and C.
type draft struct {
	mat     *Material
	x, v, z []uint64
}

func newDraft(c Class, n, self, index int, rand io.Reader) (*draft, error) {
	mat := new(Material)
	mat.content = content{class: c, n: n, self: self, index: index}
	mat.allocate()
	d := &draft{mat, mat.a, mat.b, mat.c}
	switch {
	case c.Square:
		d.v = d.x
	case c.turned():
		d.x, d.v, d.z = make([]uint64, len(mat.b)), make([]uint64, len(mat.a)), make([]uint64, len(mat.c))
	}
	if err := ring.Random(rand, d.x, c.Width); err != nil {
		return nil, err
	}
	if c.Square {
		return d, nil
	}
	return d, ring.Random(rand, d.v, c.Width)
}

// finish adds the products of this party's own shares.
func (d *draft) finish(yield func()) *Material {
	mat, c := d.mat, d.mat.class
	if c.Square {
		for i := range d.z {
			d.z[i] *= 2
		}
	}
	rows, inner, cols := c.sides()
	mulAdd(d.z, d.x, d.v, c.T, rows, inner, cols, c.Width, yield)
	ring.Reduce(d.z, c.Width)
	if c.turned() {
		transpose(mat.b, d.x, c.T, c.N, c.K)
		transpose(mat.a, d.v, c.T, c.K, c.M)
		transpose(mat.c, d.z, c.T, c.N, c.M)
		clear(d.x)
		clear(d.v)
		clear(d.z)
	}
	return mat
}

// transpose sets dst to the transposed matrices of src, of rows×cols each.
func transpose(dst, src []uint64, t, rows, cols int) {
	size := rows * cols
	for i := range t {
		from, to := src[i*size:][:size], dst[i*size:][:size]
		for r := range rows {
			for c, v := range from[r*cols:][:cols] {
				to[c*rows+r] = v
			}
		}
	}
}

// heapLen is the length of a draft in memory.
func (c Class) heapLen() int {
	words := c.XLen() + c.YLen() + c.ZLen()
	if c.turned() {
		words *= 2
	}
	return 8 * words
}

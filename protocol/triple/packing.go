package triple

import (
	"math/bits"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// A packing writes the operands of a layer as polynomials, so that the
// coefficients of their products contain those of the result. The layer's
// groups are taken bundle by bundle; a bundle of several groups is one product
// with a block-diagonal matrix. Within a bundle the polynomials are blocks of
// matrices: A is rows×inner, B is inner×cols, the result rows×cols.
//
// All polynomials of A are polynomials in X^spread, so that their transform is
// one of N/spread points.
type packing interface {
	// weights fills w, of N coefficients, with block (kb, nb) of B.
	weights(w, b []uint64, bundle, kb, nb int)
	// inputs fills v, of N/spread coefficients, with block (mb, kb) of A.
	inputs(v, a []uint64, batch, bundle, mb, kb int)
	// outputs appends the coefficients of block (mb, nb) of the product that
	// are of the result, and their places there.
	outputs(index, place []int32, batch, bundle, mb, nb int) (_, _ []int32)
	// rows is the number of blocks of A for a batch.
	rows(batch int) int
}

// A shape is a packing with its block counts.
type shape struct {
	packing
	spread               int
	bundles, inner, cols int
	terms                int // the most non-zero coefficients of A, over all inner blocks
}

// A bundling is how many groups of a convolution are taken together.
type bundling struct {
	ring.Conv
	groups int
}

func (b bundling) in() int  { return b.In / b.Groups }
func (b bundling) out() int { return b.Out / b.Groups }

// bundles is the number of bundles, of which the last may have fewer groups.
func (b bundling) bundles() int { return ceil(b.Groups, b.groups) }

// held is the number of groups in a bundle.
func (b bundling) held(bundle int) int { return min(b.groups, b.Groups-bundle*b.groups) }

// weight returns the place of the weight of input channel c, output channel o
// of a bundle. If they are of different groups there is none.
func (b bundling) weight(bundle, c, ky, kx, o int) (at int, ok bool) {
	g := c / b.in()
	if o/b.out() != g {
		return 0, false
	}
	g += bundle * b.groups
	return (((g*b.KH+ky)*b.KW+kx)*b.in()+c%b.in())*b.out() + o%b.out(), true
}

func ceil(a, b int) int { return (a + b - 1) / b }

// pow2 is the least power of two that is not below x.
func pow2(x int) int { return 1 << bits.Len(uint(x-1)) }

// Package product multiplies secrets with secrets: matrices, element by element,
// and with themselves.
//
// A [Class] is T independent products Z = X·Y of an M×K by a K×N matrix, modulo 2ʷ,
// w = [Class].Width. With T = len and M = K = N = 1 they are products of elements;
// Square says that moreover X = Y. Each party i has shares Xᵢ, Yᵢ.
//
//	offline:  [A], [B] uniform, [C] = [A·B]
//	online:   D = Open(X − A), E = Open(Y − B)            one round
//	          Zᵢ = Cᵢ + D·Bᵢ + Aᵢ·E, and D·E at party 0
//	square:   Zᵢ = Cᵢ + 2·D·Aᵢ, and D² at party 0, with [C] = [A²]
//
// Triples are made without a dealer. C = Σ Aᵢ·Bᵢ + Σ_{i≠j} Aᵢ·Bⱼ. The first sum is
// local. For the second, [Generate] has the bits of Aᵢ choose in correlated oblivious
// transfers with every party j, who corrects them by rows of Bⱼ; see
// [ot.Session.MulOwn]. One transfer serves a row, so that the factor with fewer
// elements chooses: A if M ≤ N, else B. Of a square, 2·aᵢ·aⱼ takes one direction for
// every two parties, and a bit less.
//
// Security: passive, up to n−1 corrupt parties. Opened are D and E, which are uniform
// as A and B are, of which each party drew its share by itself; in the transfers
// a party sees sums with pads that it does not know. A triple serves one product:
// two openings under one A show the difference of the inputs. [Material] enforces
// that within the process; who stores material must enforce it across crashes.
// Shares of Z are not masked anew: what is opened later needs a mask of its own, as
// everywhere.
//
// Reference: D. Beaver, "Efficient Multiparty Protocols Using Circuit
// Randomization", CRYPTO '91, Section 2, for the products; N. Gilboa, "Two Party RSA
// Key Generation", CRYPTO '99, Section 4.1, and D. Demmler, T. Schneider,
// M. Zohner, "ABY – A Framework for Efficient Mixed-Protocol Secure Two-Party
// Computation", NDSS 2015, Section III-A, for the triples.
//
// Deviations: matrices with one transfer for a row; every pair of n parties, all on
// the same choices; bit k is corrected modulo 2ʷ⁻ᵏ, which is all that counts.
package product

import (
	"fmt"

	"github.com/tacit-mpc/tacit/protocol/ot"
)

// A Class is the public part of the products of one layer of one inference.
type Class struct {
	T, M, K, N int // T products of an M×K by a K×N matrix
	Width      int
	Square     bool // of elements with themselves: M = K = N = 1
	Layer      int  // number of the operation in the program
}

const (
	maxSide       = 1 << 16 // rows or columns of a matrix
	maxElements   = 1 << 28 // of all matrices X, Y or Z of one class
	maxProducts   = 1 << 36 // of elements, of one class
	maxInferences = 1 << 30 // of one batch
	maxParties    = 64      // as sets of parties are words
)

// Validate tells what is wrong with c.
func (c Class) Validate() error {
	for _, d := range []int{c.M, c.K, c.N} {
		if d < 1 || d > maxSide {
			return fmt.Errorf("product: %v: a side is outside 1..%d", c, maxSide)
		}
	}
	switch {
	case c.T < 1 || c.T > maxElements/max(c.M*c.K, c.K*c.N, c.M*c.N) || c.T > maxProducts/(c.M*c.K*c.N):
		return fmt.Errorf("product: %v is too large", c)
	case c.Width < 2 || c.Width > 64:
		return fmt.Errorf("product: %v of %d bits, want 2 to 64", c, c.Width)
	case c.Square && c.M*c.K*c.N != 1:
		return fmt.Errorf("product: %v: squares are of elements", c)
	case c.Layer < 0 || c.Layer >= 1<<24:
		return fmt.Errorf("product: layer %d", c.Layer)
	}
	return nil
}

// String describes c in short.
func (c Class) String() string {
	if c.Square {
		return fmt.Sprintf("%d squares", c.T)
	}
	return fmt.Sprintf("%d products of %dx%d by %dx%d", c.T, c.M, c.K, c.K, c.N)
}

// XLen, YLen and ZLen are the numbers of elements of the operands of one inference.
func (c Class) XLen() int { return c.T * c.M * c.K }

// YLen is the number of elements of Y, 0 for squares.
func (c Class) YLen() int {
	if c.Square {
		return 0
	}
	return c.T * c.K * c.N
}

// ZLen is the number of elements of the results.
func (c Class) ZLen() int { return c.T * c.M * c.N }

// Products is the number of products of two elements.
func (c Class) Products() int { return c.T * c.M * c.K * c.N }

// turned reports whether B chooses in transfers. Then the transposed matrices are
// multiplied: Cᵀ = Bᵀ·Aᵀ.
func (c Class) turned() bool { return c.M > c.N }

// sides returns the geometry as it is in transfers: matrices of rows×inner choose,
// with others of inner×cols.
func (c Class) sides() (rows, inner, cols int) {
	if c.turned() {
		return c.N, c.K, c.M
	}
	return c.M, c.K, c.N
}

// choosers is the number of elements that choose.
func (c Class) choosers() int {
	rows, inner, _ := c.sides()
	return c.T * rows * inner
}

// bits is the width of the products of the shares of two parties.
func (c Class) bits() int {
	if c.Square {
		return c.Width - 1 // they count twice
	}
	return c.Width
}

// shape returns the transfers of the elements lo to hi−1 in which some parties
// choose.
func (c Class) shape(lo, hi int, holders, keys ot.Set) ot.OwnShape {
	rows, inner, cols := c.sides()
	return ot.OwnShape{
		First: lo, N: hi - lo, Rows: rows, Inner: inner, Cols: cols,
		Width: c.bits(), Holders: holders, Keys: keys,
	}
}

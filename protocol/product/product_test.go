package product

import (
	"fmt"
	"io"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/protocol/ot/ottest"
	"github.com/tacit-mpc/tacit/transport"
)

// shareOf returns party p's share mod 2⁶⁴ of the public test vector v. All parties
// call it with the same seed.
func shareOf(v []uint64, n, p int, seed uint64) []uint64 {
	last := slices.Clone(v)
	for i := range n - 1 {
		x := make([]uint64, len(v))
		if err := ring.Random(ottest.Tape(seed, i), x, 64); err != nil {
			panic(err)
		}
		if i == p {
			return x
		}
		ring.SubFrom(last, x)
	}
	return last
}

// reveal returns the secret mod 2ᵏ of which z is this party's share.
func reveal(m *transport.Mesh, z []uint64, k int) ([]uint64, error) {
	parts, err := m.Broadcast("test: reveal", ring.AppendPacked(nil, z, k))
	if err != nil {
		return nil, err
	}
	sum, part := make([]uint64, len(z)), make([]uint64, len(z))
	for _, p := range parts {
		ring.Unpack(part, p, k)
		ring.AddTo(sum, part)
	}
	ring.Reduce(sum, k)
	return sum, nil
}

// column returns the material of one class by inference.
func column(mats [][]*Material, class int) []*Material {
	var c []*Material
	for _, inference := range mats {
		c = append(c, inference[class])
	}
	return c
}

// want returns the products in the clear.
func want(c Class, batch int, x, y []uint64) []uint64 {
	z := make([]uint64, batch*c.ZLen())
	for i := range z {
		t, row, col := i/(c.M*c.N), i/c.N%c.M, i%c.N
		for k := range c.K {
			z[i] += x[(t*c.M+row)*c.K+k] * y[(t*c.K+k)*c.N+col]
		}
	}
	ring.Reduce(z, c.Width)
	return z
}

// edges are inputs of which every share and product wraps.
func edges(n int, seed uint64) []uint64 {
	v := make([]uint64, n)
	if err := ring.Random(ottest.Tape(seed, 9), v, 64); err != nil {
		panic(err)
	}
	for i := range v {
		switch i % 5 {
		case 0:
			v[i] = []uint64{0, 1, 1 << 63, ^uint64(0)}[i/5%4]
		case 1:
			v[i] = -(v[i] >> 50)
		}
	}
	return v
}

// check multiplies with the material and compares with the products in the clear.
func check(m *transport.Mesh, mats []*Material) error {
	c := mats[0].Class()
	x, y := edges(len(mats)*c.XLen(), 3), edges(len(mats)*c.YLen(), 4)
	mine := []uint64(nil)
	if !c.Square {
		mine = shareOf(y, m.N(), m.Self(), 8)
	} else {
		y = x
	}
	z, err := Multiply(m, "test", mats, shareOf(x, m.N(), m.Self(), 7), mine)
	if err != nil {
		return err
	}
	for _, v := range z {
		if v&^ring.Mask(c.Width) != 0 {
			return fmt.Errorf("share %#x is not reduced to %d bits", v, c.Width)
		}
	}
	got, err := reveal(m, z, c.Width)
	if err != nil {
		return err
	}
	if w := want(c, len(mats), x, y); !slices.Equal(got, w) {
		return fmt.Errorf("%v of %d bits: got %x, want %x", c, c.Width, got[:min(9, len(got))], w[:min(9, len(w))])
	}
	return nil
}

var someClasses = []Class{
	{T: 300, M: 1, K: 1, N: 1, Width: 40},
	{T: 301, M: 1, K: 1, N: 1, Width: 39, Square: true},
	{T: 2, M: 1, K: 1, N: 1, Width: 2, Square: true},
	{T: 1, M: 1, K: 1, N: 1, Width: 64, Square: true},
	{T: 3, M: 4, K: 5, N: 6, Width: 33},
	{T: 2, M: 7, K: 3, N: 2, Width: 64},
	{T: 1, M: 16, K: 8, N: 16, Width: 20},
	{T: 2, M: 1, K: 9, N: 1, Width: 2},
	{T: 1, M: 1, K: 3, N: 700, Width: 7},
	{T: 1, M: 300, K: 2, N: 1, Width: 31},
	{T: 2, M: 5, K: 1, N: 5, Width: 17},
	{T: 1, M: 33, K: 5, N: 34, Width: 50},
}

// layered numbers the layers of classes.
func layered(classes []Class, first int) []Class {
	classes = slices.Clone(classes)
	for i := range classes {
		classes[i].Layer = first + i
	}
	return classes
}

func TestProductsAreExact(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			ottest.Run(t, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
				for round, memory := range []int{1, 1 << 20, chunkMemory} {
					classes := layered(someClasses, round*len(someClasses))
					if round == 0 { // a chunk for each unit
						classes = classes[4:6]
					}
					mats, err := generate(m, s, rng, classes, 2, memory)
					if err != nil {
						return err
					}
					for k := range classes {
						if err := check(m, column(mats, k)); err != nil {
							return err
						}
					}
				}
				return nil
			})
		})
	}
}

// All widths, all kinds of products, two and three parties.
func TestRandomClasses(t *testing.T) {
	for _, n := range []int{2, 3} {
		layer := 0
		ottest.Bases(t, n)
		rapid.Check(t, func(rt *rapid.T) {
			var classes []Class
			for range rapid.IntRange(1, 3).Draw(rt, "classes") {
				side := rapid.IntRange(1, 6)
				c := Class{
					T: side.Draw(rt, "T"), M: side.Draw(rt, "M"), K: side.Draw(rt, "K"), N: side.Draw(rt, "N"),
					Width: rapid.IntRange(2, 64).Draw(rt, "width"), Square: rapid.Bool().Draw(rt, "square"),
				}
				if c.Square {
					c.M, c.K, c.N = 1, 1, 1
				}
				classes = append(classes, c)
			}
			classes = layered(classes, layer)
			layer += len(classes)
			batch := rapid.IntRange(1, 3).Draw(rt, "batch")
			memory := rapid.SampledFrom([]int{1, 20000, chunkMemory}).Draw(rt, "memory")
			ottest.Together(rt, n, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
				mats, err := generate(m, s, rng, classes, batch, memory)
				if err != nil {
					return err
				}
				for k := range classes {
					if err := check(m, column(mats, k)); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

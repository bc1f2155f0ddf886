package product

import (
	"math/bits"

	"github.com/tacit-mpc/tacit/protocol/ot"
)

const (
	maxRun   = 1 << 12 // elements of a unit, at most
	maxWords = 1 << 15 // and words of its messages for one bit, if that is one element
)

// A unit is a run of elements that choose, of one inference.
type unit struct {
	class            Class
	index, inference int // of the class; of the inference
	lo, hi           int
}

func (u unit) len() int { return u.hi - u.lo }

// unitLen is the length of all units of the class but the last ones.
func (c Class) unitLen() int {
	_, _, cols := c.sides()
	return max(1, min(maxRun, maxWords/cols))
}

// upper is the first element of a class of squares of which the party with the
// higher index of two chooses.
func (c Class) upper() int { return (c.choosers() + 1) / 2 }

// unitsOf lists all units.
func unitsOf(classes []Class, batch int) []unit {
	var us []unit
	for inference := range batch {
		for index, c := range classes {
			ends := []int{c.choosers()}
			if c.Square {
				ends = []int{c.upper(), c.choosers()}
			}
			lo := 0
			for _, end := range ends {
				for ; lo < end; lo = us[len(us)-1].hi {
					us = append(us, unit{c, index, inference, lo, min(lo+c.unitLen(), end)})
				}
			}
		}
	}
	return us
}

// shapes returns the transfers of a unit.
func (u unit) shapes(n int) []ot.OwnShape {
	all := ot.All(n)
	if !u.class.Square {
		return []ot.OwnShape{u.class.shape(u.lo, u.hi, all, all)}
	}
	var shapes []ot.OwnShape
	for i := range n {
		holder, keys := ot.Set(0).With(i), all&^ot.All(i+1) // those above i
		if u.lo >= u.class.upper() {
			keys = ot.All(i)
		}
		if keys != 0 {
			shapes = append(shapes, u.class.shape(u.lo, u.hi, holder, keys))
		}
	}
	return shapes
}

// Memory that the working set of a chunk takes, about, and that of the material
// made in it.
const chunkMemory = 128 << 20

// memory returns how much of a chunk's memory an element that chooses takes at a
// party. A bit has a MAC and a key for each other party, of 16 bytes, in a session's
// memory that may be twice as large, and is sent in 8; corrections are sent and
// received in such memory; further the bits themselves, and words of the matrices.
func (c Class) memory(n int) int {
	_, _, cols := c.sides()
	w := c.bits()
	corrections := cols * w * (w + 1) / 16
	return (72*w+4*corrections)*(n-1) + 2*n*w + 24*(1+2*cols)
}

// chunks cuts the list of units into runs that take about the given memory, and a
// unit at least.
func chunks(us []unit, n, memory int) [][]unit {
	var cs [][]unit
	start, used := 0, 0
	for i, u := range us {
		size := u.len() * u.class.memory(n)
		if used > 0 && used+size > memory {
			cs = append(cs, us[start:i])
			start, used = i, 0
		}
		used += size
	}
	if start < len(us) {
		cs = append(cs, us[start:])
	}
	return cs
}

// element is the number in tweaks of the first element of inference number index.
func (c Class) element(index int) uint64 { return uint64(index) * uint64(c.choosers()) }

// fits reports whether all elements of a batch have tweaks.
func (c Class) fits(batch int) bool {
	_, _, cols := c.sides()
	over, _ := bits.Mul64(uint64(batch)*uint64(c.choosers()), uint64(cols))
	return over == 0
}

package compare

// A unit is a block of one inference.
type unit struct {
	class            Class
	index, inference int // of the class; of the inference
	block
}

// unitsOf lists all units such that evaluators take turns, so that every chunk
// has work for all of them.
func unitsOf(n int, classes []Class, batch int) []unit {
	var us []unit
	for inference := range batch {
		for index, c := range classes {
			left := make([][]block, n)
			for p := range n {
				left[p] = c.blocks(n, p)
			}
			for more := true; more; {
				more = false
				for p := range n {
					if len(left[p]) > 0 {
						us = append(us, unit{c, index, inference, left[p][0]})
						left[p], more = left[p][1:], true
					}
				}
			}
		}
	}
	return us
}

// Memory that the working set of a chunk takes, about, and that of the material
// made in it.
const chunkMemory = 128 << 20

// memory returns how much of a chunk's memory an element takes at a party. A bit
// has a MAC and a key for each other party, of 16 bytes, in a session's memory
// that may be twice as large, and is sent in 8; the words of a product are kept
// while they are sent and as the result.
func (c Class) memory(n int) int {
	words := 8 * (c.In + 2 + 3*c.signs())
	switch {
	case c.garbled(): // masks, products, and rows of all garblers for all owners
		return c.signs()*(48*(n-1)*3*c.In+32*(n-1)*(n-1)*c.In) + 3*words
	case c.carried():
		return 72*(n-1)*(c.In+c.tree().Masks()+c.signs()) + 3*words
	}
	return 72*(n-1)*c.In + 3*words
}

// chunks cuts the list of units into runs that take about the given memory, and
// a unit at least.
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

// order returns the order in which the parties receive when the bits of a unit
// are multiplied: the evaluator, who has no keys, is last.
func order(n, eval int) []int {
	o := make([]int, n)
	for t := range o {
		o[t] = (eval + 1 + t) % n
	}
	return o
}

package model

import (
	"errors"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// taps lists, for every output position along one axis, the input positions of
// its window, without padding. All lists are made equally long by repetition,
// which a maximum does not see.
func taps(n, kernel, stride, dilation, pad, out int) ([][]int, error) {
	list := make([][]int, out)
	longest := 0
	for o := range list {
		for k := range kernel {
			if i := o*stride - pad + k*dilation; i >= 0 && i < n {
				list[o] = append(list[o], i)
			}
		}
		if len(list[o]) == 0 {
			return nil, errors.New("a window lies in the padding; use smaller pads")
		}
		longest = max(longest, len(list[o]))
	}
	for o := range list {
		for len(list[o]) < longest {
			list[o] = append(list[o], list[o][len(list[o])-1])
		}
	}
	return list, nil
}

// poolSteps returns the windows of a maximum pooling along rows and columns.
func poolSteps(c ring.Conv) ([2][][]int, error) {
	h, w := c.Size()
	rows, err := taps(c.H, c.KH, c.StrideH, c.DilH, c.Top, h)
	if err != nil {
		return [2][][]int{}, err
	}
	columns, err := taps(c.W, c.KW, c.StrideW, c.DilW, c.Left, w)
	return [2][][]int{rows, columns}, err
}

// maxPool lowers maximum pooling to trees of Max: along the rows, then along
// the columns. The intermediate image has only the rows that are used.
func (b *builder) maxPool(n *node, x int) (int, error) {
	c := n.conv
	steps, err := poolSteps(c)
	if err != nil {
		return 0, err
	}
	x = b.shifted(x)
	rows, columns := steps[0], steps[1]
	used := make([]int, c.H) // number of an input row among those used, or -1
	for y := range used {
		used[y] = -1
	}
	var source []int
	for _, list := range rows {
		for _, y := range list {
			if used[y] < 0 {
				used[y] = len(source)
				source = append(source, y)
			}
		}
	}
	across := make([][]int32, len(columns[0])) // by tap, for every element
	for t := range across {
		for _, y := range source {
			for _, list := range columns {
				for ch := range c.In {
					across[t] = append(across[t], int32((y*c.W+list[t])*c.In+ch))
				}
			}
		}
	}
	x = b.tree(n.name, x, across)
	down := make([][]int32, len(rows[0]))
	for t := range down {
		for _, list := range rows {
			for i := range len(columns) * c.In {
				down[t] = append(down[t], int32(used[list[t]]*len(columns)*c.In+i))
			}
		}
	}
	return b.tree(n.name, x, down), nil
}

// tree returns max over t of x[taps[t][i]] for every i. Every level is one
// operation, as each costs its rounds; an odd tap waits until the end.
func (b *builder) tree(name string, x int, taps [][]int32) int {
	n := len(taps[0])
	waiting := -1
	for len(taps) > 1 {
		if len(taps)%2 == 1 {
			if waiting < 0 {
				waiting = b.gather(name, x, taps[len(taps)-1])
			} else { // a repeated operand costs less than a further level
				taps = append(taps, taps[len(taps)-2])
			}
		}
		var left, right []int32
		for t := 0; t+1 < len(taps); t += 2 {
			left, right = append(left, taps[t]...), append(right, taps[t+1]...)
		}
		x = b.max(name, b.gather(name, x, left), b.gather(name, x, right))
		taps = taps[:0:0]
		for t := range len(left) / n {
			level := make([]int32, n)
			for i := range level {
				level[i] = int32(t*n + i)
			}
			taps = append(taps, level)
		}
	}
	if !identity(taps[0], b.values[x].len) {
		x = b.gather(name, x, taps[0])
	}
	if waiting >= 0 {
		x = b.max(name, x, waiting)
	}
	return x
}

// identity reports that index lists n elements in order.
func identity(index []int32, n int) bool {
	for i, j := range index {
		if int(j) != i {
			return false
		}
	}
	return len(index) == n
}

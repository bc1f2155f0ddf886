package model

import (
	"errors"
	"fmt"
	"math"
)

// ErrLookup is the refusal of a lookup among the parties, who would have to hide
// which row of the table is read.
var ErrLookup = errors.New("a lookup by numbers of the client's; declare what comes before as public with --edge TENSOR")

// ErrIndex is the refusal of a number that a table has no row for.
var ErrIndex = errors.New("a lookup outside of its table")

// maxTable bounds the rows of a table: clients pass their numbers in float32, which
// holds whole numbers exactly up to here.
const maxTable = 1 << 24

// lookup lowers Gather from a constant table by numbers of the client's.
func (o *operator) lookup() error {
	t, err := o.secret(1)
	if err != nil {
		return err
	}
	if !o.whole(1) {
		return errors.New("the indices are not whole numbers")
	}
	c, table, err := o.numbers(0)
	if err != nil {
		return err
	}
	a, err := axis(o.int("axis", 0), len(c.shape))
	if err != nil {
		return err
	}
	if a > 0 && o.lead > 0 {
		return fmt.Errorf("along axis %d %w", a, errMixes)
	}
	if len(table) == 0 || c.shape[a] > maxTable {
		return fmt.Errorf("a table of shape %v is empty or has more than %d rows", c.shape, maxTable)
	}
	shape := append(append(append([]int{}, c.shape[:a]...), t.shape...), c.shape[a+1:]...)
	if err := checkShape(shape); err != nil {
		return err
	}
	if err := o.spend(2 * size(shape)); err != nil {
		return err
	}
	z := node{kind: lookupNode, name: o.name, in: []int{o.materialise(t)}, len: size(shape), w: table, window: size(c.shape[a+1:])}
	return o.set(&tensor{shape: shape, val: o.g.add(z)})
}

// lookup sets z to the rows of the table that x names; NaN where there is none.
func (n *node) lookup(z, x []float64) {
	rows := n.rows(len(x))
	for i := range z {
		k := i % n.window
		j := i / n.window % len(x)
		outer := i / n.window / len(x)
		at, ok := index(x[j], rows)
		if z[i] = math.NaN(); ok {
			z[i] = n.w[(outer*rows+at)*n.window+k]
		}
	}
}

// rows is the number of rows of the table, for indices many numbers.
func (n *node) rows(indices int) int { return len(n.w) / (n.len / indices) }

// index returns the row that x means, from the end if it is negative.
func index(x float64, rows int) (int, bool) {
	if x < 0 {
		x += float64(rows)
	}
	if !(x >= 0 && x < float64(rows)) || x != math.Trunc(x) {
		return 0, false
	}
	return int(x), true
}

// outside returns which of the numbers x no row of the table has.
func (n *node) outside(x []float64) error {
	rows := n.rows(len(x))
	for i, v := range x {
		if _, ok := index(v, rows); !ok {
			return fmt.Errorf("column %d: %v is not a whole number from 0 to %d: node %q: %w", i, v, rows-1, n.name, ErrIndex)
		}
	}
	return nil
}

// private refuses what only a client can evaluate.
func (g *Graph) private() error {
	var errs []error
	uses := g.uses()
	for i, n := range g.nodes {
		if n.kind == lookupNode && uses[i] > 0 {
			errs = append(errs, fmt.Errorf("node %q: %w", n.name, ErrLookup))
		}
	}
	return errors.Join(errs...)
}

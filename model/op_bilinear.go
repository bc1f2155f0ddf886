package model

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// The operators here multiply two secrets.

// multiplied returns x∘y, broadcast to each other.
func (o *operator) multiplied(x, y *tensor) (*tensor, error) {
	shape, ix, iy, err := o.broadcastRows(x, y)
	if err != nil {
		return nil, err
	}
	x, y = o.bijection(o.view(x, shape, ix)), o.view(y, shape, iy)
	n := size(shape)
	if err := o.spend(4 * n); err != nil {
		return nil, err
	}
	order := make([]int32, n) // of the elements of y, as the node of x has them
	for i := range order {
		order[x.at(i)] = int32(i)
	}
	z := &tensor{shape: shape, view: x.view}
	z.val = o.g.add(node{kind: productNode, name: o.name, in: []int{x.val, o.arrange(y, order)}, len: n, dims: Dims{T: n, M: 1, K: 1, N: 1}})
	return z, nil
}

// broadcastRows is broadcast for two tensors: their rows meet, so that both have
// as many axes.
func (o *operator) broadcastRows(x, y *tensor) ([]int, []int32, []int32, error) {
	if o.lead > 0 && len(x.shape) != len(y.shape) {
		return nil, nil, nil, fmt.Errorf("rows of shapes %v and %v would mix; reshape one of them", x.shape, y.shape)
	}
	return o.broadcast(x.shape, y.shape)
}

// productOfSecrets lowers Mul of two secrets.
func (o *operator) productOfSecrets() error {
	x, err := o.secret(0)
	if err != nil {
		return err
	}
	y, err := o.secret(1)
	if err != nil {
		return err
	}
	z, err := o.multiplied(x, y)
	if err != nil {
		return err
	}
	return o.set(z)
}

// A contraction is Z[t] = X[t]·Y[t] for matrices whose elements order lists.
type contraction struct {
	dims   Dims
	x, y   []int32
	shape  []int   // of the result
	result []int32 // element of Z for every element of the result
}

// contract adds the product.
func (o *operator) contract(x, y *tensor, c contraction) (*tensor, error) {
	d := c.dims
	if o.products += d.T * d.M * d.K * d.N; o.products > maxProductsLoaded {
		return nil, errTooLarge
	}
	n := d.T * d.M * d.N
	if err := o.spend(len(c.x) + len(c.y) + 4*n); err != nil {
		return nil, err
	}
	z := &tensor{shape: []int{n}}
	z.val = o.g.add(node{kind: productNode, name: o.name, in: []int{o.arrange(x, c.x), o.arrange(y, c.y)}, len: n, dims: d})
	return o.view(z, c.shape, c.result), nil
}

// matMulSecrets lowers MatMul of two secrets, as attention has them.
func (o *operator) matMulSecrets() error {
	x, err := o.secret(0)
	if err != nil {
		return err
	}
	y, err := o.secret(1)
	if err != nil {
		return err
	}
	if o.lead > 0 && (len(x.shape) != len(y.shape) || len(x.shape) < 2) {
		return fmt.Errorf("rows of shapes %v and %v would mix; give both a batch axis and two axes of a matrix", x.shape, y.shape)
	}
	if len(x.shape) == 0 || len(y.shape) == 0 || len(x.shape) > maxRank || len(y.shape) > maxRank {
		return fmt.Errorf("shapes %v and %v are not those of matrices", x.shape, y.shape)
	}
	left, right, out := "xy", "yz", "xz"
	if len(x.shape) == 1 {
		left, out = "y", strings.TrimPrefix(out, "x")
	}
	if len(y.shape) == 1 {
		right, out = "y", strings.TrimSuffix(out, "z")
	}
	const letters = "abcdefghijklmnop"
	first, second := letters[len(letters)-max(len(x.shape)-2, 0):], letters[len(letters)-max(len(y.shape)-2, 0):]
	batch := first
	if len(second) > len(first) {
		batch = second
	}
	z, err := o.einsumOf([2]*tensor{x, y}, [2]string{first + left, second + right}, batch+out, true)
	if err != nil {
		return err
	}
	return o.set(z)
}

// einsum lowers Einsum of two operands: attention, and products with constants.
// Their axes, and those of the result, are named by letters.
func (o *operator) einsum(terms []string, out string) error {
	terms = slices.Clone(terms)
	out, ok := o.cutRows(out, terms)
	if !ok {
		return fmt.Errorf("the equation %q mixes rows; the first letter of every operand that depends on the input, and of the result, must be the batch", o.string("equation", ""))
	}
	if o.consts[o.input(0)] != nil || o.consts[o.input(1)] != nil {
		return o.einsumConstant([2]string(terms), out)
	}
	var t [2]*tensor
	for i := range t {
		var err error
		if t[i], err = o.secret(i); err != nil {
			return err
		}
	}
	z, err := o.einsumOf(t, [2]string(terms), out, false)
	if err != nil {
		return err
	}
	return o.set(z)
}

// cutRows takes the letter of the batch off the terms of secrets and the result.
func (o *operator) cutRows(out string, terms []string) (string, bool) {
	if o.lead == 0 {
		return out, true
	}
	if out == "" {
		return "", false
	}
	batch := out[:1]
	for i := range terms {
		if o.consts[o.input(i)] != nil {
			if strings.Contains(terms[i], batch) {
				return "", false
			}
			continue
		}
		rest, ok := strings.CutPrefix(terms[i], batch)
		if !ok || strings.Contains(rest, batch) {
			return "", false
		}
		terms[i] = rest
	}
	return out[1:], !strings.Contains(out[1:], batch)
}

// extents returns the size of every letter.
func extents(terms []string, shapes [][]int, stretch bool) (map[rune]int, error) {
	extent := map[rune]int{}
	for i, term := range terms {
		if len(term) != len(shapes[i]) {
			return nil, fmt.Errorf("%q does not name the axes of shape %v", term, shapes[i])
		}
		for a, letter := range term {
			d := shapes[i][a]
			switch known, ok := extent[letter]; {
			case strings.Count(term, string(letter)) > 1:
				return nil, fmt.Errorf("%q takes a diagonal; do that before the model", term)
			case !ok || stretch && known == 1:
				extent[letter] = d
			case known != d && (!stretch || d != 1):
				return nil, fmt.Errorf("sizes %d and %d of one axis do not fit", known, d)
			}
		}
	}
	return extent, nil
}

// einsumOf multiplies two secrets. Axes of size 1 are repeated if stretch is set.
func (o *operator) einsumOf(t [2]*tensor, terms [2]string, out string, stretch bool) (*tensor, error) {
	extent, err := extents(terms[:], [][]int{t[0].shape, t[1].shape}, stretch)
	if err != nil {
		return nil, err
	}
	for i := range t {
		var alone []int // axes of one operand that the result lacks are summed up first
		left := ""
		for a, letter := range terms[i] {
			if strings.ContainsRune(terms[1-i], letter) || strings.ContainsRune(out, letter) {
				left += string(letter)
				continue
			}
			alone = append(alone, a)
		}
		if len(alone) > 0 {
			if t[i], err = o.summed(t[i], alone); err != nil {
				return nil, err
			}
			terms[i] = left
		}
	}
	var both, first, second, inner string
	for _, letter := range terms[0] + terms[1] {
		x, y, z := strings.ContainsRune(terms[0], letter), strings.ContainsRune(terms[1], letter), strings.ContainsRune(out, letter)
		group := &second
		switch {
		case x && y && z:
			group = &both
		case x && y:
			group = &inner
		case x:
			group = &first
		}
		if !strings.ContainsRune(*group, letter) {
			*group += string(letter)
		}
	}
	if len(out) != len(both)+len(first)+len(second) {
		return nil, fmt.Errorf("the result %q repeats axes or has some that no operand has", out)
	}
	count := func(letters string) int {
		n := 1
		for _, l := range letters {
			n *= extent[l]
		}
		return n
	}
	index := func(term string, shape []int, letters string) []int32 { // elements of a tensor as the letters are counted through
		at, step := strides(shape), make([]int, 0, len(letters))
		to := make([]int, 0, len(letters))
		for _, l := range letters {
			s := 0
			if a := strings.IndexRune(term, l); a >= 0 && shape[a] > 1 {
				s = at[a]
			}
			to, step = append(to, extent[l]), append(step, s)
		}
		return walk(to, step)
	}
	order := both + first + second
	shape := make([]int, 0, len(order))
	for _, l := range order {
		shape = append(shape, extent[l])
	}
	c := contraction{dims: Dims{count(both), count(first), count(inner), count(second)}}
	for _, d := range []int{c.dims.T * c.dims.M * c.dims.K, c.dims.T * c.dims.K * c.dims.N, c.dims.T * c.dims.M * c.dims.N} {
		if d > maxTensor {
			return nil, errTooLarge
		}
	}
	c.x = index(terms[0], t[0].shape, both+first+inner)
	c.y = index(terms[1], t[1].shape, both+inner+second)
	c.result = index(order, shape, out)
	for _, l := range out {
		c.shape = append(c.shape, extent[l])
	}
	return o.contract(t[0], t[1], c)
}

// summed returns the sums of t over axes of a row.
func (o *operator) summed(t *tensor, axes []int) (*tensor, error) {
	for i := range axes {
		axes[i] += o.lead
	}
	return o.taken(o.sumOver(t, axes, false, false))
}

// taken returns the output that was just defined, and undefines it.
func (o *operator) taken(err error) (*tensor, error) {
	if err != nil {
		return nil, err
	}
	z := o.tensors[o.n.Output[0]]
	delete(o.tensors, o.n.Output[0])
	return z, nil
}

// einsumConstant lowers a product with a constant to a layer: its letters are
// contracted or new, none is kept on both sides.
func (o *operator) einsumConstant(terms [2]string, out string) error {
	at := 0
	if o.consts[o.input(0)] != nil {
		at = 1
	}
	t, err := o.secret(at)
	if err != nil {
		return err
	}
	m, w, err := o.numbers(1 - at)
	if err != nil {
		return err
	}
	x, y := terms[at], terms[1-at]
	extent, err := extents([]string{x, y}, [][]int{t.shape, m.shape}, false)
	if err != nil {
		return err
	}
	var kept, inner, fresh string
	for _, l := range x {
		switch shared := strings.ContainsRune(y, l); {
		case shared && strings.ContainsRune(out, l):
			return errors.New("an axis of the constant is also one of the result and of the other operand; write it as several products")
		case shared:
			inner += string(l)
		case strings.ContainsRune(out, l):
			kept += string(l)
		default:
			return fmt.Errorf("%q is summed up alone; use ReduceSum before", string(l))
		}
	}
	for _, l := range y {
		if strings.ContainsRune(inner, l) {
			continue
		}
		if !strings.ContainsRune(out, l) {
			return fmt.Errorf("%q is summed up alone; fold it into the constant", string(l))
		}
		fresh += string(l)
	}
	order := func(shape []int, from, to string) (dims []int, index []int32) {
		at, step := strides(shape), []int{}
		for _, l := range to {
			dims, step = append(dims, extent[l]), append(step, at[strings.IndexRune(from, l)])
		}
		return dims, walk(dims, step)
	}
	_, rows := order(t.shape, x, kept+inner)
	_, matrix := order(m.shape, y, inner+fresh)
	count := func(letters string) int {
		n := 1
		for _, l := range letters {
			n *= extent[l]
		}
		return n
	}
	v := make([]float64, len(matrix))
	for i, j := range matrix {
		v[i] = w[j]
	}
	z, err := o.linear(t, rows, ring.MatMul(count(kept), count(inner), count(fresh)), v, make([]float64, count(fresh)))
	if err != nil {
		return err
	}
	var shape []int
	for _, l := range kept + fresh {
		shape = append(shape, extent[l])
	}
	if len(out) != len(shape) || slices.ContainsFunc([]rune(out), func(l rune) bool { return !strings.ContainsRune(kept+fresh, l) }) {
		return fmt.Errorf("the result %q repeats axes or has some that no operand has", out)
	}
	dims, index := order(shape, kept+fresh, out)
	return o.set(o.view(&tensor{shape: shape, val: z}, dims, index))
}

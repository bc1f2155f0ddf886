package model

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// einsums lowers Einsum: an ellipsis and a missing result are written out, diagonals
// are views, and more than two operands are multiplied one after the other.
func (o *operator) einsums() error {
	terms, out, err := o.equation()
	if err != nil {
		return err
	}
	if len(terms) == 1 {
		return o.rearranged(terms[0], out)
	}
	at, names := *o, slices.Clone(o.n.Input)
	for len(terms) > 2 {
		left := "" // of the first two: what the result or another operand names
		for _, l := range terms[0] + terms[1] {
			if !strings.ContainsRune(left, l) && strings.ContainsRune(out+strings.Join(terms[2:], ""), l) {
				left += string(l)
			}
		}
		t, err := at.taken(at.einsumAs(names[:2], terms[:2], left))
		if err != nil {
			return err
		}
		name := fmt.Sprintf("\x00%s %d", o.name, len(terms))
		o.tensors[name] = t
		names, terms = append([]string{name}, names[2:]...), append([]string{left}, terms[2:]...)
	}
	return at.einsumAs(names, terms, out)
}

// einsumAs lowers a product of two operands.
func (o *operator) einsumAs(names, terms []string, out string) error {
	at := *o
	at.n = &onnx.NodeProto{OpType: o.n.OpType, Input: names, Output: o.n.Output}
	return at.einsum(terms, out)
}

// equation returns the terms of the operands and of the result, as letters alone.
func (o *operator) equation() (terms []string, out string, err error) {
	in, out, given := strings.Cut(strings.ReplaceAll(o.string("equation", ""), " ", ""), "->")
	terms = strings.Split(in, ",")
	if len(terms) != len(o.n.Input) || len(in) > 256 {
		return nil, "", fmt.Errorf("the equation %q does not name %d operands", o.string("equation", ""), len(o.n.Input))
	}
	const digits = "0123456789" // name the axes of an ellipsis, from the last on
	most := 0
	for i, term := range terms {
		before, after, dots := strings.Cut(term, "...")
		if !dots {
			continue
		}
		rank := 0
		if t := o.tensors[o.input(i)]; t != nil {
			rank = o.rank(t)
		} else if c := o.consts[o.input(i)]; c != nil {
			rank = len(c.shape)
		}
		n := rank - len(before) - len(after)
		if n < 0 || n > len(digits) {
			return nil, "", fmt.Errorf("%q does not fit %d axes", term, rank)
		}
		terms[i], most = before+digits[len(digits)-n:]+after, max(most, n)
	}
	if !given {
		var once []rune
		for _, l := range strings.Join(terms, "") {
			if !strings.ContainsRune(digits, l) && strings.Count(strings.Join(terms, ""), string(l)) == 1 {
				once = append(once, l)
			}
		}
		slices.Sort(once)
		out = "..." + string(once)
	}
	return terms, strings.Replace(out, "...", digits[len(digits)-most:], 1), nil
}

// rearranged lowers Einsum of one operand: diagonals, sums, and a transposition.
func (o *operator) rearranged(term, out string) error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	if o.lead > 0 {
		if term == "" || !strings.HasPrefix(out, term[:1]) || strings.Count(term, term[:1]) > 1 {
			return errMixes
		}
		term, out = term[1:], out[1:]
	}
	if len(term) != len(t.shape) {
		return fmt.Errorf("%q does not name the axes of shape %v", term, t.shape)
	}
	var shape, step []int // of the letters, each once: those of the result first
	var gone []int
	letters := out
	for _, l := range term {
		if !strings.ContainsRune(letters, l) {
			gone = append(gone, len(letters)+o.lead)
			letters += string(l)
		}
	}
	all := strides(t.shape)
	for i, l := range letters {
		if strings.IndexRune(letters, l) != i || !strings.ContainsRune(term, l) {
			return fmt.Errorf("the result %q repeats axes or has some that no operand has", out)
		}
		d, s := 0, 0
		for a, k := range term {
			if k != l {
				continue
			}
			if d != 0 && d != t.shape[a] {
				return errors.New("a diagonal of axes of different sizes")
			}
			d, s = t.shape[a], s+all[a]
		}
		shape, step = append(shape, d), append(step, s)
	}
	t = o.view(t, append([]int{}, shape...), walk(shape, step))
	if len(gone) > 0 {
		return o.sumOver(t, gone, false, false)
	}
	return o.set(t)
}

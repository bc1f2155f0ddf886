package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// ranges decides the range of every input and evaluates the calibration rows.
func (p *plan) ranges() error {
	p.margin = p.o.Margin
	if p.margin == 0 {
		p.margin = DefaultMargin
	}
	if !(p.margin >= 1 && p.margin <= 1<<20) {
		return fmt.Errorf("margin %v is not between 1 and a million", p.margin)
	}
	if (p.o.InputLo == nil) != (p.o.InputHi == nil) {
		return errors.New("the declared input range has one end only; declare both")
	}
	for name := range p.o.Ranges {
		if !slices.ContainsFunc(p.g.Inputs, func(q Part) bool { return q.Name == name }) {
			return fmt.Errorf("a range is declared for %q, which is not an input", name)
		}
	}
	seen := make([][2]float64, len(p.g.Inputs))
	if len(p.o.Calibration) > 0 {
		if err := p.calibrate(seen); err != nil {
			return err
		}
	}
	p.parts = slices.Clone(p.g.Inputs)
	for i := range p.parts {
		if err := p.part(&p.parts[i], seen[i][0], seen[i][1]); err != nil {
			if len(p.parts) > 1 {
				err = fmt.Errorf("input %q: %w", p.parts[i].Name, err)
			}
			return err
		}
	}
	return nil
}

// part sets the range of q, of which the calibration rows, if there are any, have
// values from seenLo to seenHi.
func (p *plan) part(q *Part, seenLo, seenHi float64) error {
	lo, hi := q.Lo, q.Hi // of its type
	typed := lo < hi
	declared, ok := p.o.Ranges[q.Name]
	if !ok && p.o.InputLo != nil {
		declared, ok = [2]float64{*p.o.InputLo, *p.o.InputHi}, true
	}
	switch {
	case ok && typed:
		lo, hi = max(lo, declared[0]), min(hi, declared[1])
	case ok:
		lo, hi = declared[0], declared[1]
	case typed:
	case p.seen != nil:
		span := seenHi - seenLo
		if span == 0 {
			span = max(math.Abs(seenHi), 1)
		}
		lo = max(-coarseUp(InputWidening*span-seenLo), -maxMagnitude)
		hi = min(coarseUp(InputWidening*span+seenHi), maxMagnitude)
	default:
		lo, hi = -AssumedInput, AssumedInput
	}
	if !(lo <= hi && lo >= -maxMagnitude && hi <= maxMagnitude) {
		return fmt.Errorf("the input range %v to %v is not one or too large; scale the input", lo, hi)
	}
	if p.seen != nil && (lo > seenLo || hi < seenHi) {
		return fmt.Errorf("the calibration rows reach from %v to %v, outside the declared range %v to %v", seenLo, seenHi, lo, hi)
	}
	q.Lo, q.Hi = lo, hi
	return nil
}

// calibrate notes the largest magnitudes in all nodes, and the ends of every input.
func (p *plan) calibrate(ends [][2]float64) error {
	n := p.g.nodes[0].len
	p.seen = make([][]float64, len(p.g.nodes))
	for i := range ends {
		ends[i] = [2]float64{math.Inf(1), math.Inf(-1)}
	}
	for i, row := range p.o.Calibration {
		if len(row) != n {
			return fmt.Errorf("calibration row %d has %d values, not %d (shape %v)", i, len(row), n, p.g.Input)
		}
		at := 0
		for k, q := range p.g.Inputs {
			for _, v := range row[at:][:q.Len()] {
				x := float64(v)
				if !(math.Abs(x) <= maxMagnitude) {
					return fmt.Errorf("calibration row %d, column %d: %v is not a number of reasonable size", i, at, v)
				}
				ends[k][0], ends[k][1] = min(ends[k][0], x), max(ends[k][1], x)
				at++
			}
		}
		err := p.g.each(row, func(values [][]float64) {
			for k, v := range values {
				if p.seen[k] == nil {
					p.seen[k] = make([]float64, len(v))
				}
				for e, x := range v {
					p.seen[k][e] = max(p.seen[k][e], math.Abs(x))
				}
			}
		})
		if err != nil {
			return err
		}
	}
	p.small = p.smallness()
	p.enlarge()
	return nil
}

// declared returns the ends of all inputs, and their parts for a manifest: none if
// there is nothing to tell of them.
func (p *plan) declared() (lo, hi float64, parts []Part) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, q := range p.parts {
		lo, hi = min(lo, q.Lo), max(hi, q.Hi)
		q.Name = clipName(q.Name)
		parts = append(parts, q)
	}
	if len(parts) == 1 && !parts[0].Whole {
		return lo, hi, nil
	}
	return lo, hi, parts
}

// assumed reports that nobody declared the range of an input.
func (p *plan) assumed() bool {
	for i, q := range p.g.Inputs {
		_, ok := p.o.Ranges[p.parts[i].Name]
		if !ok && p.o.InputLo == nil && p.seen == nil && q.Lo == q.Hi {
			return true
		}
	}
	return false
}

// ends returns the range of every element of the input and the error of its
// rounding, in units of 2^−frac.
func (p *plan) ends(frac int) (lo, hi, quant []float64) {
	for _, q := range p.parts {
		off := 0.5
		if q.Whole {
			off = 0
		}
		n := q.Len()
		lo = append(lo, repeat(math.Floor(math.Ldexp(q.Lo, frac)), n)...)
		hi = append(hi, repeat(math.Ceil(math.Ldexp(q.Hi, frac)), n)...)
		quant = append(quant, repeat(off, n)...)
	}
	return lo, hi, quant
}

package model

import (
	"fmt"
	"math"
	"slices"
)

// A Part is one of the tensors that a network takes. The parts of a row, one
// after the other, are the input of the program.
type Part struct {
	Name  string  `json:"name"`
	Shape []int   `json:"shape"`           // without the batch axis
	Whole bool    `json:"whole,omitempty"` // whole numbers only, or conditions from 0 to 1
	Lo    float64 `json:"lo"`              // declared range, enforced on inputs;
	Hi    float64 `json:"hi"`              // in a Graph that of the type, or 0 and 0
}

// Len is the number of elements.
func (p Part) Len() int { return size(p.Shape) }

// InputParts returns the parts of the input: at least one.
func (m *Manifest) InputParts() []Part {
	if len(m.Parts) > 0 {
		return m.Parts
	}
	return []Part{{Name: m.Input.Name, Shape: m.Input.Shape, Lo: m.Input.Lo, Hi: m.Input.Hi}}
}

// maxParts bounds the tensors that a network takes.
const maxParts = 1 << 10

// validateParts checks that the parts make up the input.
func (m *Manifest) validateParts() error {
	if len(m.Parts) == 0 {
		return nil
	}
	if len(m.Parts) > maxParts {
		return fmt.Errorf("%d inputs are more than %d", len(m.Parts), maxParts)
	}
	total, err := measured(m.Parts)
	if err != nil {
		return err
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, p := range m.Parts {
		lo, hi = min(lo, p.Lo), max(hi, p.Hi)
	}
	if total != m.Input.Len() || lo != m.Input.Lo || hi != m.Input.Hi {
		return fmt.Errorf("%d elements from %v to %v are not the whole input of %d elements from %v to %v",
			total, lo, hi, m.Input.Len(), m.Input.Lo, m.Input.Hi)
	}
	return nil
}

// measured returns the number of elements of all parts, which have names, shapes
// and ranges.
func measured(parts []Part) (total int, err error) {
	for i, p := range parts {
		if len(p.Name) > maxName || slices.ContainsFunc(parts[:i], func(q Part) bool { return q.Name == p.Name }) {
			return 0, fmt.Errorf("input %d: its name is too long or not the only one", i)
		}
		if err := checkShape(p.Shape); err != nil {
			return 0, fmt.Errorf("input %q: %w", p.Name, err)
		}
		if !(p.Lo <= p.Hi) {
			return 0, fmt.Errorf("input %q: the range %v..%v is not one", p.Name, p.Lo, p.Hi)
		}
		if total += p.Len(); total > maxTensor {
			return 0, fmt.Errorf("more than %d elements", maxTensor)
		}
	}
	return total, nil
}

// refuse returns why the program was not planned for v, or nil.
func (p Part) refuse(v float32) error {
	x := float64(v)
	if !(x >= p.Lo && x <= p.Hi) { // also NaN
		return fmt.Errorf("%v is outside the declared range %v..%v; scale the input as in training, or compile the model with rows like it", v, p.Lo, p.Hi)
	}
	if p.Whole && x != math.Trunc(x) {
		return fmt.Errorf("%v is not a whole number", v)
	}
	return nil
}

// checkRanges refuses rows that the program was not planned for.
func (m *Manifest) checkRanges(rows []float32) error {
	parts := m.InputParts()
	for row := 0; len(rows) > 0; row++ {
		for _, p := range parts {
			n := p.Len()
			for column, v := range rows[:n] {
				err := p.refuse(v)
				if err != nil && len(parts) > 1 {
					return fmt.Errorf("input %q: row %d, column %d: %w", p.Name, row, column, err)
				} else if err != nil {
					return fmt.Errorf("input: row %d, column %d: %w", row, column, err)
				}
			}
			rows = rows[n:]
		}
	}
	return nil
}

// Join returns rows of the client from those of its inputs, by name.
func (m *Manifest) Join(parts map[string][]float32) ([]float32, error) {
	list := m.RowParts()
	count := -1
	for _, p := range list {
		v, ok := parts[p.Name]
		n := p.Len()
		if !ok || len(v) == 0 || len(v)%n != 0 {
			return nil, fmt.Errorf("input %q: %d values are not rows of %d (shape %v)", p.Name, len(v), n, p.Shape)
		}
		if count >= 0 && len(v)/n != count {
			return nil, fmt.Errorf("input %q: %d rows, of input %q there are %d", p.Name, len(v)/n, list[0].Name, count)
		}
		count = len(v) / n
	}
	if len(parts) != len(list) {
		return nil, fmt.Errorf("%d inputs are given, the model takes %d", len(parts), len(list))
	}
	rows := make([]float32, 0, count*m.RowLen())
	for i := range count {
		for _, p := range list {
			n := p.Len()
			rows = append(rows, parts[p.Name][i*n:][:n]...)
		}
	}
	return rows, nil
}

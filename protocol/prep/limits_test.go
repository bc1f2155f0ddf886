package prep_test

import (
	"testing"

	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/prep"
)

// TestValidProgramsCanBePrepared: what [model.Program.Validate] accepts at its
// limits, the generators accept, so that no model is served for which there can be
// no material.
func TestValidProgramsCanBePrepared(t *testing.T) {
	product := func(t, m, k int) *model.Program { // of a matrix and its transpose, so to speak
		return &model.Program{
			Values: []model.Value{{Len: t * m * k, Width: 64}, {Len: t * m * m, Width: 64}},
			Ops:    []model.Op{{Kind: model.Product, In: []int{0, 0}, Out: 1, Dims: &model.Dims{T: t, M: m, K: k, N: m}}},
		}
	}
	spline := func(n, knots, bits int) *model.Program {
		s := &model.Spline{}
		for i := range knots {
			s.Knots = append(s.Knots, model.Knot{At: int64(i - knots/2)})
		}
		return &model.Program{
			Values: []model.Value{{Len: n, Width: 64}, {Len: n, Width: 64}},
			Ops:    []model.Op{{Kind: model.Splined, In: []int{0}, Out: 1, Bits: bits, Spline: s}},
		}
	}
	accepted := 0
	for _, p := range []*model.Program{
		product(1, 1<<13, 1<<10), product(1, 1<<13, 1<<11), product(1, 1<<13, 1<<12), product(1, 1<<10, 1<<16),
		product(1<<26, 1, 1), product(1<<10, 1<<8, 1<<8), spline(1<<16, 1<<10, 62), spline(1<<26-1, 1, 2),
	} {
		if p.Validate() != nil {
			continue
		}
		accepted++
		d := prep.Count(p)
		for _, c := range d.Products {
			if err := c.Validate(); err != nil {
				t.Errorf("a valid program: %v", err)
			}
		}
		for _, c := range d.Classes {
			if err := c.Validate(); err != nil {
				t.Errorf("a valid program: %v", err)
			}
		}
	}
	if accepted < 4 {
		t.Errorf("only %d programs are within the limits", accepted)
	}
}

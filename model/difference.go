package model

import "github.com/tacit-mpc/tacit/internal/ring"

// Difference returns the largest difference of two outputs of the parties or of
// [Model.Eval], in units of the last place.
func (m *Manifest) Difference(x, y []uint64) int64 {
	var worst int64
	for i := range x {
		d := ring.Signed(x[i]-y[i], m.Output.Width)
		worst = max(worst, d, -d)
	}
	return worst
}

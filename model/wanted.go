package model

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// mostFraction is the largest number of fraction bits that is tried for a wanted
// error.
const mostFraction = 26

// errorMargin is how much smaller than the wanted error that of the calibration
// rows must be: others may be worse.
const errorMargin = 2

// exact compiles with the fewest fraction bits with which the error is as small as
// wanted: as proven or, with calibration rows, as seen in them with a margin.
func (p *plan) exact() (*Model, error) {
	wanted := p.o.MaxError
	if !(wanted > 0) || p.o.FractionBits != 0 {
		return nil, fmt.Errorf("a wanted error of %v with %d fraction bits; give one of them, an error above 0", wanted, p.o.FractionBits)
	}
	best := math.Inf(1)
	var refused error
	for f := leastFraction; f <= mostFraction; f++ {
		b, err := p.build(f)
		if err != nil {
			refused = err
			break
		}
		m, err := p.finish(b)
		if err != nil {
			return nil, err
		}
		e, err := p.seenError(m)
		if err != nil {
			return nil, err
		}
		if e <= wanted {
			return m, nil
		}
		best = min(best, e)
	}
	if refused != nil {
		return nil, fmt.Errorf("the error of outputs is not %g but %.2g with as many fraction bits as fit: %w", wanted, best, refused)
	}
	return nil, fmt.Errorf("no number of fraction bits from %d to %d makes the error of outputs %g; the smallest is %.2g", leastFraction, mostFraction, wanted, best)
}

// seenError returns the error of outputs that is proven or, with calibration
// rows, that of the rows with a margin, if it is smaller.
func (p *plan) seenError(m *Model) (float64, error) {
	out := m.Manifest.Output
	e := m.FloatBound() + math.Ldexp(float64(m.Manifest.UlpBound(MaxParties)), -out.Frac)
	if len(p.o.Calibration) == 0 {
		return e, nil
	}
	var rows []float32
	for _, row := range p.o.Calibration {
		rows = append(rows, row...)
	}
	all, err := m.Differences(rows, MaxParties, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		return 0, err
	}
	last := all[len(all)-1]
	return min(e, errorMargin*(last.Fixed+last.Private)), nil
}

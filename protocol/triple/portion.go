package triple

// Fit returns how many inferences have at most memory bytes of inputs and results,
// at least one.
func Fit(layers []Layer, memory int64) int {
	each := int64(0)
	for _, l := range layers {
		each += 8 * (int64(l.Conv.InLen()) + int64(l.Conv.OutLen()))
	}
	return int(max(1, memory/max(1, each)))
}

// Portion returns how many of batch inferences one [Context.Multiply] takes, so
// that its inputs and results have at most memory bytes: all that fit or, if
// these are not all, so many of them, more than half, that the replies to the
// whole batch are the fewest. Memory alone makes a portion smaller than what
// fills the ciphertexts. The arguments are those of [PlanMultiply].
func Portion(n int, layers []Layer, planned, batch int, memory int64) int {
	fit := Fit(layers, memory)
	if fit >= batch {
		return batch
	}
	const tries = 1 << 10 // with so many rows, one that is half full does not matter
	p := newPlan(n, layers, planned)
	best, least := fit, p.replies(fit, batch)
	for size := fit - 1; size > max(fit/2, fit-tries); size-- {
		if r := p.replies(size, batch); r < least {
			best, least = size, r
		}
	}
	return best
}

// replies is the number of ciphertexts to one receiver for a batch in portions.
func (p *plan) replies(portion, batch int) (sum int64) {
	for _, s := range p.shapes {
		sum += int64(batch/portion) * int64(s.blocks(portion))
		if rest := batch % portion; rest > 0 {
			sum += int64(s.blocks(rest))
		}
	}
	return sum
}

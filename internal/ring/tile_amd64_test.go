//go:build !purego

package ring

import "testing"

// atLevels runs f at every level that this machine has.
func atLevels[T interface {
	testing.TB
	Run(string, func(T)) bool
}](t T, f func(t T)) {
	defer func(l level) { use = l }(use)
	for l := range best() + 1 {
		use = l
		t.Run(l.String(), f)
	}
}

// atPackings runs f with and without what permutes bytes, where this machine has it.
func atPackings[T interface {
	testing.TB
	Run(string, func(T)) bool
}](t T, f func(t T)) {
	defer func(b bool) { vbmi = b }(vbmi)
	if vbmi {
		t.Run("vbmi", f)
	}
	vbmi = false
	t.Run("portable", f)
}

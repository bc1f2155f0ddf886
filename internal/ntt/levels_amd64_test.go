//go:build !purego

package ntt

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

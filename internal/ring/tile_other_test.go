//go:build !amd64 || purego

package ring

import "testing"

// atLevels runs f at every level that this machine has.
func atLevels[T interface {
	testing.TB
	Run(string, func(T)) bool
}](t T, f func(t T)) {
	t.Run("portable", f)
}

// atPackings runs f with every way to pack.
func atPackings[T interface {
	testing.TB
	Run(string, func(T)) bool
}](t T, f func(t T)) {
	t.Run("portable", f)
}

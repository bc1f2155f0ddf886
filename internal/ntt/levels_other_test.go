//go:build !amd64 || purego

package ntt

import "testing"

// atLevels runs f at every level that this machine has.
func atLevels[T interface {
	testing.TB
	Run(string, func(T)) bool
}](t T, f func(t T)) {
	t.Run("portable", f)
}

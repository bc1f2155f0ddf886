//go:build !tweakcheck

package prg

// ForgetTweaks starts the check for repeated tweaks afresh, for a test that
// runs a protocol twice under the same keys. It does nothing in builds without
// the tag tweakcheck.
func ForgetTweaks() {}

func recordTweaks(name, tweak Block, n int) {}

//go:build tweakcheck

package prg

import (
	"math/rand/v2"
	"testing"
)

func TestRepeatedTweaksPanic(t *testing.T) {
	defer ForgetTweaks()
	k, k2 := block(), block()
	pair := func(k Block, purpose Purpose, first uint64, n int) bool {
		return panics(func() {
			NewHash(k).Pair(make([]Block, n), make([]Block, n), make([]Block, n), Tweak(purpose, 1, 0, 2, 3, 4, first), Block{})
		})
	}
	for _, c := range []struct {
		what    string
		key     Block
		purpose Purpose
		first   uint64
		n       int
		repeats bool
	}{
		{"fresh", k, Garble, 10, 10, false},
		{"same range", k, Garble, 10, 10, true},
		{"one inside", k, Garble, 15, 1, true},
		{"over the start", k, Garble, 5, 6, true},
		{"over the end", k, Garble, 19, 5, true},
		{"around", k, Garble, 0, 100, true},
		{"just before", k, Garble, 5, 5, false},
		{"just after", k, Garble, 20, 5, false},
		{"nothing", k, Garble, 15, 0, false},
		{"another purpose", k, LastGate, 10, 10, false},
		{"another key", k2, Garble, 10, 10, false},
		{"wraps", k, Extension, ^uint64(0) - 4, 10, false},
		{"meets the wrapped", k, Extension, 4, 1, true},
		{"after the wrapped", k, Extension, 5, 1, false},
	} {
		if got := pair(c.key, c.purpose, c.first, c.n); got != c.repeats {
			t.Errorf("%s: panic %v", c.what, got)
		}
	}
	ForgetTweaks()
	if pair(k, Garble, 10, 10) {
		t.Error("not forgotten")
	}
}

// TestRunsAreExact holds the runs against a plain set.
func TestRunsAreExact(t *testing.T) {
	defer ForgetTweaks()
	r := rand.New(rand.NewPCG(5, 6))
	for round := range 200 {
		seen := map[uint64]bool{}
		for range 60 {
			first, n := uint64(r.IntN(200)), 1+r.IntN(8)
			repeats := false
			for i := range uint64(n) {
				repeats = repeats || seen[first+i]
			}
			if got := panics(func() { recordTweaks(Block{uint64(round)}, Block{first, 9}, n) }); got != repeats {
				t.Fatalf("round %d, %d of %d: panic %v", round, first, n, got)
			}
			for i := range uint64(n) {
				seen[first+i] = seen[first+i] || !repeats
			}
		}
	}
}

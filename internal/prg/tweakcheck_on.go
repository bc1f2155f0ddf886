//go:build tweakcheck

package prg

import (
	"fmt"
	"slices"
	"sync"
)

// hashed has, for each hash key and high word of a tweak, the low words that
// were hashed by [Hash.Pair] in this process. As tweaks name the sender, a
// repeat is a bug even where several parties run in one process.
var hashed = struct {
	sync.Mutex
	runs map[hashedKey][]run
}{runs: map[hashedKey][]run{}}

type hashedKey struct {
	name Block
	high uint64
}

// A run is the low words first..last. Runs are kept in order and apart.
type run struct{ first, last uint64 }

// ForgetTweaks starts the check for repeated tweaks afresh, for a test that
// runs a protocol twice under the same keys. It does nothing in builds without
// the tag tweakcheck.
func ForgetTweaks() {
	hashed.Lock()
	defer hashed.Unlock()
	clear(hashed.runs)
}

func recordTweaks(name, tweak Block, n int) {
	if n == 0 {
		return
	}
	hashed.Lock()
	defer hashed.Unlock()
	k := hashedKey{name, tweak[1]}
	first, last := tweak[0], tweak[0]+uint64(n-1)
	if last < first { // the low word wraps
		recordRun(k, run{0, last})
		last = ^uint64(0)
	}
	recordRun(k, run{first, last})
}

func recordRun(k hashedKey, r run) {
	rs := hashed.runs[k]
	i, _ := slices.BinarySearchFunc(rs, r, func(a, b run) int {
		if a.last < b.first {
			return -1
		}
		return 1
	}) // the first run that does not end before r
	if i < len(rs) && rs[i].first <= r.last {
		panic(fmt.Sprintf("prg: tweak repeats: key %x, high word %#016x, elements %d..%d meet %d..%d",
			k.name, k.high, r.first, r.last, rs[i].first, rs[i].last))
	}
	switch {
	case i > 0 && rs[i-1].last+1 == r.first:
		rs[i-1].last = r.last
		if i < len(rs) && rs[i].first == r.last+1 {
			rs[i-1].last = rs[i].last
			rs = slices.Delete(rs, i, i+1)
		}
	case i < len(rs) && rs[i].first == r.last+1:
		rs[i].first = r.first
	default:
		rs = slices.Insert(rs, i, r)
	}
	hashed.runs[k] = rs
}

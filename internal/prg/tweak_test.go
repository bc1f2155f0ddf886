package prg

import (
	"math/rand/v2"
	"testing"
)

// TestTweakIsInjective reads every part back from the tweak.
func TestTweakIsInjective(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	pick := func(limit int) int { return []int{0, 1, limit / 2, limit - 1, r.IntN(limit)}[r.IntN(5)] }
	for range 10000 {
		purpose, owner, half, sender := Purpose(pick(256)), pick(256), pick(2), pick(128)
		layer, gate, element := pick(1<<24), pick(1<<16), r.Uint64()
		x := Tweak(purpose, owner, half, sender, layer, gate, element)
		hi := x[1]
		if x[0] != element || Purpose(hi>>56) != purpose || int(hi>>48&0xff) != owner || int(hi>>47&1) != half ||
			int(hi>>40&0x7f) != sender || int(hi>>16&0xffffff) != layer || int(hi&0xffff) != gate {
			t.Fatalf("%d %d %d %d %d %d %d gives %#x", purpose, owner, half, sender, layer, gate, element, x)
		}
	}
}

func TestTweakRefusesWhatDoesNotFit(t *testing.T) {
	fits := [5]int{255, 1, 127, 1<<24 - 1, 1<<16 - 1}
	for i := range fits {
		for _, v := range []int{fits[i] + 1, -1} {
			a := fits
			a[i] = v
			if !panics(func() { Tweak(Garble, a[0], a[1], a[2], a[3], a[4], 0) }) {
				t.Errorf("part %d: %d fits", i, v)
			}
		}
	}
	Tweak(Garble, fits[0], fits[1], fits[2], fits[3], fits[4], ^uint64(0))
}

func panics(f func()) (p bool) {
	defer func() { p = recover() != nil }()
	f()
	return false
}

func TestLengthsAreChecked(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		h := NewHash(block())
		long, short := make([]Block, 64), make([]Block, 63, 64) // the capacity would do
		for name, f := range map[string]func(){
			"sum":              func() { h.Sum(short, long, Block{}) },
			"pair h0":          func() { h.Pair(short, make([]Block, 64), long, Block{}, Block{}) },
			"pair hx":          func() { h.Pair(make([]Block, 64), short, long, Block{1 << 20}, Block{}) },
			"ggm left":         func() { GGM(short, make([]Block, 64), long) },
			"ggm right":        func() { GGM(make([]Block, 64), short, long) },
			"fold v":           func() { Fold(short, make([]Block, 64), long) },
			"fold sum":         func() { Fold(make([]Block, 64), short, long) },
			"mask":             func() { MaskXor(short, long, 1) },
			"xor":              func() { XorInto(short, long) },
			"lsbs":             func() { Lsbs(make([]uint16, 3, 4), long) },
			"transpose dst":    func() { Transpose(make([]Block, 511), make([]byte, 128*64), 64, 512) },
			"transpose src":    func() { Transpose(make([]Block, 512), make([]byte, 128*64-1), 64, 512) },
			"transpose stride": func() { Transpose(make([]Block, 512), make([]byte, 128*64), 63, 512) },
			"transpose n":      func() { Transpose(nil, make([]byte, 128*64), 64, -1) },
		} {
			if !panics(f) {
				t.Errorf("%s: a short slice passes", name)
			}
		}
		ForgetTweaks()
	})
}

// TestHashDoesNotAllocate keeps the caller's blocks on its stack.
func TestHashDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		return // a pool drops at random under the race detector
	}
	atLevels(t, func(t *testing.T) {
		h := NewHash(block())
		var sink Block
		for n := range 16 {
			got := testing.AllocsPerRun(100, func() {
				var src, dst [16]Block
				h.Sum(dst[:n], src[:n], Block{1, 2})
				GGM(dst[:n], src[:n], src[:n])
				sink = Xor(sink, dst[0])
			})
			if got != 0 {
				t.Errorf("%d blocks: %v allocations", n, got)
			}
		}
	})
}

package prg

import (
	"slices"
	"testing"
)

// FuzzLengths runs every operation at every level on vectors of a fuzzed length
// and expects the portable result, and nothing written outside.
func FuzzLengths(f *testing.F) {
	f.Add(uint16(17), uint64(0), uint64(1))
	f.Add(uint16(513), ^uint64(0), uint64(2))
	f.Add(uint16(4096+5), uint64(7), uint64(3))
	f.Fuzz(func(t *testing.T, length uint16, low, high uint64) {
		defer func(l level) { use = l }(use)
		n := int(length) % 5000
		src, tweak, delta := blocks(n), Block{low, high}, block()
		stride := (n + 7) / 8
		rows := Bytes(blocks(8 * stride))
		var want [][]Block
		for l := range best() + 1 {
			use = l
			ForgetTweaks()
			var got [][]Block
			var intact []func() bool
			room := func() []Block {
				b, ok := guarded(n)
				clear(b)
				got, intact = append(got, b), append(intact, ok)
				return b
			}
			h := NewHash(Block{high, low})
			h.Sum(room(), src, tweak)
			h.Pair(room(), room(), src, tweak, delta)
			GGM(room(), room(), src)
			Fold(room(), room(), src)
			MaskXor(room(), src, low)
			newStream(delta, high).Blocks(room())
			Transpose(room(), rows, stride, n)
			x := Bytes(src)[:n]
			Deltas(room(), x, delta, src, nil)
			h.HalfGates(room(), room(), room(), &Gates{
				A: src, B: src, Add0: [2][]Block{src}, AddK: [2][]Block{nil, src},
				TweakA: countUp(tweak, n), TweakB: Block{tweak[0] + uint64(n), ^tweak[1]}, Delta: delta,
			})
			z, packed := room(), make([]uint16, (n+15)/16)
			Lsbs(packed, src)
			r := Rows{A: src, B: src, G0: src, G1: got[0], K: src, La: packed, Lb: packed, TweakA: tweak, TweakB: Block{low, ^high}}
			h.Evaluate(z, &r)
			r.K = nil
			h.Evaluate(z, &r)
			lsbs := room()
			bits := make([]uint16, (n+15)/16)
			Lsbs(bits, src)
			for i := range lsbs {
				lsbs[i][0] = uint64(bits[i/16] >> (i % 16))
			}
			for i := range intact {
				if !intact[i]() {
					t.Fatalf("%v: operation %d wrote outside", l, i)
				}
			}
			if want == nil {
				want = got
			}
			if !slices.EqualFunc(got, want, slices.Equal) {
				t.Fatalf("%v differs at length %d", l, n)
			}
		}
	})
}

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// constant is a number in all words.
func constant(x uint64) vec {
	r, z := GP64(), ZMM()
	MOVQ(U64(x), r)
	VPBROADCASTQ(r, z)
	return z
}

// count1 adds 1 to t where x is not below a threshold.
func count1(one, threshold, x, t vec) {
	k := K()
	VPCMPUQ(Imm(5), threshold, x, k)
	VPADDQ(one, t, k, t)
}

// ternary is as the parent's Ternary says.
func ternary() {
	function("ternary", "func(dst *int64, random *byte, tiles uintptr) (again uint64)", "draws from {−1, 0, 1}, from 32 bits each, and says whether any were all ones.")
	const third = (1<<32 - 1) / 3
	first, second, one, over := constant(third), constant(2*third), constant(1), constant(0)
	dst, random, tiles := arg("dst"), arg("random"), arg("tiles")
	repeat("loop", tiles, func() {
		x, next, t := ZMM(), ZMM(), ZMM()
		VPMOVZXDQ(Mem{Base: random}, x)
		VPADDQ(one, x, next)
		VPORQ(next, over, over)
		VPTERNLOGQ(Imm(0xff), t, t, t) // −1
		count1(one, first, x, t)
		count1(one, second, x, t)
		VMOVDQU64(t, Mem{Base: dst})
		ADDQ(Imm(32), random)
		ADDQ(Imm(64), dst)
	})
	VPSRLQ(Imm(32), over, over)
	k, again := K(), GP32()
	VPTESTMQ(over, over, k)
	KMOVW(k, again)
	Store(again.As64(), ReturnIndex(0))
	done()
}

const magnitudes = 19

// gaussian is as the parent's Gaussian says.
func gaussian() {
	function("gaussian", "func(dst *int64, random *byte, tiles uintptr, thresholds *uint64)", "draws rounded Gaussians, from 64 bits each.")
	one, positive := constant(1), constant(1<<63-1)
	p := arg("thresholds")
	var thresholds []vec
	for i := range magnitudes {
		thresholds = append(thresholds, broadcast(at(p, i)))
	}
	dst, random, tiles := arg("dst"), arg("random"), arg("tiles")
	repeat("loop", tiles, func() {
		x, sign, t := load(Mem{Base: random}), ZMM(), zero(one)
		VPSRAQ(Imm(63), x, sign)
		VPANDQ(positive, x, x)
		for _, threshold := range thresholds {
			count1(one, threshold, x, t)
		}
		VPXORQ(sign, t, t)
		VPSUBQ(sign, t, t)
		VMOVDQU64(t, Mem{Base: dst})
		ADDQ(Imm(64), random)
		ADDQ(Imm(64), dst)
	})
	done()
}

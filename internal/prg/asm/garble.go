package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// tweaks512 returns the tweak at ta, counted up, four to a register, the step to
// the next four, and ta ⊕ tb. The low words of ta and tb are equal.
func tweaks512() (tweak, step, other vec) {
	ta, tb := ptr("ta"), ptr("tb")
	tweak, step = counting(ta)
	other, t := ZMM(), ZMM()
	VBROADCASTI32X4(Mem{Base: tb}, other)
	VBROADCASTI32X4(Mem{Base: ta}, t)
	VPXORQ(t, other, other)
	return tweak, step, other
}

// halfGates512 hashes a, a ⊕ δ, b and b ⊕ δ side by side; of the pairs' feed-forward
// only σ(δ) is left.
func halfGates512() {
	function("halfGates512", "func(g0, g1, k, a, b, x0, y0, x1, y1, xk, yk *[2]uint64, n int, rk *[176]byte, ta, tb, delta *[2]uint64)",
		"garbles n gates, n > 0 a multiple of 8.")
	low := lowWords()
	tweak, step, other := tweaks512()
	keys := keys512(ptr("rk"))
	sd, t := ZMM(), ZMM()
	VBROADCASTI32X4(Mem{Base: ptr("delta")}, t)
	sigma(t, sd, low)
	g0, g1, k, a, b := ptr("g0"), ptr("g1"), ptr("k"), ptr("a"), ptr("b")
	x0, y0, x1, y1, xk, yk := ptr("x0"), ptr("y0"), ptr("x1"), ptr("y1"), ptr("xk"), ptr("yk")
	n, off := ptr("n"), GP64()
	XORQ(off, off)
	SHLQ(Imm(4), n)
	const w = 2
	at := func(p reg.Register, i int) Mem { return Mem{Base: p, Index: off, Scale: 1, Disp: 64 * i} }
	st, keep := zmms(4*w), zmms(w)
	Label("loop")
	for i := range w {
		sa, sad, sb, sbd := st[4*i], st[4*i+1], st[4*i+2], st[4*i+3]
		VMOVDQU64(at(a, i), t)
		sigma(t, sa, low)
		VPXORQ(tweak, sa, sa)
		VPXORQ(sd, sa, sad)
		VMOVDQU64(at(b, i), t)
		sigma(t, sb, low)
		VPTERNLOGQ(Imm(0x96), tweak, other, sb)
		VPXORQ(sd, sb, sbd)
		VPXORQ(sa, sb, keep[i])
		VPADDQ(step, tweak, tweak)
	}
	aes512(keys, st)
	for i := range w {
		sa, sad, sb, sbd := st[4*i], st[4*i+1], st[4*i+2], st[4*i+3]
		VPTERNLOGQ(Imm(0x96), sd, sa, sad)
		VPXORQ(at(x0, i), sad, sad)
		VPXORQ(at(y0, i), sad, sad)
		VMOVDQU64(sad, at(g0, i))
		VPTERNLOGQ(Imm(0x96), sd, sb, sbd)
		VPXORQ(at(x1, i), sbd, sbd)
		VPXORQ(at(y1, i), sbd, sbd)
		VMOVDQU64(sbd, at(g1, i))
		VPTERNLOGQ(Imm(0x96), keep[i], sa, sb)
		VPXORQ(at(xk, i), sb, sb)
		VPXORQ(at(yk, i), sb, sb)
		VMOVDQU64(sb, at(k, i))
	}
	ADDQ(U32(64*w), off)
	CMPQ(off, n)
	JL(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// evaluate512 with rows sets z, without them it adds to z.
func evaluate512(rows bool) {
	name, signature, doc := "addHashes512", "func(z, a, b *[2]uint64, n int, rk *[176]byte, ta, tb *[2]uint64)",
		"sets z ^= H(a) ^ H(b), n > 0 a multiple of 16."
	if rows {
		name, signature = "evaluate512", "func(z, a, b, g0, g1, k *[2]uint64, la, lb *uint16, n int, rk *[176]byte, ta, tb *[2]uint64)"
		doc = "sets z = H(a) ^ H(b) ^ la*g0 ^ lb*(g1 ^ a) ^ k, n > 0 a multiple of 16."
	}
	function(name, signature, doc)
	low := lowWords()
	tweak, step, other := tweaks512()
	keys := keys512(ptr("rk"))
	z, a, b := ptr("z"), ptr("a"), ptr("b")
	ptrs := []reg.Register{z, a, b}
	var g0, g1, k, la, lb, even reg.Register
	if rows {
		g0, g1, k, la, lb = ptr("g0"), ptr("g1"), ptr("k"), ptr("la"), ptr("lb")
		ptrs = append(ptrs, g0, g1, k)
		even = GP64()
		MOVQ(U32(0x55555555), even)
	}
	n := ptr("n")
	const w = 4
	st, keep, t := zmms(2*w), zmms(w), ZMM()
	Label("loop")
	for i := range w {
		sa, sb := st[2*i], st[2*i+1]
		VMOVDQU64(Mem{Base: a, Disp: 64 * i}, t)
		sigma(t, sa, low)
		VPXORQ(tweak, sa, sa)
		VMOVDQU64(Mem{Base: b, Disp: 64 * i}, t)
		sigma(t, sb, low)
		VPTERNLOGQ(Imm(0x96), tweak, other, sb)
		VPXORQ(sa, sb, keep[i])
		VPADDQ(step, tweak, tweak)
	}
	aes512(keys, st)
	if rows {
		for h, bits := range []reg.Register{la, lb} { // each bit doubled, for the words of a block
			g := GP64()
			MOVWQZX(Mem{Base: bits}, g)
			PDEPQ(even, g, g)
			LEAQ(Mem{Base: g, Index: g, Scale: 2}, g)
			for i := range w {
				on := K()
				KMOVB(g.As32(), on)
				if i < w-1 {
					SHRQ(Imm(8), g)
				}
				sa, sb := st[2*i], st[2*i+1]
				if h == 0 {
					VPXORQ(Mem{Base: g0, Disp: 64 * i}, sa, on, sa)
				} else {
					VMOVDQU64(Mem{Base: a, Disp: 64 * i}, t)
					VPXORQ(Mem{Base: g1, Disp: 64 * i}, t, t)
					VPXORQ(t, sb, on, sb)
				}
			}
		}
	}
	for i := range w {
		constant := z
		if rows {
			constant = k
		}
		VPXORQ(Mem{Base: constant, Disp: 64 * i}, keep[i], keep[i])
		VPTERNLOGQ(Imm(0x96), st[2*i], st[2*i+1], keep[i])
		VMOVDQU64(keep[i], Mem{Base: z, Disp: 64 * i})
	}
	advance(64*w, ptrs...)
	if rows {
		advance(2, la, lb)
	}
	SUBQ(U32(4*w), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

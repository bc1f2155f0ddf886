package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func fold512() {
	function("fold512", "func(v, sum, b *[2]uint64, n int)", "sets v ^= b and sum ^= b, n > 0 a multiple of 16.")
	v, sum, b, n := ptr("v"), ptr("sum"), ptr("b"), ptr("n")
	z := zmms(8)
	Label("loop")
	for i := range 4 {
		VMOVDQU64(Mem{Base: b, Disp: 64 * i}, z[i])
		VPXORQ(Mem{Base: v, Disp: 64 * i}, z[i], z[4+i])
		VMOVDQU64(z[4+i], Mem{Base: v, Disp: 64 * i})
		VPXORQ(Mem{Base: sum, Disp: 64 * i}, z[i], z[4+i])
		VMOVDQU64(z[4+i], Mem{Base: sum, Disp: 64 * i})
	}
	advance(256, v, sum, b)
	SUBQ(U32(16), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func maskXor512() {
	function("maskXor512", "func(dst, src *[2]uint64, mask uint64, n int)",
		"sets dst ^= src & mask for each word, n > 0 a multiple of 16.")
	dst, src, mask, n := ptr("dst"), ptr("src"), ptr("mask"), ptr("n")
	m, z := ZMM(), zmms(4)
	VPBROADCASTQ(mask, m)
	Label("loop")
	for i := range z {
		VPANDQ(Mem{Base: src, Disp: 64 * i}, m, z[i])
		VPXORQ(Mem{Base: dst, Disp: 64 * i}, z[i], z[i])
		VMOVDQU64(z[i], Mem{Base: dst, Disp: 64 * i})
	}
	advance(256, src, dst)
	SUBQ(U32(16), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func lsbs512() {
	function("lsbs512", "func(dst *uint16, src *[2]uint64, n int)",
		"packs the lowest bits of n blocks, n > 0 a multiple of 16.")
	dst, src, n := ptr("dst"), ptr("src"), ptr("n")
	one, o, even := ZMM(), GP64(), GP64()
	MOVQ(U32(1), o)
	VPBROADCASTQ(o, one)
	MOVQ(U32(0x55555555), even)
	Label("loop")
	out, g := GP64(), GP64()
	for i := range 4 { // a bit for each word; those of the high words are dropped at the end
		k := K()
		VPTESTMQ(Mem{Base: src, Disp: 64 * (3 - i)}, one, k)
		KMOVB(k, g.As32())
		if i == 0 {
			MOVQ(g, out)
		} else {
			SHLQ(Imm(8), out)
			ORQ(g, out)
		}
	}
	PEXTQ(even, out, out)
	MOVW(out.As16(), Mem{Base: dst})
	advance(2, dst)
	advance(256, src)
	SUBQ(U32(16), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func deltas512() {
	function("deltas512", "func(dst, a, b *[2]uint64, x *uint8, delta *[2]uint64, n int)",
		"sets dst = x*delta ^ a ^ b for the lowest bits of x, n > 0 a multiple of 16.")
	dst, a, b, x, n := ptr("dst"), ptr("a"), ptr("b"), ptr("x"), ptr("n")
	delta, ones, bytes, even, o := ZMM(), XMM(), XMM(), GP64(), GP64()
	VBROADCASTI32X4(Mem{Base: ptr("delta")}, delta)
	MOVQ(U32(1), o)
	VPBROADCASTB(o.As32(), ones)
	MOVQ(U32(0x55555555), even)
	Label("loop")
	k16, g := K(), GP64()
	VMOVDQU(Mem{Base: x}, bytes)
	VPTESTMB(ones, bytes, k16)
	KMOVW(k16, g.As32())
	PDEPQ(even, g, g)
	LEAQ(Mem{Base: g, Index: g, Scale: 2}, g) // each bit doubled, for the words of a block
	for i := range 4 {
		on, z := K(), ZMM()
		KMOVB(g.As32(), on)
		if i < 3 {
			SHRQ(Imm(8), g)
		}
		VMOVDQU64(Mem{Base: a, Disp: 64 * i}, z)
		VPXORQ(Mem{Base: b, Disp: 64 * i}, z, z)
		VPXORQ(delta, z, on, z)
		VMOVDQU64(z, Mem{Base: dst, Disp: 64 * i})
	}
	advance(256, dst, a, b)
	advance(16, x)
	SUBQ(U32(16), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

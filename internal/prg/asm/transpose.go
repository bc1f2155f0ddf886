package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// transpose512 turns 128 rows of bits into 16-byte columns, 512 columns a turn.
//
// [bitsOfRows], for each 8 rows: an 8×8 transposition of quadwords, then of the
// bytes of each register (VPERMB), then of the bits of each quadword
// (VGF2P8AFFINEQB by the unit matrix), then the order of bytes that the next
// step wants. [bytesOfColumns], for each 64 columns: a transposition of 16×64
// bytes, in four perfect shuffles.
func transpose512() {
	function("transpose512", "func(dst *[2]uint64, src *byte, stride, n int, scratch *[8192]byte)",
		"transposes 128 rows, stride bytes apart, of n bits, n > 0 a multiple of 512.")
	tab := GLOBL("orders", RODATA|NOPTR)
	for c := range 8 {
		for t := range 8 {
			DATA(8*c+t, U8(uint8((7-t)*8+c)))
		}
	}
	for c := range 8 {
		DATA(64+8*c, U64(0x8040201008040201))
	}
	for l := range 4 { // lane l, byte r: column 4r+l
		for r := range 16 {
			DATA(128+16*l+r, U8(uint8(4*r+l)))
		}
	}
	dst, src, stride, n, scratch := ptr("dst"), ptr("src"), ptr("stride"), ptr("n"), ptr("scratch")
	Label("block")
	bitsOfRows(tab, src, stride, scratch)
	bytesOfColumns(dst, scratch)
	advance(64, src)
	SUBQ(U32(512), n)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}

func bitsOfRows(tab Mem, src, stride, scratch reg.Register) {
	rev, unit, ord := ZMM(), ZMM(), ZMM()
	VMOVDQU64(tab, rev)
	VMOVDQU64(tab.Offset(64), unit)
	VMOVDQU64(tab.Offset(128), ord)
	row, g, out := GP64(), GP64(), GP64()
	MOVQ(src, row)
	MOVQ(scratch, out)
	MOVQ(U32(16), g)
	Label("group")
	r, t := zmms(8), zmms(8)
	for i := range r {
		VMOVDQU64(Mem{Base: row}, r[i])
		ADDQ(stride, row)
	}
	for i := 0; i < 8; i += 2 {
		VPUNPCKLQDQ(r[i+1], r[i], t[i])
		VPUNPCKHQDQ(r[i+1], r[i], t[i+1])
	}
	for h := range 2 { // even and odd quadwords
		s := zmms(4)
		VSHUFI64X2(Imm(0x88), t[2+h], t[h], s[0])
		VSHUFI64X2(Imm(0xdd), t[2+h], t[h], s[1])
		VSHUFI64X2(Imm(0x88), t[6+h], t[4+h], s[2])
		VSHUFI64X2(Imm(0xdd), t[6+h], t[4+h], s[3])
		for l, q := range []vec{r[h], r[2+h], r[4+h], r[6+h]} {
			imm := uint64(0x88)
			if l >= 2 {
				imm = 0xdd
			}
			VSHUFI64X2(Imm(imm), s[2+l%2], s[l%2], q)
		}
	}
	for q := range r {
		VPERMB(r[q], rev, r[q])
		VGF2P8AFFINEQB(Imm(0), r[q], unit, r[q])
		VPERMB(r[q], ord, r[q])
		VMOVDQU64(r[q], Mem{Base: out, Disp: 1024 * q})
	}
	advance(64, out)
	DECQ(g)
	JNZ(LabelRef("group"))
}

func bytesOfColumns(dst, scratch reg.Register) {
	q, in := GP64(), GP64()
	MOVQ(U32(8), q)
	MOVQ(scratch, in)
	Label("columns")
	r := zmms(16)
	for i := range r {
		VMOVDQU64(Mem{Base: in, Disp: 64 * i}, r[i])
	}
	t := ZMM()
	for range 4 {
		nx := make([]vec, 16)
		for i := range 8 {
			VPUNPCKLBW(r[i+8], r[i], t)
			VPUNPCKHBW(r[i+8], r[i], r[i+8])
			nx[2*i], nx[2*i+1] = t, r[i+8]
			t = r[i]
		}
		r = nx
	}
	for i := range r {
		VMOVDQU64(r[i], Mem{Base: dst, Disp: 64 * i})
	}
	advance(1024, in, dst)
	DECQ(q)
	JNZ(LabelRef("columns"))
}

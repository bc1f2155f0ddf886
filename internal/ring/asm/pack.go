package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Where the fields of a layout of the parent package are.
const (
	atGather = 64 * iota
	atEven
	atOdd
	atShift
	atMask
	atEvens = atMask + 8
	atOdds  = atMask + 16
	atBytes = atMask + 24
)

// packing is what the kernels of packed elements have in common: a group is 8
// elements of k bits, in k bytes.
type packing struct {
	words, bytes, groups, k reg.GPVirtual
	shift, mask             reg.VecVirtual
	used                    reg.OpmaskVirtual // the bytes of a group
}

func newPacking() (p packing, layout reg.GPVirtual) {
	layout = gp("layout")
	p = packing{words: gp("v"), bytes: gp("b"), groups: gp("groups"), k: gp("k"), shift: ZMM(), mask: ZMM(), used: K()}
	VMOVDQU64(Mem{Base: layout, Disp: atShift}, p.shift)
	VPBROADCASTQ(Mem{Base: layout, Disp: atMask}, p.mask)
	KMOVQ(Mem{Base: layout, Disp: atBytes}, p.used)
	return p, layout
}

// loop runs f for every group.
func (p packing) loop(f func()) {
	Label("loop")
	f()
	ADDQ(Imm(64), p.words)
	ADDQ(p.k, p.bytes)
	DECQ(p.groups)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func (p packing) loadPermutation(layout reg.GPVirtual, at int) reg.VecVirtual {
	z := ZMM()
	VMOVDQU64(Mem{Base: layout, Disp: at}, z)
	return z
}

// generateUnpack writes a kernel that sets, or adds to, words.
func generateUnpack(add bool) {
	name, doc := "unpackVBMI", "unpackVBMI sets v to groups of 8 elements of k bits at b, groups at least 1."
	if add {
		name, doc = "addPackedVBMI", "addPackedVBMI adds groups of 8 elements of k bits at b to v, groups at least 1."
	}
	TEXT(name, NOSPLIT, "func(v *uint64, b *byte, groups, k uintptr, layout *byte)")
	Pragma("noescape")
	Doc(doc)
	p, layout := newPacking()
	gather := p.loadPermutation(layout, atGather)
	p.loop(func() {
		z := ZMM()
		VMOVDQU8_Z(Mem{Base: p.bytes}, p.used, z)
		VPERMB(z, gather, z)
		VPSRLVQ(p.shift, z, z)
		VPANDQ(p.mask, z, z)
		if add {
			VPADDQ(Mem{Base: p.words}, z, z)
		}
		VMOVDQU64(z, Mem{Base: p.words})
	})
}

// generatePack writes a kernel in which every byte has bits of at most two
// elements, one even and one odd.
func generatePack() {
	TEXT("packVBMI", NOSPLIT, "func(b *byte, v *uint64, groups, k uintptr, layout *byte)")
	Pragma("noescape")
	Doc("packVBMI writes groups of 8 elements of k bits to b, groups at least 1.")
	p, layout := newPacking()
	even, odd, evens, odds := p.loadPermutation(layout, atEven), p.loadPermutation(layout, atOdd), K(), K()
	KMOVQ(Mem{Base: layout, Disp: atEvens}, evens)
	KMOVQ(Mem{Base: layout, Disp: atOdds}, odds)
	p.loop(func() {
		z, e, o := ZMM(), ZMM(), ZMM()
		VPANDQ(Mem{Base: p.words}, p.mask, z)
		VPSLLVQ(p.shift, z, z)
		VPERMB_Z(z, even, evens, e)
		VPERMB_Z(z, odd, odds, o)
		VPORQ(e, o, o)
		VMOVDQU8(o, p.used, Mem{Base: p.bytes})
	})
}

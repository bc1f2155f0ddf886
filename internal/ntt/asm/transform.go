package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Orders of eight words, out of one or of two vectors.
var orders = [][8]uint64{
	{0, 0, 0, 0, 1, 1, 1, 1},
	{0, 0, 1, 1, 2, 2, 3, 3},
	{0, 1, 8, 9, 4, 5, 12, 13},
	{2, 3, 10, 11, 6, 7, 14, 15},
	{0, 8, 1, 9, 2, 10, 3, 11},
	{4, 12, 5, 13, 6, 14, 7, 15},
	{0, 2, 4, 6, 8, 10, 12, 14},
	{1, 3, 5, 7, 9, 11, 13, 15},
	{0, 1, 2, 3, 4, 5, 6, 7}, // from here: shares of a vector for spreads of 1, 2, 4
	{0, 0, 1, 1, 2, 2, 3, 3},
	{0, 0, 0, 0, 1, 1, 1, 1},
}

const (
	halves    = iota // each of two words four times
	quarters         // each of four words twice
	crossLow         // pairs 0 and 2 of both halves of two vectors
	crossHigh        // pairs 1 and 3
	weaveLow         // words in turn: the first eight
	weaveHigh        //
	evens            // every second word: the first ones
	odds             //
	spreadsFrom
)

var table Mem

func indices() {
	table = GLOBL("orders", RODATA|NOPTR)
	for i, o := range orders {
		for j, x := range o {
			DATA(64*i+8*j, U64(x))
		}
	}
}

func order(i int) vec { return load(table.Offset(64 * i)) }

// permute returns the order of the words of a and b.
func permute(a, b vec, i vec) vec {
	z := ZMM()
	VMOVDQA64(a, z)
	VPERMT2Q(b, i, z)
	return z
}

// A twiddle is a power of the root and its quotient.
type twiddle struct{ w, s vec }

// butterfly sets x, y = x + y·t, x − y·t, either less than 2q larger.
func (m modulus) butterfly(x, y vec, t twiddle) {
	r := m.times(y, t.w, t.s)
	VPADDQ(m.get(cTwice), x, y)
	VPSUBQ(r, y, y)
	VPADDQ(r, x, x)
}

// inverse sets x, y = x + y, (x − y)·t, for y not above a multiple of q.
func (m modulus) inverse(x, y vec, t twiddle, multiple int) {
	d := ZMM()
	VPADDQ(m.get(multiple), x, d)
	VPSUBQ(y, d, d)
	VPADDQ(y, x, x)
	VMOVDQA64(m.times(d, t.w, t.s), y)
}

// A steps has the addresses of a table of powers.
type steps struct {
	w     reg.GPVirtual
	shoup reg.GPVirtual // distance of the quotients
}

func (s steps) quotient(disp int) Mem { return Mem{Base: s.w, Index: s.shoup, Scale: 1, Disp: disp} }

// one loads power i, for all coefficients.
func (s steps) one(i int) twiddle {
	return twiddle{broadcast(at(s.w, i)), broadcast(s.quotient(8 * i))}
}

// many loads powers in an order, for a coefficient each.
func (s steps) many(order vec) twiddle {
	if order == nil {
		return twiddle{load(at(s.w, 0)), load(s.quotient(0))}
	}
	t := twiddle{ZMM(), ZMM()}
	VPERMQ(at(s.w, 0), order, t.w)
	VPERMQ(s.quotient(0), order, t.s)
	return t
}

func (s steps) advance(n int) { ADDQ(Imm(uint64(8*n)), s.w) }

// quarter runs body for groups of four runs of h bytes, and in them for 8
// coefficients of each run.
func quarter(prepare func() func(x []Mem)) {
	a, h, groups := arg("a"), arg("h"), arg("groups")
	h3, n := GP64(), GP64()
	LEAQ(Mem{Base: h, Index: h, Scale: 2}, h3)
	Label("group")
	body := prepare()
	MOVQ(h, n)
	Label("loop")
	body([]Mem{{Base: a}, {Base: a, Index: h, Scale: 1}, {Base: a, Index: h, Scale: 2}, {Base: a, Index: h3, Scale: 1}})
	ADDQ(Imm(64), a)
	SUBQ(Imm(64), n)
	JNZ(LabelRef("loop"))
	ADDQ(h3, a)
	DECQ(groups)
	JNZ(LabelRef("group"))
	done()
}

func four(name, doc string, m func() modulus, body func(m modulus, x []vec, outer, left, right twiddle)) {
	function(name, "func(a *uint64, h, groups uintptr, wa, wb *uint64, shoup uintptr, c *uint64)", doc)
	mod := m()
	shoup := arg("shoup")
	wa, wb := steps{arg("wa"), shoup}, steps{arg("wb"), shoup}
	quarter(func() func(x []Mem) {
		outer, left, right := wa.one(0), wb.one(0), wb.one(1)
		wa.advance(1)
		wb.advance(2)
		return func(mem []Mem) {
			var x []vec
			for _, p := range mem {
				x = append(x, load(p))
			}
			body(mod, x, outer, left, right)
			for i, p := range mem {
				VMOVDQU64(x[i], p)
			}
		}
	})
}

func fwd4() {
	four("fwd4", "takes two steps of a transform, of groups of four runs of h bytes.",
		func() modulus { return newModulus(cMinus, cTwice, cMask) },
		func(m modulus, x []vec, outer, left, right twiddle) {
			m.butterfly(x[0], x[2], outer)
			m.butterfly(x[1], x[3], outer)
			m.butterfly(x[0], x[1], left)
			m.butterfly(x[2], x[3], right)
		})
}

// inv4 takes numbers below 16q and leaves such below 4q.
func inv4() {
	four("inv4", "takes two steps of an inverse transform, of groups of four runs of h bytes.",
		func() modulus { return newModulus(cMinus, cTwice, cMask, cBarret, c16, c32) },
		func(m modulus, x []vec, outer, left, right twiddle) {
			m.inverse(x[0], x[1], left, c16)
			m.inverse(x[2], x[3], right, c16)
			m.inverse(x[0], x[2], outer, c32)
			m.inverse(x[1], x[3], outer, cTwice)
			x[0] = m.barret(x[0])
		})
}

// last starts a kernel for steps within 16 coefficients.
func last(name, doc string, eight bool, consts ...int) (m modulus, w map[int]steps) {
	signature := "func(a *uint64, blocks uintptr, w4, w2, w1 *uint64, shoup uintptr, c *uint64)"
	if eight {
		signature = "func(a *uint64, blocks uintptr, w8, w4, w2, w1 *uint64, shoup uintptr, c *uint64)"
	}
	function(name, signature, doc)
	m = newModulus(consts...)
	shoup := arg("shoup")
	w = map[int]steps{4: {arg("w4"), shoup}, 2: {arg("w2"), shoup}, 1: {arg("w1"), shoup}}
	if eight {
		w[8] = steps{arg("w8"), shoup}
	}
	return m, w
}

// advanceAll moves on by 16 coefficients.
func advanceAll(a reg.Register, w map[int]steps) {
	ADDQ(U32(128), a)
	for _, half := range []int{8, 4, 2, 1} {
		if s, ok := w[half]; ok {
			s.advance(8 / half)
		}
	}
}

func fwdLast(eight bool) {
	name := "fwdLast3"
	if eight {
		name = "fwdLast4"
	}
	m, w := last(name, "takes the last steps of a transform, of blocks of 16, and reduces.", eight, cPrime, cMinus, cTwice, cMask, cBarret)
	byHalves, byQuarters := order(halves), order(quarters)
	low, high, weave0, weave1 := order(crossLow), order(crossHigh), order(weaveLow), order(weaveHigh)
	a, blocks := arg("a"), arg("blocks")
	repeat("loop", blocks, func() {
		x, y := load(at(a, 0)), load(at(a, 8))
		if eight {
			m.butterfly(x, y, w[8].one(0))
		}
		u, v := ZMM(), ZMM()
		VSHUFI64X2(Imm(0x44), y, x, u)
		VSHUFI64X2(Imm(0xee), y, x, v)
		m.butterfly(u, v, w[4].many(byHalves))
		x, y = permute(u, v, low), permute(u, v, high)
		m.butterfly(x, y, w[2].many(byQuarters))
		u, v = ZMM(), ZMM()
		VPUNPCKLQDQ(y, x, u)
		VPUNPCKHQDQ(y, x, v)
		m.butterfly(u, v, w[1].many(nil))
		u, v = m.barret(u), m.barret(v)
		m.less(u, cPrime)
		m.less(v, cPrime)
		VMOVDQU64(permute(u, v, weave0), at(a, 0))
		VMOVDQU64(permute(u, v, weave1), at(a, 8))
		advanceAll(a, w)
	})
	done()
}

// invFirst takes numbers below q and leaves such below 16q.
func invFirst(eight bool) {
	name := "invFirst3"
	if eight {
		name = "invFirst4"
	}
	m, w := last(name, "takes the first steps of an inverse transform, of blocks of 16.", eight, cMinus, cMask, c16)
	byHalves, byQuarters := order(halves), order(quarters)
	even, odd, low, high := order(evens), order(odds), order(crossLow), order(crossHigh)
	a, blocks := arg("a"), arg("blocks")
	repeat("loop", blocks, func() {
		x, y := load(at(a, 0)), load(at(a, 8))
		u, v := permute(x, y, even), permute(x, y, odd)
		m.inverse(u, v, w[1].many(nil), c16)
		x, y = ZMM(), ZMM()
		VPUNPCKLQDQ(v, u, x)
		VPUNPCKHQDQ(v, u, y)
		m.inverse(x, y, w[2].many(byQuarters), c16)
		u, v = permute(x, y, low), permute(x, y, high)
		m.inverse(u, v, w[4].many(byHalves), c16)
		x, y = ZMM(), ZMM()
		VSHUFI64X2(Imm(0x44), v, u, x)
		VSHUFI64X2(Imm(0xee), v, u, y)
		if eight {
			m.inverse(x, y, w[8].one(0), c16)
		}
		VMOVDQU64(x, at(a, 0))
		VMOVDQU64(y, at(a, 8))
		advanceAll(a, w)
	})
	done()
}

func scale() {
	function("scale", "func(a *uint64, tiles uintptr, c *uint64)", "multiplies by the inverse of n, and reduces.")
	m := newModulus(cPrime, cMinus, cMask, cN, cNS)
	a, tiles := arg("a"), arg("tiles")
	repeat("loop", tiles, func() {
		x := m.times(load(at(a, 0)), m.get(cN), m.get(cNS))
		m.less(x, cPrime)
		VMOVDQU64(x, at(a, 0))
		ADDQ(Imm(64), a)
	})
	done()
}

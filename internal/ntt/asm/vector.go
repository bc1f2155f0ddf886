package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rows addresses up to 4 rows.
type rows struct{ base, stride, by3 reg.GPVirtual }

func (r rows) at(i int) Mem {
	m := Mem{Base: r.base}
	switch i {
	case 1:
		m.Index, m.Scale = r.stride, 1
	case 2:
		m.Index, m.Scale = r.stride, 2
	case 3:
		m.Index, m.Scale = r.by3, 1
	}
	return m
}

func newRows(base reg.GPVirtual, n int, stride string) rows {
	if n == 1 {
		return rows{base: base}
	}
	r := rows{base, arg(stride), GP64()}
	LEAQ(Mem{Base: r.stride, Index: r.stride, Scale: 2}, r.by3)
	return r
}

// dot adds sums of products to tiles of 8 coefficients of n rows. The factors
// of a tile are one number for a term and row, the same for some tiles, or a
// few, each for some coefficients.
func dot(n int, wide bool) {
	name, signature := map[bool]string{true: "dot", false: "narrow"}[wide]+map[int]string{1: "1", 4: "4"}[n], "func(d *uint64, "
	if n > 1 {
		signature += "ld uintptr, "
	}
	signature += "t *uint64, "
	if n > 1 {
		signature += "row, "
	}
	if wide {
		signature += "step uintptr, w *uint64, terms, points, tiles uintptr, c *uint64)"
	} else {
		signature += "step uintptr, w *uint64, terms, tiles, advance, share uintptr, c *uint64)"
	}
	function(name, signature, "adds sums of products. Strides are in bytes, numbers at least 1.")
	m := newModulus(forReduce...)
	d := newRows(arg("d"), n, "ld")
	factors := newRows(GP64().(reg.GPVirtual), n, "row")
	t, step, w := arg("t"), arg("step"), arg("w")
	k := GP64()
	var share vec
	body := func() {
		var lo, hi []vec
		for i := range n {
			lo, hi = append(lo, load(d.at(i))), append(hi, zero(m.get(cMinus)))
		}
		MOVQ(t, factors.base)
		Load(Param("terms"), k)
		repeat("term", k, func() {
			b := load(at(w, 0))
			for i := range n {
				var f vec
				if wide {
					f = broadcast(factors.at(i))
				} else {
					f = ZMM()
					VPERMQ(factors.at(i), share, f)
				}
				VPMADD52LUQ(f, b, lo[i])
				VPMADD52HUQ(f, b, hi[i])
			}
			ADDQ(Imm(64), w)
			ADDQ(step, factors.base)
		})
		for i := range n {
			VMOVDQU64(m.reduce(hi[i], lo[i]), d.at(i))
		}
		ADDQ(Imm(64), d.base)
	}
	tiles := GP64()
	if wide {
		points := arg("points")
		repeat("point", points, func() {
			Load(Param("tiles"), tiles)
			repeat("tile", tiles, body)
			ADDQ(Imm(8), t)
		})
	} else {
		shift, orders := arg("share"), GP64()
		LEAQ(table.Offset(64*spreadsFrom), orders)
		share = load(Mem{Base: orders, Index: shift, Scale: 1})
		advance := arg("advance")
		Load(Param("tiles"), tiles)
		repeat("tile", tiles, func() {
			body()
			ADDQ(advance, t)
		})
	}
	done()
}

// vectors runs body for 8 elements of each of some vectors at a time.
func vectors(names []string, body func(v []Mem)) {
	var ptrs []reg.GPVirtual
	var mem []Mem
	for _, name := range names {
		p := arg(name)
		ptrs, mem = append(ptrs, p), append(mem, Mem{Base: p})
	}
	tiles := arg("tiles")
	repeat("loop", tiles, func() {
		body(mem)
		for _, p := range ptrs {
			ADDQ(Imm(64), p)
		}
	})
	done()
}

func mulAdd() {
	function("mulAdd", "func(acc, a, b *uint64, tiles uintptr, c *uint64)", "adds products.")
	m := newModulus(forReduce...)
	vectors([]string{"acc", "a", "b"}, func(v []Mem) {
		lo, hi, a := load(v[0]), zero(m.get(cMinus)), load(v[1])
		VPMADD52HUQ(v[2], a, hi)
		VPMADD52LUQ(v[2], a, lo)
		VMOVDQU64(m.reduce(hi, lo), v[0])
	})
}

func addSmall() {
	function("addSmall", "func(acc *uint64, e *int64, tiles uintptr, c *uint64)", "adds small numbers of either sign.")
	m := newModulus(cPrime)
	vectors([]string{"acc", "e"}, func(v []Mem) {
		x, t := load(v[1]), ZMM()
		VPADDQ(v[0], x, x)
		VPADDQ(m.get(cPrime), x, t)
		VPMINUQ(t, x, x)
		m.less(x, cPrime)
		VMOVDQU64(x, v[0])
	})
}

// count returns a register whose low word is a number of bits to shift by.
func count(m Mem) reg.VecVirtual {
	x := XMM()
	MOVQ(m, x)
	return x
}

// signed has constants as the parent's Signed lists them.
func signed(low bool) {
	if low {
		function("signedLow", "func(dst, hi, lo *uint64, tiles uintptr, f, c *uint64)", "is signed of numbers in two parts.")
	} else {
		function("signed", "func(dst, hi *uint64, tiles uintptr, f, c *uint64)", "reduces signed numbers.")
	}
	m := newModulus(cPrime, cMinus, cTwice, cMask)
	f := arg("f")
	w, s, k := broadcast(at(f, 0)), broadcast(at(f, 1)), broadcast(at(f, 2))
	drop, up := count(at(f, 3)), count(at(f, 4))
	top, cut := GP64(), GP64()
	MOVQ(U64(1<<63), top)
	MOVQ(U64(1<<26-1), cut)
	tops, cuts := ZMM(), ZMM()
	VPBROADCASTQ(top, tops)
	VPBROADCASTQ(cut, cuts)
	names := []string{"dst", "hi"}
	if low {
		names = append(names, "lo")
	}
	vectors(names, func(v []Mem) {
		u, u1 := load(v[1]), ZMM()
		VPSLLQ(drop, u, u)
		VPSRAQ(drop, u, u)
		VPXORQ(tops, u, u)
		VPSRLQ(Imm(26), u, u1)
		x := m.times(u1, w, s)
		VPANDQ(cuts, u, u)
		VPSLLQ(up, u, u)
		VPADDQ(u, x, x)
		VPADDQ(k, x, x)
		if low {
			VPADDQ(v[2], x, x)
		}
		m.less(x, cTwice)
		m.less(x, cPrime)
		VMOVDQU64(x, v[0])
	})
}

func fractions() {
	function("fractions", "func(hi, lo, p *uint64, tiles uintptr, f, c *uint64)", "adds fractions.")
	m := newModulus(cPrime, cMinus, cMask)
	f := arg("f")
	w, s, high, low := broadcast(at(f, 0)), broadcast(at(f, 1)), broadcast(at(f, 2)), broadcast(at(f, 3))
	shift := count(at(f, 4))
	vectors([]string{"hi", "lo", "p"}, func(v []Mem) {
		y := m.times(load(v[2]), w, s)
		m.less(y, cPrime)
		VPSLLQ(shift, y, y)
		hi, lo := load(v[0]), load(v[1])
		VPMADD52HUQ(high, y, hi)
		VPMADD52LUQ(high, y, lo)
		VPMADD52HUQ(low, y, lo)
		VMOVDQU64(hi, v[0])
		VMOVDQU64(lo, v[1])
	})
}

func rounded() {
	function("rounded", "func(hi, lo *uint64, tiles uintptr, f *uint64)", "rounds fractions.")
	f := arg("f")
	var c []vec
	for i := range 8 {
		c = append(c, broadcast(at(f, i)))
	}
	vectors([]string{"hi", "lo"}, func(v []Mem) {
		h, l, t, u := load(v[0]), load(v[1]), ZMM(), ZMM()
		VPADDQ(c[1], l, l)
		VPADDQ(c[0], h, h)
		VPSRLQ(Imm(52), l, t)
		VPADDQ(t, h, h)
		VPANDQ(c[7], l, l)
		VPSLLQ(Imm(13), h, t)
		VPSRLQ(Imm(39), l, u)
		VPORQ(u, t, t)
		VPSRLVQ(c[2], t, t)
		VMOVDQU64(t, v[0])
		VPSLLVQ(c[3], h, h)
		VPSLLVQ(c[4], l, t)
		VPORQ(t, h, h)
		VPSRLVQ(c[5], l, t)
		VPORQ(t, h, h)
		VPSRLVQ(c[6], h, h)
		VMOVDQU64(h, v[1])
	})
}

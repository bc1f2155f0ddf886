// Command asm writes the amd64 kernels of the parent package. It is a module of
// its own, so that avo is no dependency of the library.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

type vec = reg.VecVirtual

func main() {
	ConstraintExpr("amd64,!purego")
	indices()
	fwd4()
	fwdLast(false)
	fwdLast(true)
	inv4()
	invFirst(false)
	invFirst(true)
	scale()
	dot(4, true)
	dot(1, true)
	dot(4, false)
	dot(1, false)
	mulAdd()
	addSmall()
	signed(false)
	signed(true)
	fractions()
	rounded()
	ternary()
	gaussian()
	Generate()
}

// function starts a function that does not keep its arguments.
func function(name, signature, doc string) {
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(name + " " + doc)
}

func arg(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

func done() {
	VZEROUPPER()
	RET()
}

// zero takes a register that has been set, as the allocator does not know that
// its value does not matter.
func zero(any vec) vec {
	z := ZMM()
	VPXORQ(any, any, z)
	return z
}

func load(m Op) vec {
	z := ZMM()
	VMOVDQU64(m, z)
	return z
}

func broadcast(m Op) vec {
	z := ZMM()
	VPBROADCASTQ(m, z)
	return z
}

func at(base reg.Register, i int) Mem { return Mem{Base: base, Disp: 8 * i} }

// repeat runs body n times, n at least 1.
func repeat(label string, n reg.Register, body func()) {
	Label(label)
	body()
	DECQ(n)
	JNZ(LabelRef(label))
}

// Places of constants: see Modulus.c.
const (
	cPrime = iota
	cMinus
	cTwice
	cMask
	cBarret
	cInv
	cWord
	cWordS
	cN
	cNS
	c16
	c32
)

// A modulus has constants in registers, those that a kernel asks for.
type modulus struct {
	c      reg.GPVirtual
	loaded map[int]vec
}

func newModulus(want ...int) modulus {
	m := modulus{arg("c"), map[int]vec{}}
	for _, i := range want {
		m.loaded[i] = broadcast(at(m.c, i))
	}
	return m
}

func (m modulus) get(i int) vec { return m.loaded[i] }

// times returns y·w mod q, below 2q, for y below 2⁵², with s = ⌊2⁵²·w/q⌋.
func (m modulus) times(y, w, s Op) vec {
	quotient, r := zero(m.get(cMinus)), zero(m.get(cMinus))
	VPMADD52HUQ(s, y, quotient)
	VPMADD52LUQ(w, y, r)
	VPMADD52LUQ(m.get(cMinus), quotient, r)
	VPANDQ(m.get(cMask), r, r)
	return r
}

// barret returns x mod q, below 2q, for x below 2⁵².
func (m modulus) barret(x vec) vec {
	quotient, r := zero(x), ZMM()
	VPMADD52HUQ(m.get(cBarret), x, quotient)
	VMOVDQA64(x, r)
	VPMADD52LUQ(m.get(cMinus), quotient, r)
	VPANDQ(m.get(cMask), r, r)
	return r
}

// less subtracts a multiple of q from x if it is not below it.
func (m modulus) less(x vec, multiple int) {
	t := ZMM()
	VPSUBQ(m.get(multiple), x, t)
	VPMINUQ(t, x, x)
}

// reduce returns hi·2⁵² + lo mod q, for hi below 2⁵² − 2¹²: a reduction of
// Montgomery, and the product by 2⁵² that undoes its division.
func (m modulus) reduce(hi, lo vec) vec {
	carry, f, h := ZMM(), zero(lo), zero(lo)
	VPSRLQ(Imm(52), lo, carry)
	VPADDQ(carry, hi, hi)
	VPMADD52LUQ(m.get(cInv), lo, f)
	VPMADD52HUQ(m.get(cPrime), f, h)
	VPADDQ(m.get(cPrime), hi, hi)
	VPSUBQ(h, hi, hi)
	r := m.times(hi, m.get(cWord), m.get(cWordS))
	m.less(r, cPrime)
	return r
}

var forReduce = []int{cPrime, cMinus, cMask, cInv, cWord, cWordS}

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
	cpuid()
	expandKey()
	sumAESNI()
	sumVAES256()
	sumVAES512()
	pair512()
	ggm512()
	ctr512()
	fold512()
	maskXor512()
	lsbs512()
	deltas512()
	transpose512()
	halfGates512()
	evaluate512(true)
	evaluate512(false)
	Generate()
}

// function starts a function that does not keep its arguments.
func function(name, signature, doc string) {
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(name + " " + doc)
}

func ptr(name string) reg.Register { return Load(Param(name), GP64()) }

func zmms(n int) []vec {
	v := make([]vec, n)
	for i := range v {
		v[i] = ZMM()
	}
	return v
}

// advance adds n bytes to pointers.
func advance(n int, ptrs ...reg.Register) {
	for _, p := range ptrs {
		ADDQ(U32(uint32(n)), p)
	}
}

// wideThenNarrow runs body(wide) while at least 4·wide blocks are left, then
// body(1) for 4 blocks at a time. The body counts n down.
func wideThenNarrow(n reg.Register, wide int, body func(w int)) {
	Label("wide")
	CMPQ(n, U32(uint32(4*wide)))
	JL(LabelRef("narrow"))
	body(wide)
	JMP(LabelRef("wide"))
	Label("narrow")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	body(1)
	JMP(LabelRef("narrow"))
	Label("done")
	VZEROUPPER()
	RET()
}

func cpuid() {
	TEXT("cpuid", NOSPLIT, "func(leaf, sub uint32) (a, b, c, d uint32)")
	Doc("cpuid asks the processor for its features.")
	leaf, _ := Param("leaf").Resolve()
	sub, _ := Param("sub").Resolve()
	MOVL(leaf.Addr, reg.EAX)
	MOVL(sub.Addr, reg.ECX)
	CPUID()
	for i, r := range []reg.Register{reg.EAX, reg.EBX, reg.ECX, reg.EDX} {
		Store(r, ReturnIndex(i))
	}
	RET()
}

// Command asm writes the amd64 kernels of the parent package. It is a module of
// its own, so that avo is no dependency of the library.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A kernel adds to rows rows of c the product of as many rows of a by a strip b,
// modulo 2^bits: 64 and 52 have strips of 8 columns, 32 of 16 columns.
type kernel struct {
	rows, bits int
	isa        string
	chains     int  // independent sums of an output, for adding is slower than it is frequent
	unroll     int  // products per row and turn of the inner loop
	pair       bool // of strips, next bytes apart
}

func main() {
	ConstraintExpr("amd64,!purego")
	for _, k := range []kernel{
		{1, 64, "AVX512", 2, 4, false}, {4, 64, "AVX512", 1, 2, false}, {8, 64, "AVX512", 1, 2, false},
		{1, 52, "IFMA", 4, 4, false}, {4, 52, "IFMA", 2, 2, false}, {8, 52, "IFMA", 1, 2, false},
		{8, 52, "IFMA", 1, 2, true},
		{1, 32, "AVX512", 2, 4, false}, {4, 32, "AVX512", 1, 2, false}, {8, 32, "AVX512", 1, 2, false},
		{1, 64, "AVX2", 1, 2, false}, {2, 64, "AVX2", 1, 1, false},
		{1, 32, "AVX2", 2, 2, false}, {4, 32, "AVX2", 1, 1, false},
	} {
		k.generate()
	}
	generateUnpack(false)
	generateUnpack(true)
	generatePack()
	Generate()
}

func gp(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

// ahead is how far the strip is fetched ahead, in bytes: more requests to memory
// in flight than the hardware asks for.
const ahead = 2048

// masked reports whether the kernel writes only the columns that its caller
// names.
func (k kernel) masked() bool { return k.isa != "AVX2" }

// generate writes the kernel. All strides are in bytes; a row of a is segs runs
// of run words, seg bytes from start to start.
func (k kernel) generate() {
	name := fmt.Sprintf("tile%dx%d%s", k.rows, k.bits, k.isa)
	doc := fmt.Sprintf("%s adds the product of %d rows of a by a strip b to c, modulo 2^%d. Strides are in bytes, run and segs at least 1.", name, k.rows, k.bits)
	switch {
	case k.pair:
		name += "Pair"
		doc = fmt.Sprintf("%s adds the product of %d rows of a by two strips, next apart from b on, to c, modulo 2^%d. Strides are in bytes, run and segs at least 1. Bit j of columns is set for the words of c in use.", name, k.rows, k.bits)
		TEXT(name, NOSPLIT, "func(c *uint64, ldc, columns uintptr, a *uint64, lda, seg uintptr, b *uint64, next, run, segs uintptr)")
	case k.masked():
		TEXT(name, NOSPLIT, "func(c *uint64, ldc, columns uintptr, a *uint64, lda, seg uintptr, b *uint64, run, segs uintptr)")
		doc += " Bit j of columns is set for the words of c in use."
	default:
		TEXT(name, NOSPLIT, "func(c *uint64, ldc uintptr, a *uint64, lda, seg uintptr, b *uint64, run, segs uintptr)")
	}
	Pragma("noescape")
	Doc(doc)
	a, b := newRows(gp("a"), gp("lda"), k.rows), gp("b")
	seg, run, segs := gp("seg"), gp("run"), gp("segs")
	sums := k.sums()

	back := GP64() // seg becomes the way from the end of a run to the next
	MOVQ(run, back)
	SHLQ(Imm(3), back)
	SUBQ(back, seg)
	n := GP64()
	Label("segment")
	MOVQ(run, n)
	if k.unroll > 1 {
		SUBQ(Imm(uint64(k.unroll)), n)
		JB(LabelRef("tail"))
		Label("loop")
		for u := range k.unroll {
			sums.step(a, b, u)
		}
		a.add(Imm(uint64(8 * k.unroll)))
		ADDQ(U32(uint32(64*k.unroll)), b)
		SUBQ(Imm(uint64(k.unroll)), n)
		JAE(LabelRef("loop"))
		Label("tail")
		ADDQ(Imm(uint64(k.unroll)), n)
		JZ(LabelRef("next"))
	}
	Label("one")
	sums.step(a, b, 0)
	a.add(Imm(8))
	ADDQ(U32(64), b)
	DECQ(n)
	JNZ(LabelRef("one"))
	Label("next")
	a.add(seg)
	DECQ(segs)
	JNZ(LabelRef("segment"))

	sums.store(newRows(gp("c"), gp("ldc"), k.rows))
	VZEROUPPER()
	RET()
}

// rows addresses up to 8 rows.
type rows struct {
	base        []reg.GPVirtual // of rows 0 and 4
	stride, by3 reg.GPVirtual
}

func newRows(base, stride reg.GPVirtual, n int) rows {
	r := rows{base: []reg.GPVirtual{base}, stride: stride}
	if n > 3 {
		r.by3 = GP64()
		LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, r.by3)
	}
	if n > 4 {
		four := GP64()
		LEAQ(Mem{Base: base, Index: stride, Scale: 4}, four)
		r.base = append(r.base, four)
	}
	return r
}

// at is the memory of row i from word u on. A word starts with its low half.
func (r rows) at(i, u int) Mem {
	m := Mem{Base: r.base[i/4], Disp: 8 * u}
	switch i % 4 {
	case 1:
		m.Index, m.Scale = r.stride, 1
	case 2:
		m.Index, m.Scale = r.stride, 2
	case 3:
		m.Index, m.Scale = r.by3, 1
	}
	return m
}

func (r rows) add(n Op) {
	for _, b := range r.base {
		ADDQ(n, b)
	}
}

// sums are the accumulators of a tile.
type sums interface {
	step(a rows, b reg.GPVirtual, u int)
	store(c rows) // after all steps
}

func (k kernel) sums() sums {
	switch {
	case k.masked():
		return newSums512(k)
	case k.bits == 32:
		return newSums32(k)
	}
	return newSums64(k)
}

func zero(r reg.VecVirtual) reg.VecVirtual {
	VPXOR(r, r, r)
	return r
}

// Command asm writes the amd64 kernels of the parent package. It is a module of
// its own, so that avo is no dependency of the library.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A kernel adds to rows rows of 8 words of c the product of as many rows of a
// by a strip b of 8 columns.
type kernel struct {
	rows   int
	avx512 bool
	unroll int // products per row and turn of the inner loop
}

func main() {
	ConstraintExpr("amd64,!purego")
	for _, k := range []kernel{{1, true, 2}, {4, true, 2}, {8, true, 2}, {1, false, 2}, {2, false, 1}} {
		k.generate()
	}
	Generate()
}

func gp(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

// ahead is how far the strip is fetched ahead, in bytes: more requests to memory
// in flight than the hardware asks for.
const ahead = 2048

// generate writes the kernel. All strides are in bytes; a row of a is segs runs
// of run words, seg bytes from start to start.
func (k kernel) generate() {
	isa := "AVX2"
	if k.avx512 {
		isa = "AVX512"
	}
	name := fmt.Sprintf("tile%d%s", k.rows, isa)
	TEXT(name, NOSPLIT, "func(c *uint64, ldc uintptr, a *uint64, lda, seg uintptr, b *uint64, run, segs uintptr)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s adds the product of %d rows of a by a strip b to c. Strides are in bytes, run and segs at least 1.", name, k.rows))
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

	// In order of rows: c may be so narrow that a row of 8 words reaches into the next.
	c, ldc := gp("c"), gp("ldc")
	for i := range k.rows {
		sums.store(i, c)
		if i+1 < k.rows {
			ADDQ(ldc, c)
		}
	}
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

// at is word u of row i.
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
	store(i int, c reg.GPVirtual)
}

func (k kernel) sums() sums {
	if k.avx512 {
		var s sums512
		for range k.rows {
			z := ZMM()
			VPXORQ(z, z, z)
			s = append(s, z)
		}
		return s
	}
	var s sums256
	for range k.rows {
		var r row256
		for h := range 2 {
			r.low[h], r.cross[h] = YMM(), YMM()
			VPXOR(r.low[h], r.low[h], r.low[h])
			VPXOR(r.cross[h], r.cross[h], r.cross[h])
		}
		s = append(s, r)
	}
	return s
}

type sums512 []reg.VecVirtual

func (s sums512) step(a rows, b reg.GPVirtual, u int) {
	PREFETCHT0(Mem{Base: b, Disp: 64*u + ahead})
	w := ZMM()
	VMOVDQU64(Mem{Base: b, Disp: 64 * u}, w)
	for i := range s {
		t := ZMM()
		VPMULLQ_BCST(a.at(i, u), w, t)
		VPADDQ(t, s[i], s[i])
	}
}

func (s sums512) store(i int, c reg.GPVirtual) {
	VPADDQ(Mem{Base: c}, s[i], s[i])
	VMOVDQU64(s[i], Mem{Base: c})
}

// row256 has the sums of low·low, of 64 bits, and of low·high and high·low, of
// 32 bits each, which belong to the top half of a word.
type row256 struct{ low, cross [2]reg.VecVirtual }

type sums256 []row256

func (s sums256) step(a rows, b reg.GPVirtual, u int) {
	PREFETCHT0(Mem{Base: b, Disp: 64*u + ahead})
	var w, swapped [2]reg.VecVirtual
	for h := range w {
		w[h], swapped[h] = YMM(), YMM()
		VMOVDQU(Mem{Base: b, Disp: 64*u + 32*h}, w[h])
		VPSHUFD(Imm(0xb1), w[h], swapped[h])
	}
	for i := range s {
		x := YMM()
		VPBROADCASTQ(a.at(i, u), x)
		for h := range w {
			t, v := YMM(), YMM()
			VPMULUDQ(x, w[h], t)
			VPMULLD(x, swapped[h], v)
			VPADDD(v, s[i].cross[h], s[i].cross[h])
			VPADDQ(t, s[i].low[h], s[i].low[h])
		}
	}
}

func (s sums256) store(i int, c reg.GPVirtual) {
	for h := range 2 {
		low, cross, t := s[i].low[h], s[i].cross[h], YMM()
		VPSHUFD(Imm(0xb1), cross, t)
		VPADDD(t, cross, cross)
		VPSLLQ(Imm(32), cross, cross)
		VPADDQ(cross, low, low)
		s[i].low[h] = low
	}
	for h := range 2 {
		m := Mem{Base: c, Disp: 32 * h}
		VPADDQ(m, s[i].low[h], s[i].low[h])
		VMOVDQU(s[i].low[h], m)
	}
}

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sums64 is a product of 64 bits in two multiplications for each 4 columns.
type sums64 []row64

// row64 has the sums of low·low, of 64 bits, and of low·high and high·low, of
// 32 bits each, which belong to the top half of a word.
type row64 struct{ low, cross [2]reg.VecVirtual }

func newSums64(k kernel) sums64 {
	var s sums64
	for range k.rows {
		var r row64
		for h := range 2 {
			r.low[h], r.cross[h] = zero(YMM()), zero(YMM())
		}
		s = append(s, r)
	}
	return s
}

func (s sums64) step(a rows, b reg.GPVirtual, u int) {
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

// store goes row by row: c may be so narrow that a row reaches into the next.
func (s sums64) store(c rows) {
	for i, r := range s {
		for h := range 2 {
			t := YMM()
			VPSHUFD(Imm(0xb1), r.cross[h], t)
			VPADDD(t, r.cross[h], r.cross[h])
			VPSLLQ(Imm(32), r.cross[h], r.cross[h])
			VPADDQ(r.cross[h], r.low[h], r.low[h])
			addTo(c.at(i, 4*h), r.low[h])
		}
	}
}

// addTo adds v to 4 words of memory.
func addTo(m Mem, v reg.VecVirtual) {
	VPADDQ(m, v, v)
	VMOVDQU(v, m)
}

// sums32 has two registers of 8 columns for each chain of each row.
type sums32 struct {
	kernel
	sum [][][2]reg.VecVirtual
}

func newSums32(k kernel) *sums32 {
	s := &sums32{kernel: k}
	for range k.rows {
		var chains [][2]reg.VecVirtual
		for range k.chains {
			chains = append(chains, [2]reg.VecVirtual{zero(YMM()), zero(YMM())})
		}
		s.sum = append(s.sum, chains)
	}
	return s
}

func (s *sums32) step(a rows, b reg.GPVirtual, u int) {
	PREFETCHT0(Mem{Base: b, Disp: 64*u + ahead})
	var w [2]reg.VecVirtual
	for h := range w {
		w[h] = YMM()
		VMOVDQU(Mem{Base: b, Disp: 64*u + 32*h}, w[h])
	}
	for i := range s.sum {
		x, sum := YMM(), s.sum[i][u%s.chains]
		VPBROADCASTD(a.at(i, u), x)
		for h := range w {
			t := YMM()
			VPMULLD(x, w[h], t)
			VPADDD(t, sum[h], sum[h])
		}
	}
}

// store goes row by row, as that of sums64.
func (s *sums32) store(c rows) {
	for i, chains := range s.sum {
		for _, chain := range chains[1:] {
			for h := range chain {
				VPADDD(chain[h], chains[0][h], chains[0][h])
			}
		}
		for h, sum := range chains[0] {
			low, high, half := YMM(), YMM(), XMM()
			VPMOVZXDQ(sum.AsX(), low)
			addTo(c.at(i, 8*h), low)
			VEXTRACTI128(Imm(1), sum, half)
			VPMOVZXDQ(half, high)
			addTo(c.at(i, 8*h+4), high)
		}
	}
}

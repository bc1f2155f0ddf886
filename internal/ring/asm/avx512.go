package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sums512 has a register for each chain of each row.
type sums512 struct {
	kernel
	sum [][]reg.VecVirtual
}

func newSums512(k kernel) *sums512 {
	s := &sums512{kernel: k}
	for range k.rows {
		var chains []reg.VecVirtual
		for range k.chains {
			z := ZMM()
			VPXORQ(z, z, z)
			chains = append(chains, z)
		}
		s.sum = append(s.sum, chains)
	}
	return s
}

func (s *sums512) step(a rows, b reg.GPVirtual, u int) {
	PREFETCHT0(Mem{Base: b, Disp: 64*u + ahead})
	w := ZMM()
	VMOVDQU64(Mem{Base: b, Disp: 64 * u}, w)
	for i := range s.sum {
		x, sum := a.at(i, u), s.sum[i][u%s.chains]
		if s.bits == 52 {
			VPMADD52LUQ_BCST(x, w, sum)
			continue
		}
		t := ZMM()
		if s.bits == 32 {
			VPMULLD_BCST(x, w, t)
			VPADDD(t, sum, sum)
		} else {
			VPMULLQ_BCST(x, w, t)
			VPADDQ(t, sum, sum)
		}
	}
}

// join adds up the chains of a row.
func (s *sums512) join(chains []reg.VecVirtual) reg.VecVirtual {
	for step := 1; step < len(chains); step *= 2 {
		for j := 0; j+step < len(chains); j += 2 * step {
			if s.bits == 32 {
				VPADDD(chains[j+step], chains[j], chains[j])
			} else {
				VPADDQ(chains[j+step], chains[j], chains[j])
			}
		}
	}
	return chains[0]
}

// store loads all rows before it stores any: a load waits for stores near by.
func (s *sums512) store(c rows) {
	masks := []reg.OpmaskVirtual{K()} // of each 8 columns
	KMOVW(gp("columns").As32(), masks[0])
	if s.bits == 32 {
		masks = append(masks, K())
		KSHIFTRW(Imm(8), masks[0], masks[1])
	}
	words := make([][]reg.VecVirtual, s.rows)
	for i, chains := range s.sum {
		words[i] = s.widen(s.join(chains))
		for h, v := range words[i] {
			old := ZMM()
			VMOVDQU64_Z(c.at(i, 8*h), masks[h], old)
			VPADDQ(old, v, v)
		}
	}
	for i, row := range words {
		for h, v := range row {
			VMOVDQU64(v, masks[h], c.at(i, 8*h))
		}
	}
}

// widen returns the columns of a sum as words of 64 bits.
func (s *sums512) widen(sum reg.VecVirtual) []reg.VecVirtual {
	if s.bits != 32 {
		return []reg.VecVirtual{sum}
	}
	low, high, half := ZMM(), ZMM(), YMM()
	VPMOVZXDQ(sum.AsY(), low)
	VEXTRACTI64X4(Imm(1), sum, half)
	VPMOVZXDQ(half, high)
	return []reg.VecVirtual{low, high}
}

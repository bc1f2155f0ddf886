package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sums512 has a register for each chain of each row, or each strip of a pair.
type sums512 struct {
	kernel
	sum  [][]reg.VecVirtual
	next reg.GPVirtual
}

func newSums512(k kernel) *sums512 {
	s := &sums512{kernel: k}
	registers := k.chains
	if k.pair {
		s.next, registers = gp("next"), 2
	}
	for range k.rows {
		var chains []reg.VecVirtual
		for range registers {
			z := ZMM()
			VPXORQ(z, z, z)
			chains = append(chains, z)
		}
		s.sum = append(s.sum, chains)
	}
	return s
}

func (s *sums512) step(a rows, b reg.GPVirtual, u int) {
	w := s.weights(Mem{Base: b, Disp: 64 * u})
	if s.pair {
		s.stepPair(a, w, s.weights(Mem{Base: b, Index: s.next, Scale: 1, Disp: 64 * u}), u)
		return
	}
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

// weights loads a row of a strip.
func (s *sums512) weights(m Mem) reg.VecVirtual {
	early := m
	early.Disp += ahead
	PREFETCHT0(early)
	w := ZMM()
	VMOVDQU64(m, w)
	return w
}

// stepPair loads each word of a once for both strips.
func (s *sums512) stepPair(a rows, w0, w1 reg.VecVirtual, u int) {
	for i, sums := range s.sum {
		x := ZMM()
		VPBROADCASTQ(a.at(i, u), x)
		VPMADD52LUQ(x, w0, sums[0])
		VPMADD52LUQ(x, w1, sums[1])
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
	if s.bits == 32 || s.pair {
		masks = append(masks, K())
		KSHIFTRW(Imm(8), masks[0], masks[1])
	}
	words := make([][]reg.VecVirtual, s.rows)
	for i, chains := range s.sum {
		words[i] = s.words(chains)
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

// words returns the columns of a row as words of 64 bits.
func (s *sums512) words(chains []reg.VecVirtual) []reg.VecVirtual {
	if s.pair {
		return chains
	}
	sum := s.join(chains)
	if s.bits != 32 {
		return []reg.VecVirtual{sum}
	}
	low, high, half := ZMM(), ZMM(), YMM()
	VPMOVZXDQ(sum.AsY(), low)
	VEXTRACTI64X4(Imm(1), sum, half)
	VPMOVZXDQ(half, high)
	return []reg.VecVirtual{low, high}
}

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sums512 has a register for each chain of each row.
type sums512 struct {
	kernel
	sum  [][]reg.VecVirtual
	mask []reg.OpmaskVirtual // of each 8 columns
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

func (s *sums512) finish() {
	for _, chains := range s.sum {
		for step := 1; step < len(chains); step *= 2 {
			for j := 0; j+step < len(chains); j += 2 * step {
				if s.bits == 32 {
					VPADDD(chains[j+step], chains[j], chains[j])
				} else {
					VPADDQ(chains[j+step], chains[j], chains[j])
				}
			}
		}
	}
	columns, low := gp("columns"), K()
	KMOVW(columns.As32(), low)
	s.mask = append(s.mask, low)
	if s.bits == 32 {
		high := K()
		KSHIFTRW(Imm(8), low, high)
		s.mask = append(s.mask, high)
	}
}

func (s *sums512) store(i int, c reg.GPVirtual) {
	sum := s.sum[i][0]
	if s.bits != 32 {
		s.add(sum, 0, c)
		return
	}
	low, high, half := ZMM(), ZMM(), YMM()
	VPMOVZXDQ(sum.AsY(), low)
	s.add(low, 0, c)
	VEXTRACTI64X4(Imm(1), sum, half)
	VPMOVZXDQ(half, high)
	s.add(high, 1, c)
}

// add adds v to the words 8·half to 8·half+7 of c.
func (s *sums512) add(v reg.VecVirtual, half int, c reg.GPVirtual) {
	at, old := Mem{Base: c, Disp: 64 * half}, ZMM()
	VMOVDQU64_Z(at, s.mask[half], old)
	VPADDQ(old, v, v)
	VMOVDQU64(v, s.mask[half], at)
}

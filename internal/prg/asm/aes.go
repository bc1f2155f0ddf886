package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const rounds = 10

// expandKey is the key schedule of AES-128 without table look-ups.
func expandKey() {
	function("expandKey", "func(rk *[176]byte, key *[2]uint64)", "expands an AES-128 key.")
	rk, key := ptr("rk"), ptr("key")
	k, t, u := XMM(), XMM(), XMM()
	MOVOU(Mem{Base: key}, k)
	MOVOU(k, Mem{Base: rk})
	for i, rc := range []uint64{1, 2, 4, 8, 16, 32, 64, 128, 0x1b, 0x36} {
		AESKEYGENASSIST(Imm(rc), k, t)
		PSHUFD(Imm(0xff), t, t)
		MOVOU(k, u)
		for range 3 {
			PSLLDQ(Imm(4), u)
			PXOR(u, k)
		}
		PXOR(t, k)
		MOVOU(k, Mem{Base: rk, Disp: 16 * (i + 1)})
	}
	RET()
}

const sumSignature = "func(dst, src *[2]uint64, n int, rk *[176]byte, tweak *[2]uint64)"

func sumAESNI() {
	function("sumAESNI", sumSignature, "hashes n blocks, n > 0 a multiple of 8.")
	dst, src, n, rk, tp := ptr("dst"), ptr("src"), ptr("n"), ptr("rk"), ptr("tweak")
	tweak, one, k := XMM(), XMM(), XMM()
	MOVOU(Mem{Base: tp}, tweak)
	o := GP64()
	MOVQ(U32(1), o)
	MOVQ(o, one)
	s := make([]vec, 8)
	for i := range s {
		s[i] = XMM()
	}
	Label("loop")
	for i := range s {
		MOVOU(Mem{Base: src, Disp: 16 * i}, k)
		PSHUFD(Imm(0x4e), k, k)
		MOVQ(Mem{Base: src, Disp: 16 * i}, s[i]) // a load, as avo prunes a move to itself that would clear the high half
		PXOR(k, s[i])
		PXOR(tweak, s[i])
		MOVOU(s[i], Mem{Base: dst, Disp: 16 * i}) // kept for the feed-forward
		PADDQ(one, tweak)
	}
	for r := 0; r <= rounds; r++ {
		MOVOU(Mem{Base: rk, Disp: 16 * r}, k)
		for i := range s {
			switch r {
			case 0:
				PXOR(k, s[i])
			case rounds:
				AESENCLAST(k, s[i])
			default:
				AESENC(k, s[i])
			}
		}
	}
	for i := range s {
		MOVOU(Mem{Base: dst, Disp: 16 * i}, k)
		PXOR(k, s[i])
		MOVOU(s[i], Mem{Base: dst, Disp: 16 * i})
	}
	advance(128, src, dst)
	SUBQ(U32(8), n)
	JNZ(LabelRef("loop"))
	RET()
}

func sumVAES256() {
	function("sumVAES256", sumSignature,
		"hashes n blocks, n > 0 a multiple of 16. It has VEX encodings only: VAES and AVX2, no AVX-512.")
	dst, src, n, rk, tp := ptr("dst"), ptr("src"), ptr("n"), ptr("rk"), ptr("tweak")
	tweak, two, k, zero := YMM(), YMM(), YMM(), YMM()
	VPXOR(zero, zero, zero)
	VBROADCASTI128(Mem{Base: tp}, tweak)
	VPADDQ(counters(), tweak, tweak)
	VMOVDQU(counters().Offset(128), two)
	s := make([]vec, 8)
	for i := range s {
		s[i] = YMM()
	}
	Label("loop")
	for i := range s {
		VMOVDQU(Mem{Base: src, Disp: 32 * i}, s[i])
		VPSHUFD(Imm(0x4e), s[i], k)
		VPBLENDD(Imm(0xcc), zero, s[i], s[i])
		VPXOR(k, s[i], s[i])
		VPXOR(tweak, s[i], s[i])
		VMOVDQU(s[i], Mem{Base: dst, Disp: 32 * i}) // kept for the feed-forward
		VPADDQ(two, tweak, tweak)
	}
	for r := 0; r <= rounds; r++ {
		VBROADCASTI128(Mem{Base: rk, Disp: 16 * r}, k)
		for i := range s {
			switch r {
			case 0:
				VPXOR(k, s[i], s[i])
			case rounds:
				VAESENCLAST(k, s[i], s[i])
			default:
				VAESENC(k, s[i], s[i])
			}
		}
	}
	for i := range s {
		VPXOR(Mem{Base: dst, Disp: 32 * i}, s[i], s[i])
		VMOVDQU(s[i], Mem{Base: dst, Disp: 32 * i})
	}
	advance(256, src, dst)
	SUBQ(U32(16), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

var counterTable *Mem

// counters is a table of blocks: (0,0) (1,0) (2,0) (3,0), then (4,0) four times,
// then (2,0) twice.
func counters() Mem {
	if counterTable == nil {
		t := GLOBL("counters", RODATA|NOPTR)
		for i, low := range []uint64{0, 1, 2, 3, 4, 4, 4, 4, 2, 2} { // in ascending order, for the assembler
			DATA(16*i, U64(low))
			DATA(16*i+8, U64(0))
		}
		counterTable = &t
	}
	return *counterTable
}

// counting returns the block at p, counted up in its low word, four to a
// register, and the step to the next four.
func counting(p reg.Register) (now, step vec) {
	now, step = ZMM(), ZMM()
	VBROADCASTI32X4(Mem{Base: p}, now)
	VPADDQ(counters(), now, now)
	VMOVDQU64(counters().Offset(64), step)
	return now, step
}

func keys512(rk reg.Register) []vec {
	keys := zmms(rounds + 1)
	for i := range keys {
		VBROADCASTI32X4(Mem{Base: rk, Disp: 16 * i}, keys[i])
	}
	return keys
}

// aes512 encrypts the states in place.
func aes512(keys, st []vec) {
	for _, s := range st {
		VPXORQ(keys[0], s, s)
	}
	for r := 1; r < rounds; r++ {
		for _, s := range st {
			VAESENC(keys[r], s, s)
		}
	}
	for _, s := range st {
		VAESENCLAST(keys[rounds], s, s)
	}
}

// lowWords returns a mask that selects the low word of each block.
func lowWords() reg.Register {
	g, k := GP32(), K()
	MOVL(U32(0x55), g)
	KMOVW(g, k)
	return k
}

// sigma sets y = σ(x).
func sigma(x, y vec, low reg.Register) {
	VPSHUFD(Imm(0x4e), x, y)
	VPXORQ(x, y, low, y)
}

func sumVAES512() {
	function("sumVAES512", sumSignature, "hashes n blocks, n > 0 a multiple of 4.")
	dst, src, n, rk, tp := ptr("dst"), ptr("src"), ptr("n"), ptr("rk"), ptr("tweak")
	low := lowWords()
	tweak, step := counting(tp)
	keys := keys512(rk)
	wideThenNarrow(n, 8, func(w int) {
		st, keep := zmms(w), zmms(w)
		for i := range w {
			VMOVDQU64(Mem{Base: src, Disp: 64 * i}, keep[i])
			sigma(keep[i], st[i], low)
			VPXORQ(tweak, st[i], st[i])
			VPADDQ(step, tweak, tweak)
			VMOVDQA64(st[i], keep[i])
		}
		aes512(keys, st)
		for i := range w {
			VPXORQ(keep[i], st[i], st[i])
			VMOVDQU64(st[i], Mem{Base: dst, Disp: 64 * i})
		}
		advance(64*w, src, dst)
		SUBQ(U32(uint32(4*w)), n)
	})
}

// pair512 uses H(x ⊕ δ, t) ⊕ H(x, t) = π(s ⊕ σ(δ)) ⊕ π(s) ⊕ σ(δ) with s = σ(x) ⊕ t.
func pair512() {
	function("pair512", "func(h, hx, src *[2]uint64, n int, rk *[176]byte, tweak, delta *[2]uint64)",
		"sets h = H(x) and hx = H(x) ^ H(x ^ delta), n > 0 a multiple of 4.")
	h, hx, src, n := ptr("h"), ptr("hx"), ptr("src"), ptr("n")
	rk, tp, dp := ptr("rk"), ptr("tweak"), ptr("delta")
	low := lowWords()
	tweak, step := counting(tp)
	keys := keys512(rk)
	sd, t := ZMM(), ZMM()
	VBROADCASTI32X4(Mem{Base: dp}, t)
	sigma(t, sd, low)
	wideThenNarrow(n, 4, func(w int) {
		st, keep := zmms(2*w), zmms(w)
		for i := range w {
			VMOVDQU64(Mem{Base: src, Disp: 64 * i}, t)
			sigma(t, keep[i], low)
			VPXORQ(tweak, keep[i], keep[i])
			VPADDQ(step, tweak, tweak)
			VMOVDQA64(keep[i], st[i])
			VPXORQ(sd, keep[i], st[w+i])
		}
		aes512(keys, st)
		for i := range w {
			VPXORQ(st[i], st[w+i], st[w+i])
			VPXORQ(sd, st[w+i], st[w+i])
			VPXORQ(keep[i], st[i], st[i])
			VMOVDQU64(st[i], Mem{Base: h, Disp: 64 * i})
			VMOVDQU64(st[w+i], Mem{Base: hx, Disp: 64 * i})
		}
		advance(64*w, h, hx, src)
		SUBQ(U32(uint32(4*w)), n)
	})
}

func ggm512() {
	function("ggm512", "func(left, right, src *[2]uint64, n int, rk0, rk1 *[176]byte)",
		"sets left = pi0(s) ^ s and right = pi1(s) ^ s, n > 0 a multiple of 4. left may be src.")
	left, right, src, n := ptr("left"), ptr("right"), ptr("src"), ptr("n")
	k0, k1 := keys512(ptr("rk0")), keys512(ptr("rk1"))
	wideThenNarrow(n, 4, func(w int) {
		st := zmms(2 * w)
		for i := range w {
			VMOVDQU64(Mem{Base: src, Disp: 64 * i}, st[i])
			VPXORQ(k1[0], st[i], st[w+i])
			VPXORQ(k0[0], st[i], st[i])
		}
		for r := 1; r <= rounds; r++ {
			for i := range st {
				k := k0[r]
				if i >= w {
					k = k1[r]
				}
				if r < rounds {
					VAESENC(k, st[i], st[i])
				} else {
					VAESENCLAST(k, st[i], st[i])
				}
			}
		}
		for i := range w {
			VPXORQ(Mem{Base: src, Disp: 64 * i}, st[i], st[i])
			VPXORQ(Mem{Base: src, Disp: 64 * i}, st[w+i], st[w+i])
			VMOVDQU64(st[w+i], Mem{Base: right, Disp: 64 * i})
			VMOVDQU64(st[i], Mem{Base: left, Disp: 64 * i})
		}
		advance(64*w, left, right, src)
		SUBQ(U32(uint32(4*w)), n)
	})
}

// ctr512 counts in the high word, which it turns into big-endian order.
func ctr512() {
	function("ctr512", "func(dst *byte, n int, rk *[176]byte, counter *[2]uint64)",
		"writes the n blocks AES(counter[0], big-endian counter[1] + i), n > 0 a multiple of 4.")
	t := GLOBL("bigEndian", RODATA|NOPTR)
	for i := range 4 {
		DATA(16*i, U64(0x0706050403020100))
		DATA(16*i+8, U64(0x08090a0b0c0d0e0f))
	}
	dst, n, rk, cp := ptr("dst"), ptr("n"), ptr("rk"), ptr("counter")
	now, step, order := ZMM(), ZMM(), ZMM()
	VPSHUFD(Imm(0x4e), counters(), now)
	VPSHUFD(Imm(0x4e), counters().Offset(64), step)
	VBROADCASTI32X4(Mem{Base: cp}, order)
	VPADDQ(order, now, now)
	VMOVDQU64(t, order)
	keys := keys512(rk)
	wideThenNarrow(n, 8, func(w int) {
		st := zmms(w)
		for _, s := range st {
			VPSHUFB(order, now, s)
			VPADDQ(step, now, now)
		}
		aes512(keys, st)
		for i, s := range st {
			VMOVDQU64(s, Mem{Base: dst, Disp: 64 * i})
		}
		advance(64*w, dst)
		SUBQ(U32(uint32(4*w)), n)
	})
}

//go:build !purego

package prg

import "golang.org/x/sys/cpu"

// best is the fastest level that this machine has.
func best() level {
	x := &cpu.X86
	switch {
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512VBMI &&
		x.HasAVX512VAES && x.HasAVX512GFNI && x.HasBMI2 && x.HasAES:
		return vaes512
	case x.HasAVX2 && x.HasAES && hasVAES():
		return vaes256
	case x.HasAES:
		return aesNI
	}
	return portable
}

// hasVAES is for machines with AVX2 and without AVX-512, where
// golang.org/x/sys/cpu does not report VAES.
func hasVAES() bool {
	_, _, c, _ := cpuid(7, 0)
	return c>>9&1 == 1
}

// longest bounds the blocks of one call, as the scheduler cannot interrupt
// assembly: some 10 to 30 µs.
const longest = 1 << 14

// Every wrapper below cuts its slices to the length that the kernel works on
// before it takes a pointer: assembly has no bounds checks.

func sumKernel(dst, src []Block, rk *roundKeys, tweak *Block) bool {
	unit := 0
	switch use {
	case portable:
		return false
	case aesNI:
		unit = 8
	case vaes256:
		unit = 16
	case vaes512:
		unit = 4
	}
	t, n := *tweak, len(src)&^(unit-1)
	for i := 0; i < n; i += longest {
		end := min(i+longest, n)
		sumWhole(dst[i:end], src[i:end], rk, &t)
		t[0] += uint64(end - i)
	}
	if n < len(src) {
		var tail [16]Block
		copy(tail[:], src[n:])
		sumWhole(tail[:unit], tail[:unit], rk, &t)
		copy(dst[n:], tail[:len(src)-n])
	}
	return true
}

// sumWhole hashes whole runs.
func sumWhole(dst, src []Block, rk *roundKeys, tweak *Block) {
	n := len(src)
	dst = dst[:n]
	switch use {
	case aesNI:
		sumAESNI(&dst[0], &src[0], n, rk, tweak)
	case vaes256:
		sumVAES256(&dst[0], &src[0], n, rk, tweak)
	case vaes512:
		sumVAES512(&dst[0], &src[0], n, rk, tweak)
	}
}

func pairKernel(h, hx, src []Block, rk *roundKeys, tweak, delta *Block) bool {
	if use != vaes512 {
		return false
	}
	t, n := *tweak, len(src)&^3
	h, hx = h[:len(src)], hx[:len(src)]
	for i := 0; i < n; i += longest {
		end := min(i+longest, n)
		pair512(&h[i], &hx[i], &src[i], end-i, rk, &t, delta)
		t[0] += uint64(end - i)
	}
	if n < len(src) {
		var tail, tailX [4]Block
		copy(tail[:], src[n:])
		pair512(&tail[0], &tailX[0], &tail[0], 4, rk, &t, delta)
		copy(h[n:], tail[:len(src)-n])
		copy(hx[n:], tailX[:len(src)-n])
	}
	return true
}

func ggmKernel(left, right, src []Block, rk0, rk1 *roundKeys) bool {
	if use != vaes512 {
		return false
	}
	n := len(src) &^ 3
	left, right = left[:len(src)], right[:len(src)]
	for i := 0; i < n; i += longest {
		ggm512(&left[i], &right[i], &src[i], min(longest, n-i), rk0, rk1)
	}
	if n < len(src) {
		var tail, tailR [4]Block
		copy(tail[:], src[n:])
		ggm512(&tail[0], &tailR[0], &tail[0], 4, rk0, rk1)
		copy(left[n:], tail[:len(src)-n])
		copy(right[n:], tailR[:len(src)-n])
	}
	return true
}

// ctrKernel fills whole multiples of 64 bytes.
func ctrKernel(dst []byte, rk *roundKeys, nonce, counter uint64) {
	for len(dst) >= 64 {
		n := min(longest, len(dst)/64*4)
		ctr512(&dst[0], n, rk, &Block{nonce, counter})
		dst, counter = dst[16*n:], counter+uint64(n)
	}
}

// whole is the part of n that a kernel for runs of the given number of blocks does.
func whole(n, unit int) int {
	if use != vaes512 {
		return 0
	}
	return n - n%unit
}

func foldKernel(v, sum, b []Block) int {
	n := whole(len(b), 16)
	v, sum = v[:n], sum[:n]
	for i := 0; i < n; i += longest {
		fold512(&v[i], &sum[i], &b[i], min(longest, n-i))
	}
	return n
}

func maskXorKernel(dst, src []Block, mask uint64) int {
	n := whole(len(src), 16)
	dst = dst[:n]
	for i := 0; i < n; i += longest {
		maskXor512(&dst[i], &src[i], mask, min(longest, n-i))
	}
	return n
}

func lsbsKernel(dst []uint16, src []Block) int {
	n := whole(len(src), 16)
	dst = dst[:n/16]
	for i := 0; i < n; i += longest {
		lsbs512(&dst[i/16], &src[i], min(longest, n-i))
	}
	return n
}

func transposeKernel(dst []Block, src []byte, stride, n int) int {
	n = whole(n, 512)
	if n == 0 {
		return 0
	}
	dst, src = dst[:n], src[:127*stride+n/8]
	var scratch [8192]byte
	for i := 0; i < n; i += longest {
		transpose512(&dst[i], &src[i/8], stride, min(longest, n-i), &scratch)
	}
	return n
}

// deltasKernel works on a stretch.
func deltasKernel(dst []Block, x []uint8, delta *Block, a, b []Block) int {
	n := whole(len(x), 16)
	if n > 0 {
		dst, x, a, b = dst[:n], x[:n], a[:n], b[:n]
		deltas512(&dst[0], &a[0], &b[0], &x[0], delta, n)
	}
	return n
}

// halfGatesKernel works on a stretch.
func halfGatesKernel(g0, g1, k []Block, g *Gates, rk *roundKeys) int {
	n := whole(len(g.A), 8)
	if n > 0 {
		g0, g1, k = g0[:n], g1[:n], k[:n]
		a, b := g.A[:n], g.B[:n]
		x0, y0, x1, y1 := g.Add0[0][:n], g.Add0[1][:n], g.Add1[0][:n], g.Add1[1][:n]
		xk, yk := g.AddK[0][:n], g.AddK[1][:n]
		halfGates512(&g0[0], &g1[0], &k[0], &a[0], &b[0], &x0[0], &y0[0], &x1[0], &y1[0], &xk[0], &yk[0],
			n, rk, &g.TweakA, &g.TweakB, &g.Delta)
	}
	return n
}

func evaluateKernel(z []Block, r *Rows, rk *roundKeys) int {
	n := whole(len(r.A), 16)
	if n == 0 {
		return 0
	}
	z, a, b := z[:n], r.A[:n], r.B[:n]
	ta, tb := r.TweakA, r.TweakB
	var g0, g1, k []Block
	var la, lb []uint16
	if r.K != nil {
		g0, g1, k, la, lb = r.G0[:n], r.G1[:n], r.K[:n], r.La[:n/16], r.Lb[:n/16]
	}
	for i := 0; i < n; i += longest {
		count := min(longest, n-i)
		if r.K != nil {
			evaluate512(&z[i], &a[i], &b[i], &g0[i], &g1[i], &k[i], &la[i/16], &lb[i/16], count, rk, &ta, &tb)
		} else {
			addHashes512(&z[i], &a[i], &b[i], count, rk, &ta, &tb)
		}
		ta[0] += uint64(count)
		tb[0] += uint64(count)
	}
	return n
}

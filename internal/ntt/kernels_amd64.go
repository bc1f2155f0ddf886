//go:build !purego

package ntt

import (
	"math/bits"

	"golang.org/x/sys/cpu"
)

// best is the fastest level that this machine has.
func best() level {
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512IFMA {
		return ifma
	}
	return portable
}

// use is the level in force. Only tests change it.
var use = best()

// near is how many coefficients stay in the nearest cache.
const near = 1 << 11

// forwardKernels takes two steps at a time; after the first two over all
// coefficients, all others over one quarter, and then the next.
func (m *Modulus) forwardKernels(a []uint64) {
	n, t := len(a), m.forward
	size := n // of what is transformed on its own
	groups := 1
	for size > near {
		fwd4(&a[0], uintptr(2*size), uintptr(groups), &t[groups], &t[2*groups], t.bytes(), &m.c[0])
		size, groups = size/4, groups*4
	}
	for at := 0; at < n; at += size {
		part, s, g := a[at:at+size], size, groups
		for ; s >= 32; s, g = s/4, g*4 {
			first := g + at/s
			fwd4(&part[0], uintptr(2*s), uintptr(len(part)/s), &t[first], &t[2*first], t.bytes(), &m.c[0])
		}
		if blocks := uintptr(size / 16); s == 16 {
			i := g + at/16
			fwdLast4(&part[0], blocks, &t[i], &t[2*i], &t[4*i], &t[8*i], t.bytes(), &m.c[0])
		} else {
			i := g + at/8
			fwdLast3(&part[0], blocks, &t[i], &t[2*i], &t[4*i], t.bytes(), &m.c[0])
		}
	}
}

// inverseKernels takes the same steps backwards.
func (m *Modulus) inverseKernels(a []uint64) {
	n, t := len(a), m.inverse
	small := 8
	if bits.TrailingZeros(uint(n))%2 == 0 {
		small = 16
	}
	size := small
	for 4*size <= min(n, near) {
		size *= 4
	}
	for at := 0; at < n; at += size {
		part := a[at : at+size]
		g := n / small
		if blocks, i := uintptr(size/16), g+at/small; small == 16 {
			invFirst4(&part[0], blocks, &t[i], &t[2*i], &t[4*i], &t[8*i], t.bytes(), &m.c[0])
		} else {
			invFirst3(&part[0], blocks, &t[i], &t[2*i], &t[4*i], t.bytes(), &m.c[0])
		}
		for s := 4 * small; s <= size; s *= 4 {
			first := n/s + at/s
			inv4(&part[0], uintptr(2*s), uintptr(size/s), &t[first], &t[2*first], t.bytes(), &m.c[0])
		}
	}
	for s := 4 * size; s <= n; s *= 4 {
		inv4(&a[0], uintptr(2*s), uintptr(n/s), &t[n/s], &t[2*(n/s)], t.bytes(), &m.c[0])
	}
	scale(&a[0], uintptr(n/lanes), &m.c[0])
}

// bytes is the distance of the second half of a table.
func (t table) bytes() uintptr { return uintptr(8 * t.shoup()) }

// longest bounds the products of one call, as the scheduler cannot interrupt
// assembly: some 30 µs.
const longest = 1 << 17

// dotKernels takes all rows for some points before the next, as then what
// belongs to these in w stays in a near cache.
func (m *Modulus) dotKernels(dst []uint64, rows, n, stride int, t Factors, w []uint64, terms int) {
	tiles, points := max(1, min(n, t.Spread)/lanes), min(n/lanes, ceil(n, t.Spread))
	shift := bits.TrailingZeros(uint(t.Spread))
	ld, row, step := uintptr(8*stride), uintptr(8*t.Row), uintptr(8*t.Step)
	run := max(1, longest/(4*terms*tiles*lanes)) // of points
	for p := 0; p < points; p += run {
		x, c := p*tiles*lanes, uintptr(min(run, points-p))
		b := &w[x*terms]
		for r := 0; r < rows; {
			d, v := &dst[r*stride+x], &t.V[r*t.Row+x>>shift]
			four := rows-r >= 4
			switch {
			case t.Spread >= lanes && four:
				dot4(d, ld, v, row, step, b, uintptr(terms), c, uintptr(tiles), &m.c[0])
			case t.Spread >= lanes:
				dot1(d, v, step, b, uintptr(terms), c, uintptr(tiles), &m.c[0])
			case four:
				narrow4(d, ld, v, row, step, b, uintptr(terms), c, uintptr(64>>shift), uintptr(64*shift), &m.c[0])
			default:
				narrow1(d, v, step, b, uintptr(terms), c, uintptr(64>>shift), uintptr(64*shift), &m.c[0])
			}
			if r++; four {
				r += 3
			}
		}
	}
}

// whole is the part of n that kernels do.
func whole(n int) int {
	if use == portable {
		return 0
	}
	return n &^ (lanes - 1)
}

// What follows returns how many elements it has done.

func (m *Modulus) mulAddKernel(acc, a, b []uint64) int {
	n := whole(len(acc))
	if n > 0 {
		_, _ = a[n-1], b[n-1]
		mulAdd(&acc[0], &a[0], &b[0], uintptr(n/lanes), &m.c[0])
	}
	return n
}

func (m *Modulus) addSmallKernel(acc []uint64, e []int64) int {
	n := whole(len(acc))
	if n > 0 {
		_ = e[n-1]
		addSmall(&acc[0], &e[0], uintptr(n/lanes), &m.c[0])
	}
	return n
}

func (m *Modulus) signedKernel(dst, hi, lo []uint64, f *[5]uint64) int {
	n := whole(len(hi))
	if n == 0 {
		return 0
	}
	_ = dst[n-1]
	if lo == nil {
		signed(&dst[0], &hi[0], uintptr(n/lanes), &f[0], &m.c[0])
		return n
	}
	_ = lo[n-1]
	signedLow(&dst[0], &hi[0], &lo[0], uintptr(n/lanes), &f[0], &m.c[0])
	return n
}

func (m *Modulus) fractionsKernel(hi, lo, p []uint64, f *[crtConstants]uint64) int {
	n := whole(len(hi))
	if n > 0 {
		_, _ = lo[n-1], p[n-1]
		fractions(&hi[0], &lo[0], &p[0], uintptr(n/lanes), &f[0], &m.c[0])
	}
	return n
}

func roundKernel(hi, lo []uint64, f *[6]uint64, drop uint64) int {
	n := whole(len(hi))
	if n > 0 {
		_ = lo[n-1]
		g := [...]uint64{f[0], f[1], f[2], f[3], f[4], f[5], drop, wordMask}
		rounded(&hi[0], &lo[0], uintptr(n/lanes), &g[0])
	}
	return n
}

func ternaryKernel(dst []int64, random []byte) (done int, again uint64) {
	n := whole(len(dst))
	if n > 0 {
		_ = random[4*n-1]
		again = ternary(&dst[0], &random[0], uintptr(n/lanes))
	}
	return n, again
}

func gaussianKernel(dst []int64, random []byte) int {
	n := whole(len(dst))
	if n > 0 {
		_ = random[8*n-1]
		gaussian(&dst[0], &random[0], uintptr(n/lanes), &thresholds[0])
	}
	return n
}

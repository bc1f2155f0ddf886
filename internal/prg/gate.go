package prg

import "crypto/subtle"

// stretch is the number of blocks that [Deltas], [Sum] and the gates work on at
// a time: few enough to stay in the first cache.
const stretch = 256

// zeros stand for operands that are not there.
var zeros [stretch]Block

// part returns the blocks lo to hi−1 of v, of zeros if v is nil.
func part(v []Block, lo, hi int) []Block {
	if v == nil {
		return zeros[: hi-lo : hi-lo]
	}
	return v[lo:hi:hi]
}

// Deltas sets dst[i] = x[i]·delta ⊕ a[i] ⊕ b[i], with the lowest bit of x[i], for
// all of x, in constant time. A nil a or b is zero. dst may be a or b, else they
// do not overlap.
func Deltas(dst []Block, x []uint8, delta Block, a, b []Block) {
	dst = dst[:len(x):len(dst)]
	for lo := 0; lo < len(x); lo += stretch {
		hi := min(lo+stretch, len(x))
		d, x, a, b := dst[lo:hi], x[lo:hi], part(a, lo, hi), part(b, lo, hi)
		for i := deltasKernel(d, x, &delta, a, b); i < len(x); i++ {
			d[i] = Xor(And(delta, x[i]), Xor(a[i], b[i]))
		}
	}
}

// Sum sets dst to the sum of the vectors, of which there is one or more, as far
// as dst goes. It may be the first of them, else they do not overlap.
func Sum(dst []Block, vectors ...[]Block) {
	for lo := 0; lo < len(dst); lo += stretch {
		hi := min(lo+stretch, len(dst))
		d := Bytes(dst[lo:hi])
		if len(vectors) == 1 {
			copy(d, Bytes(vectors[0][lo:hi]))
			continue
		}
		subtle.XORBytes(d, Bytes(vectors[0][lo:hi]), Bytes(vectors[1][lo:hi]))
		for _, v := range vectors[2:] {
			subtle.XORBytes(d, d, Bytes(v[lo:hi]))
		}
	}
}

// Gates are the inputs of [Hash.HalfGates]: vectors over some gates. Those of
// Add0, Add1 and AddK may be nil, for zero.
type Gates struct {
	A, B             []Block // zero labels of the operands
	Add0, Add1, AddK [2][]Block
	TweakA, TweakB   Block // as of the first gate
	Delta            Block
}

// HalfGates garbles a gate for every block of g.A, with H tweaked by TweakA + i
// for A and by TweakB + i for B:
//
//	g0 = H(A) ⊕ H(A ⊕ Delta) ⊕ ΣAdd0
//	g1 = H(B) ⊕ H(B ⊕ Delta) ⊕ ΣAdd1
//	k  = H(A) ⊕ H(B) ⊕ ΣAddK
//
// The low words of both tweaks are equal. Outputs overlap nothing else.
func (h *Hash) HalfGates(g0, g1, k []Block, g *Gates) {
	n := len(g.A)
	recordTweaks(h.name, g.TweakA, n)
	recordTweaks(h.name, g.TweakB, n)
	if g.TweakA[0] != g.TweakB[0] {
		panic("prg: half gates: tweaks of different elements")
	}
	for lo := 0; lo < n; lo += stretch {
		hi := min(lo+stretch, n)
		s := Gates{
			A: g.A[lo:hi], B: g.B[lo:hi], Delta: g.Delta,
			TweakA: countUp(g.TweakA, lo), TweakB: countUp(g.TweakB, lo),
		}
		for i := range 2 {
			s.Add0[i], s.Add1[i], s.AddK[i] = part(g.Add0[i], lo, hi), part(g.Add1[i], lo, hi), part(g.AddK[i], lo, hi)
		}
		h.halfGates(g0[lo:hi:hi], g1[lo:hi:hi], k[lo:hi:hi], &s)
	}
}

func countUp(tweak Block, n int) Block { return Block{tweak[0] + uint64(n), tweak[1]} }

// halfGates garbles a stretch.
func (h *Hash) halfGates(g0, g1, k []Block, g *Gates) {
	done := halfGatesKernel(g0, g1, k, g, &h.rk)
	if done == len(g.A) {
		return
	}
	g0, g1, k = g0[done:], g1[done:], k[done:]
	var hb [stretch]Block
	h.pair(k, g0, g.A[done:], countUp(g.TweakA, done), g.Delta)
	h.pair(hb[:len(k)], g1, g.B[done:], countUp(g.TweakB, done), g.Delta)
	XorInto(k, hb[:len(k)])
	for i := range 2 {
		XorInto(g0, g.Add0[i][done:])
		XorInto(g1, g.Add1[i][done:])
		XorInto(k, g.AddK[i][done:])
	}
}

// Rows are the inputs of [Hash.Evaluate]: vectors over some gates, with bits
// packed as [Lsbs] packs them.
type Rows struct {
	A, B           []Block // active labels of the operands
	G0, G1, K      []Block // rows; if K is nil there are none
	La, Lb         []uint16
	TweakA, TweakB Block
}

// Evaluate evaluates a gate for every block of r.A. It sets
//
//	z = H(A) ⊕ H(B) ⊕ K ⊕ La·G0 ⊕ Lb·(G1 ⊕ A)
//
// or, where there are no rows, adds H(A) ⊕ H(B) to z, with tweaks as
// [Hash.HalfGates] has them. z overlaps nothing else.
func (h *Hash) Evaluate(z []Block, r *Rows) {
	n := len(r.A)
	z, b := z[:n:len(z)], r.B[:n]
	if r.TweakA[0] != r.TweakB[0] {
		panic("prg: evaluate: tweaks of different elements")
	}
	done := evaluateKernel(z, r, &h.rk)
	if r.K != nil {
		for i := done; i < n; i++ {
			la, lb := -uint64(r.La[i/16]>>(i%16)&1), -uint64(r.Lb[i/16]>>(i%16)&1)
			for w := range 2 {
				z[i][w] = r.K[i][w] ^ la&r.G0[i][w] ^ lb&(r.G1[i][w]^r.A[i][w])
			}
		}
	}
	var hashes [stretch]Block
	for i := done; i < n; i += stretch {
		end := min(i+stretch, n)
		s := hashes[:end-i]
		h.Sum(s, r.A[i:end], countUp(r.TweakA, i))
		XorInto(z[i:], s)
		h.Sum(s, b[i:end], countUp(r.TweakB, i))
		XorInto(z[i:], s)
	}
}

package prg

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

var rng = rand.New(rand.NewPCG(1, 2))

func block() Block { return Block{rng.Uint64(), rng.Uint64()} }

func blocks(n int) []Block {
	b := make([]Block, n)
	for i := range b {
		b[i] = block()
	}
	return b
}

// atLevels runs f at every level that this machine has.
func atLevels(t *testing.T, f func(t *testing.T)) {
	defer func(l level) { use = l }(use)
	for l := range best() + 1 {
		use = l
		t.Run(l.String(), f)
	}
}

// lengths meets every tail of every kernel, with and without whole runs.
func lengths() []int {
	var n []int
	for i := range 70 {
		n = append(n, i)
	}
	return append(n, 127, 128, 129, 255, 511, 1000, 1<<14, 1<<14+21) // 1<<14: the longest call of a kernel
}

// pi is AES by the standard library.
func pi(k, x Block) Block {
	var b [32]byte
	for i, w := range []uint64{k[0], k[1], x[0], x[1]} {
		binary.LittleEndian.PutUint64(b[8*i:], w)
	}
	c, err := aes.NewCipher(b[:16])
	if err != nil {
		panic(err)
	}
	c.Encrypt(b[16:], b[16:])
	return Block{le64(b[16:]), le64(b[24:])}
}

// naiveHash is the formula of [Hash].
func naiveHash(k, x, tweak Block) Block {
	s := Block{x[0] ^ x[1] ^ tweak[0], x[0] ^ tweak[1]}
	return Xor(pi(k, s), s)
}

// guarded returns room for n blocks, and a function that tells whether anything
// was written around it.
func guarded(n int) ([]Block, func() bool) {
	g := blocks(n + 64)
	before := slices.Clone(g)
	return g[32 : 32+n : 32+n], func() bool {
		return slices.Equal(g[:32], before[:32]) && slices.Equal(g[32+n:], before[32+n:])
	}
}

func check(t *testing.T, what string, got, want []Block, intact func() bool) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%s: block %d of %d differs", what, i, len(want))
		}
	}
	if !intact() {
		t.Fatalf("%s of %d: wrote outside", what, len(want))
	}
}

func TestSumAndPairAreTheFormula(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		k := block()
		h := NewHash(k)
		for _, n := range lengths() {
			src, _ := guarded(n)
			tweak, delta := block(), block()
			if n%2 == 1 {
				tweak[0] = -uint64(n / 2) // wraps, and does not carry into the high word
			}
			want, wantX := make([]Block, n), make([]Block, n)
			for i, x := range src {
				ti := Block{tweak[0] + uint64(i), tweak[1]}
				want[i] = naiveHash(k, x, ti)
				wantX[i] = Xor(want[i], naiveHash(k, Xor(x, delta), ti))
			}
			dst, ok := guarded(n)
			h.Sum(dst, src, tweak)
			check(t, "sum", dst, want, ok)
			h0, ok0 := guarded(n)
			hx, okX := guarded(n)
			h.Pair(h0, hx, src, tweak, delta)
			check(t, "h0", h0, want, ok0)
			check(t, "hx", hx, wantX, okX)

			inPlace, ok := guarded(n)
			copy(inPlace, src)
			h.Sum(inPlace, inPlace, tweak)
			check(t, "sum in place", inPlace, want, ok)
			copy(inPlace, src)
			ForgetTweaks()
			h.Pair(inPlace, hx, inPlace, tweak, delta)
			check(t, "h0 in place", inPlace, want, ok)
			check(t, "hx in place", hx, wantX, okX)
		}
	})
}

// A garbled gate that is evaluated gives the label of its value, for which the
// rows add up as those of all garblers do.
func TestHalfGatesAreTheFormula(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		for _, n := range lengths() {
			k, delta := block(), block()
			h, tweak := NewHash(k), block()
			ta, tb := tweak, Block{tweak[0], ^tweak[1]}
			a, b, x, y := blocks(n), blocks(n), blocks(n), blocks(n)
			g0, ok0 := guarded(n)
			g1, ok1 := guarded(n)
			gk, okK := guarded(n)
			h.HalfGates(g0, g1, gk, &Gates{
				A: a, B: b, Add0: [2][]Block{x, y}, Add1: [2][]Block{y}, AddK: [2][]Block{nil, x}, TweakA: ta, TweakB: tb, Delta: delta,
			})
			want := [3][]Block{}
			for i := range n {
				hash := func(x, t Block) Block { return naiveHash(k, x, Block{t[0] + uint64(i), t[1]}) }
				ha, hb := hash(a[i], ta), hash(b[i], tb)
				want[0] = append(want[0], Xor(Xor(ha, hash(Xor(a[i], delta), ta)), Xor(x[i], y[i])))
				want[1] = append(want[1], Xor(Xor(hb, hash(Xor(b[i], delta), tb)), y[i]))
				want[2] = append(want[2], Xor(Xor(ha, hb), x[i]))
			}
			check(t, "G0", g0, want[0], ok0)
			check(t, "G1", g1, want[1], ok1)
			check(t, "K", gk, want[2], okK)

			la, lb := make([]uint16, (n+15)/16), make([]uint16, (n+15)/16)
			Lsbs(la, x)
			Lsbs(lb, y)
			z, okZ := guarded(n)
			r := Rows{A: a, B: b, G0: g0, G1: g1, K: gk, La: la, Lb: lb, TweakA: ta, TweakB: tb}
			h.Evaluate(z, &r)
			var sum []Block
			for i := range n {
				hash := func(x, t Block) Block { return naiveHash(k, x, Block{t[0] + uint64(i), t[1]}) }
				s := Xor(Xor(hash(a[i], ta), hash(b[i], tb)), gk[i])
				s = Xor(s, And(g0[i], uint8(x[i][0])))
				sum = append(sum, Xor(s, And(Xor(g1[i], a[i]), uint8(y[i][0]))))
			}
			check(t, "evaluation", z, sum, okZ)
			r.K = nil
			h.Evaluate(z, &r)
			for i := range n {
				sum[i] = Xor(Xor(sum[i], want[2][i]), x[i])
			}
			check(t, "evaluation without rows", z, sum, okZ)
		}
	})
}

func TestDeltasAndSumAreTheFormula(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		for _, n := range lengths() {
			a, b, c, delta := blocks(n), blocks(n), blocks(n), block()
			x := Bytes(blocks(n))[:n]
			dst, ok := guarded(n)
			var want, sum []Block
			for i := range n {
				want = append(want, Xor(And(delta, x[i]), Xor(a[i], b[i])))
				sum = append(sum, Xor(a[i], Xor(b[i], c[i])))
			}
			Deltas(dst, x, delta, a, b)
			check(t, "deltas", dst, want, ok)
			Sum(dst, a, b, c)
			check(t, "sum", dst, sum, ok)
			Sum(dst, a)
			check(t, "sum of one", dst, a, ok)
		}
	})
}

func TestGGMIsTheFormula(t *testing.T) {
	kl, kr := Block{0x243f6a8885a308d3, 0x13198a2e03707344}, Block{0xa4093822299f31d0, 0x082efa98ec4e6c89}
	atLevels(t, func(t *testing.T) {
		for _, n := range lengths() {
			src, intact := guarded(n)
			wantL, wantR := make([]Block, n), make([]Block, n)
			for i, s := range src {
				wantL[i], wantR[i] = Xor(pi(kl, s), s), Xor(pi(kr, s), s)
			}
			left, okL := guarded(n)
			right, okR := guarded(n)
			GGM(left, right, src)
			check(t, "left", left, wantL, okL)
			check(t, "right", right, wantR, okR)
			GGM(src, right, src)
			check(t, "left in place", src, wantL, intact)
			check(t, "right in place", right, wantR, okR)
		}
	})
}

// TestStreamIsOneString holds every level, and every way to read, against the
// counter mode of the standard library.
func TestStreamIsOneString(t *testing.T) {
	k := block()
	var kb [16]byte
	binary.LittleEndian.PutUint64(kb[:], k[0])
	binary.LittleEndian.PutUint64(kb[8:], k[1])
	c, err := aes.NewCipher(kb[:])
	if err != nil {
		t.Fatal(err)
	}
	nonce := rng.Uint64()
	var iv [16]byte
	binary.LittleEndian.PutUint64(iv[:], nonce)
	want := make([]byte, 1<<16)
	cipher.NewCTR(c, iv[:]).XORKeyStream(want, want)
	atLevels(t, func(t *testing.T) {
		for _, step := range []int{1, 3, 16, 63, 64, 65, 511, 512, 4096, 5000, 1 << 16} {
			s := newStream(k, nonce)
			got := make([]byte, len(want))
			for i := 0; i < len(got); i += step {
				s.Read(got[i:min(i+step, len(got))])
			}
			if !slices.Equal(got, want) {
				t.Fatalf("reads of %d bytes differ", step)
			}
		}
		s := newStream(k, nonce)
		for at := 0; at < len(want)-16*700; {
			if rng.IntN(2) == 0 {
				b := make([]byte, rng.IntN(300))
				s.Read(b)
				if !slices.Equal(b, want[at:at+len(b)]) {
					t.Fatalf("bytes at %d differ", at)
				}
				at += len(b)
				continue
			}
			b, ok := guarded(rng.IntN(600))
			s.Blocks(b)
			if !slices.Equal(Bytes(b), want[at:at+16*len(b)]) || !ok() {
				t.Fatalf("blocks at %d differ", at)
			}
			at += 16 * len(b)
		}
	})
}

// TestStreamsArePinned keeps the derivation: a party with another version would
// expand the same seed to something else.
func TestStreamsArePinned(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		seed := [32]byte{1, 2, 3}
		var b [40]byte
		NewStream(seed, "a", 5).Read(b[:])
		got := fmt.Sprintf("%x %x", b, DeriveBlock(seed[:], "a", 5))
		const want = "ea6ea6c461c87e4de8b8b8007747b712d9ffa901cad50e3178e69755c2d79fb17de05d5366eca0da [8a630461c38705dc 5ff0c50e5c0a0a0]"
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestNamesOfStreamsAreInjective(t *testing.T) {
	seed := [32]byte{7}
	seen := map[Block]string{}
	name := func(label string, index ...uint64) {
		what := fmt.Sprintf("%q %v", label, index)
		b := make([]Block, 1)
		NewStream(seed, label, index...).Blocks(b)
		for _, x := range []Block{b[0], DeriveBlock(seed[:], label, index...)} {
			if other, ok := seen[x]; ok {
				t.Errorf("%s meets %s", what, other)
			}
			seen[x] = what
		}
	}
	name("")
	name("", 0)
	name("", 0, 0)
	name("\x00\x00\x00\x00\x00\x00\x00\x00")
	name("a")
	name("a", 1)
	name("a", 1, 0)
	name("a", 0, 1)
	name("a\x01\x00\x00\x00\x00\x00\x00\x00")
	name("ab")
	name("stream")
	name("block")
}

func TestTransposeIsATransposition(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		for _, n := range []int{0, 1, 7, 8, 9, 63, 64, 65, 100, 511, 512, 513, 520, 1024, 1600, 4096} {
			for _, extra := range []int{0, 1, 64} {
				stride := (n+7)/8 + extra
				src := Bytes(blocks(8*stride + 1))[:127*stride+(n+7)/8]
				dst, ok := guarded(n)
				Transpose(dst, src, stride, n)
				for c := range n {
					for r := range 128 {
						if uint64(src[r*stride+c/8]>>(c%8)&1) != dst[c][r/64]>>(r%64)&1 {
							t.Fatalf("n %d stride %d: row %d column %d", n, stride, r, c)
						}
					}
				}
				if !ok() {
					t.Fatalf("n %d stride %d: wrote outside", n, stride)
				}
			}
		}
	})
}

func TestBlockOperations(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		for _, n := range lengths() {
			v, okV := guarded(n)
			sum, okS := guarded(n)
			b := blocks(n)
			wantV, wantS := slices.Clone(v), slices.Clone(sum)
			for i := range b {
				wantV[i], wantS[i] = Xor(wantV[i], b[i]), Xor(wantS[i], b[i])
			}
			Fold(v, sum, b)
			check(t, "fold v", v, wantV, okV)
			check(t, "fold sum", sum, wantS, okS)
			for _, bit := range []uint64{0, 1, 2, 3} {
				MaskXor(v, b, bit)
				for i := range b {
					wantV[i] = Xor(wantV[i], And(b[i], uint8(bit)))
				}
				check(t, "mask", v, wantV, okV)
			}
			XorInto(v, sum)
			for i := range wantV {
				wantV[i] = Xor(wantV[i], wantS[i])
			}
			check(t, "xor", v, wantV, okV)

			bits := slices.Repeat([]uint16{0xa5a5}, (n+15)/16+1)
			Lsbs(bits, v)
			for i := range 16 * (len(bits) - 1) {
				want := uint64(0)
				if i < n {
					want = v[i][0] & 1
				}
				if uint64(bits[i/16]>>(i%16)&1) != want {
					t.Fatalf("lsb %d of %d", i, n)
				}
			}
			if bits[len(bits)-1] != 0xa5a5 {
				t.Fatalf("lsbs of %d: wrote outside", n)
			}
		}
	})
}

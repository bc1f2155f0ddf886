package prg

// A Hash is the tweakable circular-correlation-robust hash
//
//	H(x, t) = π(σ(x) ⊕ t) ⊕ σ(x) ⊕ t,  σ(l ‖ r) = (l ⊕ r) ‖ l
//
// with π = AES-128 under the key of the hash. It may be used by several
// goroutines at once.
//
// Security: circular correlation robustness for naturally derived inputs
// (uniform keys and labels of honest runs) in the random-permutation model, for
// tweaks that never repeat under one key. For inputs that the adversary
// chooses it is not enough: H depends only on σ(x) ⊕ t.
//
// Reference: Guo, Katz, Wang, Weng, Yu, "Better Concrete Security for
// Half-Gates Garbling (in the Multi-instance Setting)", CRYPTO 2020,
// ePrint 2019/1168.
type Hash struct {
	key
	name Block // the key, for the check of tweaks
}

// NewHash returns the hash with the public key k, which is fresh for every
// batch and chunk of material.
func NewHash(k Block) *Hash { return &Hash{newKey(k, false), k} }

// Reset makes h the hash with the public key k, in the memory of h.
func (h *Hash) Reset(k Block) { h.key, h.name = newKey(k, false), k }

// sigma is a linear orthomorphism: σ and σ ⊕ id are bijections.
func sigma(x Block) Block { return Block{x[0] ^ x[1], x[0]} }

// Sum sets dst[i] = H(src[i], tweak + i) for all of src, where i is added to
// the low word of the tweak. dst may be src, else they do not overlap.
func (h *Hash) Sum(dst, src []Block, tweak Block) {
	dst = dst[:len(src):len(dst)]
	if len(src) == 0 || sumKernel(dst, src, &h.rk, &tweak) {
		return
	}
	h.portableBlocks(dst, func(st []Block, i int) {
		for j, x := range src[i : i+len(st)] {
			st[j] = Xor(sigma(x), Block{tweak[0] + uint64(i+j), tweak[1]})
		}
	})
}

// Pair sets h0[i] = H(src[i], tweak + i) and
// hx[i] = h0[i] ⊕ H(src[i] ⊕ delta, tweak + i) for all of src. h0 may be src,
// else the three do not overlap.
func (h *Hash) Pair(h0, hx, src []Block, tweak, delta Block) {
	recordTweaks(h.name, tweak, len(src))
	h.pair(h0, hx, src, tweak, delta)
}

func (h *Hash) pair(h0, hx, src []Block, tweak, delta Block) {
	h0, hx = h0[:len(src):len(h0)], hx[:len(src):len(hx)]
	if len(src) == 0 || pairKernel(h0, hx, src, &h.rk, &tweak, &delta) {
		return
	}
	for i, x := range src {
		hx[i] = Xor(x, delta)
	}
	h.Sum(h0, src, tweak)
	h.Sum(hx, hx, tweak)
	XorInto(hx, h0)
}

package prg

// The public keys of the two permutations of [GGM]: digits of π.
var (
	ggmLeft  = newKey(Block{0x243f6a8885a308d3, 0x13198a2e03707344}, true)
	ggmRight = newKey(Block{0xa4093822299f31d0, 0x082efa98ec4e6c89}, true)
)

// GGM doubles seeds: it sets left[i] = π₀(s) ⊕ s and right[i] = π₁(s) ⊕ s for
// every s = src[i], with two fixed permutations. It is the length-doubling
// generator of a Goldreich-Goldwasser-Micali tree in the random-permutation
// model. left may be src, else the three do not overlap.
func GGM(left, right, src []Block) {
	left, right = left[:len(src):len(left)], right[:len(src):len(right)]
	if len(src) == 0 || ggmKernel(left, right, src, &ggmLeft.rk, &ggmRight.rk) {
		return
	}
	fill := func(st []Block, i int) { copy(st, src[i:]) }
	ggmRight.portableBlocks(right, fill)
	ggmLeft.portableBlocks(left, fill)
}

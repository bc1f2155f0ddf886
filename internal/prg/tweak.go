package prg

import "fmt"

// A Purpose says what a hash is for. It is the first part of every tweak.
type Purpose uint8

// The purposes, one for each use of [Hash] in the protocols.
const (
	BitAnd      Purpose = 1 + iota // products of authenticated bits
	BitRing                        // products of bits and ring elements
	PayloadWord                    // further words of a payload
	Garble                         // rows of garbled gates
	LastGate                       // the last gate of a circuit, of which only bits are needed
	Extension                      // oblivious-transfer extension
)

// Tweak returns the tweak of one hash. Its high word is
//
//	purpose(8) | owner(8) | half(1) | sender(7) | layer(24) | gate(16)
//
// with the most significant first, its low word is the element. The map is
// injective: Tweak panics if a part does not fit. [Hash.Sum] and [Hash.Pair]
// count the element up, so that one tweak serves a vector.
func Tweak(purpose Purpose, owner, half, sender, layer, gate int, element uint64) Block {
	part := func(x, bits int) uint64 {
		if x < 0 || x>>bits != 0 {
			panic(fmt.Sprintf("prg: tweak (%d, owner %d, half %d, sender %d, layer %d, gate %d) does not fit",
				purpose, owner, half, sender, layer, gate))
		}
		return uint64(x)
	}
	return Block{element, uint64(purpose)<<56 | part(owner, 8)<<48 | part(half, 1)<<47 |
		part(sender, 7)<<40 | part(layer, 24)<<16 | part(gate, 16)}
}

package ot

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/tacit-mpc/tacit/internal/prg"
)

// kappa is the number of bits of Δ, and of OTs that plant the trees of a pair.
const kappa = 128

// coverLen is the length of the message that plants the trees of a pair.
const coverLen = 2 * 16 * kappa

// plant grows κ/k trees of depth k from fresh seeds. It returns the leaves by
// tree and, for every tree and level, the sums of the left and of the right
// nodes. Leaf x is reached from the root in direction x_l at level l.
func plant(rng io.Reader, k int) (leaves [][]prg.Block, sums [][2]prg.Block, err error) {
	leaves = make([][]prg.Block, kappa/k)
	sums = make([][2]prg.Block, 0, kappa)
	seeds, err := randomBlocks(rng, len(leaves))
	if err != nil {
		return nil, nil, err
	}
	for t, seed := range seeds {
		nodes := make([]prg.Block, 1<<k)
		nodes[0] = seed
		for l := range k {
			w := 1 << l
			prg.GGM(nodes[:w], nodes[w:2*w], nodes[:w])
			sums = append(sums, [2]prg.Block{sum(nodes[:w]), sum(nodes[w : 2*w])})
		}
		leaves[t] = nodes
	}
	return leaves, sums, nil
}

// cover encrypts the two sums of every level under the two keys of an OT.
func cover(sums, keys [][2]prg.Block) []byte {
	msg := make([]byte, 0, coverLen)
	for l, s := range sums {
		msg = appendBlock(msg, prg.Xor(s[0], keys[l][0]))
		msg = appendBlock(msg, prg.Xor(s[1], keys[l][1]))
	}
	return msg
}

// regrow rebuilds the trees but for the leaf that Δ points to, from the key of
// every OT, which opens the sum on the side away from Δ. It returns leaf y ⊕
// Δ_t of tree t at index y, so that the missing one, set to zero, has index 0
// whatever Δ is; nothing here depends on Δ in time or in the memory it touches.
func regrow(k int, delta prg.Block, keys []prg.Block, msg []byte) [][]prg.Block {
	leaves := make([][]prg.Block, kappa/k)
	for t := range leaves {
		nodes := make([]prg.Block, 1<<k)
		for l := range k {
			i, w := t*k+l, 1<<l
			toward, away := nodes[:w], nodes[w:2*w]
			prg.GGM(toward, away, toward)
			bit := deltaBit(delta, i)
			for y := range toward { // swap if Δ goes right
				d := prg.And(prg.Xor(toward[y], away[y]), bit)
				toward[y], away[y] = prg.Xor(toward[y], d), prg.Xor(away[y], d)
			}
			left, right := readBlock(msg[32*i:]), readBlock(msg[32*i+16:])
			known := prg.Xor(right, prg.And(prg.Xor(left, right), bit)) // the side away from Δ
			away[0] = prg.Xor(prg.Xor(known, keys[i]), sum(away[1:]))
			toward[0] = prg.Block{}
		}
		leaves[t] = nodes
	}
	return leaves
}

// deltaBit returns bit i of Δ.
func deltaBit(delta prg.Block, i int) uint8 { return uint8(delta[i/64]>>(i%64)) & 1 }

// away returns the choice bits of the OTs that plant the trees for Δ: the
// complement of its bits.
func away(delta prg.Block) prg.Block { return prg.Block{^delta[0], ^delta[1]} }

// randomDelta draws Δ, whose lowest bit is 1 so that the lowest bits of a MAC
// and its key differ by the bit they authenticate.
func randomDelta(rng io.Reader) (prg.Block, error) {
	d, err := randomBlocks(rng, 1)
	if err != nil {
		return prg.Block{}, err
	}
	d[0][0] |= 1
	return d[0], nil
}

func randomBlocks(rng io.Reader, n int) ([]prg.Block, error) {
	b := make([]prg.Block, n)
	if _, err := io.ReadFull(rng, prg.Bytes(b)); err != nil {
		return nil, fmt.Errorf("random blocks: %w", err)
	}
	return b, nil
}

func sum(blocks []prg.Block) (s prg.Block) {
	for _, b := range blocks {
		s = prg.Xor(s, b)
	}
	return s
}

func appendBlock(dst []byte, b prg.Block) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, b[0]), b[1])
}

func readBlock(b []byte) prg.Block {
	return prg.Block{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
}

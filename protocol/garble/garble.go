// Package garble garbles circuits among n parties, of which all but one may be
// corrupt, for one of them to evaluate, many elements at a time.
//
// The evaluator E holds no labels; the other parties are garblers, each with a
// global difference Δᵢ whose lowest bit is 1. Every wire w has a mask λ_w, an
// authenticated bit shared by all parties, and every garbler a zero label lᵢ.
// Whoever evaluates sees the masked value L = w ⊕ λ_w and the active labels
// lᵢ ⊕ L·Δᵢ. Sums are free. For a product c = a·b, with p = λa·λb ⊕ λc, garbler
// j makes for every garbler i (the owner of the labels)
//
//	G0 = H(aⱼ) ⊕ H(aⱼ ⊕ Δⱼ) ⊕ [λb·Δᵢ]ⱼ
//	G1 = H(bⱼ) ⊕ H(bⱼ ⊕ Δⱼ) ⊕ [λa·Δᵢ]ⱼ   (⊕ aⱼ if i = j)
//	K  = H(aⱼ) ⊕ H(bⱼ) ⊕ [p·Δᵢ]ⱼ          (i = j: the zero label of c)
//
// where [·]ⱼ is an XOR share. The evaluator adds up what it gets, and its own
// shares: it keeps ΣG0, ΣG1 and ΣK. From active labels A, B it computes
//
//	label of c = ⊕ⱼ H(Aⱼ) ⊕ H(Bⱼ) ⊕ La·ΣG0 ⊕ Lb·(ΣG1 ⊕ Aᵢ) ⊕ ΣK
//
// and, as one garbler has told it the lowest bit of its zero label of c, Lc.
//
// What is known of a wire beforehand (see [circuits.Class]) saves work: masked
// inputs have the zero string for a zero label; their masked value is always 0,
// so such an operand needs no G1 and no hash; public inputs have mask 0, so that
// such an operand needs no product of masks; and where only the masked bit of a
// product is needed, rows are one bit and there are no owners.
//
// Security: passive, up to n−1 corrupt parties. For evaluator and garblers
// other than h, the rows of h open to one share [z]ₕ per gate and owner, which
// is determined by Lc and masked by the fresh block of λc; all other
// combinations stay under H(· ⊕ Δₕ). For garblers without the evaluator, the
// masked output is hidden by the evaluator's share of the masks. A public input
// has a fresh random label at every garbler and its value enters only once per
// label: two values under one label reveal Δ. H is circular correlation robust
// for labels of honest runs; its key is fresh for every batch, and tweaks
// name owner, half, garbler, layer, gate and element.
//
// Reference: S. Zahur, M. Rosulek, D. Evans, "Two Halves Make a Whole",
// EUROCRYPT 2015, ePrint 2014/756; X. Wang, S. Ranellucci, J. Katz, "Global-Scale
// Secure Multiparty Computation", CCS 2017, ePrint 2017/189; K. Yang, X. Wang,
// J. Zhang, "More Efficient MPC from Improved Triple Generation and
// Authenticated Garbling", CCS 2020, ePrint 2019/1104.
//
// Deviations: passive security, so there are no checks of authenticated bits;
// the evaluator holds no difference of its own; it stores the sums of the rows,
// so that storage does not grow with the square of n; masked inputs have no
// labels; first and last gates are shorter, as said above. Rows go straight to
// the evaluator. Were they summed by their owner, with all K in its zero label,
// its label of a gate would wait for the others' rows of that gate, a round for
// each gate; and the evaluator keeps ΣK in any case, for its own share.
package garble

import (
	"fmt"

	"github.com/tacit-mpc/tacit/circuits"
	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/protocol/ot"
)

// A Batch is a vector of elements on which one circuit is evaluated by one
// party, as another party sees it. All of it is public.
type Batch struct {
	Circuit *circuits.Circuit
	Parties int
	Self    int
	Eval    int       // the evaluator
	Key     prg.Block // of the hash, fresh for every batch
	Layer   int       // with Element, the place in all tweaks
	Element uint64    // number of the first element
	Len     int
}

// garblers are all parties but the evaluator, in order. The first is the
// designated one, of whose zero labels the evaluator gets the lowest bit.
func (b *Batch) garblers() []int {
	g := make([]int, 0, b.Parties-1)
	for i := range b.Parties {
		if i != b.Eval {
			g = append(g, i)
		}
	}
	return g
}

func (b *Batch) keys() ot.Set { return ot.All(b.Parties).Without(b.Eval) }

// tweak returns the tweak of the hash of garbler from's label at a gate.
func (b *Batch) tweak(g gate, owner, half, from int) prg.Block {
	purpose := prg.Garble
	if !g.labelled {
		purpose, owner = prg.LastGate, 0
	}
	return prg.Tweak(purpose, owner, half, from, b.Layer, g.number, b.Element)
}

// A gate is a product, with what matters of its classes.
type gate struct {
	number    int
	a, b, out circuits.Wire
	labelled  bool // the output needs labels
	varies    bool // the masked value of b is not always 0
	product   bool // the masks of a and b have a product
}

func gates(c *circuits.Circuit) []gate {
	var gs []gate
	for k, w := range c.Ands() {
		g := c.Gates()[w]
		gs = append(gs, gate{
			number: k, a: g.A, b: g.B, out: w,
			labelled: c.Class(w).Has(circuits.Label),
			varies:   !c.Class(g.B).Has(circuits.Latent),
			product:  c.HasProduct(w),
		})
	}
	return gs
}

// rows returns how many vectors of blocks the evaluator keeps for one gate and
// owner: ΣG0, ΣG1 where b varies, ΣK.
func (g gate) rows() int {
	if !g.labelled {
		return 0
	}
	if g.varies {
		return 3
	}
	return 2
}

// bits returns how many vectors of bits the evaluator keeps for a gate: the
// correction of a labelled one, the rows of another.
func (g gate) bits() int {
	if g.labelled {
		return 1
	}
	if g.varies {
		return 3
	}
	return 2
}

// Sizes of one element, in vectors, for circuit c among n parties.
type sizes struct {
	rows, bits int // kept by the evaluator
	sentRows   int // sent by a garbler
	sentBits   int // sent by a garbler that is not designated
	correction int // sent by the designated one in addition
}

func sizesOf(c *circuits.Circuit, n int) sizes {
	var s sizes
	for _, g := range gates(c) {
		s.rows += g.rows() * (n - 1)
		s.bits += g.bits()
		if g.labelled {
			s.sentRows += g.rows()*(n-1) - 1 // no K of its own
			s.correction++
		} else {
			s.sentBits += g.bits()
		}
	}
	return s
}

func (b *Batch) sizes() sizes { return sizesOf(b.Circuit, b.Parties) }

// sentBitRows is how many vectors of bits garbler j sends.
func (b *Batch) sentBitRows(j int) int {
	s := b.sizes()
	if j == b.garblers()[0] {
		return s.sentBits + s.correction
	}
	return s.sentBits
}

// Labels sets dst to this garbler's labels of the public inputs for their
// values, input by input. Values has a vector of bits for every public input;
// inputs of which no label is needed are left out of dst. The seed, with its
// batch, must be used for one vector of values only.
func (b *Batch) Labels(dst []prg.Block, seed [32]byte, delta prg.Block, values [][]uint8) {
	b.zeroLabels(dst, seed)
	for p, w := range b.Circuit.Public() {
		if !b.Circuit.Class(w).Has(circuits.Label) {
			continue
		}
		prg.Deltas(dst, values[p][:b.Len], delta, dst[:b.Len], nil)
		dst = dst[b.Len:]
	}
}

// zeroLabels fills dst with the zero labels of the public inputs.
func (b *Batch) zeroLabels(dst []prg.Block, seed [32]byte) {
	if len(dst) != b.LabelLen() {
		panic(fmt.Sprintf("garble: room for %d labels, want %d", len(dst), b.LabelLen()))
	}
	prg.NewStream(seed, "labels", uint64(b.Eval), b.Element).Blocks(dst)
}

// LabelLen is the number of labels of public inputs that each garbler sends
// for the batch.
func (b *Batch) LabelLen() int { return b.Circuit.Labelled() * b.Len }

package circuits

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// compare evaluates Comparison(m) on the pairs (c, r), 64 at a time.
func compare(circuit *Circuit, m int, c, r []uint64) uint64 {
	public, masked := make([]uint64, m), make([]uint64, m)
	for t := range c {
		for k := range m {
			public[k] |= (^c[t] >> k & 1) << t
			masked[k] |= (r[t] >> k & 1) << t
		}
	}
	return circuit.Eval(public, masked)
}

func sign(c, r uint64, m int) uint64 { return ^((c - r) >> (m - 1)) & 1 }

func TestComparisonIsRightForAllSmallInputs(t *testing.T) {
	for m := 2; m <= 8; m++ {
		circuit := Comparison(m)
		for c := range uint64(1) << m {
			for r0 := uint64(0); r0 < 1<<m; r0 += 64 {
				n := min(64, 1<<m-r0)
				cs, rs := make([]uint64, n), make([]uint64, n)
				for i := range n {
					cs[i], rs[i] = c, r0+i
				}
				got := compare(circuit, m, cs, rs)
				for i := range n {
					if got>>i&1 != sign(c, r0+i, m) {
						t.Fatalf("m = %d: comparison of %d and %d is wrong", m, c, r0+i)
					}
				}
			}
		}
	}
}

func TestComparisonIsRightForRandomWideInputs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for m := 9; m <= MaxBits; m++ {
		circuit := Comparison(m)
		c, r := make([]uint64, 64), make([]uint64, 64)
		for i := range c {
			c[i], r[i] = rng.Uint64(), rng.Uint64()
			if i%4 == 0 { // near the boundary
				c[i] = r[i] + uint64(i/4) - 8
			}
		}
		got := compare(circuit, m, c, r)
		for i := range c {
			if got>>i&1 != sign(c[i], r[i], m) {
				t.Fatalf("m = %d: comparison of %d and %d is wrong", m, c[i], r[i])
			}
		}
	}
}

func TestComparisonCounts(t *testing.T) {
	for m := 2; m <= MaxBits; m++ {
		c := Comparison(m)
		all, labelled := c.Products()
		got := fmt.Sprint(len(c.Ands()), len(c.Public()), len(c.Masked()), c.Labelled(), all, labelled)
		want := fmt.Sprint(m-1, m, m, m-1, m-2, max(m-3, 0))
		if got != want {
			t.Errorf("m = %d: ands, public, masked, labelled, products, labelled products: %s, want %s", m, got, want)
		}
	}
}

// The classes are claims about all inputs; here they are checked on all.
func TestClassesHold(t *testing.T) {
	const m = 4
	c := Comparison(m)
	first, last := c.Ands()[0], c.Ands()[m-2]
	if g := c.Gates()[first]; !c.Class(g.A).Has(MaskZero) || !c.Class(g.B).Has(Latent) || c.HasProduct(first) {
		t.Error("the first gate has a product, or operands out of order")
	}
	if !c.Class(first).Has(Label) || c.Class(last).Has(Label) || c.Class(c.Out()).Has(Label) {
		t.Error("labels are needed of the first gate, and neither of the last nor of the output")
	}
	for _, w := range c.Public() {
		if !c.Class(w).Has(MaskZero) || c.Class(w).Has(Latent) {
			t.Error("a public input varies and has no mask")
		}
	}
	for w, g := range c.Gates() {
		class := c.Class(Wire(w))
		if g.Op == And && class&(MaskZero|Latent) != 0 {
			t.Errorf("wire %d: the output of an and has a mask and a masked value of its own", w)
		}
		if g.Op == Xor && class.Has(Latent) != (c.Class(g.A).Has(Latent) && c.Class(g.B).Has(Latent)) {
			t.Errorf("wire %d: a sum is latent where both summands are", w)
		}
	}
}

func TestAndPutsTheLatentOperandLast(t *testing.T) {
	var b Builder
	p, r := b.Public(), b.Masked()
	w := b.And(r, p)
	c := b.Build(w)
	if g := c.Gates()[w]; g.A != p || g.B != r {
		t.Errorf("operands %d, %d, want %d, %d", g.A, g.B, p, r)
	}
}

func TestBuilderRefuses(t *testing.T) {
	for name, f := range map[string]func(b *Builder){
		"and of public inputs":  func(b *Builder) { b.And(b.Public(), b.Public()) },
		"and of masked inputs":  func(b *Builder) { b.And(b.Masked(), b.Masked()) },
		"comparison of one bit": func(*Builder) { Comparison(1) },
		"comparison of 65 bits": func(*Builder) { Comparison(65) },
		"missing inputs":        func(*Builder) { Comparison(3).Eval(nil, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("accepted")
				}
			}()
			f(new(Builder))
		})
	}
}

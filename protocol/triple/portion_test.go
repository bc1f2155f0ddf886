package triple

import (
	"testing"

	"github.com/tacit-mpc/tacit/internal/ring"
	"pgregory.net/rapid"
)

// TestPortionsFit checks that portions fit, are no smaller than they must be, and
// cost no replies that a portion of all that fits would save.
func TestPortionsFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 5).Draw(t, "parties")
		batch := rapid.IntRange(1, 500).Draw(t, "batch")
		layers := []Layer{
			{ring.MatMul(1, rapid.IntRange(1, 300).Draw(t, "in"), rapid.IntRange(1, 40).Draw(t, "out")), 32},
			{conv(rapid.IntRange(3, 12).Draw(t, "size"), 2, 3, 4), 40},
		}
		memory := rapid.Int64Range(1, 1<<20).Draw(t, "memory")
		each := int64(0)
		for _, l := range layers {
			each += 8 * int64(l.Conv.InLen()+l.Conv.OutLen())
		}
		fit := Fit(layers, memory)
		if fit > 1 && int64(fit)*each > memory || int64(fit+1)*each <= memory {
			t.Fatalf("%d inferences of %d bytes in %d", fit, each, memory)
		}
		planned := min(batch, fit)
		size := Portion(n, layers, planned, batch, memory)
		if size > min(batch, fit) || 2*size < min(batch, fit) {
			t.Fatalf("portions of %d of %d, %d fit", size, batch, fit)
		}
		p := newPlan(n, layers, planned)
		if got, most := p.replies(size, batch), p.replies(min(batch, fit), batch); got > most {
			t.Fatalf("%d replies in portions of %d, %d of all that fit", got, size, most)
		}
	})
}

// TestPortionsFillCiphertexts cuts a batch where ciphertexts are full, though
// half a ciphertext more would fit.
func TestPortionsFillCiphertexts(t *testing.T) {
	layers := []Layer{{ring.MatMul(1, 64, 8), 32}}
	p := newPlan(3, layers, 4096)
	full := 1
	for p.shapes[0].rows(full+1) == 1 {
		full++
	}
	fit := 2*full + full/2
	size := Portion(3, layers, 4096, 20*full, int64(fit)*8*(64+8))
	if size%full != 0 {
		t.Errorf("portions of %d, where %d fill a ciphertext and %d fit", size, full, fit)
	}
}

package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// scored returns a network of n scores that ends in a Softmax or a Sigmoid, or in
// nothing.
func scored(t *testing.T, n int, end string) *Graph {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	b := newNet(13, 0, 6).floats("w", []int64{6, int64(n)}, randoms(rng, 6*n, 1)...)
	last := "scores"
	if end == "" {
		last = "y"
	}
	b.node("MatMul", last, []string{"x", "w"}, nil)
	if end != "" {
		b.node(end, "y", []string{last}, nil)
	}
	return b.load(t)
}

func TestPolicies(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	rows := make([]float32, 40*6)
	for i := range rows {
		rows[i] = float32(rng.NormFloat64())
	}
	for _, c := range []struct {
		n    int
		end  string
		p    Policy
		len  int
		want func(y []float32) []float32 // of the output as exported
	}{
		{5, "Softmax", Policy{Reveal: RevealProbabilities}, 5, func(y []float32) []float32 { return y }},
		{5, "LogSoftmax", Policy{Reveal: RevealProbabilities}, 5, func(y []float32) []float32 {
			z := make([]float32, len(y))
			for i, v := range y {
				z[i] = float32(math.Exp(float64(v)))
			}
			return z
		}},
		{1, "Sigmoid", Policy{Reveal: RevealProbabilities}, 1, func(y []float32) []float32 { return y }},
		{5, "Softmax", Policy{Reveal: RevealLabel}, 1, func(y []float32) []float32 { return order(y)[:1] }},
		{5, "", Policy{Reveal: RevealLabel}, 1, func(y []float32) []float32 { return order(y)[:1] }},
		{5, "Softmax", Policy{Reveal: RevealTop, K: 3}, 3, func(y []float32) []float32 { return order(y)[:3] }},
		{2, "Softmax", Policy{Reveal: RevealTop, K: 2}, 2, order},
		{1, "Sigmoid", Policy{Reveal: RevealLabel}, 1, func(y []float32) []float32 { return atLeast(y, 0.5) }},
		{1, "Sigmoid", Policy{Reveal: RevealThreshold, Threshold: 0.7}, 1, func(y []float32) []float32 { return atLeast(y, 0.7) }},
		{3, "", Policy{Reveal: RevealThreshold, Threshold: -0.25}, 3, func(y []float32) []float32 { return atLeast(y, -0.25) }},
		{3, "Softmax", Policy{Reveal: RevealThreshold, Threshold: 0.4}, 3, func(y []float32) []float32 { return atLeast(y, 0.4) }},
	} {
		t.Run(fmt.Sprint(c.n, c.end, c.p.Reveal), func(t *testing.T) {
			g := scored(t, c.n, c.end)
			plain, err := g.Float(rows)
			if err != nil {
				t.Fatal(err)
			}
			r, err := g.Reveal(c.p)
			if err != nil {
				t.Fatal(err)
			}
			m, err := Compile(r, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if m.Manifest.Policy != c.p || m.Manifest.Output.Len() != c.len || len(m.Manifest.Post) != 0 {
				t.Fatalf("policy %v, %d outputs, %d steps at the client", m.Manifest.Policy, m.Manifest.Output.Len(), len(m.Manifest.Post))
			}
			checkPrivate(t, m, rows, rng)
			x, err := m.Manifest.Encode(rows)
			if err != nil {
				t.Fatal(err)
			}
			y, err := m.Eval(x, 40)
			if err != nil {
				t.Fatal(err)
			}
			got := m.Manifest.Decode(y)
			wrong := 0
			for i := range 40 {
				want := c.want(plain[i*c.n:][:c.n])
				for j, v := range want {
					if d := v - got[i*c.len+j]; d > 0.01 || d < -0.01 {
						wrong++
					}
				}
			}
			if wrong > 1 { // a score within rounding of another, or of the threshold
				t.Errorf("%d of 40 rows differ", wrong)
			}
		})
	}
}

// order returns the numbers of the elements, largest first.
func order(y []float32) []float32 {
	var v []float32
	used := make([]bool, len(y))
	for range y {
		best := -1
		for i := range y {
			if !used[i] && (best < 0 || y[i] > y[best]) {
				best = i
			}
		}
		used[best] = true
		v = append(v, float32(best))
	}
	return v
}

func atLeast(y []float32, c float32) []float32 {
	v := make([]float32, len(y))
	for i := range y {
		if y[i] >= c {
			v[i] = 1
		}
	}
	return v
}

func TestPolicyRefusals(t *testing.T) {
	for _, c := range []struct {
		n     int
		end   string
		p     Policy
		about string
	}{
		{3, "", Policy{Reveal: RevealProbabilities}, "does not end in a Softmax"},
		{1, "", Policy{Reveal: RevealLabel}, "has no classes"},
		{3, "", Policy{Reveal: RevealTop, K: 4}, "4 of 3"},
		{3, "", Policy{Reveal: RevealTop}, "k from 1"},
		{3, "", Policy{Reveal: "everything"}, "is not one of"},
		{3, "", Policy{Reveal: RevealLabel, Threshold: 1}, "no threshold"},
	} {
		_, err := scored(t, c.n, c.end).Reveal(c.p)
		if err == nil || !strings.Contains(err.Error(), c.about) {
			t.Errorf("%v: error %v, want one about %q", c.p, err, c.about)
		}
	}
}

package model

import (
	"math/rand/v2"
	"testing"
)

func randoms(rng *rand.Rand, n int, scale float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64() * scale)
	}
	return v
}

func TestLeNetQuick(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	b := newNet(13, 0, 1, 28, 28)
	b.floats("w1", []int64{6, 1, 5, 5}, randoms(rng, 150, 0.2)...).floats("b1", []int64{6}, randoms(rng, 6, 0.1)...)
	b.floats("w2", []int64{16, 6, 5, 5}, randoms(rng, 2400, 0.08)...).floats("b2", []int64{16}, randoms(rng, 16, 0.1)...)
	b.floats("w3", []int64{120, 400}, randoms(rng, 48000, 0.05)...).floats("b3", []int64{120}, randoms(rng, 120, 0.1)...)
	b.floats("w4", []int64{84, 120}, randoms(rng, 84*120, 0.09)...).floats("b4", []int64{84}, randoms(rng, 84, 0.1)...)
	b.floats("w5", []int64{10, 84}, randoms(rng, 840, 0.1)...).floats("b5", []int64{10}, randoms(rng, 10, 0.1)...)
	b.node("Conv", "c1", []string{"x", "w1", "b1"}, attrs{"pads": []int64{2, 2, 2, 2}}).node("Relu", "r1", []string{"c1"}, nil).node("MaxPool", "p1", []string{"r1"}, attrs{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}})
	b.node("Conv", "c2", []string{"p1", "w2", "b2"}, nil).node("Relu", "r2", []string{"c2"}, nil).node("MaxPool", "p2", []string{"r2"}, attrs{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}})
	b.node("Flatten", "f", []string{"p2"}, nil)
	b.node("Gemm", "g3", []string{"f", "w3", "b3"}, attrs{"transB": 1}).node("Relu", "r3", []string{"g3"}, nil)
	b.node("Gemm", "g4", []string{"r3", "w4", "b4"}, attrs{"transB": 1}).node("Relu", "r4", []string{"g4"}, nil)
	b.node("Gemm", "y", []string{"r4", "w5", "b5"}, attrs{"transB": 1})
	g := b.load(t)
	x := randoms(rng, 5*784, 1)
	var rows [][]float32
	for i := range 5 {
		rows = append(rows, x[i*784:][:784])
	}
	for _, cal := range [][][]float32{nil, rows} {
		m, err := Compile(g, Options{Calibration: cal})
		if err != nil {
			t.Fatal(err)
		}
		p := m.Manifest.Program
		for i, op := range p.Ops {
			t.Logf("%s %s in %v len %d width %d frac %d bits %d", op.Kind, op.Name, op.In, p.Values[i+1].Len, p.Values[i+1].Width, p.Values[i+1].Frac, op.Bits)
		}
		e, err := m.Manifest.Encode(x)
		if err != nil {
			t.Fatal(err)
		}
		z, err := m.Eval(e, 5)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := g.Raw(x)
		worst := 0.0
		for i, v := range m.Manifest.Fixed(z) {
			worst = max(worst, v-raw[i], raw[i]-v)
		}
		t.Logf("F %d in %+v ulp %+v bound(3) %d float bound %v worst %v", m.Manifest.FractionBits, m.Manifest.Input, m.Manifest.Ulp, m.Manifest.UlpBound(3), m.FloatBound(), worst)
		j, _ := m.Manifest.JSON()
		t.Log(len(j))
	}
}

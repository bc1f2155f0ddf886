package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// links are operators that keep the shape 2×4×4 of a row.
var links = []func(b *netBuilder, rng *rand.Rand, in, out string){
	func(b *netBuilder, _ *rand.Rand, in, out string) { b.node("Relu", out, []string{in}, nil) },
	func(b *netBuilder, rng *rand.Rand, in, out string) {
		b.floats(out+"lo", nil, float32(rng.NormFloat64())).floats(out+"hi", nil, float32(rng.NormFloat64()+1))
		b.node("Clip", out, []string{in, out + "lo", out + "hi"}, nil)
	},
	func(b *netBuilder, rng *rand.Rand, in, out string) {
		b.node("LeakyRelu", out, []string{in}, attrs{"alpha": rng.Float64() - 0.2})
	},
	func(b *netBuilder, rng *rand.Rand, in, out string) {
		b.floats(out+"a", []int64{2, 1, 1}, randoms(rng, 2, 0.3)...).node("PRelu", out, []string{in, out + "a"}, nil)
	},
	func(b *netBuilder, _ *rand.Rand, in, out string) { b.node("Abs", out, []string{in}, nil) },
	func(b *netBuilder, rng *rand.Rand, in, out string) {
		b.floats(out+"c", []int64{2, 1, 1}, randoms(rng, 2, 1)...).node("Max", out, []string{in, out + "c", "x"}, nil)
	},
	func(b *netBuilder, rng *rand.Rand, in, out string) {
		b.floats(out+"w", []int64{2, 2, 3, 3}, randoms(rng, 36, 0.3)...).floats(out+"b", []int64{2}, randoms(rng, 2, 0.3)...)
		b.node("Conv", out, []string{in, out + "w", out + "b"}, attrs{"pads": []int64{1, 1, 1, 1}})
	},
	func(b *netBuilder, rng *rand.Rand, in, out string) {
		b.floats(out+"w", []int64{2, 2, 2, 2}, randoms(rng, 16, 0.4)...)
		b.node("ConvTranspose", out+"t", []string{in, out + "w"}, attrs{"strides": []int64{2, 2}})
		b.node("MaxPool", out, []string{out + "t"}, attrs{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}})
	},
	func(b *netBuilder, _ *rand.Rand, in, out string) {
		b.floats(out+"s", []int64{4}, 1, 1, 2, 2).node("Resize", out+"u", []string{in, "", out + "s"}, attrs{"mode": "linear"})
		b.node("AveragePool", out, []string{out + "u"}, attrs{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}})
	},
	func(b *netBuilder, _ *rand.Rand, in, out string) {
		b.node("MaxPool", out, []string{in}, attrs{"kernel_shape": []int64{3, 3}, "pads": []int64{1, 1, 1, 1}})
	},
	func(b *netBuilder, rng *rand.Rand, in, out string) {
		b.ints(out+"p", []int64{8}, 0, 0, 1, 0, 0, 0, 0, 1).floats(out+"v", nil, float32(rng.NormFloat64())).ints(out+"s", []int64{2}, 0, 1)
		b.ints(out+"e", []int64{2}, 4, 5).ints(out+"x", []int64{2}, 2, 3)
		b.node("Pad", out+"q", []string{in, out + "p", out + "v"}, nil).node("Slice", out, []string{out + "q", out + "s", out + "e", out + "x"}, nil)
	},
	func(b *netBuilder, _ *rand.Rand, in, out string) {
		b.node("SpaceToDepth", out+"d", []string{in}, attrs{"blocksize": 2})
		b.node("DepthToSpace", out, []string{out + "d"}, attrs{"blocksize": 2, "mode": "CRD"})
	},
	func(b *netBuilder, _ *rand.Rand, in, out string) {
		b.node("ReduceMin", out+"m", []string{in}, attrs{"axes": []int64{2}}).node("Sub", out, []string{in, out + "m"}, nil)
	},
	func(b *netBuilder, _ *rand.Rand, in, out string) {
		b.ints(out+"i", []int64{4}, 3, 0, 2, 1).node("Gather", out+"g", []string{in, out + "i"}, attrs{"axis": 3})
		b.node("Mean", out, []string{out + "g", in}, nil)
	},
	func(b *netBuilder, rng *rand.Rand, in, out string) {
		b.floats(out+"c", []int64{2, 1, 1}, randoms(rng, 2, 1)...).node("Mul", out, []string{in, out + "c"}, nil)
	},
	func(b *netBuilder, _ *rand.Rand, in, out string) { b.node("HardSigmoid", out, []string{in}, nil) },
	func(b *netBuilder, _ *rand.Rand, in, out string) { b.node("Tanh", out, []string{in}, nil) },
	func(b *netBuilder, _ *rand.Rand, in, out string) { b.node("Softplus", out, []string{in}, nil) },
	func(b *netBuilder, rng *rand.Rand, in, out string) {
		b.node("Elu", out, []string{in}, attrs{"alpha": 0.5 + rng.Float64()})
	},
	func(b *netBuilder, _ *rand.Rand, in, out string) {
		b.node("Softsign", out+"e", []string{in}, nil).node("MaxPool", out, []string{out + "e"}, attrs{"kernel_shape": []int64{3, 3}, "pads": []int64{1, 1, 1, 1}})
	},
	func(b *netBuilder, rng *rand.Rand, in, out string) {
		b.floats(out+"w", []int64{2, 2, 1, 1}, randoms(rng, 4, 0.5)...).node("Sigmoid", out+"s", []string{in}, nil).node("Conv", out, []string{out + "s", out + "w"}, nil)
	},
}

// TestRandomCompositions joins operators at random: folding must keep the
// function, and both bounds must hold, whatever comes before and after.
func TestRandomCompositions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 10))
		b := newNet(13, 0, 2, 4, 4)
		in := "x"
		n := rapid.IntRange(1, 5).Draw(t, "links")
		for i := range n {
			out := fmt.Sprint("l", i)
			if i == n-1 {
				out = "y"
			}
			links[rapid.IntRange(0, len(links)-1).Draw(t, "link")](b, rng, in, out)
			in = out
		}
		g, err := Load(b.bytes("y"))
		if err != nil {
			t.Fatal(err)
		}
		x := randoms(rng, 4*32, 1)
		want, err := g.Raw(x)
		if err != nil {
			t.Fatal(err)
		}
		got, err := g.fold().Raw(x)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if math.Abs(got[i]-want[i]) > 1e-9 {
				t.Fatalf("output %d: %v after folding, %v before", i, got[i], want[i])
			}
		}
		for _, o := range []Options{{}, {Calibration: [][]float32{x[:32], x[32:64], x[64:96], x[96:]}}} {
			m, err := Compile(g, o)
			if err != nil {
				t.Fatal(err)
			}
			checkPrivate(t, m, x, rng)
			checkReal(t, m, g, x)
		}
	})
}

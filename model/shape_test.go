package model

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestShapeOperators(t *testing.T) {
	row := []float32{1, -2, 3, -4}
	square := []int64{0, 2, 2}
	one := func(op string, a attrs) func(*netBuilder) {
		return func(b *netBuilder) { b.node(op, "y", []string{"x"}, a) }
	}
	with := func(op string, a attrs, operands ...[]int64) func(*netBuilder) {
		return func(b *netBuilder) {
			in := []string{"x"}
			for i, v := range operands {
				name := string(rune('p' + i))
				if v == nil {
					name = ""
				} else {
					b.ints(name, []int64{int64(len(v))}, v...)
				}
				in = append(in, name)
			}
			b.node(op, "y", in, a)
		}
	}
	part := func(a attrs, operand string, outputs ...string) func(*netBuilder) {
		return func(b *netBuilder) {
			b.ints("sizes", []int64{2}, 1, 3)
			in := []string{"x"}
			if operand != "" {
				in = append(in, operand)
			}
			b.node("Split", outputs[0], in, a)
			b.m.Graph.Node[0].Output = outputs
		}
	}
	const all = 1<<63 - 1
	for _, c := range []struct {
		name  string
		opset int64
		shape []int64
		build func(*netBuilder)
		want  []float32
		rank  int
	}{
		{"slice 1", 1, []int64{0, 4}, one("Slice", attrs{"starts": []int64{0, 1}, "ends": []int64{all, -1}}), []float32{-2, 3}, 1},
		{"slice 10", 10, square, with("Slice", nil, []int64{1}, []int64{2}, []int64{-1}), []float32{-2, -4}, 2},
		{"slice backwards", 13, []int64{0, 4}, with("Slice", nil, []int64{-1}, []int64{-all}, []int64{1}, []int64{-2}), []float32{-4, -2}, 1},
		{"gather", 13, []int64{0, 4}, with("Gather", attrs{"axis": 1}, []int64{3, 0, -2}), []float32{-4, 1, 3}, 1},
		{"gather one", 13, square, func(b *netBuilder) { b.ints("i", nil, 1).node("Gather", "y", []string{"x", "i"}, attrs{"axis": -1}) }, []float32{-2, -4}, 1},
		{"gather twice", 13, square, func(b *netBuilder) {
			b.ints("i", []int64{2, 2}, 0, 1, 1, 0).node("Gather", "y", []string{"x", "i"}, attrs{"axis": 1})
		}, []float32{1, -2, 3, -4, 3, -4, 1, -2}, 3},
		{"gather a probability", 13, []int64{0, 4}, func(b *netBuilder) {
			b.ints("i", nil, 1).node("Sigmoid", "p", []string{"x"}, nil).node("Gather", "y", []string{"p", "i"}, attrs{"axis": 1})
		}, []float32{sig(-2)}, 0},
		{"split 2", 2, []int64{0, 4}, part(attrs{"axis": 1, "split": []int64{3, 1}}, "", "n", "y"), []float32{-4}, 1},
		{"split 11", 11, []int64{0, 4}, part(attrs{"axis": -1}, "", "y", "n"), []float32{1, -2}, 1},
		{"split 13", 13, []int64{0, 4}, part(attrs{"axis": 1}, "sizes", "n", "y"), []float32{-2, 3, -4}, 1},
		{"split 18", 18, []int64{0, 4}, part(attrs{"axis": 1, "num_outputs": 3}, "", "n", "m", "y"), nil, 0},
		{"concat with a constant", 13, square, func(b *netBuilder) {
			b.floats("c", []int64{1, 1, 2}, 7, 8).node("Concat", "y", []string{"c", "x", "c"}, attrs{"axis": 1})
		}, []float32{7, 8, 1, -2, 3, -4, 7, 8}, 2},
		{"pad with a number", 11, square, func(b *netBuilder) {
			b.ints("p", []int64{6}, 0, 1, 0, 0, -1, 1).floats("v", nil, 7).node("Pad", "y", []string{"x", "p", "v"}, nil)
		}, []float32{7, 7, 7, 1, -2, 7}, 2},
		{"pad 2", 2, []int64{0, 4}, one("Pad", attrs{"pads": []int64{0, 1, 0, 0}, "value": -0.5}), []float32{-0.5, 1, -2, 3, -4}, 1},
		{"pad edge", 13, []int64{0, 4}, with("Pad", attrs{"mode": "edge"}, []int64{0, 2, 0, 1}), []float32{1, 1, 1, -2, 3, -4, -4}, 1},
		{"pad reflect", 13, []int64{0, 4}, with("Pad", attrs{"mode": "reflect"}, []int64{0, 3, 0, 2}), []float32{-4, 3, -2, 1, -2, 3, -4, 3, -2}, 1},
		{"pad wrap", 19, []int64{0, 4}, with("Pad", attrs{"mode": "wrap"}, []int64{0, 1, 0, 2}), []float32{-4, 1, -2, 3, -4, 1, -2}, 1},
		{"expand", 13, []int64{0, 1, 2, 2}, with("Expand", nil, []int64{1, 2, 1, 2}), []float32{1, -2, 3, -4, 1, -2, 3, -4}, 3},
		{"expand in place", 8, []int64{0, 4, 1}, with("Expand", nil, []int64{2}), []float32{1, 1, -2, -2, 3, 3, -4, -4}, 2},
		{"tile", 13, square, with("Tile", nil, []int64{1, 2, 2}), []float32{1, -2, 1, -2, 3, -4, 3, -4, 1, -2, 1, -2, 3, -4, 3, -4}, 2},
		{"depth to space", 13, []int64{0, 4, 1, 1}, one("DepthToSpace", attrs{"blocksize": 2}), row, 3},
		{"space to depth", 13, []int64{0, 1, 2, 2}, one("SpaceToDepth", attrs{"blocksize": 2}), row, 3},
		{"largest 13", 13, square, one("ReduceMax", attrs{"axes": []int64{-1}}), []float32{1, 3}, 2},
		{"largest 18", 18, square, with("ReduceMax", attrs{"keepdims": 0}, []int64{1}), []float32{3, -2}, 1},
		{"least", 13, square, one("ReduceMin", attrs{"axes": []int64{1, 2}, "keepdims": 0}), []float32{-4}, 0},
		{"rows and all", 13, square, with("Slice", nil, []int64{0, 1}, []int64{all, 2}), []float32{3, -4}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newNet(c.opset, c.shape...)
			c.build(b)
			if c.want == nil {
				if _, err := Load(b.bytes("y")); err == nil || !strings.Contains(err.Error(), "do not divide 4") {
					t.Errorf("error %v", err)
				}
				return
			}
			if g := checkHand(t, b, row, c.want); len(g.Result) != c.rank {
				t.Errorf("result of shape %v, want %d axes", g.Result, c.rank)
			}
		})
	}
}

// TestRowsDoNotMix asserts that what would move elements between rows is refused.
func TestRowsDoNotMix(t *testing.T) {
	split := newNet(13, 0, 4).node("Split", "y", []string{"x"}, nil)
	split.m.Graph.Node[0].Output = []string{"y", "z"}
	for name, b := range map[string]*netBuilder{
		"slice":  newNet(13, 0, 4).ints("s", []int64{1}, 0).ints("e", []int64{1}, 1).node("Slice", "y", []string{"x", "s", "e"}, nil),
		"gather": newNet(13, 0, 4).ints("i", []int64{1}, 0).node("Gather", "y", []string{"x", "i"}, nil),
		"reduce": newNet(13, 0, 4).node("ReduceMax", "y", []string{"x"}, attrs{"axes": []int64{0}}),
		"split":  split,
	} {
		if _, err := Load(b.bytes("y")); err == nil || !strings.Contains(err.Error(), "mix rows") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for name, b := range map[string]*netBuilder{
		"expand": newNet(13, 0, 4).ints("s", []int64{2}, 3, 4).node("Expand", "y", []string{"x", "s"}, nil),
		"tile":   newNet(13, 0, 4).ints("s", []int64{2}, 2, 1).node("Tile", "y", []string{"x", "s"}, nil),
	} {
		if _, err := Load(b.bytes("y")); err == nil || !strings.Contains(err.Error(), "repeat rows") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestSpaceAndDepth composes SpaceToDepth with DepthToSpace of either mode: the
// one undoes the other, up to the order of channels.
func TestSpaceAndDepth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, c := rapid.IntRange(1, 3).Draw(t, "b"), rapid.IntRange(1, 3).Draw(t, "c")
		h, w := b*rapid.IntRange(1, 3).Draw(t, "h"), b*rapid.IntRange(1, 3).Draw(t, "w")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 5))
		x := randoms(rng, c*h*w, 1)
		n := newNet(13, 0, int64(c), int64(h), int64(w)).node("SpaceToDepth", "d", []string{"x"}, attrs{"blocksize": b})
		mode := rapid.SampledFrom([]string{"DCR", "CRD"}).Draw(t, "mode")
		want := slices.Clone(x)
		if mode == "CRD" { // channel (v, u, k) of the blocks is read as (k, v, u)
			for i := range want {
				k, y, z := i/(h*w), i/w%h, i%w
				d := (k*b+y%b)*b + z%b
				v, u, from := d/c/b, d/c%b, d%c
				want[i] = x[(from*h+y/b*b+v)*w+z/b*b+u]
			}
		}
		checkGeometry(t, n.node("DepthToSpace", "y", []string{"d"}, attrs{"blocksize": b, "mode": mode}), x, want, rng)
	})
}

// TestReductionGeometry compares maxima and minima over axes with loops.
func TestReductionGeometry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := [3]int{rapid.IntRange(1, 4).Draw(t, "a"), rapid.IntRange(1, 4).Draw(t, "b"), rapid.IntRange(1, 4).Draw(t, "c")}
		gone := [3]bool{rapid.Bool().Draw(t, "over a"), rapid.Bool().Draw(t, "over b"), true}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 6))
		x := randoms(rng, d[0]*d[1]*d[2], 1)
		op := rapid.SampledFrom([]string{"ReduceMax", "ReduceMin", "ReduceSum", "ReduceMean"}).Draw(t, "op")
		axes := []int64{}
		left, count := 1, 1
		for i, g := range gone {
			if g {
				axes, count = append(axes, int64(i+1)), count*d[i]
			} else {
				left *= d[i]
			}
		}
		want := make([]float32, left)
		seen := make([]bool, left)
		for i, v := range x {
			at := [3]int{i / (d[1] * d[2]), i / d[2] % d[1], i % d[2]}
			to := 0
			for a := range d {
				if !gone[a] {
					to = to*d[a] + at[a]
				}
			}
			switch {
			case !seen[to]:
				want[to] = v
			case op == "ReduceMax":
				want[to] = max(want[to], v)
			case op == "ReduceMin":
				want[to] = min(want[to], v)
			default:
				want[to] += v
			}
			seen[to] = true
		}
		if op == "ReduceMean" {
			for i := range want {
				want[i] /= float32(count)
			}
		}
		n := newNet(18, 0, int64(d[0]), int64(d[1]), int64(d[2])).ints("axes", []int64{int64(len(axes))}, axes...)
		checkGeometry(t, n.node(op, "y", []string{"x", "axes"}, attrs{"keepdims": rapid.IntRange(0, 1).Draw(t, "keep")}), x, want, rng)
	})
}

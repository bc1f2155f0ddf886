package model

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A geometry is one axis of windows, as ONNX attributes give it.
type geometry struct {
	n, kernel, stride, dilation, lo, hi int
	ceil                                bool
}

func drawGeometry(t *rapid.T, name string, pads bool) geometry {
	g := geometry{
		n: rapid.IntRange(1, 9).Draw(t, name+"n"), kernel: rapid.IntRange(1, 4).Draw(t, name+"kernel"),
		stride: rapid.IntRange(1, 3).Draw(t, name+"stride"), dilation: rapid.IntRange(1, 2).Draw(t, name+"dilation"),
	}
	if pads {
		g.lo, g.hi = rapid.IntRange(0, g.kernel-1).Draw(t, name+"lo"), rapid.IntRange(0, g.kernel-1).Draw(t, name+"hi")
	}
	if g.n+g.lo+g.hi < g.dilation*(g.kernel-1)+1 {
		g.n = g.dilation*(g.kernel-1) + 1
	}
	return g
}

// out is the number of windows: as many as start inside the image or the pad
// before it, of which, without ceil, all elements lie inside or in a pad.
func (g geometry) out() int {
	n := 0
	for {
		start := n * g.stride
		end := start + g.dilation*(g.kernel-1) + 1
		whole := end <= g.lo+g.n+g.hi
		more := g.ceil && start < g.lo+g.n && start+g.dilation*(g.kernel-1)+1-g.stride < g.lo+g.n+g.hi
		if !whole && !more {
			return n
		}
		n++
	}
}

// at is the input position of tap k of window o, and whether the declared pads
// reach that far; the position may lie outside of the image.
func (g geometry) at(o, k int) (i int, padded bool) {
	i = o*g.stride + k*g.dilation - g.lo
	return i, i < g.n+g.hi
}

func windowAttrs(y, x geometry) attrs {
	a := attrs{
		"strides":   []int64{int64(y.stride), int64(x.stride)},
		"dilations": []int64{int64(y.dilation), int64(x.dilation)},
		"pads":      []int64{int64(y.lo), int64(x.lo), int64(y.hi), int64(x.hi)},
	}
	if x.ceil {
		a["ceil_mode"] = 1
	}
	return a
}

// windowsOf calls f for every tap of every window of every channel.
func windowsOf(channels int, y, x geometry, f func(out, channel, ky, kx, iy, ix int, inside, padded bool)) {
	oh, ow := y.out(), x.out()
	for c := range channels {
		for oy := range oh {
			for ox := range ow {
				for ky := range y.kernel {
					for kx := range x.kernel {
						iy, py := y.at(oy, ky)
						ix, px := x.at(ox, kx)
						inside := iy >= 0 && iy < y.n && ix >= 0 && ix < x.n
						f((c*oh+oy)*ow+ox, c, ky, kx, iy, ix, inside, py && px)
					}
				}
			}
		}
	}
}

func TestConvolutionGeometry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		y, x := drawGeometry(t, "y", true), drawGeometry(t, "x", true)
		groups := rapid.IntRange(1, 3).Draw(t, "groups")
		in, out := rapid.IntRange(1, 2).Draw(t, "in"), rapid.IntRange(1, 2).Draw(t, "out")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		w := randoms(rng, groups*out*in*y.kernel*x.kernel, 1)
		image := randoms(rng, groups*in*y.n*x.n, 1)
		want := make([]float32, groups*out*y.out()*x.out())
		windowsOf(groups*out, y, x, func(o, c, ky, kx, iy, ix int, inside, _ bool) {
			for i := range in {
				if inside {
					want[o] += image[((c/out*in+i)*y.n+iy)*x.n+ix] * w[((c*in+i)*y.kernel+ky)*x.kernel+kx]
				}
			}
		})
		a := windowAttrs(y, x)
		a["group"] = groups
		b := newNet(13, 0, int64(groups*in), int64(y.n), int64(x.n))
		b.floats("w", []int64{int64(groups * out), int64(in), int64(y.kernel), int64(x.kernel)}, w...).node("Conv", "y", []string{"x", "w"}, a)
		checkGeometry(t, b, image, want, rng)
	})
}

func TestMaxPoolGeometry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		y, x := drawGeometry(t, "y", true), drawGeometry(t, "x", true)
		y.ceil = rapid.Bool().Draw(t, "ceil")
		x.ceil = y.ceil
		channels := rapid.IntRange(1, 2).Draw(t, "channels")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		image := randoms(rng, channels*y.n*x.n, 1)
		want := make([]float32, channels*y.out()*x.out())
		for i := range want {
			want[i] = float32(math.Inf(-1))
		}
		windowsOf(channels, y, x, func(o, c, _, _, iy, ix int, inside, _ bool) {
			if inside {
				want[o] = max(want[o], image[(c*y.n+iy)*x.n+ix])
			}
		})
		empty := slices.Contains(want, float32(math.Inf(-1)))
		a := windowAttrs(y, x)
		a["kernel_shape"] = []int64{int64(y.kernel), int64(x.kernel)}
		b := newNet(13, 0, int64(channels), int64(y.n), int64(x.n)).node("MaxPool", "y", []string{"x"}, a)
		if empty {
			checkRefused(t, b)
			return
		}
		checkGeometry(t, b, image, want, rng)
	})
}

func TestMaxPoolOverThreeAxes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z, y, x := drawGeometry(t, "z", true), drawGeometry(t, "y", true), drawGeometry(t, "x", true)
		z.ceil = rapid.Bool().Draw(t, "ceil")
		y.ceil, x.ceil = z.ceil, z.ceil
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 11))
		area, slice := y.n*x.n, y.out()*x.out()
		image := randoms(rng, 2*z.n*area, 1)
		want := make([]float32, 2*z.out()*slice)
		for i := range want {
			want[i] = float32(math.Inf(-1))
		}
		windowsOf(2, y, x, func(o, c, _, _, iy, ix int, inside, _ bool) {
			for oz := range z.out() {
				for kz := range z.kernel {
					if iz, _ := z.at(oz, kz); inside && iz >= 0 && iz < z.n {
						to := &want[(c*z.out()+oz)*slice+o%slice]
						*to = max(*to, image[(c*z.n+iz)*area+iy*x.n+ix])
					}
				}
			}
		})
		empty := slices.Contains(want, float32(math.Inf(-1)))
		a := attrs{"kernel_shape": []int64{int64(z.kernel), int64(y.kernel), int64(x.kernel)}}
		for name, v := range map[string][]int{
			"strides": {z.stride, y.stride, x.stride}, "dilations": {z.dilation, y.dilation, x.dilation}, "pads": {z.lo, y.lo, x.lo, z.hi, y.hi, x.hi},
		} {
			list := []int64{}
			for _, n := range v {
				list = append(list, int64(n))
			}
			a[name] = list
		}
		if z.ceil {
			a["ceil_mode"] = 1
		}
		b := newNet(13, 0, 2, int64(z.n), int64(y.n), int64(x.n)).node("MaxPool", "y", []string{"x"}, a)
		if empty {
			checkRefused(t, b)
			return
		}
		checkGeometry(t, b, image, want, rng)
	})
}

func TestAveragePoolGeometry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		y, x := drawGeometry(t, "y", true), drawGeometry(t, "x", true)
		y.ceil = rapid.Bool().Draw(t, "ceil")
		x.ceil = y.ceil
		include := rapid.IntRange(0, 1).Draw(t, "include")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		image := randoms(rng, 2*y.n*x.n, 1)
		want := make([]float32, 2*y.out()*x.out())
		count := make([]float32, len(want))
		windowsOf(2, y, x, func(o, c, _, _, iy, ix int, inside, padded bool) {
			if inside {
				want[o] += image[(c*y.n+iy)*x.n+ix]
			}
			if inside || include == 1 && padded {
				count[o]++
			}
		})
		empty := slices.Contains(count, 0)
		for i := range want {
			want[i] /= count[i]
		}
		a := windowAttrs(y, x)
		a["kernel_shape"], a["count_include_pad"] = []int64{int64(y.kernel), int64(x.kernel)}, include
		b := newNet(19, 0, 2, int64(y.n), int64(x.n)).node("AveragePool", "y", []string{"x"}, a)
		if empty {
			checkRefused(t, b)
			return
		}
		checkGeometry(t, b, image, want, rng)
	})
}

// checkRefused asserts that a network in which a window has no elements does not
// compile.
func checkRefused(t *rapid.T, b *netBuilder) {
	g, err := Load(b.bytes("y"))
	if err == nil {
		_, err = Compile(g, Options{})
	}
	if err == nil || !strings.Contains(err.Error(), "window") {
		t.Fatalf("error %v, want one about a window without elements", err)
	}
}

// checkGeometry compares a one-layer network with want, in floating and in
// fixed point and on shares.
func checkGeometry(t *rapid.T, b *netBuilder, image, want []float32, rng *rand.Rand) {
	g, err := Load(b.bytes("y"))
	if err != nil {
		t.Fatal(err)
	}
	y, err := g.Float(image)
	if err != nil {
		t.Fatal(err)
	}
	if len(y) != len(want) {
		t.Fatalf("%d elements, want %d", len(y), len(want))
	}
	m, err := Compile(g, Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := m.Manifest.Encode(image)
	if err != nil {
		t.Fatal(err)
	}
	z, err := m.Eval(e, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range m.Manifest.Fixed(z) {
		if d := math.Abs(float64(y[i] - want[i])); d > 1e-4 {
			t.Fatalf("element %d is %v, want %v", i, y[i], want[i])
		}
		if d := math.Abs(v - float64(want[i])); d > m.FloatBound()+1e-4 {
			t.Fatalf("element %d is %v in fixed point, want %v within %v", i, v, want[i], m.FloatBound())
		}
	}
	checkPrivate(t, m, image, rng)
}

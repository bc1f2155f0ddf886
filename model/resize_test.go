package model

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestResize(t *testing.T) {
	row := []float32{1, -2, 3, -4}
	scales := func(in ...string) func(*netBuilder, attrs, ...float32) {
		return func(b *netBuilder, a attrs, s ...float32) {
			op := "Resize"
			if in[0] == "" {
				op, in = "Upsample", in[1:]
			}
			b.floats("s", []int64{int64(len(s))}, s...).floats("roi", []int64{0}).node(op, "y", in, a)
		}
	}
	sizes := func(b *netBuilder, a attrs, s ...int64) {
		b.ints("s", []int64{int64(len(s))}, s...).node("Resize", "y", []string{"x", "", "", "s"}, a)
	}
	for _, c := range []struct {
		name  string
		opset int64
		shape []int64
		build func(*netBuilder)
		want  []float32
	}{
		{"Upsample 7", 7, []int64{0, 1, 4}, func(b *netBuilder) {
			b.node("Upsample", "y", []string{"x"}, attrs{"scales": []float32{1, 1, 2}})
		}, []float32{1, 1, -2, -2, 3, 3, -4, -4}},
		{"Upsample 9", 9, []int64{0, 1, 4}, func(b *netBuilder) { scales("", "x", "s")(b, attrs{"mode": "linear"}, 1, 1, 2) }, []float32{1, -0.5, -2, 0.5, 3, -0.5, -4, -4}},
		{"Resize 10 down", 10, []int64{0, 1, 4}, func(b *netBuilder) { scales("x", "s")(b, nil, 1, 1, 0.75) }, []float32{1, 3, -4}},
		{"half pixel", 11, []int64{0, 1, 4}, func(b *netBuilder) { scales("x", "roi", "s")(b, attrs{"mode": "linear"}, 1, 1, 2) }, []float32{1, 0.25, -1.25, -0.75, 1.75, 1.25, -2.25, -4}},
		{"align corners", 13, []int64{0, 1, 4}, func(b *netBuilder) {
			sizes(b, attrs{"mode": "linear", "coordinate_transformation_mode": "align_corners"}, 1, 1, 7)
		}, []float32{1, -0.5, -2, 0.5, 3, -0.5, -4}},
		{"two axes", 13, []int64{0, 1, 2, 2}, func(b *netBuilder) {
			sizes(b, attrs{"mode": "linear", "coordinate_transformation_mode": "align_corners"}, 1, 1, 3, 3)
		}, []float32{1, -0.5, -2, 2, -0.5, -3, 3, -0.5, -4}},
		{"to one", 13, []int64{0, 1, 4}, func(b *netBuilder) {
			sizes(b, attrs{"mode": "nearest", "coordinate_transformation_mode": "pytorch_half_pixel"}, 1, 1, 1)
		}, []float32{1}},
		{"some axes", 18, []int64{0, 1, 4}, func(b *netBuilder) {
			sizes(b, attrs{"axes": []int64{2}, "nearest_mode": "ceil", "coordinate_transformation_mode": "half_pixel_symmetric"}, 2)
		}, []float32{-2, -4}},
		{"as PyTorch writes it", 13, []int64{0, 1, 2, 2}, func(b *netBuilder) {
			b.ints("from", []int64{1}, 0).ints("to", []int64{1}, 2).ints("size", []int64{2}, 3, 3)
			b.node("Shape", "all", []string{"x"}, nil).node("Slice", "rows", []string{"all", "from", "to", "from"}, nil)
			b.node("Concat", "sizes", []string{"rows", "size"}, attrs{"axis": 0})
			b.node("Resize", "y", []string{"x", "", "", "sizes"}, attrs{"mode": "linear", "coordinate_transformation_mode": "align_corners"})
		}, []float32{1, -0.5, -2, 2, -0.5, -3, 3, -0.5, -4}},
		{"cubic, at whole positions", 13, []int64{0, 1, 4}, func(b *netBuilder) {
			sizes(b, attrs{"mode": "cubic", "coordinate_transformation_mode": "asymmetric"}, 1, 1, 8)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newNet(c.opset, c.shape...)
			c.build(b)
			if c.want == nil {
				y, err := b.load(t).Float(row)
				if err != nil {
					t.Fatal(err)
				}
				for i, v := range row {
					if y[2*i] != v {
						t.Errorf("element %d is %v, want %v", 2*i, y[2*i], v)
					}
				}
				c.want = y
			}
			checkHand(t, b, row, c.want)
		})
	}
	b := newNet(13, 0, 1, 4)
	sizes(b, nil, 5, 1, 4)
	if _, err := Load(b.bytes("y")); err == nil || !strings.Contains(err.Error(), "mix rows") {
		t.Errorf("error %v", err)
	}
}

// TestResizeOfLines resizes images that are linear along both axes: away from the
// edges every linear and cubic interpolation must give the same line, as Keys' kernel
// does for a = −1/2.
func TestResizeOfLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, w := rapid.IntRange(2, 6).Draw(t, "h"), rapid.IntRange(2, 6).Draw(t, "w")
		oh, ow := rapid.IntRange(1, 9).Draw(t, "oh"), rapid.IntRange(1, 9).Draw(t, "ow")
		mode := rapid.SampledFrom([]string{"linear", "cubic"}).Draw(t, "mode")
		at := rapid.SampledFrom([]string{"half_pixel", "asymmetric", "align_corners"}).Draw(t, "at")
		value := func(y, x float64) float64 { return 0.5 + 0.25*y - 0.125*x }
		source := func(i, n, to int) (x float64, inner bool) {
			x = float64(i) * float64(n) / float64(to)
			switch {
			case at == "half_pixel":
				x = (float64(i)+0.5)*float64(n)/float64(to) - 0.5
			case at == "align_corners" && to > 1:
				x = float64(i) * float64(n-1) / float64(to-1)
			case at == "align_corners":
				x = 0
			}
			edge := 0.0
			if mode == "cubic" {
				edge = 1
			}
			return x, x >= edge && x <= float64(n-1)-edge-1e-9 || n == to || x == math.Floor(x) && x >= 0 && x < float64(n)
		}
		image := make([]float32, h*w)
		for i := range image {
			image[i] = float32(value(float64(i/w), float64(i%w)))
		}
		b := newNet(13, 0, 1, int64(h), int64(w)).ints("s", []int64{4}, 1, 1, int64(oh), int64(ow))
		b.node("Resize", "y", []string{"x", "", "", "s"}, attrs{"mode": mode, "coordinate_transformation_mode": at, "cubic_coeff_a": -0.5})
		g, err := Load(b.bytes("y"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := g.Float(image)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != oh*ow {
			t.Fatalf("%d elements, want %dx%d", len(got), oh, ow)
		}
		for i, v := range got {
			y, inY := source(i/ow, h, oh)
			x, inX := source(i%ow, w, ow)
			if want := value(y, x); inY && inX && math.Abs(float64(v)-want) > 1e-5 {
				t.Fatalf("element %d, at (%v, %v), is %v, want %v", i, y, x, v, want)
			}
		}
		checkGeometry(t, b, image, got, rand.New(rand.NewPCG(91, 92)))
	})
}

// TestDeconvolutionGeometry compares ConvTranspose with its definition: every
// element adds its multiple of the kernel.
func TestDeconvolutionGeometry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type side struct{ n, kernel, stride, dilation, lo, hi, more, out int }
		draw := func(name string) side {
			s := side{
				n: rapid.IntRange(1, 5).Draw(t, name+"n"), kernel: rapid.IntRange(1, 4).Draw(t, name+"kernel"),
				stride: rapid.IntRange(1, 3).Draw(t, name+"stride"), dilation: rapid.IntRange(1, 2).Draw(t, name+"dilation"),
				lo: rapid.IntRange(0, 2).Draw(t, name+"lo"), hi: rapid.IntRange(0, 2).Draw(t, name+"hi"),
			}
			s.more = rapid.IntRange(0, s.stride-1).Draw(t, name+"more")
			s.out = s.stride*(s.n-1) + s.more + s.dilation*(s.kernel-1) + 1 - s.lo - s.hi
			if s.out < 1 {
				s.lo, s.hi = 0, 0
				s.out = s.stride*(s.n-1) + s.more + s.dilation*(s.kernel-1) + 1
			}
			return s
		}
		y, x := draw("y"), draw("x")
		groups, in, out := rapid.IntRange(1, 2).Draw(t, "groups"), rapid.IntRange(1, 2).Draw(t, "in"), rapid.IntRange(1, 2).Draw(t, "out")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 7))
		w := randoms(rng, groups*in*out*y.kernel*x.kernel, 1)
		image := randoms(rng, groups*in*y.n*x.n, 1)
		bias := randoms(rng, groups*out, 1)
		want := make([]float32, groups*out*y.out*x.out)
		for i := range want {
			want[i] = bias[i/(y.out*x.out)]
		}
		for i, v := range image {
			c, iy, ix := i/(y.n*x.n), i/x.n%y.n, i%x.n
			for k, a := range w[c*out*y.kernel*x.kernel:][:out*y.kernel*x.kernel] {
				oc := c/in*out + k/(y.kernel*x.kernel)
				oy := iy*y.stride + k/x.kernel%y.kernel*y.dilation - y.lo
				ox := ix*x.stride + k%x.kernel*x.dilation - x.lo
				if oy >= 0 && oy < y.out && ox >= 0 && ox < x.out {
					want[(oc*y.out+oy)*x.out+ox] += v * a
				}
			}
		}
		b := newNet(13, 0, int64(groups*in), int64(y.n), int64(x.n)).floats("b", []int64{int64(groups * out)}, bias...)
		b.floats("w", []int64{int64(groups * in), int64(out), int64(y.kernel), int64(x.kernel)}, w...)
		b.node("ConvTranspose", "y", []string{"x", "w", "b"}, attrs{
			"group": groups, "strides": []int64{int64(y.stride), int64(x.stride)}, "dilations": []int64{int64(y.dilation), int64(x.dilation)},
			"pads": []int64{int64(y.lo), int64(x.lo), int64(y.hi), int64(x.hi)}, "output_padding": []int64{int64(y.more), int64(x.more)},
		})
		checkGeometry(t, b, image, want, rng)
	})
}

// TestConvolutionOverThreeAxes compares Conv of volumes with its definition.
func TestConvolutionOverThreeAxes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		side := [3]geometry{drawGeometry(t, "z", true), drawGeometry(t, "y", true), drawGeometry(t, "x", true)}
		groups, in, out := rapid.IntRange(1, 2).Draw(t, "groups"), rapid.IntRange(1, 2).Draw(t, "in"), rapid.IntRange(1, 2).Draw(t, "out")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 8))
		z := side[0]
		area := side[1].n * side[2].n
		kernel := side[1].kernel * side[2].kernel
		w := randoms(rng, groups*out*in*z.kernel*kernel, 1)
		image := randoms(rng, groups*in*z.n*area, 1)
		slice := side[1].out() * side[2].out()
		want := make([]float32, groups*out*z.out()*slice)
		windowsOf(groups*out, side[1], side[2], func(o, c, ky, kx, iy, ix int, inside, _ bool) {
			for oz := range z.out() {
				for kz := range z.kernel {
					iz, _ := z.at(oz, kz)
					for i := range in {
						if inside && iz >= 0 && iz < z.n {
							v := image[((c/out*in+i)*z.n+iz)*area+iy*side[2].n+ix]
							want[(c*z.out()+oz)*slice+o%slice] += v * w[((c*in+i)*z.kernel+kz)*kernel+ky*side[2].kernel+kx]
						}
					}
				}
			}
		})
		a := attrs{"group": groups}
		list := func(name string, f func(geometry) int) {
			v := a[name]
			if v == nil {
				v = []int64{}
			}
			for _, g := range side {
				v = append(v.([]int64), int64(f(g)))
			}
			a[name] = v
		}
		list("strides", func(g geometry) int { return g.stride })
		list("dilations", func(g geometry) int { return g.dilation })
		list("pads", func(g geometry) int { return g.lo })
		list("pads", func(g geometry) int { return g.hi })
		b := newNet(13, 0, int64(groups*in), int64(z.n), int64(side[1].n), int64(side[2].n))
		b.floats("w", []int64{int64(groups * out), int64(in), int64(z.kernel), int64(side[1].kernel), int64(side[2].kernel)}, w...)
		checkGeometry(t, b.node("Conv", "y", []string{"x", "w"}, a), image, want, rng)
	})
}

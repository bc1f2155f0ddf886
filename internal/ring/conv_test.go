package ring

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

var rng = rand.New(rand.NewPCG(1, 2))

func random(n int) []uint64 {
	v := make([]uint64, n)
	for i := range v {
		v[i] = rng.Uint64()
	}
	return v
}

// extreme mixes the values where carries and halves of words matter.
func extreme(n int) []uint64 {
	e := []uint64{0, 1, 2, 1 << 63, 1<<63 - 1, 1<<32 - 1, 1 << 32, 1<<32 + 1, 1<<64 - 1<<32, 1<<64 - 1, 1<<64 - 2, 1<<31 - 1, 1 << 31}
	v := make([]uint64, n)
	for i := range v {
		v[i] = e[rng.IntN(len(e))]
	}
	return v
}

func ones(n int) []uint64 { return slices.Repeat([]uint64{^uint64(0)}, n) }

// naive is the definition of a convolution.
func naive(c Conv, z, x, w []uint64, batch int) {
	oh, ow := c.Size()
	in, out := c.In/c.Groups, c.Out/c.Groups
	for b := range batch {
		for oy := range oh {
			for ox := range ow {
				for o := range c.Out {
					sum := uint64(0)
					for ky := range c.KH {
						for kx := range c.KW {
							y, xx := oy*c.StrideH-c.Top+ky*c.DilH, ox*c.StrideW-c.Left+kx*c.DilW
							if y < 0 || y >= c.H || xx < 0 || xx >= c.W {
								continue
							}
							g := o / out
							for i := range in {
								sum += x[((b*c.H+y)*c.W+xx)*c.In+g*in+i] * w[(((g*c.KH+ky)*c.KW+kx)*in+i)*out+o%out]
							}
						}
					}
					z[((b*oh+oy)*ow+ox)*c.Out+o] += sum
				}
			}
		}
	}
}

// widths are those at which the words change, and some between.
var widths = []int{1, 20, 31, 32, 33, 40, 51, 52, 53, 64}

// checkConv compares at every level and the given widths.
func checkConv(t *testing.T, c Conv, batch int, values func(n int) []uint64, widths ...int) {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	x, w, z := values(batch*c.InLen()), values(c.WeightLen()), values(batch*c.OutLen())
	want := slices.Clone(z)
	naive(c, want, x, w, batch)
	xBefore := slices.Clone(x)
	atLevels(t, func(t *testing.T) {
		for _, k := range widths {
			checkFilter(t, NewFilter(c, w, k), k, want, z, x, batch)
		}
		if !slices.Equal(x, xBefore) {
			t.Errorf("%+v batch %d: changed its input", c, batch)
		}
	})
}

// checkFilter compares z + x∗w with what is wanted, and looks for writes around z.
func checkFilter(t *testing.T, f *Filter, k int, want, z, x []uint64, batch int) {
	t.Helper()
	const guard = 64
	room := append(append(random(guard), z...), random(guard)...)
	before := slices.Clone(room)
	got := room[guard : guard+len(z) : guard+len(z)]
	f.MulAdd(got, x, batch)
	for i := range got {
		if (got[i]^want[i])&Mask(k) != 0 {
			t.Errorf("%+v batch %d mod 2^%d: output %d is %x, want %x", f.c, batch, k, i, got[i], want[i])
			break
		}
	}
	end := guard + len(z)
	if !slices.Equal(room[:guard], before[:guard]) || !slices.Equal(room[end:], before[end:]) {
		t.Errorf("%+v batch %d mod 2^%d: wrote outside", f.c, batch, k)
	}
}

func randomConv() Conv {
	pick := func(most int) int { return 1 + rng.IntN(most) }
	for {
		in, out := pick(5), pick(12)
		groups := []int{1, 1, 1, 2, 3, 8, 12}[rng.IntN(7)]
		c := Conv{
			H: pick(12), W: pick(20), In: in * groups, Out: out * groups, Groups: groups,
			KH: pick(4), KW: pick(4), StrideH: pick(3), StrideW: pick(3), DilH: pick(3), DilW: pick(3),
			Top: rng.IntN(4), Left: rng.IntN(4), Bottom: rng.IntN(4), Right: rng.IntN(4),
		}
		if rng.IntN(3) == 0 {
			c.Top, c.Left, c.Bottom, c.Right = 0, 0, 0, 0
		}
		if rng.IntN(3) == 0 {
			c.DilH, c.DilW = 1, 1
		}
		if c.Validate() == nil {
			return c
		}
	}
}

func TestRandomConvolutions(t *testing.T) {
	for i := range 400 {
		checkConv(t, randomConv(), 1+rng.IntN(3), []func(int) []uint64{random, extreme, ones}[i%3], widths...)
	}
}

func TestNamedConvolutions(t *testing.T) {
	plain := Conv{StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Groups: 1}
	conv := func(h, w, in, kh, kw, out int, edit func(c *Conv)) Conv {
		c := plain
		c.H, c.W, c.In, c.KH, c.KW, c.Out = h, w, in, kh, kw, out
		if edit != nil {
			edit(&c)
		}
		return c
	}
	pad := func(p int) func(c *Conv) {
		return func(c *Conv) { c.Top, c.Left, c.Bottom, c.Right = p, p, p, p }
	}
	for name, c := range map[string]Conv{
		"LeNet-5, first":            conv(28, 28, 1, 5, 5, 6, pad(2)),
		"LeNet-5, second":           conv(14, 14, 6, 5, 5, 16, nil),
		"3x3":                       conv(9, 9, 16, 3, 3, 16, pad(1)),
		"1x1":                       conv(7, 5, 12, 1, 1, 10, nil),
		"1x1, stride 2":             conv(7, 5, 12, 1, 1, 10, func(c *Conv) { c.StrideH, c.StrideW = 2, 2 }),
		"1-D":                       conv(1, 50, 3, 1, 7, 9, func(c *Conv) { c.Left, c.Right, c.StrideW = 3, 3, 2 }),
		"1-D over the height":       conv(50, 1, 3, 7, 1, 9, nil),
		"kernel as large as image":  conv(6, 6, 5, 6, 6, 11, nil),
		"kernel as wide as image":   conv(9, 4, 5, 3, 4, 11, nil),
		"depthwise":                 conv(10, 10, 24, 3, 3, 24, func(c *Conv) { pad(1)(c); c.Groups = 24 }),
		"depthwise, odd":            conv(10, 10, 7, 3, 3, 7, func(c *Conv) { pad(1)(c); c.Groups = 7 }),
		"depthwise, multiplier":     conv(6, 6, 6, 3, 3, 12, func(c *Conv) { pad(1)(c); c.Groups = 6 }),
		"wide groups":               conv(6, 6, 20, 3, 3, 34, func(c *Conv) { c.Groups = 2 }),
		"dilated":                   conv(15, 15, 4, 3, 3, 9, func(c *Conv) { c.DilH, c.DilW = 2, 3 }),
		"dilated over height":       conv(15, 15, 4, 3, 3, 9, func(c *Conv) { c.DilH = 4 }),
		"padding beyond the kernel": conv(2, 2, 1, 2, 2, 1, pad(5)),
		"one element":               conv(1, 1, 1, 1, 1, 1, nil),
		"outputs of one channel":    conv(9, 9, 3, 3, 3, 1, nil),
	} {
		t.Run(name, func(t *testing.T) {
			for _, batch := range []int{1, 2, 5} {
				checkConv(t, c, batch, extreme, widths...)
			}
		})
	}
}

func TestProducts(t *testing.T) {
	sizes := []int{1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 97, 100, 256, 257, 300, 513}
	for i := range 150 {
		m, k, n := sizes[rng.IntN(15)], sizes[rng.IntN(len(sizes))], sizes[rng.IntN(15)]
		values := []func(int) []uint64{random, extreme, ones}[i%3]
		checkConv(t, MatMul(m, k, n), 1, values, widths...)
		checkConv(t, MatMul(1, k, n), m, values, widths...)
	}
}

// TestSplitProducts shares work, however little, among the processors.
func TestSplitProducts(t *testing.T) {
	defer func(f func() int) { splitFrom = f }(splitFrom)
	splitFrom = func() int { return 1 }
	for _, c := range []struct {
		conv  Conv
		batch int
	}{
		{MatMul(1, 148, 199), 1}, // strips
		{MatMul(3, 124, 131), 1}, // strips
		{MatMul(117, 30, 31), 1}, // rows
		{MatMul(1, 30, 31), 117}, // rows
		{MatMul(1, 96, 3), 200},  // rows, narrow
		{MatMul(300, 100, 1), 1}, // rows, one column
		{Conv{H: 12, W: 12, In: 18, KH: 3, KW: 3, Out: 37, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Top: 1, Left: 1, Bottom: 1, Right: 1, Groups: 1}, 1},
		{Conv{H: 20, W: 20, In: 12, KH: 3, KW: 3, Out: 15, StrideH: 1, StrideW: 1, DilH: 2, DilW: 2, Groups: 3}, 5},
		{Conv{H: 30, W: 30, In: 160, KH: 3, KW: 3, Out: 160, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Groups: 160}, 1}, // work enough as it is
	} {
		checkConv(t, c.conv, c.batch, random, widths...)
	}
}

// TestNaive holds the definition against arbitrary precision.
func TestNaive(t *testing.T) {
	for range 50 {
		x, w, z := extreme(37), extreme(37), extreme(1)
		s := new(big.Int).SetUint64(z[0])
		for i := range x {
			s.Add(s, new(big.Int).Mul(new(big.Int).SetUint64(x[i]), new(big.Int).SetUint64(w[i])))
		}
		naive(MatMul(1, 37, 1), z, x, w, 1)
		if s.And(s, new(big.Int).SetUint64(^uint64(0))); s.Uint64() != z[0] {
			t.Fatal("the definition is wrong")
		}
	}
}

func TestFilterServesManyGoroutines(t *testing.T) {
	c := MatMul(300, 200, 150)
	x, w := random(c.InLen()), random(c.WeightLen())
	want := make([]uint64, c.OutLen())
	f := NewFilter(c, w, 64)
	f.MulAdd(want, x, 1)
	var g sync.WaitGroup
	for i := range 4 {
		g.Go(func() {
			z := make([]uint64, c.OutLen())
			f.MulAdd(z, x, 1)
			if !slices.Equal(z, want) {
				t.Errorf("goroutine %d: differs", i)
			}
		})
	}
	g.Wait()
}

func TestShapesAreChecked(t *testing.T) {
	c := MatMul(3, 4, 5)
	f := NewFilter(c, make([]uint64, 20), 64)
	for name, call := range map[string]func(){
		"weights":    func() { NewFilter(c, make([]uint64, 19), 64) },
		"no width":   func() { NewFilter(c, make([]uint64, 20), 0) },
		"huge width": func() { NewFilter(c, make([]uint64, 20), 65) },
		"input":      func() { f.MulAdd(make([]uint64, 15), make([]uint64, 11), 1) },
		"output":     func() { f.MulAdd(make([]uint64, 14), make([]uint64, 12), 1) },
		"batch":      func() { f.MulAdd(make([]uint64, 15), make([]uint64, 12), 2) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: a wrong length passes", name)
				}
			}()
			call()
		}()
	}
	f.MulAdd(nil, nil, 0)
}

func FuzzConv(f *testing.F) {
	f.Add(uint64(1), []byte{5, 6, 2, 3, 3, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2})
	f.Fuzz(func(t *testing.T, seed uint64, b []byte) {
		if len(b) < 16 {
			return
		}
		at := func(i, most int) int { return 1 + int(b[i])%most }
		groups := at(14, 9)
		c := Conv{
			H: at(0, 20), W: at(1, 20), In: groups * at(2, 6), KH: at(3, 5), KW: at(4, 5), Out: groups * at(5, 20),
			StrideH: at(6, 4), StrideW: at(7, 4), DilH: at(8, 4), DilW: at(9, 4),
			Top: at(10, 5) - 1, Left: at(11, 5) - 1, Bottom: at(12, 5) - 1, Right: at(13, 5) - 1, Groups: groups,
		}
		if c.Validate() != nil {
			return
		}
		r := rand.New(rand.NewPCG(seed, 1))
		checkConv(t, c, at(15, 3), func(n int) []uint64 {
			v := make([]uint64, n)
			for i := range v {
				v[i] = r.Uint64()
			}
			return v
		}, widths...)
	})
}

func BenchmarkMulAdd(b *testing.B) {
	conv := func(h, w, in, k, out, pad, groups int) Conv {
		return Conv{H: h, W: w, In: in, KH: k, KW: k, Out: out, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1,
			Top: pad, Left: pad, Bottom: pad, Right: pad, Groups: groups}
	}
	for _, s := range []struct {
		name  string
		c     Conv
		batch int
	}{
		{"1x784x128", MatMul(1, 784, 128), 1},
		{"8x784x128", MatMul(8, 784, 128), 1},
		{"128x784x128", MatMul(1, 784, 128), 128},
		{"1x400x120", MatMul(1, 400, 120), 1},
		{"1x1024x1024", MatMul(1, 1024, 1024), 1},
		{"1024x1024x1024", MatMul(1024, 1024, 1024), 1},
		{"1x28x28-6,5x5", conv(28, 28, 1, 5, 6, 2, 1), 1},
		{"6x14x14-16,5x5", conv(14, 14, 6, 5, 16, 0, 1), 1},
		{"16x28x28-16,3x3", conv(28, 28, 16, 3, 16, 1, 1), 1},
		{"64x32x32-64,3x3", conv(32, 32, 64, 3, 64, 1, 1), 1},
		{"64x32x32-64,1x1", conv(32, 32, 64, 1, 64, 0, 1), 1},
		{"64x32x32,depthwise", conv(32, 32, 64, 3, 64, 1, 64), 1},
	} {
		x, w, z := random(s.batch*s.c.InLen()), random(s.c.WeightLen()), random(s.batch*s.c.OutLen())
		b.Run(s.name, func(b *testing.B) {
			atLevels(b, func(b *testing.B) {
				for _, k := range []int{32, 40, 64} {
					f := NewFilter(s.c, w, k)
					b.Run(fmt.Sprintf("k=%d", k), func(b *testing.B) {
						b.ReportAllocs()
						for b.Loop() {
							f.MulAdd(z, x, s.batch)
						}
						products := float64(s.batch) * float64(s.c.Products()) * float64(b.N)
						b.ReportMetric(products/float64(b.Elapsed().Nanoseconds()), "GMAC/s")
					})
				}
			})
		})
	}
}

func TestValidateRefuses(t *testing.T) {
	good := MatMul(3, 4, 6)
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(c *Conv){
		"no height":         func(c *Conv) { c.H = 0 },
		"negative channels": func(c *Conv) { c.In = -1 },
		"no stride":         func(c *Conv) { c.StrideW = 0 },
		"no dilation":       func(c *Conv) { c.DilH = 0 },
		"no groups":         func(c *Conv) { c.Groups = 0 },
		"negative padding":  func(c *Conv) { c.Left = -1 },
		"huge padding":      func(c *Conv) { c.Left = 1 << 40 },
		"groups":            func(c *Conv) { c.Groups = 4; c.Out = 6 },
		"kernel":            func(c *Conv) { c.KH = 4 },
		"huge kernel":       func(c *Conv) { c.KH = 1 << 24; c.H = 1 << 24; c.KW = 1 << 24; c.W = 1 << 24 },
		"huge tensor":       func(c *Conv) { c.H = 1 << 24; c.W = 1 << 24 },
	} {
		c := good
		edit(&c)
		if err := c.Validate(); err == nil {
			t.Errorf("%s: %s passes", name, fmt.Sprintf("%+v", c))
		}
	}
}

// TestOneProcessorAllocatesNothing covers products that are not split.
func TestOneProcessorAllocatesNothing(t *testing.T) {
	padded := Conv{H: 9, W: 9, In: 4, KH: 3, KW: 3, Out: 6, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Top: 1, Left: 1, Bottom: 1, Right: 1, Groups: 1}
	depthwise := padded
	depthwise.Out, depthwise.Groups = 4, 4
	for name, c := range map[string]Conv{"product": MatMul(20, 300, 30), "convolution": padded, "depthwise": depthwise} {
		x, w, z := random(2*c.InLen()), random(c.WeightLen()), make([]uint64, 2*c.OutLen())
		atLevels(t, func(t *testing.T) {
			for _, k := range []int{32, 52, 64} {
				f := NewFilter(c, w, k)
				// The collector may empty the pool at any time, so that an average
				// over many runs may be a little above nothing.
				if n := testing.AllocsPerRun(100, func() { f.MulAdd(z, x, 2) }); n != 0 {
					t.Errorf("%s mod 2^%d: %v allocations", name, k, n)
				}
			}
		})
	}
}

// TestPooledMemoryIsZero looks at what a convolution leaves behind.
func TestPooledMemoryIsZero(t *testing.T) {
	c := Conv{H: 9, W: 9, In: 4, KH: 3, KW: 3, Out: 6, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Top: 1, Left: 1, Groups: 1}
	NewFilter(c, ones(c.WeightLen()), 40).MulAdd(make([]uint64, 2*c.OutLen()), ones(2*c.InLen()), 2)
	b := takeZeros(2 * 10 * 10 * 4)
	defer b.giveBack()
	for i, v := range b.words[:cap(b.words)] {
		if v != 0 {
			t.Fatalf("word %d is %x", i, v)
		}
	}
}

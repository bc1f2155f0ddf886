package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/tacit-mpc/tacit/circuits"
	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/compare"
	"github.com/tacit-mpc/tacit/protocol/garble"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/protocol/product"
	"github.com/tacit-mpc/tacit/protocol/triple"
	"github.com/tacit-mpc/tacit/transport"
)

// Micro measures single operations, and says which before each. Parties are goroutines of this process unless a name says loopback: figures
// are those of the whole machine, for all parties together.
func Micro(ctx context.Context, e Effort, say func(name string)) ([]Result, error) {
	t := &timer{ctx: ctx, effort: e, say: say}
	for _, f := range []func() error{t.products, t.hash, t.extension, t.garbling, t.comparisons, t.secrets, t.triples, t.rounds} {
		if err := f(); err != nil {
			return nil, err
		}
	}
	return t.results, nil
}

// image is a convolution with stride 1.
func image(size, in, kernel, out, groups int) ring.Conv {
	return ring.Conv{
		H: size, W: size, In: in, KH: kernel, KW: kernel, Out: out,
		StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Groups: groups,
	}
}

// products measures products modulo 2³², 2⁴⁰ and 2⁶⁴, per multiplication.
func (t *timer) products() error {
	for _, p := range []struct {
		name string
		conv ring.Conv
		rows int
	}{
		{"1x784x128", ring.MatMul(1, 784, 128), 1},
		{"32x784x128", ring.MatMul(1, 784, 128), 32},
		{"128x784x784", ring.MatMul(1, 784, 784), 128},
		{"conv 1x28x28 to 6, 5x5", image(28, 1, 5, 6, 1), 1},
		{"conv 16x28x28 to 16, 3x3", image(28, 16, 3, 16, 1), 1},
	} {
		for _, width := range []int{32, 40, 64} {
			w, x, z := make([]uint64, p.conv.WeightLen()), make([]uint64, p.rows*p.conv.InLen()), make([]uint64, p.rows*p.conv.OutLen())
			if err := errors.Join(ring.Random(rand.Reader, w, width), ring.Random(rand.Reader, x, width)); err != nil {
				return err
			}
			f := ring.NewFilter(p.conv, w, width)
			name := "micro/product/" + p.name
			if width < 64 {
				name = fmt.Sprintf("micro/product/mod 2^%d/%s", width, p.name)
			}
			if err := t.plain(name, float64(p.rows*p.conv.Products()), func() { f.MulAdd(z, x, p.rows) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// hash measures the tweakable hash, per block.
func (t *timer) hash() error {
	const n = 1024
	src, a, b := make([]prg.Block, n), make([]prg.Block, n), make([]prg.Block, n)
	if _, err := rand.Read(prg.Bytes(src)); err != nil {
		return err
	}
	h := prg.NewHash(src[0])
	if err := t.plain("micro/hash/sum", n, func() { h.Sum(a, src, prg.Block{1, 2}) }); err != nil {
		return err
	}
	return t.plain("micro/hash/pair", 2*n, func() {
		prg.ForgetTweaks()
		h.Pair(a, b, src, prg.Block{1, 2}, prg.Block{3, 4})
	})
}

// sessions starts a batch among n parties, with trees of the given depth.
func sessions(ctx context.Context, n, depth int) ([]*transport.Mesh, []*ot.Session, error) {
	meshes, all := transport.Pipe(ctx, n), make([]*ot.Session, n)
	_, err := together(meshes, func(m *transport.Mesh) error {
		base, err := ot.Setup(m, rand.Reader)
		if err != nil {
			return err
		}
		defer base.Erase()
		all[m.Self()], err = base.Fork(m, rand.Reader, make([]byte, ot.KeyLen), ot.Depth(depth))
		return err
	})
	return meshes, all, err
}

// defaultDepth is that of ot.
const defaultDepth = 4

// extension measures correlated OTs between two parties, per OT.
func (t *timer) extension() error {
	const n, size = 2, 1 << 16
	for _, k := range []int{2, 4, 8} {
		meshes, all, err := sessions(t.ctx, n, k)
		if err != nil {
			return err
		}
		request := []ot.Request{{X: make([]uint8, size), Holders: ot.All(n), Keys: ot.All(n)}}
		err = t.time(fmt.Sprintf("micro/ot/k=%d", k), n*size, func() (time.Duration, error) {
			return together(meshes, func(m *transport.Mesh) error {
				_, err := all[m.Self()].Authenticate(m, "ot", request)
				return err
			})
		})
		closeAll(meshes)
		if err != nil {
			return err
		}
	}
	return nil
}

func closeAll(meshes []*transport.Mesh) {
	for _, m := range meshes {
		m.Close()
	}
}

// garbling measures three parties that garble comparisons of 20 bits for one of
// them, its products of masks included, and the evaluation, per AND gate.
func (t *timer) garbling() error {
	const n, bits, size, eval = 3, 20, 1 << 12, 2
	meshes, all, err := sessions(t.ctx, n, defaultDepth)
	if err != nil {
		return err
	}
	defer closeAll(meshes)
	batch := garble.Batch{Circuit: circuits.Comparison(bits), Parties: n, Eval: eval, Len: size}
	var stored []byte
	err = t.time("micro/garble", (bits-1)*size, func() (time.Duration, error) {
		batch.Element += size
		var tables *garble.Tables
		took, err := together(meshes, func(m *transport.Mesh) error {
			b := batch
			b.Self = m.Self()
			j, err := garble.New(b, [32]byte{byte(b.Element)}, rand.Reader)
			if err != nil {
				return err
			}
			_, err = garble.Run(m, all[m.Self()], "garble", []*garble.Job{j}, nil)
			if m.Self() == eval {
				tables = j.Tables()
			}
			return err
		})
		if err != nil {
			return 0, err
		}
		stored, err = tables.AppendBinary(nil)
		return took, err
	})
	if err != nil {
		return err
	}
	return t.evaluation(batch, stored)
}

// evaluation measures the evaluation of tables, whatever their labels.
func (t *timer) evaluation(batch garble.Batch, stored []byte) error {
	batch.Self = batch.Eval
	values := make([][]uint8, len(batch.Circuit.Public()))
	for k := range values {
		values[k] = make([]uint8, batch.Len)
	}
	labels := make([][]prg.Block, batch.Parties)
	for j := range labels {
		if j != batch.Eval {
			labels[j] = make([]prg.Block, batch.LabelLen())
		}
	}
	return t.time("micro/evaluate", float64(len(batch.Circuit.Ands())*batch.Len), func() (time.Duration, error) {
		tables, err := garble.ParseTables(batch, stored)
		if err != nil {
			return 0, err
		}
		start := time.Now()
		tables.Eval(labels, values)
		return time.Since(start), nil
	})
}

// comparisons measures both ways to compare, and what else comparisons make.
func (t *timer) comparisons() error {
	relu := compare.Class{Kind: compare.KindReLU, In: 20, Out: 32, N: 1 << 13}
	step := compare.Class{Kind: compare.KindStep, In: 20, Out: 8, N: 1 << 13, Backend: compare.Carry}
	spline := compare.Class{Kind: compare.KindSpline, In: 20, Out: 32, N: 1 << 9, Knots: 32, Backend: compare.Carry}
	carried := relu
	carried.Backend = compare.Carry
	return errors.Join(t.comparison("micro/compare/", relu), t.comparison("micro/compare/carry/", carried),
		t.comparison("micro/compare/step/", step), t.comparison("micro/compare/spline of 32 knots/", spline))
}

// comparison measures comparisons of 20 bits among three parties, per element:
// their preparation, and the online part.
func (t *timer) comparison(prefix string, class compare.Class) error {
	const n = 3
	meshes, all, err := sessions(t.ctx, n, defaultDepth)
	if err != nil {
		return err
	}
	defer closeAll(meshes)
	stored := make([][]byte, n)
	err = t.time(prefix+"offline", float64(class.N), func() (time.Duration, error) {
		class.Layer++
		return together(meshes, func(m *transport.Mesh) error {
			mats, err := compare.Generate(m, all[m.Self()], rand.Reader, []compare.Class{class}, 1)
			if err != nil {
				return err
			}
			stored[m.Self()], err = mats[0][0].AppendBinary(nil)
			return err
		})
	})
	if err != nil {
		return err
	}
	x := make([]uint64, class.N)
	return t.time(prefix+"online", float64(class.N), func() (time.Duration, error) {
		mats := make([]*compare.Material, n)
		for i := range mats {
			if mats[i], err = compare.ParseMaterial(class, n, i, stored[i]); err != nil {
				return 0, err
			}
		}
		return together(meshes, func(m *transport.Mesh) error {
			return compared(m, class, mats[m.Self():m.Self()+1], x)
		})
	})
}

// compared runs the function of a class.
func compared(m *transport.Mesh, class compare.Class, mats []*compare.Material, x []uint64) (err error) {
	switch class.Kind {
	case compare.KindStep:
		_, err = compare.Step(m, "step", mats, x)
	case compare.KindSpline:
		s := &compare.Spline{Slope: 1}
		for k := range class.Knots {
			s.Knots = append(s.Knots, compare.Knot{At: int64(k) << 8, Delta: 1})
		}
		_, err = compare.EvalSpline(m, "spline", mats, s, x)
	default:
		_, err = compare.ReLU(m, "relu", mats, x)
	}
	return err
}

// secrets measures products of two secrets of 40 bits among three parties, per
// multiplication.
func (t *timer) secrets() error {
	for _, s := range []struct {
		name  string
		class product.Class
	}{
		{"elements", product.Class{T: 1 << 12, M: 1, K: 1, N: 1, Width: 40}},
		{"squares", product.Class{T: 1 << 12, M: 1, K: 1, N: 1, Width: 40, Square: true}},
		{"16 of 16x16x16", product.Class{T: 16, M: 16, K: 16, N: 16, Width: 40}},
	} {
		if err := t.secret("micro/secrets/"+s.name+"/", s.class); err != nil {
			return err
		}
	}
	return nil
}

func (t *timer) secret(prefix string, class product.Class) error {
	const n = 3
	meshes, all, err := sessions(t.ctx, n, defaultDepth)
	if err != nil {
		return err
	}
	defer closeAll(meshes)
	stored := make([][]byte, n)
	err = t.time(prefix+"offline", float64(class.Products()), func() (time.Duration, error) {
		class.Layer++
		return together(meshes, func(m *transport.Mesh) error {
			mats, err := product.Generate(m, all[m.Self()], rand.Reader, []product.Class{class}, 1)
			if err != nil {
				return err
			}
			stored[m.Self()], err = mats[0][0].AppendBinary(nil)
			return err
		})
	})
	if err != nil {
		return err
	}
	x, y := make([]uint64, class.XLen()), make([]uint64, class.YLen())
	return t.time(prefix+"online", float64(class.Products()), func() (time.Duration, error) {
		mats := make([]*product.Material, n)
		for i := range mats {
			if mats[i], err = product.ParseMaterial(class, n, i, stored[i]); err != nil {
				return 0, err
			}
		}
		return together(meshes, func(m *transport.Mesh) error {
			_, err := product.Multiply(m, "product", mats[m.Self():m.Self()+1], x, y)
			return err
		})
	})
}

// triples measures matrix triples of 40 bits among three parties, per inference.
func (t *timer) triples() error {
	const n, width, batch = 3, 40, 32
	for _, s := range []struct {
		name string
		conv ring.Conv
	}{
		{"784x128", ring.MatMul(1, 784, 128)},
		{"conv 1x28x28 to 6, 5x5", image(28, 1, 5, 6, 1)},
		{"conv 6x14x14 to 16, 5x5", image(14, 6, 5, 16, 1)},
		{"depthwise 32x8x8, 3x3", image(8, 32, 3, 32, 32)},
	} {
		if err := t.triple("micro/triple/"+s.name, n, batch, triple.Layer{Conv: s.conv, Width: width}); err != nil {
			return err
		}
	}
	return nil
}

func (t *timer) triple(name string, n, batch int, l triple.Layer) error {
	meshes := transport.Pipe(t.ctx, n)
	defer closeAll(meshes)
	contexts, layers := make([]*triple.Context, n), []triple.Layer{l}
	b, a := make([]uint64, l.Conv.WeightLen()), make([]uint64, batch*l.Conv.InLen())
	if err := errors.Join(ring.Random(rand.Reader, a, l.Width), ring.Random(rand.Reader, b, l.Width)); err != nil {
		return err
	}
	_, err := together(meshes, func(m *transport.Mesh) (err error) {
		contexts[m.Self()], err = triple.Setup(m, rand.Reader, layers, [][]uint64{b}, batch)
		return err
	})
	if err != nil {
		return err
	}
	return t.time(name, float64(batch), func() (time.Duration, error) {
		return together(meshes, func(m *transport.Mesh) error {
			_, err := contexts[m.Self()].Multiply(m, rand.Reader, [][]uint64{a}, batch)
			return err
		})
	})
}

package prep

import (
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/compare"
	"github.com/tacit-mpc/tacit/protocol/linear"
	"github.com/tacit-mpc/tacit/protocol/product"
)

// A Demand lists the correlated randomness of one inference, in the order in
// which the online phase spends it.
type Demand struct {
	Layers   []linear.Layer
	Products []product.Class
	Classes  []compare.Class
}

// transfers reports that oblivious transfers are needed.
func (d Demand) transfers() bool { return len(d.Products)+len(d.Classes) > 0 }

// An Option is a public parameter of preparation, the same at all parties.
type Option func(*options)

type options struct {
	backend compare.Backend
	depth   int
	memory  int64
}

func optionsOf(opts []Option) options {
	o := options{depth: treeDepth, memory: maskMemory}
	for _, set := range opts {
		set(&o)
	}
	return o
}

// Comparisons sets how comparisons are made. The default is [compare.Garbled].
func Comparisons(b compare.Backend) Option { return func(o *options) { o.backend = b } }

// Options returns the options that a manifest asks for: the same at all parties.
func Options(m *model.Manifest) []Option {
	b, err := compare.ParseBackend(m.Comparison)
	if err != nil {
		panic("prep: an invalid manifest: " + err.Error()) // Validate has accepted it
	}
	return []Option{Comparisons(b), Depth(m.Depth)}
}

// Depth sets the depth of the trees of OT extension, 2, 4 or 8: see [ot.Depth].
// The default is 4.
func Depth(k int) Option { return func(o *options) { o.depth = k } }

// MaskMemory sets how many bytes of masks of linear layers are made at once, at
// least those of one inference: see [Preparer.GenerateTo]. The default is 64 MiB.
func MaskMemory(bytes int64) Option { return func(o *options) { o.memory = bytes } }

// Count returns the demand of p, of which the options are part.
func Count(p *model.Program, opts ...Option) Demand {
	c := &counter{program: p, backend: optionsOf(opts).backend}
	if _, err := model.Run(c, p, struct{}{}); err != nil {
		panic("prep: an invalid program: " + err.Error()) // Validate has accepted it
	}
	return c.demand
}

// A counter is the engine that notes what each operation needs.
type counter struct {
	program *model.Program
	backend compare.Backend
	demand  Demand
}

type none = struct{}

func (c *counter) Linear(op *model.Op, _ none) (none, error) {
	c.demand.Layers = append(c.demand.Layers, linear.Layer{Conv: *op.Conv, Width: c.program.Values[op.Out].Width})
	return none{}, nil
}

func (c *counter) ReLU(op *model.Op, _ none) (none, error)   { return c.compare(compare.KindReLU, op) }
func (c *counter) Max(op *model.Op, _, _ none) (none, error) { return c.compare(compare.KindMax, op) }
func (c *counter) Lift(op *model.Op, _ none) (none, error)   { return c.compare(compare.KindLift, op) }

func (c *counter) Step(op *model.Op, _ none) (none, error) { return c.compare(compare.KindStep, op) }

func (c *counter) Spline(op *model.Op, _ none) (none, error) {
	return c.compare(compare.KindSpline, op)
}

func (c *counter) compare(kind compare.Kind, op *model.Op) (none, error) {
	out := c.program.Values[op.Out]
	class := compare.Class{Kind: kind, In: op.Bits, Out: out.Width, N: out.Len, Layer: op.Out, Backend: c.backend}
	if kind == compare.KindSpline {
		class.Knots = len(op.Spline.Knots)
	}
	c.demand.Classes = append(c.demand.Classes, class)
	return none{}, nil
}

// The other operations are local.
func (c *counter) AddParam(*model.Op, none) (none, error)  { return none{}, nil }
func (c *counter) Gather(*model.Op, none) (none, error)    { return none{}, nil }
func (c *counter) Sum(*model.Op, none) (none, error)       { return none{}, nil }
func (c *counter) Add(*model.Op, none, none) (none, error) { return none{}, nil }
func (c *counter) Shift(*model.Op, none) (none, error)     { return none{}, nil }

func (c *counter) Product(op *model.Op, _, _ none) (none, error) {
	c.demand.Products = append(c.demand.Products, product.Class{
		T: op.Dims.T, M: op.Dims.M, K: op.Dims.K, N: op.Dims.N,
		Width: c.program.Values[op.Out].Width, Square: op.Square(), Layer: op.Out,
	})
	return none{}, nil
}

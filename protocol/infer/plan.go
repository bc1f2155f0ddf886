package infer

import (
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/compare"
	"github.com/tacit-mpc/tacit/protocol/prep"
	"github.com/tacit-mpc/tacit/protocol/product"
	"github.com/tacit-mpc/tacit/transport"
)

// Plan returns the traffic of [Run] on batch inputs at party self of n: exactly
// what [transport.Mesh.Steps] reports afterwards. The options are those of
// preparation.
func Plan(program *model.Program, n, self, batch int, opts ...prep.Option) []transport.Stats {
	p := &planner{demand: prep.Count(program, opts...), n: n, self: self, batch: batch}
	if _, err := model.Run(p, program, none{}); err != nil {
		panic("infer: an invalid program: " + err.Error()) // Validate has accepted it
	}
	return p.steps
}

type none = struct{}

// A planner is the engine that adds up traffic.
type planner struct {
	demand         prep.Demand // what is still to come
	n, self, batch int
	steps          []transport.Stats
}

func (p *planner) Linear(op *model.Op, _ none) (none, error) {
	size := int64(p.demand.Layers[0].ApplySize(p.batch)) * int64(p.n-1)
	p.demand.Layers = p.demand.Layers[1:]
	p.steps = append(p.steps, transport.Stats{Step: Step(op) + stepOpenD, Rounds: 1, Sent: size, Received: size})
	return none{}, nil
}

func (p *planner) ReLU(op *model.Op, _ none) (none, error)   { return p.compare(op) }
func (p *planner) Max(op *model.Op, _, _ none) (none, error) { return p.compare(op) }
func (p *planner) Lift(op *model.Op, _ none) (none, error)   { return p.compare(op) }
func (p *planner) Step(op *model.Op, _ none) (none, error)   { return p.compare(op) }
func (p *planner) Spline(op *model.Op, _ none) (none, error) { return p.compare(op) }

func (p *planner) Product(op *model.Op, _, _ none) (none, error) {
	cost := product.PlanOnline(p.n, p.self, Step(op), p.demand.Products[0], p.batch)
	p.demand.Products = p.demand.Products[1:]
	p.steps = append(p.steps, cost.Steps...)
	return none{}, nil
}

func (p *planner) compare(op *model.Op) (none, error) {
	cost := compare.PlanOnline(p.n, p.self, Step(op), p.demand.Classes[0], p.batch)
	p.demand.Classes = p.demand.Classes[1:]
	p.steps = append(p.steps, cost.Steps...)
	return none{}, nil
}

// The other operations are local.
func (p *planner) AddParam(*model.Op, none) (none, error)  { return none{}, nil }
func (p *planner) Gather(*model.Op, none) (none, error)    { return none{}, nil }
func (p *planner) Sum(*model.Op, none) (none, error)       { return none{}, nil }
func (p *planner) Add(*model.Op, none, none) (none, error) { return none{}, nil }
func (p *planner) Shift(*model.Op, none) (none, error)     { return none{}, nil }

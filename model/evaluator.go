package model

import "github.com/tacit-mpc/tacit/internal/ring"

// An Evaluator computes what [Model.Eval] does, many times: the weights are laid
// out once. It is what a secure evaluation is compared with.
type Evaluator struct {
	m       *Model
	filters []*ring.Filter // by Out of a linear operation
}

// Evaluator returns one for m, whose Params must not change any more.
func (m *Model) Evaluator() (*Evaluator, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	e := &Evaluator{m, make([]*ring.Filter, len(m.Manifest.Program.Values))}
	for _, op := range m.Manifest.Program.Ops {
		if op.Kind == Linear {
			e.filters[op.Out] = ring.NewFilter(*op.Conv, m.Params[op.Weights], m.Manifest.Program.Values[op.Out].Width)
		}
	}
	return e, nil
}

// Eval runs the program on batch encoded inputs, in the clear.
func (e *Evaluator) Eval(x []uint64, batch int) ([]uint64, error) {
	if err := e.m.checkRows(x, batch); err != nil {
		return nil, err
	}
	return Run(laidOut{plain{e.m, batch}, e.filters}, &e.m.Manifest.Program, x)
}

// laidOut is plain with prepared weights.
type laidOut struct {
	plain
	filters []*ring.Filter
}

func (e laidOut) Linear(op *Op, x []uint64) ([]uint64, error) {
	return e.linear(op, e.filters[op.Out], x), nil
}

package model

// A Layer describes one operation for tables.
type Layer struct {
	Name        string
	Kind        Kind
	Len         int // elements of the result
	Width       int // of the ring of the result
	Frac        int // fraction bits of the result
	Bits        int // of a comparison or shift
	Products    int // of a linear layer, padding included, or of secrets
	Weights     int // secret numbers
	Comparisons int
}

// Layers lists the operations of the program.
func (p *Program) Layers() []Layer {
	layers := make([]Layer, 0, len(p.Ops))
	for _, op := range p.Ops {
		v := p.Values[op.Out]
		l := Layer{Name: op.Name, Kind: op.Kind, Len: v.Len, Width: v.Width, Frac: v.Frac, Bits: op.Bits}
		switch op.Kind {
		case Linear:
			l.Products = op.Conv.Products()
			l.Weights = op.Conv.WeightLen() + op.Conv.Out
		case AddParam:
			l.Weights = v.Len
		case ReLU, Max, Lift, Step:
			l.Comparisons = v.Len
		case Splined:
			l.Comparisons = v.Len * len(op.Spline.Knots)
		case Product:
			l.Products = v.Len * op.Dims.K
		}
		layers = append(layers, l)
	}
	return layers
}

// Comparisons is the number of garbled comparisons of one row.
func (p *Program) Comparisons() int {
	n := 0
	for _, l := range p.Layers() {
		n += l.Comparisons
	}
	return n
}

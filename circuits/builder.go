package circuits

// A Builder makes a circuit, wire by wire. The zero Builder is empty.
type Builder struct{ c Circuit }

func (b *Builder) add(g Gate, class Class) Wire {
	b.c.gates = append(b.c.gates, g)
	b.c.classes = append(b.c.classes, class)
	return Wire(len(b.c.gates) - 1)
}

// Public adds a public input.
func (b *Builder) Public() Wire {
	w := b.add(Gate{Op: Public}, MaskZero)
	b.c.public = append(b.c.public, w)
	return w
}

// Masked adds a masked input.
func (b *Builder) Masked() Wire {
	w := b.add(Gate{Op: Masked}, Latent)
	b.c.masked = append(b.c.masked, w)
	return w
}

// Xor adds the sum of two wires.
func (b *Builder) Xor(x, y Wire) Wire {
	return b.add(Gate{Xor, x, y}, b.c.classes[x]&b.c.classes[y]&(MaskZero|Latent))
}

// And adds the product of two wires. It panics if both are known beforehand:
// such a product is for those who make the inputs.
func (b *Builder) And(x, y Wire) Wire {
	cx, cy := b.c.classes[x], b.c.classes[y]
	if cx.Has(Latent) && cy.Has(Latent) || cx.Has(MaskZero) && cy.Has(MaskZero) {
		panic("circuits: and of two public or of two masked inputs")
	}
	if cx.Has(Latent) {
		x, y = y, x
	}
	w := b.add(Gate{And, x, y}, 0)
	b.c.ands = append(b.c.ands, w)
	return w
}

// Build returns the circuit with output out. The Builder must not be used
// again.
func (b *Builder) Build(out Wire) *Circuit {
	c := b.c
	c.out = out
	for w := len(c.gates) - 1; w >= 0; w-- {
		g := c.gates[w]
		switch {
		case g.Op == And:
			c.classes[g.A] |= Label
			c.classes[g.B] |= Label
		case g.Op == Xor && c.classes[w].Has(Label):
			c.classes[g.A] |= Label
			c.classes[g.B] |= Label
		}
	}
	c.place()
	return &c
}

// place sets the places of all labels. A slot is free again after the last gate
// that reads it; the output of a gate never takes that of an operand.
func (c *Circuit) place() {
	root, last := make([]Wire, len(c.gates)), make([]Wire, len(c.gates))
	for w, g := range c.gates {
		root[w] = Wire(w)
		if g.Op != Xor && g.Op != And {
			continue
		}
		if g.Op == Xor && c.classes[g.A].Has(Latent) {
			root[w] = root[g.B]
		} else if g.Op == Xor && c.classes[g.B].Has(Latent) {
			root[w] = root[g.A]
		}
		last[root[g.A]], last[root[g.B]] = Wire(w), Wire(w)
	}
	var free []int
	c.places = make([]Place, len(c.gates))
	for w, g := range c.gates {
		p := Place{-1, -1}
		switch label := c.classes[w].Has(Label); {
		case root[w] != Wire(w):
			p = c.places[root[w]]
		case !label || c.classes[w].Has(Latent):
		case g.Op == Public:
			p.Input = c.labelled
			c.labelled++
		default:
			if len(free) == 0 {
				free = append(free, c.slots)
				c.slots++
			}
			p.Slot, free = free[len(free)-1], free[:len(free)-1]
		}
		c.places[w] = p
		if g.Op != Xor && g.Op != And {
			continue
		}
		for i, r := range []Wire{root[g.A], root[g.B]} {
			if slot := c.places[r].Slot; slot >= 0 && last[r] == Wire(w) && (i == 0 || r != root[g.A]) {
				free = append(free, slot)
			}
		}
	}
}

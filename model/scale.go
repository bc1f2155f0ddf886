package model

import "math"

// enlarge multiplies the weights of linear layers whose outputs are small, next
// to those of the other layers, by a power of two, and divides those of the next
// layer by it: all between them commutes with positive factors, and loses fewer
// digits then.
func (p *plan) enlarge() {
	uses := p.g.uses()
	reader := make([]int, len(p.g.nodes)) // the last one
	for i, n := range p.g.nodes {
		for _, j := range n.in {
			reader[j] = i
		}
	}
	wanted := math.Ldexp(usual, -p.small)
	for i, n := range p.g.nodes {
		if n.kind != linearNode {
			continue
		}
		j, top := i, largest(p.seen[i])
		for uses[j] == 1 && homogeneous(p.g.nodes[reader[j]].kind) {
			j = reader[j]
			top = max(top, largest(p.seen[j]))
		}
		next := reader[j]
		if uses[j] == 1 && p.g.nodes[next].kind == linearNode && top > 0 && top < wanted {
			p.scale(i, next, reader, min(-exponent(top/wanted), 24))
		}
	}
}

// homogeneous reports the kinds for which f(s·x) = s·f(x) for all s > 0.
func homogeneous(k nodeKind) bool {
	switch k {
	case reluNode, maxPoolNode, gatherNode, sumNode, leakyNode:
		return true
	}
	return false
}

// scale multiplies the outputs of layer i and of all nodes before layer j, which
// follows from it alone, by 2^bits.
func (p *plan) scale(i, j int, reader []int, bits int) {
	a, b := &p.g.nodes[i], &p.g.nodes[j]
	a.w, a.b, b.w = times(a.w, bits), times(a.b, bits), times(b.w, -bits)
	for k := i; k != j; k = reader[k] {
		p.seen[k] = times(p.seen[k], bits)
	}
}

// times returns v·2^bits.
func times(v []float64, bits int) []float64 {
	z := make([]float64, len(v))
	for i, x := range v {
		z[i] = math.Ldexp(x, bits)
	}
	return z
}

package model

import (
	"math"
	"slices"
)

// fold rewrites the network into fewer operations with the same result:
// scales, offsets and batch normalisation vanish into the linear layers beside
// them, pooling comes before ReLU, and what nobody uses goes away.
func (g *Graph) fold() *Graph {
	f := *g
	f.nodes = append([]node(nil), g.nodes...)
	f.fuse()
	for f.rewrite() {
	}
	f.compact()
	f.merge()
	return &f
}

// rewrite applies one rule somewhere. Every rule moves an operation towards
// the linear layer that takes it up, or removes one, so that this ends.
func (g *Graph) rewrite() bool {
	uses := g.uses()
	for i := 1; i < len(g.nodes); i++ {
		n := &g.nodes[i]
		if uses[i] == 0 || len(n.in) != 1 || uses[n.in[0]] != 1 || n.in[0] == 0 {
			continue
		}
		if g.pair(&g.nodes[n.in[0]], n) {
			return true
		}
	}
	return false
}

// pair tries the rules on p followed by n, its only consumer. The rules keep
// the node numbers: two nodes stay two, and one that became an identity is
// taken out by becoming a detour that nobody uses.
func (g *Graph) pair(p, n *node) bool {
	switch {
	case n.kind == maxPoolNode && monotone(p):
		swap(p, n)
		n.c, n.d = resized(n.c, n.len), resized(n.d, n.len)
		return true
	case p.kind == reluNode && n.kind == gatherNode && n.len <= p.len,
		p.kind == splineNode && n.kind == gatherNode && n.len <= p.len && (p.fn.f(0) == 0 || !slices.Contains(n.index, -1)),
		p.kind == offsetNode && n.kind == gatherNode,
		p.kind == scaleNode && n.kind == gatherNode:
		swap(p, n)
		return true
	case p.kind == gatherNode && n.kind == gatherNode:
		index := make([]int32, n.len)
		for i, j := range n.index {
			if index[i] = j; j >= 0 {
				index[i] = p.index[j]
			}
		}
		n.index, n.in = index, p.in
		return true
	case p.kind == offsetNode && n.kind == scaleNode: // s·(x+c) = s·x + s·c
		c := make([]float64, len(p.c))
		for i := range c {
			c[i] = p.c[i] * n.c[i]
		}
		p.kind, n.kind, p.c, n.c = scaleNode, offsetNode, n.c, c
		p.name, n.name = n.name, p.name
		return true
	case p.kind == n.kind && (p.kind == offsetNode || p.kind == scaleNode):
		c := make([]float64, len(p.c))
		for i := range c {
			if c[i] = p.c[i] + n.c[i]; p.kind == scaleNode {
				c[i] = p.c[i] * n.c[i]
			}
		}
		n.c, n.in = c, p.in
		return true
	case (p.whole || n.whole) && p.kind != offsetNode && n.kind != offsetNode:
		return false
	case p.kind == productNode && n.kind == scaleNode:
		return g.scaleFactor(p, n)
	case p.kind == linearNode && (n.kind == scaleNode || n.kind == offsetNode):
		return absorb(p, n)
	case p.kind == offsetNode && n.kind == linearNode:
		return g.offsetThrough(p, n)
	case p.kind == scaleNode && n.kind == linearNode:
		return scaleInto(p, n)
	case p.kind == sumNode && n.kind == linearNode:
		return averageInto(p, n)
	}
	return false
}

// monotone reports that p applies the same function to every element, and keeps
// their order: the largest of the results is that of the largest element.
func monotone(p *node) bool {
	if p.kind == splineNode {
		return p.fn.trend > 0
	}
	if p.kind != reluNode && p.kind != clipNode && p.kind != leakyNode || p.kind == leakyNode && least(p.c) < 0 {
		return false
	}
	_, c := channels(p.c, min(len(p.c), 1))
	_, d := channels(p.d, min(len(p.d), 1))
	return c && d
}

// resized returns c, which is one number again and again, or nil, of length n.
func resized(c []float64, n int) []float64 {
	if c == nil {
		return nil
	}
	return repeat(c[0], n)
}

// swap exchanges p, which works on elements alone, with n, which moves them.
func swap(p, n *node) {
	if n.kind == gatherNode && p.c != nil {
		c := make([]float64, n.len)
		gather(c, p.c, n.index)
		p.c = c
	}
	*p, *n = *n, *p
	p.in, n.in = n.in, p.in
	n.len = p.len
}

// channels returns c[:n] if c repeats with period n.
func channels(c []float64, n int) ([]float64, bool) {
	for i := n; i < len(c); i++ {
		if c[i] != c[i-n] {
			return nil, false
		}
	}
	return c[:n], true
}

// scaleFactor takes the scale n of all elements of the product p into the layer
// that makes one of its factors.
func (g *Graph) scaleFactor(p, n *node) bool {
	if _, same := channels(n.c, 1); !same {
		return false
	}
	uses := g.uses()
	for _, i := range p.in {
		for g.nodes[i].kind == gatherNode && uses[i] == 1 {
			i = g.nodes[i].in[0]
		}
		l := &g.nodes[i]
		if l.kind != linearNode || l.whole || uses[i] != 1 {
			continue
		}
		scale := &node{kind: scaleNode, c: repeat(n.c[0], l.len)}
		absorb(l, scale) // becomes the layer with its weights scaled
		*l, *n = *scale, *p
		return true
	}
	return false
}

// absorb takes the scale or offset n into the linear layer p before it.
func absorb(p, n *node) bool {
	c, ok := channels(n.c, p.conv.Out)
	if !ok {
		return false
	}
	l := *p
	l.b = append([]float64(nil), p.b...)
	if n.kind == offsetNode {
		for o := range l.b {
			l.b[o] += c[o]
		}
	} else {
		out := l.conv.Out / l.conv.Groups
		block := l.conv.KH * l.conv.KW * l.conv.In / l.conv.Groups * out
		l.w = append([]float64(nil), p.w...)
		for i := range l.w {
			l.w[i] *= c[i/block*out+i%out]
		}
		for o := range l.b {
			l.b[o] *= c[o]
		}
	}
	*n = l
	return true
}

// offsetThrough moves the offset p behind the linear layer n: W∗(x+c) + b =
// W∗x + b + W∗c, exact also where the padding is not offset.
func (g *Graph) offsetThrough(p, n *node) bool {
	c := make([]float64, n.len)
	convolve(n.conv, c, p.c, n.w)
	l := *n
	l.in = p.in
	*p, *n = l, node{kind: offsetNode, name: p.name, in: n.in, len: n.len, c: c}
	return true
}

// maxSpread is how far the scales of channels may differ before they are kept
// out of the weights of a layer, where a small one would lose its digits.
const maxSpread = 64

// scaleInto takes the scale p into the weights of the layer n behind it.
func scaleInto(p, n *node) bool {
	c, ok := channels(p.c, n.conv.In)
	if !ok {
		return false
	}
	lo, hi := math.Inf(1), 0.0
	for _, v := range c {
		if v != 0 {
			lo, hi = min(lo, math.Abs(v)), max(hi, math.Abs(v))
		}
	}
	if hi > maxSpread*lo {
		return false
	}
	weightsTimes(n, func(in int) float64 { return c[in] })
	n.in = p.in
	return true
}

// weightsTimes multiplies the weights of every input channel by f of it.
func weightsTimes(n *node, f func(in int) float64) {
	c := n.conv
	in, out := c.In/c.Groups, c.Out/c.Groups
	w := make([]float64, len(n.w))
	for i, v := range n.w {
		group := i / (c.KH * c.KW * in * out)
		w[i] = v * f(group*in+i/out%in)
	}
	n.w = w
}

// averageInto leaves the division of an average that is not by a power of two
// to the weights of the next layer, where it costs no fraction bits.
func averageInto(p, n *node) bool {
	c := p.c[0]
	if c <= 0 {
		return false
	}
	exact := math.Exp2(math.Floor(math.Log2(c)))
	if c == exact {
		return false
	}
	for _, v := range p.c {
		if v != c {
			return false
		}
	}
	weightsTimes(n, func(int) float64 { return c / exact })
	sums := make([]float64, len(p.c))
	for i := range sums {
		sums[i] = exact
	}
	p.c = sums
	return true
}

// compact removes nodes without a path to the output.
func (g *Graph) compact() {
	live := make([]bool, len(g.nodes))
	live[0], live[len(live)-1] = true, true
	for i := len(g.nodes) - 1; i > 0; i-- {
		if live[i] {
			for _, j := range g.nodes[i].in {
				live[j] = true
			}
		}
	}
	number := make([]int, len(g.nodes))
	nodes := []node{}
	for i, n := range g.nodes {
		if !live[i] {
			continue
		}
		in := make([]int, len(n.in))
		for k, j := range n.in {
			in[k] = number[j]
		}
		n.in = in
		number[i] = len(nodes)
		nodes = append(nodes, n)
	}
	g.nodes = nodes
}

package model

import "math"

// What exporters write as several nodes, such as x·(1 + erf(x/√2))/2 for a GELU, is
// one smooth function again, if it is one of those known here: constants of others
// are weights, and stay secret.

// known are the functions that are recognised.
func known() []*smooth {
	return []*smooth{geluFn(false), geluFn(true), siluFn(), mishFn(), softplusFn(), sigmoidFn(), tanhFn(), softsignFn()}
}

// near is how far a function that is recognised may be off, as constants are rounded
// to 24 bits.
const near = 2e-6

// An origin is a node of which another one is a function, element by element.
type origin struct {
	node   int
	f      func(float64) float64
	curves int  // smooth functions on the way
	joined bool // two ways from it meet
}

// written reports that exporters write smooth functions like this; a scale before
// one could be a weight.
func (o origin) written() bool { return o.curves > 1 || o.curves == 1 && o.joined }

// maxOrigins bounds how far back origins are followed.
const maxOrigins = 16

// fuse replaces nodes that compute a known function of an earlier one, with other
// nodes between them.
func (g *Graph) fuse() {
	functions := known()
	origins := make([][]origin, len(g.nodes))
	for i := range g.nodes {
		n := &g.nodes[i]
		same := func(x float64) float64 { return x }
		origins[i] = []origin{{node: i, f: same}}
		from := g.origins(n, origins)
		if n.kind != gatherNode && n.kind != inputNode {
			for k := len(from) - 1; k >= 0; k-- { // the most nodes first
				o := from[k]
				if !o.written() {
					continue
				}
				if fn := recognised(o.f, functions); fn != nil {
					c := *fn
					c.near = near
					*n = node{kind: splineNode, name: n.name, in: []int{o.node}, len: n.len, fn: &c}
					from = []origin{{o.node, fn.f, 1, false}}
					break
				}
			}
		}
		origins[i] = append(origins[i], from...)
		if len(origins[i]) > maxOrigins {
			origins[i] = origins[i][:maxOrigins]
		}
	}
}

// origins returns the nodes, other than n, of which n is a function.
func (g *Graph) origins(n *node, origins [][]origin) []origin {
	var z []origin
	if f := n.uniform(); f != nil {
		for _, o := range origins[n.in[0]] {
			of := o.f
			o.f = func(x float64) float64 { return f(of(x)) }
			if n.kind == splineNode {
				o.curves++
			}
			z = append(z, o)
		}
		return z
	}
	join := n.pairwise()
	if join == nil {
		return nil
	}
	for _, o := range origins[n.in[0]] {
		for _, p := range origins[n.in[1]] {
			if o.node == p.node {
				of, pf := o.f, p.f
				z = append(z, origin{o.node, func(x float64) float64 { return join(of(x), pf(x)) }, o.curves + p.curves, true})
			}
		}
	}
	return z
}

// uniform returns the function of one operand that n applies to all elements, or nil.
func (n *node) uniform() func(float64) float64 {
	for _, v := range [][]float64{n.c, n.d} {
		if _, same := channels(v, min(len(v), 1)); !same {
			return nil
		}
	}
	switch n.kind {
	case scaleNode:
		return func(x float64) float64 { return x * n.c[0] }
	case offsetNode:
		return func(x float64) float64 { return x + n.c[0] }
	case sumNode:
		if n.window == 1 && identity(n.index, n.len) {
			return func(x float64) float64 { return x * n.c[0] }
		}
	case reluNode:
		return func(x float64) float64 { return max(x, 0) }
	case clipNode:
		return func(x float64) float64 { return n.clip(0, x) }
	case splineNode:
		return n.fn.f
	}
	return nil
}

// pairwise returns the function of two operands that n applies to all elements, or nil.
func (n *node) pairwise() func(x, y float64) float64 {
	switch {
	case n.kind == addNode && n.negate:
		return func(x, y float64) float64 { return x - y }
	case n.kind == addNode:
		return func(x, y float64) float64 { return x + y }
	case n.kind == productNode && n.dims == Dims{T: n.len, M: 1, K: 1, N: 1}:
		return func(x, y float64) float64 { return x * y }
	}
	return nil
}

// recognised returns the function that f is, or nil.
func recognised(f func(float64) float64, functions []*smooth) *smooth {
	for _, fn := range functions {
		if alike(f, fn.f) {
			return fn
		}
	}
	return nil
}

// alike reports that f and g agree at places all over where they bend.
func alike(f, g func(float64) float64) bool {
	for k := range 64 {
		x := 12*math.Mod(float64(k)*0.6180339887498949+0.05, 1) - 6
		if !(math.Abs(f(x)-g(x)) <= near/4*(1+math.Abs(x))) {
			return false
		}
	}
	return true
}

package model

import (
	"math"
	"slices"
)

// merge makes one layer of linear layers that differ in their weights alone and
// read the same tensor, as the query, key and value of attention do: the parties
// open that tensor once for all of them.
func (g *Graph) merge() {
	first := make([]int, len(g.nodes)) // the first layer of the group of every node
	groups := map[int][]int{}
	for j := range g.nodes {
		first[j] = j
		if g.nodes[j].kind != linearNode {
			continue
		}
		for i := range j {
			if first[i] == i && joinable(&g.nodes[i], &g.nodes[j]) {
				first[j] = i
				break
			}
		}
		groups[first[j]] = append(groups[first[j]], j)
	}
	number := make([]int, len(g.nodes)) // of every node in the new list
	joint := map[int]int{}              // of every merged layer, by its first
	var nodes []node
	add := func(n node) int {
		nodes = append(nodes, n)
		return len(nodes) - 1
	}
	for i, n := range g.nodes {
		n.in = slices.Clone(n.in)
		for k, j := range n.in {
			n.in[k] = number[j]
		}
		group := groups[first[i]]
		if len(group) < 2 {
			number[i] = add(n)
			continue
		}
		if first[i] == i {
			joint[i] = add(g.joined(n, group))
		}
		number[i] = add(portion(n, nodes[joint[first[i]]].conv.Out, joint[first[i]], g.offset(group, i)))
	}
	g.nodes = nodes
}

// maxApart is how far the largest weights of layers may be apart that are merged:
// they get the same fraction bits.
const maxApart = 8

// joinable reports that two layers can be one.
func joinable(a, b *node) bool {
	x, y := a.conv, b.conv
	x.Out, y.Out = 0, 0
	if a.kind != linearNode || a.in[0] != b.in[0] || x != y || x.Groups != 1 || a.whole || b.whole {
		return false
	}
	size := func(n *node) float64 { return max(largest(n.w), -least(n.w)) }
	p, q := size(a), size(b)
	return math.Min(p, q) > 0 && math.Max(p, q) <= maxApart*math.Min(p, q)
}

// joined returns the layers of a group as one, with their outputs side by side.
func (g *Graph) joined(n node, group []int) node {
	out := 0
	for _, i := range group {
		out += g.nodes[i].conv.Out
	}
	n.len = n.len / n.conv.Out * out
	n.conv.Out = out
	n.b = nil
	for _, i := range group {
		n.b = append(n.b, g.nodes[i].b...)
	}
	n.w = make([]float64, 0, len(n.w)/g.nodes[group[0]].conv.Out*out)
	for row := range len(g.nodes[group[0]].w) / g.nodes[group[0]].conv.Out {
		for _, i := range group {
			l := g.nodes[i]
			n.w = append(n.w, l.w[row*l.conv.Out:][:l.conv.Out]...)
		}
	}
	return n
}

// offset returns where the outputs of layer i begin among those of its group.
func (g *Graph) offset(group []int, i int) int {
	at := 0
	for _, j := range group {
		if j == i {
			break
		}
		at += g.nodes[j].conv.Out
	}
	return at
}

// portion returns the outputs of layer n, which begin at channel at of out, as a
// selection from the layer joint.
func portion(n node, out, joint, at int) node {
	z := node{kind: gatherNode, name: n.name, in: []int{joint}, len: n.len, index: make([]int32, n.len)}
	for i := range z.index {
		z.index[i] = int32(i/n.conv.Out*out + at + i%n.conv.Out)
	}
	return z
}

package model

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// points is [CutPoints]. Between two nodes, the tensors that were computed and that
// are needed later divide the network.
func (s *splitter) points() [][]string {
	nodes := needed(s.m.Graph, s.output)
	last := map[string]int{s.output: len(nodes)} // the last node that needs a tensor
	lookups := -1
	for i, n := range nodes {
		if !slices.ContainsFunc(n.Output, func(out string) bool { return s.tensors[out] != nil }) {
			continue // makes a constant
		}
		for _, in := range n.Input {
			if s.tensors[in] != nil {
				last[in] = i
			}
		}
		if n.GetOpType() == "Gather" && len(n.Input) > 1 && s.tensors[n.Input[1]] != nil {
			lookups = i
		}
	}
	var live []string
	for _, in := range s.m.Graph.Input {
		if s.tensors[in.GetName()] != nil {
			live = append(live, in.GetName())
		}
	}
	var all [][]string
	fewest := maxEdgeOuts
	for i, n := range nodes {
		for _, out := range n.Output {
			if s.tensors[out] != nil {
				live = append(live, out)
			}
		}
		live = slices.DeleteFunc(live, func(name string) bool { return last[name] <= i })
		made := slices.ContainsFunc(live, func(name string) bool { return s.maker[name] != nil })
		again := len(all) > 0 && slices.Equal(all[len(all)-1], live)
		if i < max(lookups, 0) || !made || again || slices.Contains(live, s.output) || len(live) > fewest {
			continue
		}
		if len(live) < fewest {
			all, fewest = nil, len(live)
		}
		all = append(all, slices.Clone(live))
	}
	return all
}

// freeze adds the value of a constant to g, without what computed it.
func (s *splitter) freeze(g *onnx.GraphProto, name string) {
	c := s.consts[name]
	if !slices.ContainsFunc(c.d, func(d dim) bool { return d.rows }) {
		g.Initializer = append(g.Initializer, c.proto(name))
		return
	}
	var nodes []*onnx.NodeProto
	add := func(op, out string, in ...string) string {
		nodes = append(nodes, made(op, out, in...))
		return out
	}
	numbers := func(out string, v ...int64) string {
		g.Initializer = append(g.Initializer, &onnx.TensorProto{
			Name: &out, Dims: []int64{int64(len(v))}, DataType: proto.Int32(int32(onnx.TensorProto_INT64)), Int64Data: v,
		})
		return out
	}
	// The first axis of a tensor that is left counts the rows.
	rows := add("Gather", name+" rows", add("Shape", name+" shape", s.cut[0]), numbers(name+" first", 0))
	var list []string
	for i, d := range c.d {
		part := numbers(fmt.Sprintf("%s part %d", name, i), d.n)
		if d.rows {
			part = add("Mul", part+" rows", rows, part)
		}
		list = append(list, part)
	}
	joined := add("Concat", name+" joined", list...)
	nodes[len(nodes)-1].Attribute = []*onnx.AttributeProto{{
		Name: proto.String("axis"), I: proto.Int64(0), Type: onnx.AttributeProto_INT.Enum(),
	}}
	var dims []int64
	for _, d := range c.shape {
		dims = append(dims, int64(d))
	}
	add("Reshape", name, joined, numbers(name+" dims", dims...))
	g.Node = append(nodes, g.Node...)
}

func made(op, out string, in ...string) *onnx.NodeProto {
	return &onnx.NodeProto{OpType: &op, Input: in, Output: []string{out}}
}

// proto returns c as a tensor of the file.
func (c *constant) proto(name string) *onnx.TensorProto {
	t := &onnx.TensorProto{Name: &name, DataType: proto.Int32(int32(onnx.TensorProto_INT64))}
	for _, d := range c.shape {
		t.Dims = append(t.Dims, int64(d))
	}
	if c.d != nil {
		for _, d := range c.d {
			t.Int64Data = append(t.Int64Data, d.n)
		}
		return t
	}
	t.DataType = proto.Int32(int32(onnx.TensorProto_FLOAT))
	for _, v := range c.f {
		t.FloatData = append(t.FloatData, float32(v))
	}
	return t
}

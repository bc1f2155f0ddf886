package model

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// A splitter cuts a graph at some of its tensors.
type splitter struct {
	*loader // of the whole graph: shapes, types, and which tensors are constant
	m       *onnx.ModelProto
	output  string
	cut     []string
	maker   map[string]*onnx.NodeProto   // by tensor
	inits   map[string]*onnx.TensorProto // by name
	moving  map[string]bool              // tensors that a node computes from inputs, if only from their shape
}

// LoadSplit is [Load] for the part of a network behind the named tensors. What is
// before them becomes the edge of the graph, which the client computes.
func LoadSplit(file []byte, tensors ...string) (*Graph, error) {
	if len(tensors) == 0 {
		return Load(file)
	}
	s, err := split(file, tensors)
	if err != nil {
		return nil, err
	}
	before, after, err := s.models()
	if err != nil {
		return nil, err
	}
	l, _, err := lowered(after, s.output, maxLoaded, s.lead)
	if err != nil {
		return nil, fmt.Errorf("behind the edge: %w", err)
	}
	g := l.g
	g.Edge = &Edge{Whole: s.lead == 0}
	if g.Edge.Model, err = proto.Marshal(before); err != nil {
		return nil, err
	}
	for _, in := range before.Graph.Input {
		p, _, err := s.part(in)
		if err != nil {
			return nil, err
		}
		g.Edge.Inputs = append(g.Edge.Inputs, p)
	}
	net, err := g.Edge.load()
	if err != nil {
		return nil, fmt.Errorf("edge: %w", err)
	}
	for i, p := range g.Inputs {
		if n := net.outs[i].len; p.Name != s.cut[i] || p.Len() != n {
			return nil, fmt.Errorf("edge: tensor %q of %d elements becomes input %q of %d", s.cut[i], n, p.Name, p.Len())
		}
	}
	return g, nil
}

// Split cuts an ONNX file into two at the named tensors: edge computes them from
// the inputs, rest computes the output from them.
func Split(file []byte, tensors ...string) (edge, rest []byte, err error) {
	s, err := split(file, tensors)
	if err != nil {
		return nil, nil, err
	}
	before, after, err := s.models()
	if err != nil {
		return nil, nil, err
	}
	if edge, err = proto.Marshal(before); err != nil {
		return nil, nil, err
	}
	rest, err = proto.Marshal(after)
	return edge, rest, err
}

// parsed lowers the whole graph, for what it tells of its tensors.
func parsed(file []byte) (*splitter, error) {
	m, output, err := decode(file, "")
	if err != nil {
		return nil, err
	}
	l, err := read(m, output, maxLoaded)
	if err != nil {
		return nil, err
	}
	s := &splitter{
		loader: l, m: m, output: output, maker: map[string]*onnx.NodeProto{}, inits: map[string]*onnx.TensorProto{}, moving: map[string]bool{},
	}
	for _, t := range m.Graph.Initializer {
		s.inits[t.GetName()] = t
	}
	for _, n := range m.Graph.Node {
		moving := slices.ContainsFunc(n.Input, func(in string) bool { return s.moving[in] || s.tensors[in] != nil })
		for _, out := range n.Output {
			s.maker[out] = n
			s.moving[out] = moving
		}
	}
	return s, nil
}

func split(file []byte, tensors []string) (*splitter, error) {
	s, err := parsed(file)
	if err != nil {
		return nil, err
	}
	for i, name := range tensors {
		switch {
		case slices.Contains(tensors[:i], name):
			return nil, fmt.Errorf("edge: tensor %q is named twice", name)
		case s.tensors[name] == nil:
			return nil, fmt.Errorf("edge: no node computes a tensor %q from the inputs%s", name, s.suggest())
		case name == s.output:
			return nil, fmt.Errorf("edge: %q is the output: nothing would be left for the parties", name)
		}
	}
	s.cut = tensors
	return s, nil
}

// models returns both parts.
func (s *splitter) models() (before, after *onnx.ModelProto, err error) {
	if len(s.cut) > maxEdgeOuts {
		return nil, nil, fmt.Errorf("edge: %d tensors are more than %d", len(s.cut), maxEdgeOuts)
	}
	after, err = s.after()
	if err != nil {
		return nil, nil, err
	}
	before, err = s.before()
	return before, after, err
}

// part of a file: what its header says, and a graph.
func (s *splitter) model(name string, g *onnx.GraphProto) *onnx.ModelProto {
	title := s.m.Graph.GetName()
	if name != "" {
		title += " " + name
	}
	g.Name = &title
	return &onnx.ModelProto{IrVersion: s.m.IrVersion, OpsetImport: s.m.OpsetImport, Graph: g}
}

// before is the graph that computes the tensors from the inputs. An input that is
// one of the tensors passes through.
func (s *splitter) before() (*onnx.ModelProto, error) {
	want, g := map[string]bool{}, &onnx.GraphProto{}
	for _, name := range s.cut {
		want[name] = true
	}
	for _, n := range slices.Backward(s.m.Graph.Node) {
		if !slices.ContainsFunc(n.Output, func(out string) bool { return out != "" && want[out] }) {
			continue
		}
		for _, in := range n.Input {
			want[in] = true
		}
		g.Node = append(g.Node, n)
	}
	slices.Reverse(g.Node)
	if len(g.Node) == 0 {
		return nil, fmt.Errorf("edge: nothing comes before %q", s.cut)
	}
	for _, name := range s.cut {
		if s.maker[name] == nil {
			g.Node = append(g.Node, made("Identity", name+" at the edge", name))
			name += " at the edge"
		}
		g.Output = append(g.Output, &onnx.ValueInfoProto{Name: &name, Type: tensorType(onnx.TensorProto_FLOAT, nil)})
	}
	for _, in := range s.m.Graph.Input {
		if want[in.GetName()] && s.inits[in.GetName()] == nil {
			g.Input = append(g.Input, in)
		}
	}
	for _, t := range s.m.Graph.Initializer {
		if want[t.GetName()] {
			g.Initializer = append(g.Initializer, t)
		}
	}
	return s.model("edge", g), nil
}

// after is the graph that computes the output from the tensors.
func (s *splitter) after() (*onnx.ModelProto, error) {
	want, g := map[string]bool{s.output: true}, &onnx.GraphProto{}
	for _, n := range slices.Backward(s.m.Graph.Node) {
		made := slices.ContainsFunc(n.Output, func(out string) bool { return out != "" && want[out] && !s.given(out) })
		if !made {
			continue
		}
		g.Node = append(g.Node, s.without(n))
		for _, in := range n.Input {
			want[in] = in != ""
		}
	}
	slices.Reverse(g.Node)
	if err := s.bypasses(want); err != nil {
		return nil, err
	}
	for _, name := range s.cut {
		if !want[name] {
			return nil, fmt.Errorf("edge: nothing behind %q needs it; leave it out", name)
		}
		t := s.tensors[name]
		g.Input = append(g.Input, &onnx.ValueInfoProto{Name: &name, Type: tensorType(s.kind(name), s.dims(t.shape))})
	}
	for _, t := range s.m.Graph.Initializer {
		if want[t.GetName()] {
			g.Initializer = append(g.Initializer, t)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if want[name] && s.frozen(name) {
			s.freeze(g, name)
		}
	}
	i := slices.IndexFunc(s.m.Graph.Output, func(o *onnx.ValueInfoProto) bool { return o.GetName() == s.output })
	g.Output = []*onnx.ValueInfoProto{s.m.Graph.Output[i]}
	return s.model("", g), nil
}

// given reports that after needs no node to make a tensor.
func (s *splitter) given(name string) bool { return slices.Contains(s.cut, name) || s.frozen(name) }

// frozen reports a constant that nodes compute from the shape of an input, which
// after does not have.
func (s *splitter) frozen(name string) bool { return s.moving[name] && s.consts[name] != nil }

// without returns n with other names for those of its outputs that are given.
func (s *splitter) without(n *onnx.NodeProto) *onnx.NodeProto {
	if !slices.ContainsFunc(n.Output, s.given) {
		return n
	}
	n = proto.CloneOf(n)
	for i, out := range n.Output {
		if s.given(out) {
			n.Output[i] = out + " again"
		}
	}
	return n
}

// bypasses refuses what does not go through the tensors.
func (s *splitter) bypasses(want map[string]bool) error {
	for _, in := range s.m.Graph.Input {
		name := in.GetName()
		if want[name] && s.tensors[name] != nil && !slices.Contains(s.cut, name) {
			return fmt.Errorf("edge: what comes behind %q also needs input %q by another way%s", s.cut, name, s.suggest())
		}
	}
	return nil
}

// suggest names tensors at which the graph can be cut.
func (s *splitter) suggest() string {
	points := s.points()
	if len(points) == 0 {
		return ""
	}
	return "; cut at " + Cuts(points)
}

// Cuts words a choice of cut points.
func Cuts(points [][]string) string {
	var some []string
	for _, names := range points[:min(len(points), 4)] {
		some = append(some, strings.Join(names, ","))
	}
	return strings.Join(some, " or ")
}

// kind is the type of the elements of a tensor.
func (s *splitter) kind(name string) onnx.TensorProto_DataType {
	if kind, ok := s.types[name]; ok {
		return kind
	}
	return onnx.TensorProto_FLOAT
}

// dims is the shape of a tensor in the file.
func (s *splitter) dims(shape []int) *onnx.TensorShapeProto {
	z := &onnx.TensorShapeProto{}
	if s.lead > 0 {
		rows := &onnx.TensorShapeProto_Dimension{Value: &onnx.TensorShapeProto_Dimension_DimParam{DimParam: "batch"}}
		if s.batch > 0 {
			rows.Value = &onnx.TensorShapeProto_Dimension_DimValue{DimValue: s.batch}
		}
		z.Dim = append(z.Dim, rows)
	}
	for _, d := range shape {
		z.Dim = append(z.Dim, &onnx.TensorShapeProto_Dimension{Value: &onnx.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}})
	}
	return z
}

func tensorType(kind onnx.TensorProto_DataType, shape *onnx.TensorShapeProto) *onnx.TypeProto {
	t := &onnx.TypeProto_Tensor{ElemType: proto.Int32(int32(kind)), Shape: shape}
	return &onnx.TypeProto{Value: &onnx.TypeProto_TensorType{TensorType: t}}
}

// CutPoints lists at which tensors a network can be cut so that no lookup is left
// behind them: sets of the fewest tensors, in the order of the file.
func CutPoints(file []byte) ([][]string, error) {
	s, err := parsed(file)
	if err != nil {
		return nil, err
	}
	points := s.points()
	if len(points) == 0 {
		return nil, errors.New("no node of the network divides it")
	}
	return points, nil
}

package model

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// Limits of an ONNX file.
const (
	maxFile     = 1 << 30 // bytes
	maxNodes    = 1 << 14
	maxLoaded   = 1 << 27 // elements of all tensors made while loading
	firstOpset  = 1       // operators may ask for a later one
	latestOpset = 25
)

// A constant is a tensor whose value the file fixes.
type constant struct {
	shape []int
	f     []float64 // numbers, or nil if whole
	d     []dim     // whole numbers, such as shapes
}

// A dim is a whole number, or the unknown number of rows times n.
type dim struct {
	n    int64
	rows bool
}

// A tensor is secret: computed from the input. Element i, in the order of the
// ONNX tensor without its batch axis, is element view[i] of node val, or zero if that is −1.
type tensor struct {
	shape []int // without the axis of the rows
	val   int
	view  []int32 // nil is the identity
	post  []Post  // what the client does first; its elements are not those of val then
	base  []int   // the shape before post
	label bool    // whole numbers made by the client
}

func (t *tensor) at(i int) int32 {
	if t.view == nil {
		return int32(i)
	}
	return t.view[i]
}

// loader turns the nodes of an ONNX graph into those of a Graph.
type loader struct {
	g        *Graph
	opset    int
	lead     int   // axes of the file that count rows: 1, or 0 if a row is all tensors as a whole
	batch    int64 // declared number of rows; 0 if free
	consts   map[string]*constant
	tensors  map[string]*tensor
	types    map[string]onnx.TensorProto_DataType // of the elements of tensors
	failed   map[string]bool                      // outputs of nodes already reported
	masks    map[string]bool                      // tensors that only a Softmax looks at
	budget   int                                  // elements
	products int
}

// Load reads an ONNX file. If the graph has several outputs, the first one of
// floating-point numbers is taken. Everything that is not supported is
// reported at once, one error per node, joined.
//
// Axis 0 counts the rows of a batch, if the model keeps rows apart. A model of
// fixed shapes that does not is loaded as a whole: one row is all of its inputs.
// One whose rows are free may move their axis, if it still keeps them apart.
func Load(file []byte) (*Graph, error) { return LoadOutput(file, "") }

// LoadOutput is [Load] for the graph output called name.
func LoadOutput(file []byte, name string) (*Graph, error) { return load(file, name, maxLoaded) }

func load(file []byte, name string, budget int) (*Graph, error) {
	m, output, err := decode(file, name)
	if err != nil {
		return nil, err
	}
	l, err := read(m, output, budget)
	if err != nil {
		return nil, err
	}
	return l.g, nil
}

// decode returns the model that a file holds, and which of its outputs is computed.
func decode(file []byte, name string) (*onnx.ModelProto, string, error) {
	if len(file) > maxFile {
		return nil, "", fmt.Errorf("onnx: %d bytes are more than the %d allowed", len(file), maxFile)
	}
	m := &onnx.ModelProto{}
	if err := proto.Unmarshal(file, m); err != nil || m.Graph == nil {
		return nil, "", errors.New("onnx: not an ONNX model; export it as .onnx, not as .pt, .h5 or a text file")
	}
	output, err := chooseOutput(m.Graph, name)
	if err != nil {
		return nil, "", fmt.Errorf("onnx: %w", err)
	}
	return m, output, nil
}

// read lowers what an output needs: by rows if they are kept apart, else as a whole.
func read(m *onnx.ModelProto, output string, budget int) (*loader, error) {
	l, fixed, err := lowered(m, output, budget, 1)
	if err == nil {
		return l, nil
	}
	var whole *loader
	var second error
	if fixed {
		whole, _, second = lowered(m, output, budget, 0)
	} else {
		whole, second = apart(m, output, budget)
	}
	if second == nil || fixed && (errors.Is(err, errNoRows) || errors.Is(err, errMixes)) || fewer(second, err) {
		return whole, second
	}
	return l, err
}

// lowered reads a graph of which lead axes count rows. If it fails, fixed says that
// all inputs have a fixed size.
func lowered(m *onnx.ModelProto, output string, budget, lead int) (l *loader, fixed bool, err error) {
	l = &loader{
		g: &Graph{Name: m.Graph.GetName()}, budget: budget, lead: lead,
		consts: map[string]*constant{}, tensors: map[string]*tensor{},
		types: map[string]onnx.TensorProto_DataType{}, failed: map[string]bool{},
	}
	if err := l.header(m); err != nil {
		return nil, false, fmt.Errorf("onnx: %w", err)
	}
	nodes := needed(m.Graph, output)
	l.masks = onlySoftmax(nodes, output)
	if fixed, err = l.inputs(m.Graph, nodes); err != nil {
		return nil, fixed, fmt.Errorf("onnx: %w", err)
	}
	if err := l.run(nodes); err != nil {
		return nil, fixed, err
	}
	if err := l.finish(output); err != nil {
		return nil, fixed, fmt.Errorf("onnx: %w", err)
	}
	return l, fixed, nil
}

func (l *loader) header(m *onnx.ModelProto) error {
	if len(m.Functions) > 0 {
		return errors.New("the model has functions of its own; export it with them inlined")
	}
	for _, o := range m.OpsetImport {
		if o.GetDomain() == "" || o.GetDomain() == "ai.onnx" {
			l.opset = int(min(max(o.GetVersion(), 0), 1<<20))
		}
	}
	if l.opset < firstOpset || l.opset > latestOpset {
		return fmt.Errorf("opset %d is not supported; export the model with an opset from 9 to %d", l.opset, latestOpset)
	}
	if len(m.Graph.Node) > maxNodes {
		return fmt.Errorf("%d nodes are more than the %d allowed", len(m.Graph.Node), maxNodes)
	}
	return nil
}

// floating reports a tensor of floating-point numbers, or the sequence of maps
// to such numbers that a ZipMap makes of one.
func floating(t *onnx.TypeProto) bool {
	if m := t.GetSequenceType().GetElemType().GetMapType(); m != nil {
		return floating(m.ValueType)
	}
	return floatKind(onnx.TensorProto_DataType(t.GetTensorType().GetElemType()))
}

func floatKind(t onnx.TensorProto_DataType) bool {
	switch t {
	case onnx.TensorProto_FLOAT, onnx.TensorProto_FLOAT16, onnx.TensorProto_DOUBLE, onnx.TensorProto_BFLOAT16:
		return true
	}
	return false
}

// chooseOutput returns the name of the output to compute: the named one, or
// the only one, or the first one of floating-point numbers.
func chooseOutput(g *onnx.GraphProto, name string) (string, error) {
	var names []string
	first := ""
	for _, o := range g.Output {
		names = append(names, o.GetName())
		if first == "" && floating(o.Type) {
			first = o.GetName()
		}
	}
	switch {
	case len(names) == 0:
		return "", errors.New("the graph has no output")
	case name != "" && slices.Contains(names, name):
		return name, nil
	case name != "":
		return "", fmt.Errorf("the graph has no output %q; choose one of %q", name, names)
	case len(names) == 1:
		return names[0], nil
	case first == "":
		return "", fmt.Errorf("none of the outputs %q is a tensor of floating-point numbers; name the one to compute", names)
	}
	return first, nil
}

// needed returns the nodes that output depends on, in order.
func needed(g *onnx.GraphProto, output string) []*onnx.NodeProto {
	want := map[string]bool{output: true}
	var nodes []*onnx.NodeProto
	for _, n := range slices.Backward(g.Node) {
		if !slices.ContainsFunc(n.Output, func(s string) bool { return s != "" && want[s] }) {
			continue
		}
		for _, in := range n.Input {
			want[in] = true
		}
		nodes = append(nodes, n)
	}
	slices.Reverse(nodes)
	return nodes
}

// inputs reads the initializers, and the inputs that nodes use and that are none
// of them; fixed says that all of these have a fixed size.
func (l *loader) inputs(g *onnx.GraphProto, nodes []*onnx.NodeProto) (fixed bool, err error) {
	used := map[string]bool{}
	for _, n := range nodes {
		for _, in := range n.Input {
			used[in] = true
		}
	}
	if len(g.SparseInitializer) > 0 {
		return false, errors.New("sparse initializers are not supported; export the weights dense")
	}
	for _, t := range g.Initializer {
		if !used[t.GetName()] {
			continue
		}
		c, err := l.decode(t)
		if err != nil {
			return false, fmt.Errorf("initializer %q: %w", t.GetName(), err)
		}
		l.consts[t.GetName()] = c
	}
	var secret []*onnx.ValueInfoProto
	for _, i := range g.Input {
		if l.consts[i.GetName()] == nil && used[i.GetName()] {
			secret = append(secret, i)
		}
	}
	if len(secret) == 0 {
		return false, errors.New("the output does not depend on any input")
	}
	return l.secrets(secret)
}

// run lowers all nodes and joins what went wrong.
func (l *loader) run(nodes []*onnx.NodeProto) error {
	var errs []error
	for i, n := range nodes {
		err := l.lower(n, i)
		if err == nil {
			continue
		}
		for _, name := range n.Output {
			l.failed[name] = true
		}
		if !errors.Is(err, errReported) {
			errs = append(errs, err)
		}
		if l.budget < 0 {
			break
		}
	}
	return errors.Join(errs...)
}

// errReported is the failure of a node that depends on a failed node.
var errReported = errors.New("an operand is missing")

func (l *loader) finish(output string) error {
	l.g.OutputName = output
	t := l.tensors[output]
	if t == nil {
		return fmt.Errorf("output %q is not computed from the input by any node", output)
	}
	base := *t
	if t.post != nil {
		base.shape = t.base
	}
	at := l.materialise(&base)
	if at == 0 { // the output is the input
		at = l.g.add(node{kind: gatherNode, name: output, in: []int{0}, len: size(base.shape), index: iota32(size(base.shape))})
	}
	l.g.nodes = l.g.nodes[:at+1]
	l.g.Output, l.g.Result, l.g.Post = base.shape, t.shape, t.post
	if len(t.post) > maxPost {
		return fmt.Errorf("%d steps after the network are more than the %d a client runs", len(t.post), maxPost)
	}
	return nil
}

func iota32(n int) []int32 {
	v := make([]int32, n)
	for i := range v {
		v[i] = int32(i)
	}
	return v
}

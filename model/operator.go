package model

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// An operator is one ONNX node being lowered.
type operator struct {
	*loader
	n     *onnx.NodeProto
	name  string
	attrs map[string]*onnx.AttributeProto
}

// operators maps the ONNX operators to their lowering.
var operators = map[string]func(*operator) error{
	"Add":                    (*operator).sumOrDifference,
	"Sum":                    (*operator).total,
	"Mean":                   (*operator).total,
	"Sub":                    (*operator).sumOrDifference,
	"Mul":                    (*operator).product,
	"Div":                    (*operator).product,
	"Neg":                    (*operator).negate,
	"Gemm":                   (*operator).gemm,
	"MatMul":                 (*operator).matMul,
	"Conv":                   rowwise((*operator).convolution),
	"BatchNormalization":     rowwise((*operator).batchNorm),
	"Relu":                   (*operator).relu,
	"Clip":                   (*operator).clip,
	"LeakyRelu":              (*operator).leakyRelu,
	"PRelu":                  (*operator).pRelu,
	"HardSigmoid":            (*operator).hardSigmoid,
	"Abs":                    (*operator).abs,
	"Max":                    (*operator).extremum,
	"Min":                    (*operator).extremum,
	"MaxPool":                rowwise((*operator).maxPool),
	"GlobalMaxPool":          rowwise((*operator).globalPool),
	"AveragePool":            rowwise((*operator).averagePool),
	"GlobalAveragePool":      rowwise((*operator).globalPool),
	"ReduceMean":             (*operator).reduce,
	"ReduceSum":              (*operator).reduce,
	"ReduceMax":              (*operator).reduce,
	"ReduceMin":              (*operator).reduce,
	"Pad":                    (*operator).pad,
	"Flatten":                (*operator).flatten,
	"Reshape":                (*operator).reshape,
	"Squeeze":                (*operator).squeeze,
	"Unsqueeze":              (*operator).unsqueeze,
	"Transpose":              (*operator).transpose,
	"Identity":               (*operator).identity,
	"Dropout":                (*operator).dropout,
	"Cast":                   (*operator).cast,
	"Constant":               (*operator).constant,
	"ConstantOfShape":        (*operator).constantOfShape,
	"Shape":                  (*operator).shapeOf,
	"Gather":                 (*operator).gather,
	"Slice":                  (*operator).slice,
	"Split":                  (*operator).split,
	"Expand":                 (*operator).expand,
	"Tile":                   (*operator).tile,
	"DepthToSpace":           rowwise((*operator).depthToSpace),
	"SpaceToDepth":           rowwise((*operator).depthToSpace),
	"Resize":                 (*operator).resize,
	"Upsample":               (*operator).resize,
	"ConvTranspose":          rowwise((*operator).deconvolution),
	"Concat":                 (*operator).concat,
	"Softmax":                (*operator).softmax,
	"LogSoftmax":             (*operator).softmax,
	"Sigmoid":                (*operator).sigmoid,
	"Tanh":                   (*operator).smooth,
	"Softplus":               (*operator).smooth,
	"Softsign":               (*operator).smooth,
	"Erf":                    (*operator).smooth,
	"Mish":                   (*operator).smooth,
	"Exp":                    (*operator).smooth,
	"Log":                    (*operator).smooth,
	"Sqrt":                   (*operator).smooth,
	"Reciprocal":             (*operator).smooth,
	"Sin":                    (*operator).smooth,
	"Cos":                    (*operator).smooth,
	"Tan":                    (*operator).smooth,
	"Asin":                   (*operator).smooth,
	"Acos":                   (*operator).smooth,
	"Atan":                   (*operator).smooth,
	"Sinh":                   (*operator).smooth,
	"Cosh":                   (*operator).smooth,
	"Asinh":                  (*operator).smooth,
	"Acosh":                  (*operator).smooth,
	"Atanh":                  (*operator).smooth,
	"Elu":                    (*operator).smooth,
	"Celu":                   (*operator).smooth,
	"Selu":                   (*operator).smooth,
	"Gelu":                   (*operator).smooth,
	"Swish":                  (*operator).smooth,
	"HardSwish":              (*operator).hardSwish,
	"ArgMax":                 (*operator).argMax,
	"ZipMap":                 (*operator).zipMap,
	"Scaler":                 rowwise((*operator).scaler),
	"Normalizer":             rowwise((*operator).normalizer),
	"Greater":                (*operator).compare,
	"GreaterOrEqual":         (*operator).compare,
	"Less":                   (*operator).compare,
	"LessOrEqual":            (*operator).compare,
	"Equal":                  (*operator).compare,
	"Sign":                   (*operator).sign,
	"Not":                    (*operator).notOperator,
	"And":                    (*operator).logic,
	"Or":                     (*operator).logic,
	"Xor":                    (*operator).logic,
	"IsNaN":                  (*operator).never,
	"IsInf":                  (*operator).never,
	"Where":                  (*operator).where,
	"ThresholdedRelu":        (*operator).thresholded,
	"TopK":                   (*operator).topK,
	"Pow":                    (*operator).power,
	"Einsum":                 (*operator).einsums,
	"LayerNormalization":     (*operator).layerNorm,
	"InstanceNormalization":  (*operator).instanceNorm,
	"TreeEnsembleClassifier": rowwise((*operator).treeClassifier),
	"TreeEnsembleRegressor":  rowwise((*operator).treeRegressor),
	"TreeEnsemble":           rowwise((*operator).treeEnsemble),
	"SVMClassifier":          rowwise((*operator).svmClassifier),
	"LinearClassifier":       rowwise((*operator).linearClassifier),
	"LinearRegressor":        rowwise((*operator).linearRegressor),
	"SVMRegressor":           rowwise((*operator).svmRegressor),

	"LSTM":                      (*operator).recurrent,
	"GRU":                       (*operator).recurrent,
	"RNN":                       (*operator).recurrent,
	"ReduceL1":                  (*operator).reduce,
	"ReduceL2":                  (*operator).reduce,
	"ReduceLogSum":              (*operator).reduce,
	"ReduceLogSumExp":           (*operator).reduce,
	"ReduceSumSquare":           (*operator).reduce,
	"ReduceProd":                (*operator).reduce,
	"CumSum":                    (*operator).cumSum,
	"ArgMin":                    (*operator).argMin,
	"Hardmax":                   (*operator).hardmax,
	"Trilu":                     (*operator).trilu,
	"GatherElements":            (*operator).gatherElements,
	"GatherND":                  (*operator).gatherND,
	"Scatter":                   (*operator).scatterElements,
	"ScatterElements":           (*operator).scatterElements,
	"ScatterND":                 (*operator).scatterND,
	"ReverseSequence":           (*operator).reverseSequence,
	"Compress":                  (*operator).compress,
	"OneHot":                    (*operator).oneHot,
	"Size":                      (*operator).sizeOf,
	"Floor":                     (*operator).rounding,
	"Ceil":                      (*operator).rounding,
	"Round":                     (*operator).rounding,
	"Mod":                       (*operator).modulo,
	"Range":                     (*operator).sequence,
	"NonZero":                   (*operator).nonZero,
	"EyeLike":                   (*operator).eyeLike,
	"LpNormalization":           (*operator).lpNorm,
	"GroupNormalization":        rowwise((*operator).groupNorm),
	"RMSNormalization":          (*operator).rmsNorm,
	"MeanVarianceNormalization": (*operator).meanVariance,
}

// classical are the operators of the domain ai.onnx.ml; the others are ONNX's own.
var classical = map[string]bool{
	"ZipMap": true, "Scaler": true, "Normalizer": true, "LinearClassifier": true, "LinearRegressor": true, "SVMRegressor": true,
	"TreeEnsembleClassifier": true, "TreeEnsembleRegressor": true, "TreeEnsemble": true, "SVMClassifier": true,
}

// since is the first opset in which an operator means what is implemented
// here, where that is not opset 1.
var since = map[string]int{
	"Add": 7, "Sub": 7, "Mul": 7, "Div": 7, "Gemm": 7, "Reshape": 5, "Dropout": 7, "Concat": 4, "Cast": 6, "Pad": 2,
	"PRelu": 7, "Sum": 6, "Mean": 6, "Resize": 10, "Upsample": 7, "Expand": 8, "Tile": 6, "Split": 2, "Max": 6, "Min": 6, "Clip": 6, "LeakyRelu": 6, "HardSigmoid": 6, "Abs": 6,
	"And": 7, "Or": 7, "Xor": 7, "Greater": 7, "Less": 7, "Equal": 7, "GreaterOrEqual": 12, "LessOrEqual": 12, "Where": 9, "Sign": 9, "IsNaN": 9, "IsInf": 10, "ThresholdedRelu": 10,
	"Pow": 7, "Einsum": 12, "LayerNormalization": 17, "InstanceNormalization": 6,
	"Celu": 12, "Gelu": 20, "HardSwish": 14, "Mish": 18, "Swish": 24, "Erf": 9,
	"LSTM": 7, "GRU": 7, "RNN": 7, "CumSum": 11, "Trilu": 14, "GatherElements": 11, "GatherND": 11, "Scatter": 9, "ScatterElements": 11, "ScatterND": 11, "ReverseSequence": 10, "Compress": 9,
	"OneHot": 9, "Round": 11, "Mod": 10, "Range": 11, "NonZero": 9, "EyeLike": 9, "GroupNormalization": 18, "RMSNormalization": 23, "MeanVarianceNormalization": 9,
}

// hints say what to do instead of operators that people meet often.
var hints = map[string]string{
	"If": "fix the condition before the export", "Loop": "export it unrolled", "Scan": "export it unrolled",
	"NonMaxSuppression": "let the client do it with the outputs before it", "Unique": "let the client do it",
	"QuantizeLinear": "export the model before it is quantised", "DequantizeLinear": "export the model before it is quantised",
	"DynamicQuantizeLinear": "export the model before it is quantised", "QLinearConv": "export the model before it is quantised",
	"QLinearMatMul": "export the model before it is quantised", "ConvInteger": "export the model before it is quantised", "MatMulInteger": "export the model before it is quantised",
	"BitShift": "multiply by a power of two", "GridSample": "use Resize", "Det": "compute it before the model",
	"StringNormalizer": "encode texts before the model", "LabelEncoder": "encode labels before and after the model",
}

// lower adds node i of the ONNX graph.
func (l *loader) lower(n *onnx.NodeProto, i int) error {
	o := &operator{loader: l, n: n, name: n.GetName(), attrs: map[string]*onnx.AttributeProto{}}
	if o.name == "" {
		o.name = fmt.Sprintf("#%d", i)
		if i := slices.IndexFunc(n.Output, func(s string) bool { return s != "" }); i >= 0 {
			o.name = n.Output[i]
		}
	}
	if len(o.name) > maxName {
		o.name = o.name[:maxName]
	}
	for _, a := range n.Attribute {
		o.attrs[a.GetName()] = a
	}
	f := operators[n.GetOpType()]
	d := n.GetDomain()
	if known := d == "" || d == "ai.onnx" || d == "ai.onnx.ml" && classical[n.GetOpType()]; f == nil || !known {
		hint := hints[n.GetOpType()]
		if hint == "" {
			hint = "rewrite it with what docs/operators.md lists: layers, pools, piecewise linear functions, arithmetic with constants"
		}
		return o.wrap(fmt.Errorf("the operator is not supported; %s", hint))
	}
	if l.opset < since[n.GetOpType()] {
		return o.wrap(fmt.Errorf("it has another meaning in opset %d; export the model with an opset from 9 to %d", l.opset, latestOpset))
	}
	for _, in := range n.Input {
		if l.failed[in] {
			return errReported
		}
		if in != "" && l.consts[in] == nil && l.tensors[in] == nil {
			return o.wrap(fmt.Errorf("operand %q is defined nowhere before it", in))
		}
	}
	if len(n.Output) == 0 || n.Output[0] == "" && gatesOf[n.GetOpType()] == 0 || len(n.Input) > 64 {
		return o.wrap(errors.New("the node has no output or too many operands"))
	}
	for _, out := range n.Output {
		if out != "" && (l.consts[out] != nil || l.tensors[out] != nil) {
			return o.wrap(fmt.Errorf("output %q is defined twice", out))
		}
	}
	if err := f(o); err != nil && (o.depends() || !o.folding(f)) {
		return o.wrap(err)
	}
	for i, out := range n.Output {
		if l.tensors[out] != nil {
			l.types[out] = o.outputType(i)
		}
	}
	return nil
}

// depends reports that an operand depends on the input.
func (o *operator) depends() bool {
	return slices.ContainsFunc(o.n.Input, func(name string) bool { return o.tensors[name] != nil })
}

func (o *operator) wrap(err error) error {
	return fmt.Errorf("node %q (%s): %w", o.name, o.n.GetOpType(), err)
}

func (o *operator) input(i int) string {
	if i < len(o.n.Input) {
		return o.n.Input[i]
	}
	return ""
}

// secret returns operand i, which must depend on the input.
func (o *operator) secret(i int) (*tensor, error) {
	t := o.tensors[o.input(i)]
	if t == nil {
		return nil, fmt.Errorf("operand %d must depend on the input of the model; fold constants before the export", i)
	}
	if t.post != nil { // not the end: the parties do it
		var err error
		if t, err = o.inside(t); err != nil {
			return nil, err
		}
		o.tensors[o.input(i)] = t
	}
	return t, nil
}

// fixed returns operand i, which must be constant; nil if it is left out.
func (o *operator) fixed(i int) (*constant, error) {
	name := o.input(i)
	if name == "" {
		return nil, nil
	}
	if c := o.consts[name]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("operand %d, %q, %w", i, name, ErrConstant)
}

// numbers is fixed as floating-point numbers; the operand must be there.
func (o *operator) numbers(i int) (*constant, []float64, error) {
	c, err := o.fixed(i)
	if err != nil {
		return nil, nil, err
	}
	if c == nil {
		return nil, nil, fmt.Errorf("operand %d is missing", i)
	}
	f, err := c.floats()
	return c, f, err
}

// spend takes n elements from the budget of the file, before they are made.
func (l *loader) spend(n int) error {
	if l.budget -= n; l.budget < 0 {
		return errTooLarge
	}
	return nil
}

// set defines output 0.
func (o *operator) set(t *tensor) error {
	if err := checkShape(t.shape); err != nil {
		return err
	}
	if err := o.spend(2 * size(t.shape)); err != nil {
		return err
	}
	o.tensors[o.n.Output[0]] = t
	return nil
}

func (o *operator) setConst(c *constant) error {
	if err := o.spend(c.len()); err != nil {
		return err
	}
	o.consts[o.n.Output[0]] = c
	return nil
}

func (o *operator) int(name string, otherwise int) int {
	if a := o.attrs[name]; a != nil && a.I != nil {
		return int(min(max(a.GetI(), -maxWhole), maxWhole))
	}
	return otherwise
}

func (o *operator) float(name string, otherwise float64) float64 {
	if a := o.attrs[name]; a != nil && a.F != nil {
		return float64(a.GetF())
	}
	return otherwise
}

func (o *operator) string(name, otherwise string) string {
	if a := o.attrs[name]; a != nil && a.S != nil {
		return string(a.S)
	}
	return otherwise
}

// ints returns n whole numbers of an attribute, or otherwise n times.
func (o *operator) ints(name string, n, otherwise int) ([]int, error) {
	a := o.attrs[name]
	if a == nil || len(a.Ints) == 0 {
		return slices.Repeat([]int{otherwise}, n), nil
	}
	if len(a.Ints) != n {
		return nil, fmt.Errorf("attribute %s has %d numbers, not %d", name, len(a.Ints), n)
	}
	v := make([]int, n)
	for i, x := range a.Ints {
		v[i] = int(min(max(x, -maxWhole), maxWhole))
	}
	return v, nil
}

// axes returns the axes of a tensor of rank axes in the file that
// the attribute or, in later opsets, operand 1 names; nil if neither is there.
func (o *operator) axes(rank int) ([]int, error) {
	var v []int
	if a := o.attrs["axes"]; a != nil {
		for _, x := range a.Ints {
			v = append(v, int(min(max(x, -maxWhole), maxWhole)))
		}
	} else if c, err := o.fixed(1); err != nil {
		return nil, err
	} else if c != nil {
		if v, err = c.wholes(); err != nil {
			return nil, err
		}
	}
	seen := map[int]bool{}
	for i := range v {
		if v[i] < 0 {
			v[i] += rank
		}
		if v[i] < 0 || v[i] >= rank || seen[v[i]] {
			return nil, fmt.Errorf("axis %d is repeated or not one of the %d axes", v[i], rank)
		}
		seen[v[i]] = true
	}
	return v, nil
}

// axis normalises one axis.
func axis(a, rank int) (int, error) {
	if a < 0 {
		a += rank
	}
	if a < 0 || a >= rank {
		return 0, fmt.Errorf("axis %d is not one of the %d axes", a, rank)
	}
	return a, nil
}

// materialise returns a node whose elements are those of t, in order.
func (l *loader) materialise(t *tensor) int { return l.arrange(t, nil) }

// arrange returns a node with element order[i] of t at i; nil keeps the order.
func (l *loader) arrange(t *tensor, order []int32) int {
	n := size(t.shape)
	if order != nil {
		n = len(order)
	}
	index, same := make([]int32, n), n == l.g.nodes[t.val].len
	for i := range index {
		j := i
		if order != nil {
			j = int(order[i])
		}
		index[i] = -1
		if j >= 0 {
			index[i] = t.at(j)
		}
		same = same && index[i] == int32(i)
	}
	if same {
		return t.val
	}
	l.budget -= n
	return l.g.add(node{kind: gatherNode, name: l.g.nodes[t.val].name, in: []int{t.val}, len: n, index: index})
}

// view returns the tensor of the elements of t that index names; −1 is a zero,
// not after steps at the client.
func (l *loader) view(t *tensor, shape []int, index []int32) *tensor {
	z := &tensor{shape: shape, val: t.val, post: t.post, base: t.base, label: t.label}
	same := len(index) == size(t.shape)
	for i, j := range index {
		same = same && j == int32(i)
	}
	switch {
	case same:
		z.view = t.view
	case t.post != nil:
		z.view = t.view
		z.post = append(slices.Clone(t.post), Post{Op: PostGather, Index: index})
	default:
		z.view = make([]int32, len(index))
		for i, j := range index {
			z.view[i] = -1
			if j >= 0 {
				z.view[i] = t.at(int(j))
			}
		}
	}
	return z
}

// bijective reports that t is its node in another order.
func (l *loader) bijective(t *tensor) bool {
	n := l.g.nodes[t.val].len
	if t.view == nil {
		return true
	}
	if len(t.view) != n {
		return false
	}
	seen := make([]bool, n)
	for _, j := range t.view {
		if j < 0 || seen[j] {
			return false
		}
		seen[j] = true
	}
	return true
}

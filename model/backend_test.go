package model

import (
	"archive/zip"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// refused lists the cases of the ONNX project that cannot run, by what the error
// says about them, with all operands but the first fixed by the model.
var refused = map[string]string{
	"training mode": `batchnorm_epsilon_training_mode batchnorm_epsilon_training_mode:1 batchnorm_epsilon_training_mode:2
		batchnorm_example_training_mode batchnorm_example_training_mode:1 batchnorm_example_training_mode:2
		training_dropout training_dropout_default training_dropout_default_mask training_dropout_default_mask:1 training_dropout_mask
		training_dropout_mask:1 training_dropout_zero_ratio training_dropout_zero_ratio_mask training_dropout_zero_ratio_mask:1`,
	"does not depend on any input": `constant`,
	"must be a constant": `constantofshape_float_ones constantofshape_int_shape_zero constantofshape_int_zeros
		range_float_type_positive_delta range_int32_type_negative_delta`,
	"the reduction": `scatternd_multiply`,
	"is not computed from the input": `shape shape_clip_end shape_clip_start shape_end_1 shape_end_negative_1 shape_example shape_start_1
		shape_start_1_end_2 shape_start_1_end_negative_1 shape_start_negative_1 dropout_default_mask:1 dropout_default_mask_ratio:1
		maxpool_with_argmax_2d_precomputed_pads:1 maxpool_with_argmax_2d_precomputed_strides:1`,
	"mixes rows":              `einsum_batch_matmul`,
	"differs from row to row": `pow`,
	"tf_crop_and_resize":      `resize_tf_crop_and_resize`,
	"drops its fraction":      `div_uint8`,
	"nothing is left":         `slice_start_out_of_bounds`,
	"has no elements":         `tril_zero`,
	"mix rows":                `triu_zero split_zero_size_splits split_zero_size_splits:1 split_zero_size_splits:2`,
	"size 0 at one axis":      `reshape_allowzero_reordered`,
}

// open lists why a case may not run with all operands secret, as its file has them:
// what is a weight or a parameter of the operator must be fixed by the model. Named
// are the cases for which the reason is another one.
var open = map[string]string{
	"must be a constant": "", "fold constants before the export": "",
	"training mode":                  refused["training mode"],
	"is not computed from the input": refused["is not computed from the input"],
	"drops its fraction":             refused["drops its fraction"],
	"has no elements":                refused["has no elements"],
	"no axis counts the rows": `triu_zero split_zero_size_splits split_zero_size_splits:1 split_zero_size_splits:2 reshape_allowzero_reordered
		reduce_sum_empty_axes_input_noop_example reduce_sum_default_axes_keepdims_example reduce_sum_negative_axes_keepdims_random
		reduce_sum_default_axes_keepdims_random`,
}

// poles are the cases with inputs on both sides of a pole, or next to one, which no
// range of the operand holds, and those whose range is too wide without samples.
const poles = "atanh reciprocal_example tan reduce_log_sum_* reduce_prod_*"

// listed reports that a reason for an error is known of the case id.
func listed(reasons map[string]string, id string, err error) bool {
	for reason, names := range reasons {
		if strings.Contains(err.Error(), reason) && (names == "" || among(names, id)) {
			return true
		}
	}
	return false
}

// among reports that one of names, which may have a *, is id.
func among(names, id string) bool {
	return slices.ContainsFunc(strings.Fields(names), func(name string) bool {
		ok, err := filepath.Match(name, id)
		return ok && err == nil
	})
}

// A sample is a tensor of a case.
type sample struct {
	proto *onnx.TensorProto
	shape []int
	v     []float32
}

// readTensor decodes a tensor as numbers.
func readTensor(t *testing.T, b []byte) sample {
	t.Helper()
	s := sample{proto: new(onnx.TensorProto)}
	if err := proto.Unmarshal(b, s.proto); err != nil {
		t.Fatal(err)
	}
	c, err := (&loader{budget: maxLoaded}).decode(s.proto)
	if err != nil {
		t.Fatal(err)
	}
	f, err := c.floats()
	if err != nil {
		t.Fatal(err)
	}
	s.shape = c.shape
	for i := range f {
		s.v = append(s.v, float32(f[i]))
	}
	return s
}

// samples reads the inputs or the outputs of a case.
func samples(t *testing.T, files map[string][]byte, prefix string) []sample {
	var list []sample
	for b, ok := files[prefix+"0"]; ok; b, ok = files[prefix+strconv.Itoa(len(list))] {
		list = append(list, readTensor(t, b))
	}
	return list
}

// unzip reads all files of an archive.
func unzip(t testing.TB, name string) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// TestPyTorchExports runs networks that PyTorch exported, in floating point, in
// fixed point and on shares.
func TestPyTorchExports(t *testing.T) {
	files := unzip(t, "testdata/pytorch.zip")
	numbers := func(b []byte) []float32 {
		v := make([]float32, len(b)/4)
		for i := range v {
			v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		return v
	}
	for file := range files {
		name, ok := strings.CutSuffix(file, ".onnx")
		if !ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			g, err := Load(files[file])
			if err != nil {
				t.Fatal(err)
			}
			x := numbers(files[name+".x"])
			checkNetwork(t, g, x, numbers(files[name+".y"]))
			n := size(g.Input)
			m, err := Compile(g, Options{Calibration: [][]float32{x[:n], x[n : 2*n], x[2*n : 3*n], x[3*n:]}})
			if err != nil {
				t.Fatal(err)
			}
			checkPrivate(t, m, x, rand.New(rand.NewPCG(41, 42)))
		})
	}
}

// TestBackendCases runs the operator cases of the ONNX project: the float
// reference must give their outputs, the fixed-point engine must stay within
// its bound of the reference, and what is refused must be refused for the
// reason given here.
func TestBackendCases(t *testing.T) {
	files := unzip(t, cmp.Or(os.Getenv("BACKEND"), "testdata/backend.zip"))
	for file := range files {
		name, ok := strings.CutSuffix(file, ".onnx")
		if !ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			var m onnx.ModelProto
			if err := proto.Unmarshal(files[file], &m); err != nil {
				t.Fatal(err)
			}
			inputs, outputs := samples(t, files, name+".x"), samples(t, files, name+".y")
			for k, want := range outputs {
				id := strings.TrimPrefix(name, "test_")
				if k > 0 {
					id = fmt.Sprint(id, ":", k)
				}
				backendCase(t, id, &m, inputs, want)
			}
		})
	}
}

// backendCase runs a case with the operands secret that may be, and with all but the
// first of them fixed by the model.
func backendCase(t *testing.T, id string, m *onnx.ModelProto, inputs []sample, want sample) {
	g, err := loadCase(t, m, want.proto.GetName())
	if err == nil {
		runCase(t, id, g, inputs, want)
	}
	if err != nil && strings.Contains(err.Error(), "the operator is not supported") {
		for _, n := range m.Graph.Node {
			if operators[n.GetOpType()] == nil {
				return
			}
		}
	}
	if err != nil && len(inputs) > 1 {
		if !listed(open, id, err) {
			t.Errorf("%s with all operands secret: %v", id, err)
		}
	}
	if len(inputs) > 1 {
		fixed := proto.Clone(m).(*onnx.ModelProto)
		for i := 1; i < len(inputs); i++ {
			inputs[i].proto.Name = fixed.Graph.Input[i].Name
			fixed.Graph.Initializer = append(fixed.Graph.Initializer, inputs[i].proto)
		}
		if g, err = loadCase(t, fixed, want.proto.GetName()); err == nil {
			runCase(t, id, g, inputs, want)
		}
	}
	expected := slices.ContainsFunc(slices.Collect(maps.Values(refused)), func(names string) bool { return among(names, id) })
	if err != nil && !listed(refused, id, err) || err == nil && expected {
		t.Errorf("%s: error %v, is it refused: %v", id, err, expected)
	}
}

func loadCase(t *testing.T, m *onnx.ModelProto, output string) (*Graph, error) {
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return LoadOutput(b, output)
}

// runCase runs a case that loads.
func runCase(t *testing.T, id string, g *Graph, inputs []sample, want sample) {
	t.Helper()
	by := map[string]sample{}
	for _, s := range inputs {
		by[s.proto.GetName()] = s
	}
	rows := len(by[g.Inputs[0].Name].v) / g.Inputs[0].Len()
	if rows == 0 { // a batch of none
		return
	}
	var x []float32
	for i := range rows {
		for _, p := range g.Inputs {
			x = append(x, by[p.Name].v[i*p.Len():][:p.Len()]...)
		}
	}
	off := 1e-5
	for _, s := range append(inputs, want) { // the reference rounds to this type
		if s.proto.GetDataType() == int32(onnx.TensorProto_FLOAT16) {
			off = 1e-3
		}
	}
	checkNear(t, g, x, want.v, off)
	near := among(poles, id)
	if err := fixedPoint(t, g, x); err != nil && !(near && (strings.Contains(err.Error(), "is not defined everywhere") || strings.Contains(err.Error(), "too wide"))) {
		t.Error(err)
	}
	if !slices.Equal(g.Result, want.shape) && (len(want.shape) == 0 || !slices.Equal(g.Result, want.shape[1:])) {
		t.Errorf("result of shape %v, want %v", g.Result, want.shape)
	}
}

// checkNetwork compares the float reference with want, and the fixed-point
// engine with the reference, with and without calibration.
func checkNetwork(t *testing.T, g *Graph, x, want []float32) {
	t.Helper()
	checkNear(t, g, x, want, 1e-5)
	checkFixed(t, g, x)
}

// checkNear compares the float reference with want, which has errors of off.
func checkNear(t *testing.T, g *Graph, x, want []float32, off float64) {
	t.Helper()
	y, err := g.Float(x)
	if err != nil {
		t.Fatal(err)
	}
	if len(y) != len(want) {
		t.Fatalf("%d elements, want %d", len(y), len(want))
	}
	for i := range y {
		if d := math.Abs(float64(y[i] - want[i])); !(d <= off+off*math.Abs(float64(want[i]))) {
			t.Fatalf("element %d is %v, want %v", i, y[i], want[i])
		}
	}
}

// checkFixed asserts that the plaintext engine is within its bound of the
// real network, on rows x.
func checkFixed(t *testing.T, g *Graph, x []float32) {
	t.Helper()
	if err := fixedPoint(t, g, x); err != nil {
		t.Fatal(err)
	}
}

// fixedPoint is checkFixed, but returns why a network does not compile.
func fixedPoint(t *testing.T, g *Graph, x []float32) error {
	t.Helper()
	n := size(g.Input)
	var rows [][]float32
	for i := range len(x) / n {
		rows = append(rows, x[i*n:][:n])
	}
	ranges := map[string][2]float64{}
	at := 0
	for _, p := range g.Inputs {
		lo, hi := math.Inf(1), math.Inf(-1)
		for _, row := range rows {
			for _, v := range row[at:][:p.Len()] {
				lo, hi = min(lo, float64(v)), max(hi, float64(v))
			}
		}
		ranges[p.Name] = [2]float64{lo, hi}
		at += p.Len()
	}
	raw, err := g.Raw(x)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{Calibration: rows}, {Ranges: ranges}, {Ranges: ranges, FractionBits: 7}} {
		m, err := Compile(g, o)
		if err != nil {
			return err
		}
		e, err := m.Manifest.Encode(x)
		if err != nil {
			t.Fatal(err)
		}
		z, err := m.Eval(e, len(rows))
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range m.Manifest.Fixed(z) {
			if d := math.Abs(v - raw[i]); d > m.FloatBound() {
				t.Fatalf("element %d is %v in fixed point, %v in floating point: more than the bound %v", i, v, raw[i], m.FloatBound())
			}
		}
	}
	return nil
}

package model

import (
	"archive/zip"
	"encoding/binary"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// refused lists the cases of the ONNX project that mix rows or train, by what
// the error says about them.
var refused = map[string]string{
	"no axis counts the rows": `dropout_default_old div_example mul_example sigmoid_example clip_default_inbounds neg_example sub_example leakyrelu_example hardsigmoid_example
		split_equal_parts_1d split_equal_parts_default_axis split_variable_parts_1d split_variable_parts_default_axis split_zero_size_splits gather_negative_indices concat_1d_axis_0 concat_1d_axis_negative_1
		min_float64 max_float64 min_float32 max_float32 max_one_input min_one_input max_two_inputs min_two_inputs min_example max_example`,
	"row to row": `add div mul sub gemm_default_matrix_bias prelu_example concat_2d_axis_0 concat_2d_axis_1 concat_2d_axis_negative_1 concat_2d_axis_negative_2
		concat_3d_axis_0 concat_3d_axis_1 concat_3d_axis_2 concat_3d_axis_negative_1 concat_3d_axis_negative_2 concat_3d_axis_negative_3`,
	"mix rows": `argmax_default_axis_random argmax_default_axis_example argmax_default_axis_example_select_last_index argmax_default_axis_random_select_last_index flatten_axis0 flatten_axis2 flatten_axis3 flatten_negative_axis1 flatten_negative_axis2 flatten_negative_axis4 gemm_all_attributes gemm_transposeA reduce_mean_default_axes_keepdims_example reduce_mean_default_axes_keepdims_random reduce_sum_default_axes_keepdims_example reduce_sum_default_axes_keepdims_random softmax_axis_0 logsoftmax_axis_0
		reduce_max_default_axes_keepdims_random reduce_max_default_axes_keepdim_example reduce_min_default_axes_keepdims_random reduce_min_default_axes_keepdims_example slice slice_neg_steps gather_0`,
	"repeat rows":             `tile_precomputed expand_dim_changed`,
	"nothing is left":         `slice_start_out_of_bounds`,
	"tf_crop_and_resize":      `resize_tf_crop_and_resize`,
	"one or two spatial axes": `convtranspose_3d`,
	"the batch":               `transpose_all_permutations_2 transpose_all_permutations_3 transpose_all_permutations_4 transpose_all_permutations_5 transpose_default reshape_one_dim reshape_allowzero_reordered reshape_reordered_all_dims reshape_negative_extended_dims unsqueeze_axis_0 squeeze`,
	"training mode":           `batchnorm_epsilon_training_mode batchnorm_example_training_mode`,
	"use one of two axes":     `matmul_3d matmul_4d`,
}

// readTensor decodes a tensor as numbers.
func readTensor(t *testing.T, b []byte) ([]float32, []int) {
	t.Helper()
	var p onnx.TensorProto
	if err := proto.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	c, err := (&loader{budget: maxLoaded}).decode(&p)
	if err != nil {
		t.Fatal(err)
	}
	f, err := c.floats()
	if err != nil {
		t.Fatal(err)
	}
	v := make([]float32, len(f))
	for i := range f {
		v[i] = float32(f[i])
	}
	return v, c.shape
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
	files := unzip(t, "testdata/backend.zip")
	for file := range files {
		name, ok := strings.CutSuffix(file, ".onnx")
		if !ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			g, err := Load(files[file])
			for reason, names := range refused {
				if slices.Contains(strings.Fields(names), strings.TrimPrefix(name, "test_")) {
					if err == nil || !strings.Contains(err.Error(), reason) {
						t.Fatalf("error %v, want one about %q", err, reason)
					}
					return
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			x, _ := readTensor(t, files[name+".x"])
			y, shape := readTensor(t, files[name+".y"])
			checkNetwork(t, g, x, y)
			if len(shape) != len(g.Result)+1 {
				t.Errorf("result of shape %v, want %v", g.Result, shape[1:])
			}
		})
	}
}

// checkNetwork compares the float reference with want, and the fixed-point
// engine with the reference, with and without calibration.
func checkNetwork(t *testing.T, g *Graph, x, want []float32) {
	t.Helper()
	y, err := g.Float(x)
	if err != nil {
		t.Fatal(err)
	}
	if len(y) != len(want) {
		t.Fatalf("%d elements, want %d", len(y), len(want))
	}
	for i := range y {
		if d := math.Abs(float64(y[i] - want[i])); !(d <= 1e-5+1e-5*math.Abs(float64(want[i]))) {
			t.Fatalf("element %d is %v, want %v", i, y[i], want[i])
		}
	}
	checkFixed(t, g, x)
}

// checkFixed asserts that the plaintext engine is within its bound of the
// real network, on rows x.
func checkFixed(t *testing.T, g *Graph, x []float32) {
	t.Helper()
	n := size(g.Input)
	var rows [][]float32
	lo, hi := -1.0, 1.0
	for i := range len(x) / n {
		rows = append(rows, x[i*n:][:n])
	}
	for _, v := range x {
		lo, hi = min(lo, float64(v)), max(hi, float64(v))
	}
	raw, err := g.Raw(x)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{Calibration: rows}, {InputLo: &lo, InputHi: &hi}, {InputLo: &lo, InputHi: &hi, FractionBits: 7}} {
		m, err := Compile(g, o)
		if err != nil {
			t.Fatal(err)
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
}

package model

import (
	"archive/zip"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// refused lists the cases of the ONNX project that cannot run, by what the error
// says about them, with all operands but the first fixed by the model.
var refused = map[string]string{}

// open lists why a case may not run with all operands secret, as its file has them:
// what is a weight or a parameter of the operator must be fixed by the model.
var open = []string{"must be a constant", "fold constants before the export"}

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
		runCase(t, g, inputs, want)
	}
	if err != nil && strings.Contains(err.Error(), "the operator is not supported") {
		for _, n := range m.Graph.Node {
			if operators[n.GetOpType()] == nil {
				return
			}
		}
	}
	if err != nil && len(inputs) > 1 {
		reason := err.Error()
		known := slices.ContainsFunc(open, func(s string) bool { return strings.Contains(reason, s) })
		if !known {
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
			runCase(t, g, inputs, want)
		}
	}
	expected := ""
	for reason, names := range refused {
		if slices.Contains(strings.Fields(names), id) {
			expected = reason
		}
	}
	if err != nil && (expected == "" || !strings.Contains(err.Error(), expected)) || err == nil && expected != "" {
		t.Errorf("%s: error %v, want one about %q", id, err, expected)
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
func runCase(t *testing.T, g *Graph, inputs []sample, want sample) {
	t.Helper()
	by := map[string]sample{}
	for _, s := range inputs {
		by[s.proto.GetName()] = s
	}
	rows := len(by[g.Inputs[0].Name].v) / g.Inputs[0].Len()
	var x []float32
	for i := range rows {
		for _, p := range g.Inputs {
			x = append(x, by[p.Name].v[i*p.Len():][:p.Len()]...)
		}
	}
	checkNetwork(t, g, x, want.v)
	if !slices.Equal(g.Result, want.shape) && (len(want.shape) == 0 || !slices.Equal(g.Result, want.shape[1:])) {
		t.Errorf("result of shape %v, want %v", g.Result, want.shape)
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

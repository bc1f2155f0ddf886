package model

import (
	"encoding/binary"
	"math"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// TestManifestTellsNoWeights compiles a network twice, with weights and samples
// that differ a little. All that is public must be the same.
func TestManifestTellsNoWeights(t *testing.T) {
	file, err := os.ReadFile("../examples/tumour/model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	changed := perturb(t, file)
	rows := [][]float32{make([]float32, 30), make([]float32, 30)}
	for i := range rows[0] {
		rows[0][i], rows[1][i] = float32(i)/17-1, 0.83-float32(i)/11
	}
	near := [][]float32{make([]float32, 30), rows[1]}
	for i, x := range rows[0] {
		near[0][i] = x * 0.9999
	}
	for name, samples := range map[string][2][][]float32{"static": {}, "calibrated": {rows, near}} {
		a, b := compiled(t, file, samples[0]), compiled(t, changed, samples[1])
		if a.Manifest.Digest() != b.Manifest.Digest() {
			t.Errorf("%s: manifests differ:\n%+v\n%+v", name, a.Manifest, b.Manifest)
		}
	}
}

// TestManifestTellsNoTrees does so with thresholds and leaves, which are attributes.
func TestManifestTellsNoTrees(t *testing.T) {
	file, err := os.ReadFile("../examples/credit/model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	a, b := compiled(t, file, nil), compiled(t, perturb(t, file), nil)
	if a.Manifest.Digest() != b.Manifest.Digest() {
		t.Error("manifests differ")
	}
}

func compiled(t *testing.T, file []byte, samples [][]float32) *Model {
	t.Helper()
	g, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Compile(g, Options{Calibration: samples})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// perturb changes every float weight of a file a little, in tensors and lists.
func perturb(t *testing.T, file []byte) []byte {
	t.Helper()
	p := new(onnx.ModelProto)
	if err := proto.Unmarshal(file, p); err != nil {
		t.Fatal(err)
	}
	changed := 0
	for _, w := range p.GetGraph().GetInitializer() {
		b := w.GetRawData()
		for i := 0; w.GetDataType() == int32(onnx.TensorProto_FLOAT) && i+4 <= len(b); i += 4 {
			x := math.Float32frombits(binary.LittleEndian.Uint32(b[i:]))
			binary.LittleEndian.PutUint32(b[i:], math.Float32bits(x*(1+1e-5)))
			changed++
		}
	}
	for _, n := range p.GetGraph().GetNode() {
		for _, a := range n.Attribute {
			for i := range a.Floats {
				a.Floats[i] *= 1 + 1e-5
				changed++
			}
		}
	}
	if changed == 0 {
		t.Fatal("the file has no weights")
	}
	out, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tacit-mpc/tacit/model/onnx"
)

// writeProto writes numbers of a shape as an ONNX tensor.
func writeProto(t *testing.T, v []float32, shape ...int64) string {
	t.Helper()
	b, err := proto.Marshal(&onnx.TensorProto{Dims: shape, DataType: proto.Int32(int32(onnx.TensorProto_FLOAT)), FloatData: v})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.pb")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestReadProto reads a tensor as rows of an input, and with all axes as a constant.
func TestReadProto(t *testing.T) {
	for _, c := range []struct {
		shape    []int64
		rows     int
		row, all []int
	}{
		{[]int64{3, 2, 1}, 3, []int{2, 1}, []int{3, 2, 1}},
		{[]int64{6}, 6, []int{}, []int{6}},
	} {
		path := writeProto(t, []float32{1, 2, 3, 4, 5, 6}, c.shape...)
		in, err := readTable(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(in.rows) != c.rows || !slices.Equal(in.shape, c.row) {
			t.Errorf("%d rows of %v, want %d of %v", len(in.rows), in.shape, c.rows, c.row)
		}
		a, err := readConstant(path)
		if err != nil || !slices.Equal(a.Shape, c.all) || a.Values[5] != 6 {
			t.Errorf("constant %v, want shape %v: %v", a, c.all, err)
		}
	}
	one, err := readTable(writeProto(t, []float32{7}))
	if err != nil || len(one.rows) != 1 || one.rows[0][0] != 7 {
		t.Errorf("a single number is %v: %v", one, err)
	}
	path := filepath.Join(t.TempDir(), "y.npy")
	if err := (&table{one: true}).write(path, [][]float32{{2.5}}, nil); err != nil {
		t.Fatal(err)
	}
	if back, err := readTable(path); err != nil || !slices.EqualFunc(back.rows, [][]float32{{2.5}}, slices.Equal) {
		t.Errorf("a single number written is %v: %v", back, err)
	}
	if _, err := readTable(writeProto(t, nil, 0)); err == nil {
		t.Error("no numbers were accepted as rows")
	}
	if _, err := fixed(nil, []string{"w"}); err == nil {
		t.Error("a constant without a file was accepted")
	}
}

package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tacit-mpc/tacit/model"
)

func TestInputs(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.npy"), filepath.Join(dir, "b.npy")
	if err := writeNPY(a, [][]float32{{1, 2}, {3, 4}}, []int{2}); err != nil {
		t.Fatal(err)
	}
	if err := writeNPY(b, [][]float32{{5}, {6}}, []int{1}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		parts []model.Part
		want  [][]float32
	}{
		{[]model.Part{{Name: "a", Shape: []int{2}}, {Name: "b", Shape: []int{1}}}, [][]float32{{1, 2, 5}, {3, 4, 6}}},
		{[]model.Part{{Name: "b", Shape: []int{2, 1}}, {Name: "a", Shape: []int{2, 2}}}, [][]float32{{5, 6, 1, 2, 3, 4}}},
	} {
		in, err := readInputs([]string{"a=" + a, "b=" + b})
		if err != nil {
			t.Fatal(err)
		}
		if err := in.join(c.parts, nil); err != nil || !slices.EqualFunc(in.rows, c.want, slices.Equal) {
			t.Errorf("rows %v, want %v: %v", in.rows, c.want, err)
		}
		if in.join(c.parts[:1], nil) == nil {
			t.Error("an input that the model has not was accepted")
		}
	}
}

func TestReadHalf(t *testing.T) {
	header := "{'descr': '<f2', 'fortran_order': False, 'shape': (4,), }"
	for len(header) < 117 {
		header += " "
	}
	file := append([]byte("\x93NUMPY\x01\x00\x76\x00"+header+"\n"), 0x00, 0x3c, 0x00, 0xc1, 0x01, 0x00, 0xff, 0x7b)
	path := filepath.Join(t.TempDir(), "x.npy")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readTable(path)
	if err != nil {
		t.Fatal(err)
	}
	if flat := slices.Concat(got.rows...); !slices.Equal(flat, []float32{1, -2.5, 1.0 / (1 << 24), 65504}) {
		t.Errorf("read %v", flat)
	}
}

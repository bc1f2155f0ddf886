package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tacit-mpc/tacit/model"
)

// fixed returns an ONNX file with the inputs that args name, as NAME=FILE, fixed.
func fixed(file []byte, args []string) ([]byte, error) {
	for _, arg := range args {
		name, path, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, &usageError{fmt.Errorf("--constant %s", arg), "give --constant NAME=FILE, for an input of the model"}
		}
		t, err := readConstant(path)
		if err != nil {
			return nil, err
		}
		if file, err = model.Fix(file, name, t); err != nil {
			return nil, err
		}
	}
	return file, nil
}

// readConstant reads an array of numbers, with all of its axes.
func readConstant(path string) (*model.Array, error) {
	if strings.EqualFold(filepath.Ext(path), ".pb") {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		t, err := model.ReadTensor(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return t, nil
	}
	rows, err := readTable(path)
	if err != nil {
		return nil, err
	}
	if rows.rows == nil {
		return nil, &usageError{fmt.Errorf("%s: not one array of numbers", path), "use .npy, .pb, .csv or .json"}
	}
	shape := rows.shape
	if shape == nil { // the file does not say
		shape = []int{len(rows.rows[0])}
	}
	t := &model.Array{Shape: append([]int{len(rows.rows)}, shape...)}
	for _, v := range flat(rows.rows) {
		t.Values = append(t.Values, float64(v))
	}
	return t, nil
}

// readProto reads an ONNX TensorProto, as test data of the ONNX project are: with
// rows along its first axis.
func readProto(r io.Reader) (rows [][]float32, shape []int, err error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, nil, err
	}
	t, err := model.ReadTensor(b)
	if err != nil {
		return nil, nil, err
	}
	flat := make([]float32, len(t.Values))
	for i, v := range t.Values {
		flat[i] = float32(v)
	}
	switch {
	case len(flat) == 0:
		return nil, nil, errors.New("no rows")
	case len(t.Shape) == 0:
		return [][]float32{flat}, []int{}, nil
	}
	return slices.Collect(slices.Chunk(flat, len(flat)/t.Shape[0])), t.Shape[1:], nil
}

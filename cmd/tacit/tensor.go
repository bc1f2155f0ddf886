package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"codeberg.org/sbinet/npyio/npy"
)

// maxElements bounds what is read from one input file.
const maxElements = 1 << 28

// readRows reads the rows of an input file: .npy with rows along the first axis,
// .csv with a row per line and an optional header, or .json with an array per
// row, nested as one likes.
func readRows(path string) ([][]float32, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var rows [][]float32
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".npy":
		rows, err = readNPY(f)
	case ".csv":
		rows, err = readCSV(f)
	case ".json":
		rows, err = readJSON(f)
	default:
		return nil, &usageError{fmt.Errorf("%s: inputs of type %q are not known", path, ext), "use .npy, .csv or .json"}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(rows) == 0 || len(rows[0]) == 0 {
		return nil, fmt.Errorf("%s: no rows", path)
	}
	for i, r := range rows {
		if len(r) != len(rows[0]) {
			return nil, fmt.Errorf("%s: row %d has %d values, row 0 has %d", path, i, len(r), len(rows[0]))
		}
	}
	return rows, nil
}

// readNPY reads an array of numbers in NumPy's format.
func readNPY(f io.Reader) (rows [][]float32, err error) {
	defer func() {
		if p := recover(); p != nil { // the library indexes unchecked in broken headers
			rows, err = nil, fmt.Errorf("not a NumPy file: %v", p)
		}
	}()
	b := bufio.NewReader(f)
	if err := checkHeader(b); err != nil {
		return nil, err
	}
	r, err := npy.NewReader(b)
	if err != nil {
		return nil, fmt.Errorf("not a NumPy file: %w", err)
	}
	shape := r.Header.Descr.Shape
	if r.Header.Descr.Fortran {
		return nil, errors.New("the array is in Fortran order: save it with numpy.ascontiguousarray")
	}
	if len(shape) == 0 {
		return nil, errors.New("the array is a scalar: the first axis must be the rows")
	}
	n := 1
	for _, d := range shape {
		if d < 1 || d > maxElements || n*d > maxElements {
			return nil, fmt.Errorf("an array of shape %v is empty or too large", shape)
		}
		n *= d
	}
	flat, err := numbers(r, n)
	if err != nil {
		return nil, err
	}
	return slices.Collect(slices.Chunk(flat, n/shape[0])), nil
}

// checkHeader refuses a header longer than any array has, which the library
// would otherwise read and search for minutes.
func checkHeader(r *bufio.Reader) error {
	const limit = 4096
	b, err := r.Peek(12)
	if err != nil {
		return errors.New("not a NumPy file: it is too short")
	}
	length := int(binary.LittleEndian.Uint16(b[8:]))
	if version := b[6]; version > 1 {
		length = int(binary.LittleEndian.Uint32(b[8:]))
	}
	if length > limit {
		return fmt.Errorf("not a NumPy file: a header of %d bytes", length)
	}
	return nil
}

// numbers reads n elements of any numeric type.
func numbers(r *npy.Reader, n int) ([]float32, error) {
	t := npy.TypeFrom(r.Header.Descr.Type)
	if t == nil || t.Kind() < reflect.Bool || t.Kind() > reflect.Float64 || t.Kind() == reflect.Bool {
		return nil, fmt.Errorf("elements of type %q: use float32", r.Header.Descr.Type)
	}
	v := reflect.New(reflect.SliceOf(t))
	if err := r.Read(v.Interface()); err != nil {
		return nil, fmt.Errorf("the data do not match the header: %w", err)
	}
	if v.Elem().Len() != n {
		return nil, fmt.Errorf("%d elements, the header says %d", v.Elem().Len(), n)
	}
	out := make([]float32, n)
	float := reflect.TypeFor[float32]()
	for i := range out {
		out[i] = v.Elem().Index(i).Convert(float).Interface().(float32)
	}
	return out, nil
}

// readCSV reads numbers separated by commas; a first line that is not numbers is
// a header.
func readCSV(f io.Reader) ([][]float32, error) {
	r := csv.NewReader(f)
	r.TrimLeadingSpace = true
	var rows [][]float32
	for line := 1; ; line++ {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		row := make([]float32, len(record))
		bad := -1
		for i, s := range record {
			x, err := strconv.ParseFloat(strings.TrimSpace(s), 32)
			if err != nil {
				bad = i
			}
			row[i] = float32(x)
		}
		switch {
		case bad < 0:
			rows = append(rows, row)
		case line > 1:
			return nil, fmt.Errorf("line %d: %q is not a number", line, record[bad])
		}
	}
}

// readJSON reads an array of rows.
func readJSON(f io.Reader) ([][]float32, error) {
	var v []any
	d := json.NewDecoder(f)
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("not an array of rows: %w", err)
	}
	rows := make([][]float32, len(v))
	for i := range v {
		var err error
		if rows[i], err = flatten(nil, v[i]); err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
	}
	return rows, nil
}

func flatten(row []float32, v any) ([]float32, error) {
	switch v := v.(type) {
	case float64:
		return append(row, float32(v)), nil
	case []any:
		var err error
		for _, x := range v {
			if row, err = flatten(row, x); err != nil {
				return nil, err
			}
		}
		return row, nil
	}
	return nil, fmt.Errorf("%v is neither a number nor an array", v)
}

// writeNPY writes rows of the given shape as a float32 array.
func writeNPY(path string, rows [][]float32, shape []int) error {
	t := reflect.TypeFor[float32]()
	for _, d := range slices.Backward(shape) {
		t = reflect.ArrayOf(d, t)
	}
	array := reflect.MakeSlice(reflect.SliceOf(t), len(rows), len(rows))
	for i, row := range rows {
		fill(array.Index(i), row)
	}
	var b bytes.Buffer
	if err := npy.Write(&b, array.Interface()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// fill sets the elements of a nested array and returns the rest of flat.
func fill(v reflect.Value, flat []float32) []float32 {
	if v.Kind() == reflect.Float32 {
		v.SetFloat(float64(flat[0]))
		return flat[1:]
	}
	for i := range v.Len() {
		flat = fill(v.Index(i), flat)
	}
	return flat
}

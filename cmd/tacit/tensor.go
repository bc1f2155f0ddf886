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
	"io/fs"
	"math"
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

// A table is what an input file holds.
type table struct {
	path  string
	rows  [][]float32       // all of one length
	shape []int             // of a row, or nil if the file does not say
	one   bool              // it is one row, without an axis of rows
	parts map[string]*table // by input, if there is a file for each, or a name in an object

	header   []string // names of columns
	pictures []string // files, which become rows when it is known how
}

// readTable reads an input file: .npy with rows along the first axis, .csv with
// a row per line and an optional header, .json with an array per row, nested as
// one likes, or an object of inputs by name, .png and .jpg, or a directory of these.
func readTable(path string) (*table, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		pictures, err := picturesIn(path)
		return &table{path: path, pictures: pictures}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t := &table{path: path}
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".npy":
		t.rows, t.shape, err = readNPY(f)
	case ".csv":
		t.rows, t.header, err = readCSV(f)
	case ".pb":
		t.rows, t.shape, err = readProto(f)
	case ".json":
		t.rows, t.parts, err = readJSON(f)
	default:
		if isPicture(path) {
			t.pictures = []string{path}
			return t, nil
		}
		return nil, &usageError{fmt.Errorf("%s: inputs of type %q are not known", path, ext), "use .npy, .csv, .json, .png or .jpg"}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for name, part := range t.parts {
		part.path = fmt.Sprintf("%s, %q", path, name)
		if _, err := part.checked(); err != nil {
			return nil, err
		}
	}
	if t.parts != nil {
		return t, nil
	}
	return t.checked()
}

// checked returns t if it holds rows of numbers of one length.
func (t *table) checked() (*table, error) {
	path := t.path
	if len(t.rows) == 0 || len(t.rows[0]) == 0 {
		return nil, fmt.Errorf("%s: no rows", path)
	}
	for i, r := range t.rows {
		if len(r) != len(t.rows[0]) {
			return nil, fmt.Errorf("%s: row %d has %d values, row 0 has %d", path, i, len(r), len(t.rows[0]))
		}
		for j, v := range r {
			if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, fmt.Errorf("%s: row %d, column %d: %v is not a number to compute with", path, i, j, v)
			}
		}
	}
	return t, nil
}

// fits reports that the rows are inputs of that shape. Flat rows are, if their
// length is right; axes of length 1 do not matter.
func (t *table) fits(shape []int) error {
	n := 1
	for _, d := range shape {
		n *= d
	}
	if len(t.rows[0]) != n {
		err := fmt.Errorf("%s: rows of %d values, the model takes %d, of shape %v", t.path, len(t.rows[0]), n, shape)
		if len(t.rows) == n && len(t.rows[0]) == 1 {
			err = fmt.Errorf("%w; if that is one row, reshape it to (1, %d)", err, n)
		}
		return err
	}
	ones := func(d int) bool { return d == 1 }
	has, want := slices.DeleteFunc(slices.Clone(t.shape), ones), slices.DeleteFunc(slices.Clone(shape), ones)
	if len(has) > 1 && len(want) > 1 && !slices.Equal(has, want) {
		return fmt.Errorf("%s: rows of shape %v, the model takes %v; transpose or flatten them", t.path, t.shape, shape)
	}
	return nil
}

// readNPY reads an array of numbers in NumPy's format, and the shape of a row.
func readNPY(f io.Reader) (rows [][]float32, row []int, err error) {
	defer func() {
		if p := recover(); p != nil { // the library indexes unchecked in broken headers
			rows, err = nil, errors.New("not a NumPy file: its header is broken")
		}
	}()
	b := bufio.NewReader(f)
	if err := checkHeader(b); err != nil {
		return nil, nil, err
	}
	r, err := npy.NewReader(b)
	if err != nil {
		return nil, nil, fmt.Errorf("not a NumPy file: %w", err)
	}
	shape := r.Header.Descr.Shape
	if len(shape) == 0 { // one number
		shape = []int{1}
	}
	n := 1
	for _, d := range shape {
		if d < 1 || d > maxElements || n*d > maxElements {
			return nil, nil, fmt.Errorf("an array of shape %v is empty or too large", shape)
		}
		n *= d
	}
	flat, err := numbers(r, b, n)
	if err != nil {
		return nil, nil, err
	}
	if r.Header.Descr.Fortran {
		flat = lastAxisFirst(flat, shape)
	}
	return slices.Collect(slices.Chunk(flat, n/shape[0])), shape[1:], nil
}

// lastAxisFirst returns an array in Fortran's order, as data frames have it, in
// that of C.
func lastAxisFirst(flat []float32, shape []int) []float32 {
	from := []int{0} // of the elements in the order of C, by the axes so far
	step := 1
	for _, d := range shape {
		next := make([]int, 0, len(from)*d)
		for _, at := range from {
			for i := range d {
				next = append(next, at+i*step)
			}
		}
		from, step = next, step*d
	}
	z := make([]float32, len(flat))
	for i, at := range from {
		z[i] = flat[at]
	}
	return z
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

// halves reads n elements of 16-bit floating point, which the library does not.
func halves(b io.Reader, n int) ([]float32, error) {
	raw := make([]byte, 2*n)
	if _, err := io.ReadFull(b, raw); err != nil {
		return nil, fmt.Errorf("the data do not match the header: %w", err)
	}
	out := make([]float32, n)
	for i := range out {
		h := uint32(binary.LittleEndian.Uint16(raw[2*i:]))
		sign, exponent, fraction := h>>15<<31, h>>10&31, h&1023
		switch exponent {
		case 0:
			out[i] = float32(math.Ldexp(float64(fraction), -24))
		case 31:
			out[i] = math.Float32frombits(255<<23 | fraction<<13)
		default:
			out[i] = math.Float32frombits((exponent+112)<<23 | fraction<<13)
		}
		out[i] = math.Float32frombits(math.Float32bits(out[i]) | sign)
	}
	return out, nil
}

// numbers reads n elements of any numeric type from the file b, whose header r has.
func numbers(r *npy.Reader, b io.Reader, n int) ([]float32, error) {
	if strings.Trim(r.Header.Descr.Type, "'") == "<f2" {
		return halves(b, n)
	}
	t := npy.TypeFrom(r.Header.Descr.Type)
	if t == nil || t.Kind() < reflect.Bool || t.Kind() > reflect.Float64 {
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
		switch x := v.Elem().Index(i); {
		case t.Kind() != reflect.Bool:
			out[i] = x.Convert(float).Interface().(float32)
		case x.Bool():
			out[i] = 1
		}
	}
	return out, nil
}

// readCSV reads numbers separated by commas; a first line that is not numbers is
// a header.
func readCSV(f io.Reader) (rows [][]float32, header []string, err error) {
	r := csv.NewReader(f)
	r.TrimLeadingSpace = true
	for line := 1; ; line++ {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, header, nil
		}
		if err != nil {
			return nil, nil, err
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
		case line == 1:
			for _, s := range record {
				header = append(header, strings.TrimSpace(strings.TrimPrefix(s, "\ufeff")))
			}
		default:
			return nil, nil, fmt.Errorf("line %d: %q is not a number", line, record[bad])
		}
	}
}

// readJSON reads an array of rows, or of objects with the inputs of a row by name,
// or one such object.
func readJSON(f io.Reader) (rows [][]float32, parts map[string]*table, err error) {
	var v any
	if err := json.NewDecoder(f).Decode(&v); err != nil {
		return nil, nil, fmt.Errorf("not JSON: %w", err)
	}
	list, ok := v.([]any)
	if _, one := v.(map[string]any); one {
		list, ok = []any{v}, true
	}
	if !ok {
		return nil, nil, errors.New("not an array of rows")
	}
	if len(list) > 0 {
		if _, named := list[0].(map[string]any); named {
			parts, err = readObjects(list)
			return nil, parts, err
		}
	}
	rows = make([][]float32, len(list))
	for i := range list {
		if rows[i], err = flatten(nil, list[i]); err != nil {
			return nil, nil, fmt.Errorf("row %d: %w", i, err)
		}
	}
	return rows, nil, nil
}

// readObjects returns rows of every input from objects that have all of them.
func readObjects(list []any) (map[string]*table, error) {
	parts := map[string]*table{}
	for i, v := range list {
		object, ok := v.(map[string]any)
		if !ok || i > 0 && len(object) != len(parts) {
			return nil, fmt.Errorf("row %d has other names than row 0", i)
		}
		for name, x := range object {
			if parts[name] == nil && i > 0 {
				return nil, fmt.Errorf("row %d has other names than row 0", i)
			} else if i == 0 {
				parts[name] = &table{}
			}
			row, err := flatten(nil, x)
			if err != nil {
				return nil, fmt.Errorf("row %d, %q: %w", i, name, err)
			}
			parts[name].rows = append(parts[name].rows, row)
		}
	}
	if len(parts) == 0 {
		return nil, errors.New("objects without names")
	}
	return parts, nil
}

func flatten(row []float32, v any) ([]float32, error) {
	switch v := v.(type) {
	case float64:
		return append(row, float32(v)), nil
	case bool:
		if v {
			return append(row, 1), nil
		}
		return append(row, 0), nil
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

// writeNumber writes an array without axes.
func writeNumber(path string, v float32) error {
	var b bytes.Buffer
	if err := npy.Write(&b, v); err != nil {
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

// writable fails now, rather than after the work, if path cannot be written.
func writable(path string) error {
	_, err := os.Stat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil || !fresh {
		return err
	}
	return os.Remove(path)
}

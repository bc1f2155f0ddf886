package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/tacit-mpc/tacit/model"
)

// readInputs reads the files of --input: one, or NAME=FILE for every input of the
// model.
func readInputs(args []string) (*table, error) {
	if len(args) == 1 {
		_, _, named := strings.Cut(args[0], "=")
		if _, err := os.Stat(args[0]); err == nil || !named {
			return readTable(args[0])
		}
	}
	t := &table{path: "--input", parts: map[string]*table{}}
	for _, arg := range args {
		name, path, ok := strings.Cut(arg, "=")
		if !ok || t.parts[name] != nil {
			return nil, &usageError{fmt.Errorf("input %s", arg), "give NAME=FILE once for every input of the model"}
		}
		part, err := readTable(path)
		if err != nil {
			return nil, err
		}
		t.parts[name] = part
	}
	return t, nil
}

// join makes rows of the inputs of a model, or reports that they do not fit.
// Pictures become rows as image says.
func (t *table) join(parts []model.Part, image *model.Image) error {
	if t.pictures != nil {
		return t.develop(parts, image)
	}
	var names []string
	total := 0
	for _, p := range parts {
		names = append(names, p.Name)
		total += p.Len()
	}
	if t.parts == nil {
		if len(parts) == 1 {
			t.asWhole(parts[0].Shape)
			return t.fits(parts[0].Shape)
		}
		if len(t.rows[0]) != total {
			return &usageError{fmt.Errorf("%s: the model takes the inputs %q", t.path, names), "give --input NAME=FILE for each of them"}
		}
		return t.columns(names, len(parts) == total)
	}
	for name := range maps.Keys(t.parts) {
		if !slices.Contains(names, name) {
			return &usageError{fmt.Errorf("%s: input %q: the model takes the inputs %q", t.path, name, names), "use these names"}
		}
	}
	t.rows, t.one = nil, true
	for i, p := range parts {
		part := t.parts[p.Name]
		if part == nil {
			return &usageError{fmt.Errorf("input %q is missing", p.Name), "give --input NAME=FILE for each input"}
		}
		part.asWhole(p.Shape)
		if err := part.fits(p.Shape); err != nil {
			return err
		}
		if i == 0 {
			t.rows = make([][]float32, len(part.rows))
		}
		if len(part.rows) != len(t.rows) {
			return fmt.Errorf("%s: %d rows, %s has %d", part.path, len(part.rows), t.parts[names[0]].path, len(t.rows))
		}
		for k, row := range part.rows {
			t.rows[k] = append(t.rows[k], row...)
		}
		t.one = t.one && part.one
	}
	return nil
}

// columns brings the columns of a file with a header in the order of the inputs of
// a model, if each of them is one number.
func (t *table) columns(names []string, numbers bool) error {
	if t.header == nil || !numbers {
		return nil
	}
	from := make([]int, len(names))
	for i, name := range names {
		if from[i] = slices.Index(t.header, name); from[i] < 0 {
			return &usageError{fmt.Errorf("%s: no column is called %q", t.path, name), fmt.Sprintf("name the columns as the inputs of the model, %q, or leave out the header", names)}
		}
	}
	for i, row := range t.rows {
		ordered := make([]float32, len(row))
		for k, at := range from {
			ordered[k] = row[at]
		}
		t.rows[i] = ordered
	}
	return nil
}

// asWhole takes an array that has the shape of an input, without an axis of rows,
// as one row.
func (t *table) asWhole(shape []int) {
	if t.shape != nil && slices.Equal(append([]int{len(t.rows)}, t.shape...), shape) {
		t.rows, t.shape, t.one = [][]float32{slices.Concat(t.rows...)}, shape, true
	}
}

// write writes outputs of rows of shape as the inputs were given: without an axis
// of rows if they had none.
func (t *table) write(path string, rows [][]float32, shape []int) error {
	if t.one && len(rows) == 1 {
		if len(shape) == 0 {
			return writeNumber(path, rows[0][0])
		}
		n := len(rows[0]) / shape[0]
		return writeNPY(path, slices.Collect(slices.Chunk(rows[0], n)), shape[1:])
	}
	return writeNPY(path, rows, shape)
}

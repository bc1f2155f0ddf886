package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestWriteAndReadNPY(t *testing.T) {
	for _, shape := range [][]int{{}, {3}, {2, 3}, {1, 2, 2}} {
		n := 1
		for _, d := range shape {
			n *= d
		}
		var rows [][]float32
		for i := range 4 {
			row := make([]float32, n)
			for j := range row {
				row[j] = float32(i) - float32(j)/4
			}
			rows = append(rows, row)
		}
		path := filepath.Join(t.TempDir(), "y.npy")
		if err := writeNPY(path, rows, shape); err != nil {
			t.Fatal(err)
		}
		got, err := readTable(path)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.rows, rows) || !slices.Equal(got.shape, shape) {
			t.Errorf("shape %v: read %v, wrote %v", shape, got, rows)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(b[:128], []byte("<f4")) {
			t.Errorf("the header is %q", b[:128])
		}
	}
}

// TestReadOrdersAndTypes reads the array [[[0, 1, 1], [0, 0, 1]]] of booleans,
// in both orders.
func TestReadOrdersAndTypes(t *testing.T) {
	for order, data := range map[string]string{
		"False": "\x00\x01\x01\x00\x00\x01",
		"True":  "\x00\x00\x01\x00\x01\x01",
	} {
		header := fmt.Sprintf("{'descr': '|b1', 'fortran_order': %s, 'shape': (1, 2, 3), }\n", order)
		file := "\x93NUMPY\x01\x00" + string([]byte{byte(len(header)), 0}) + header + data
		rows, shape, err := readNPY(strings.NewReader(file))
		if err != nil || !reflect.DeepEqual(rows, [][]float32{{0, 1, 1, 0, 0, 1}}) || !slices.Equal(shape, []int{2, 3}) {
			t.Errorf("Fortran's order %s: %v, %v, %v", order, rows, shape, err)
		}
	}
}

func TestFits(t *testing.T) {
	row := make([]float32, 12)
	for _, c := range []struct {
		shape, want []int
		fits        bool
	}{
		{nil, []int{2, 6}, true},
		{[]int{12}, []int{2, 6}, true},
		{[]int{2, 6}, []int{12}, true},
		{[]int{3, 4}, []int{1, 3, 4}, true},
		{[]int{2, 2, 3}, []int{3, 2, 2}, false},
		{[]int{12}, []int{13}, false},
	} {
		err := (&table{path: "x.npy", rows: [][]float32{row}, shape: c.shape}).fits(c.want)
		if (err == nil) != c.fits {
			t.Errorf("rows of %v for %v: %v", c.shape, c.want, err)
		}
	}
}

func TestWritable(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "y.npy")
	if err := writable(path); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it left a file")
	}
	for _, bad := range []string{dir, filepath.Join(dir, "no", "y.npy")} {
		if writable(bad) == nil {
			t.Errorf("%s is writable", bad)
		}
	}
}

func TestReadText(t *testing.T) {
	want := [][]float32{{1, 2.5}, {-3, 4}}
	for name, text := range map[string]string{
		"x.csv":    "a,b\n1,2.5\n-3, 4\n",
		"bare.csv": "1,2.5\n-3,4\n",
		"x.json":   "[[1, [2.5]], [-3, 4]]",
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readTable(path)
		if err != nil || !reflect.DeepEqual(got.rows, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty.csv":  "a,b\n",
		"words.csv":  "a,b\n1,x\n",
		"ragged.csv": "1,2\n3\n",
		"gaps.csv":   ",\n1,\n",
		"word.json":  `[["a"]]`,
		"x.npy":      "\x93NUMPY",
		"y.npy":      "no",
		"x.txt":      "1",
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readTable(path); err == nil {
			t.Errorf("%s was read as %v", name, got.rows)
		} else if !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error does not name the file: %v", name, err)
		}
	}
}

func FuzzReadNPY(f *testing.F) {
	path := filepath.Join(f.TempDir(), "y.npy")
	if err := writeNPY(path, [][]float32{{1, 2}, {3, 4}}, []int{2}); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, _, err := readNPY(bytes.NewReader(b))
		if err == nil && len(slices.Concat(rows...)) == 0 {
			t.Error("an empty array was accepted")
		}
	})
}

func FuzzReadText(f *testing.F) {
	f.Add("a,b\n1,2\n")
	f.Add("[[1,[2]],[3,4]]")
	f.Fuzz(func(t *testing.T, s string) {
		rows, _, err := readCSV(strings.NewReader(s))
		if err == nil && len(slices.Concat(rows...)) > len(s) {
			t.Errorf("%d numbers from %d characters of CSV", len(slices.Concat(rows...)), len(s))
		}
		rows, parts, err := readJSON(strings.NewReader(s))
		for _, part := range parts {
			rows = append(rows, part.rows...)
		}
		if err == nil && len(slices.Concat(rows...)) > len(s) {
			t.Errorf("%d numbers from %d characters of JSON", len(slices.Concat(rows...)), len(s))
		}
	})
}

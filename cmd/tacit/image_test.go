package main

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tacit-mpc/tacit/model"
)

// save writes a picture as PNG.
func save(t *testing.T, dir, name string, p image.Image) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// coloured is three pixels by two.
func coloured() image.Image {
	p := image.NewRGBA(image.Rect(0, 0, 3, 2))
	for i := range 6 {
		p.Set(i%3, i/3, color.RGBA{uint8(10 * i), uint8(200 - i), uint8(i * i), 255})
	}
	return p
}

func TestPictures(t *testing.T) {
	dir := t.TempDir()
	grey := image.NewGray(image.Rect(0, 0, 3, 2))
	copy(grey.Pix, []uint8{0, 50, 100, 150, 200, 255})
	save(t, dir, "b.png", grey)
	save(t, dir, "a.PNG", coloured())
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	both, err := readTable(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := both.join([]model.Part{{Shape: []int{3, 2, 3}}}, &model.Image{Layout: model.ChannelsFirst, Divisor: 1}); err != nil {
		t.Fatal(err)
	}
	want := [][]float32{
		{0, 10, 20, 30, 40, 50, 200, 199, 198, 197, 196, 195, 0, 1, 4, 9, 16, 25},
		{0, 50, 100, 150, 200, 255, 0, 50, 100, 150, 200, 255, 0, 50, 100, 150, 200, 255},
	}
	if !slices.EqualFunc(both.rows, want, slices.Equal) {
		t.Errorf("colours %v, want %v", both.rows, want)
	}
	one, err := readTable(filepath.Join(dir, "b.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := one.join([]model.Part{{Shape: []int{2, 3, 1}}}, &model.Image{Layout: model.ChannelsLast, Divisor: 50}); err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(one.rows, [][]float32{{0, 1, 2, 3, 4, 5.1}}, slices.Equal) {
		t.Errorf("greys %v", one.rows)
	}
}

// TestPicturesAreResized: in another size, a picture of one colour has that colour
// still, and a ramp goes up.
func TestPicturesAreResized(t *testing.T) {
	dir := t.TempDir()
	even := image.NewGray(image.Rect(0, 0, 5, 7))
	for i := range even.Pix {
		even.Pix[i] = 77
	}
	path := save(t, dir, "even.png", even)
	for _, channels := range []int{1, 3} {
		samples, err := readPicture(path, 3, 4, channels)
		if err != nil || !slices.Equal(samples, bytes.Repeat([]byte{77}, 3*4*channels)) {
			t.Errorf("samples %v, %v", samples, err)
		}
	}
	ramp := image.NewGray(image.Rect(0, 0, 64, 1))
	for i := range ramp.Pix {
		ramp.Pix[i] = uint8(4 * i)
	}
	for _, width := range []int{16, 100} {
		samples, err := readPicture(save(t, dir, "ramp.png", ramp), width, 1, 1)
		if err != nil || !slices.IsSorted(samples) || int(samples[width-1])-int(samples[0]) < 230 {
			t.Errorf("samples %v, %v", samples, err)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, even, nil); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "even.jpg")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if samples, err := readPicture(path, 2, 2, 1); err != nil || !slices.Equal(samples, []uint8{77, 77, 77, 77}) {
		t.Errorf("samples of a JPEG file %v, %v", samples, err)
	}
}

func TestPicturesAreRefused(t *testing.T) {
	dir := t.TempDir()
	faint := image.NewNRGBA(image.Rect(0, 0, 2, 2))
	path := save(t, dir, "faint.png", faint)
	in, err := readTable(path)
	if err != nil {
		t.Fatal(err)
	}
	square := []model.Part{{Shape: []int{2, 2}}}
	how := &model.Image{Layout: model.ChannelsFirst, Divisor: 1}
	if in.join(square, how) == nil {
		t.Error("transparent parts became numbers")
	}
	_, usage := errors.AsType[*usageError](in.join(square, nil))
	if !usage {
		t.Error("a model that does not declare pictures got one, or no hint")
	}
	if in.join([]model.Part{{Shape: []int{4}}}, how) == nil {
		t.Error("a row of one axis became a picture")
	}
	if err := os.WriteFile(path, []byte("\x89PNG"), 0o600); err != nil {
		t.Fatal(err)
	}
	if in.join(square, how) == nil {
		t.Error("a broken picture was read")
	}
	if _, err := readTable(t.TempDir()); err == nil {
		t.Error("a directory without pictures was read")
	}
}

// TestNames puts columns and objects in the order of the inputs.
func TestNames(t *testing.T) {
	parts := []model.Part{{Name: "a", Shape: []int{1}}, {Name: "b", Shape: []int{}}}
	vector := []model.Part{{Name: "v", Shape: []int{2}}}
	for _, c := range []struct {
		name, text string
		parts      []model.Part
		want       [][]float32
	}{
		{"x.csv", "b,a\n1,2\n3,4\n", parts, [][]float32{{2, 1}, {4, 3}}},
		{"x.csv", "\ufeffb,a\n1,2\n", parts, [][]float32{{2, 1}}},
		{"x.csv", "1,2\n", parts, [][]float32{{1, 2}}},
		{"x.csv", "b,c\n1,2\n", parts, nil},
		{"x.csv", "b,c\n1,2\n", vector, [][]float32{{1, 2}}},
		{"x.json", `[{"b": 1, "a": [2]}, {"a": 4, "b": true}]`, parts, [][]float32{{2, 1}, {4, 1}}},
		{"x.json", `{"b": 1, "a": 2}`, parts, [][]float32{{2, 1}}},
		{"x.json", `[{"v": [[1], [2]]}]`, vector, [][]float32{{1, 2}}},
		{"x.json", `[{"v": [1]}]`, vector, nil},
		{"x.json", `[{"b": 1}]`, parts, nil},
		{"x.json", `[{"b": 1, "a": 2, "c": 3}]`, parts, nil},
		{"x.json", `[[1, 2]]`, parts, [][]float32{{1, 2}}},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := readTable(path)
		if err == nil {
			err = in.join(c.parts, nil)
		}
		if c.want == nil && err == nil || c.want != nil && (err != nil || !slices.EqualFunc(in.rows, c.want, slices.Equal)) {
			t.Errorf("%q: %+v, want %v: %v", c.text, in, c.want, err)
		}
	}
	for _, text := range []string{`[{"a": 1}, {"b": 1}]`, `[{"a": 1}, [1]]`, `[{}]`, `{}`, `[{"a": "x"}]`, `[[1], {"a": 1}]`, `3`, `[{"a": 1}, {"a": [1, 2]}]`} {
		path := filepath.Join(t.TempDir(), "x.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if in, err := readTable(path); err == nil {
			t.Errorf("%s was read as %+v", text, in)
		}
	}
}

package model

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
)

// FuzzLoad feeds files to the decoder. What loads must also compile or be
// refused, and run within its bound.
func FuzzLoad(f *testing.F) {
	for name, b := range unzip(f, "testdata/backend.zip") {
		if strings.HasSuffix(name, ".onnx") && len(b) < 2000 {
			f.Add(b)
		}
	}
	for name, b := range unzip(f, "testdata/pytorch.zip") {
		if strings.HasSuffix(name, ".onnx") && len(b) < 4000 {
			f.Add(b)
		}
	}
	f.Add(residual(rand.New(rand.NewPCG(1, 1))).bytes("y"))
	f.Add(exported().bytes("y"))
	f.Fuzz(func(t *testing.T, file []byte) {
		g, err := load(file, "", 1<<14)
		if err != nil {
			return
		}
		m, err := Compile(g, Options{})
		if err != nil {
			return
		}
		x, err := m.Manifest.Encode(make([]float32, m.Manifest.Input.Len()))
		if err != nil {
			t.Fatal(err)
		}
		y, err := m.Eval(x, 1)
		if err != nil {
			t.Fatal(err)
		}
		m.Manifest.Decode(y)
	})
}

// FuzzManifest feeds manifests, as from a peer. What is accepted must run.
func FuzzManifest(f *testing.F) {
	pool := newNet(13, 0, 1, 2, 2).node("MaxPool", "p", []string{"x"}, attrs{"kernel_shape": []int64{1, 2}}).node("Add", "y", []string{"p", "p"}, nil)
	for _, b := range []*netBuilder{pool, exported(), deciding()} {
		g, err := Load(b.bytes("y"))
		if err != nil {
			f.Fatal(err)
		}
		m, err := Compile(g, Options{})
		if err != nil {
			f.Fatal(err)
		}
		b, err := m.Manifest.JSON()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseManifest(b)
		if err != nil {
			return
		}
		m.Digest()
		m.UlpBound(MaxParties)
		again, err := m.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseManifest(again); err != nil || back.Digest() != m.Digest() {
			t.Fatalf("a manifest changes by encoding it: %v", err)
		}
		total := 0
		for _, v := range m.Program.Values {
			total += v.Len
		}
		for _, l := range m.Program.Layers() {
			total += l.Products
		}
		if total > 1<<20 {
			return
		}
		var params [][]uint64
		for _, p := range m.Program.Params {
			if total += p.Len; total > 1<<20 {
				return
			}
			params = append(params, make([]uint64, p.Len))
		}
		y, err := (&Model{Manifest: *m, Params: params}).Eval(make([]uint64, m.Input.Len()), 1)
		if err != nil {
			t.Fatal(err)
		}
		m.Decode(y)
	})
}

func TestManifestIsStrict(t *testing.T) {
	g := exported().load(t)
	m, err := Compile(g, Options{Name: "strict"})
	if err != nil {
		t.Fatal(err)
	}
	good, err := m.Manifest.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseManifest(good); err != nil {
		t.Fatal(err)
	}
	change := func(f func(v map[string]any)) []byte {
		var v map[string]any
		if err := json.Unmarshal(good, &v); err != nil {
			t.Fatal(err)
		}
		f(v)
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	op := func(v map[string]any) map[string]any {
		return v["program"].(map[string]any)["ops"].([]any)[0].(map[string]any)
	}
	for name, b := range map[string][]byte{
		"empty":          nil,
		"trailing":       append(append([]byte(nil), good...), '{'),
		"unknown field":  change(func(v map[string]any) { v["extra"] = 1 }),
		"format":         change(func(v map[string]any) { v["format"] = 99 }),
		"input shape":    change(func(v map[string]any) { v["input"].(map[string]any)["shape"] = []int{-1, 7} }),
		"input width":    change(func(v map[string]any) { v["input"].(map[string]any)["width"] = 3 }),
		"negative bound": change(func(v map[string]any) { v["ulp"].(map[string]any)["perParty"] = -1 }),
		"operand":        change(func(v map[string]any) { op(v)["in"] = []int{1} }),
		"no operand":     change(func(v map[string]any) { op(v)["in"] = []int{} }),
		"kind":           change(func(v map[string]any) { op(v)["kind"] = "print" }),
		"result":         change(func(v map[string]any) { v["result"] = []int{999} }),
		"huge value": change(func(v map[string]any) {
			v["program"].(map[string]any)["values"].([]any)[1].(map[string]any)["len"] = 1 << 40
		}),
	} {
		if _, err := ParseManifest(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

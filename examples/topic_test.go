package examples

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"codeberg.org/sbinet/npyio"

	"github.com/tacit-mpc/tacit/model"
)

// TestTopicVectorsAreThoseOfItsLines does what topic/README.md asks of a client:
// words, their numbers, their vectors.
func TestTopicVectorsAreThoseOfItsLines(t *testing.T) {
	e, err := Find("topic")
	if err != nil {
		t.Fatal(err)
	}
	var vocabulary []string
	if err := json.Unmarshal(topicFile(t, "vocabulary.json"), &vocabulary); err != nil {
		t.Fatal(err)
	}
	table, places, numbers := topicArray[float32](t, "table.npy"), topicArray[float32](t, "places.npy"), topicArray[int64](t, "words.npy")
	length, width := e.Shape[0], e.Shape[1]
	lines := strings.Split(strings.TrimSuffix(string(topicFile(t, "lines.txt")), "\n"), "\n")
	if len(lines) != len(e.Inputs) {
		t.Fatalf("%d lines, %d inputs", len(lines), len(e.Inputs))
	}
	word := regexp.MustCompile("[a-z0-9+]+")
	for i, line := range lines {
		x := make([]int64, length)
		for k, w := range word.FindAllString(strings.ToLower(line), length) {
			if x[k] = int64(slices.Index(vocabulary, w)); x[k] < 0 {
				x[k] = 1
			}
		}
		if want := numbers[i*length : (i+1)*length]; !slices.Equal(x, want) {
			t.Errorf("%q: words %v, want %v", line, x, want)
		}
		var vectors []float32
		for k, n := range x {
			for c := range width {
				vectors = append(vectors, table[int(n)*width+c]+places[k*width+c])
			}
		}
		if !slices.Equal(vectors, e.Inputs[i]) {
			t.Errorf("%q: other vectors than inputs.npy", line)
		}
	}
}

// TestTopicEdgeIsTheClientsPart cuts the whole network where its private part
// begins: what comes before makes the vectors of all held-out lines.
func TestTopicEdgeIsTheClientsPart(t *testing.T) {
	e, err := Find("topic")
	if err != nil {
		t.Fatal(err)
	}
	g, err := model.LoadSplit(topicFile(t, "whole.onnx"), "vectors")
	if err != nil {
		t.Fatal(err)
	}
	var words []float32
	for _, n := range topicArray[int64](t, "words.npy") {
		words = append(words, float32(n))
	}
	vectors, err := g.Edge.Run(words)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(vectors, slices.Concat(e.Inputs...)) {
		t.Error("the edge makes other vectors than inputs.npy has")
	}
}

func topicFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("topic/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func topicArray[T float32 | int64](t *testing.T, name string) (v []T) {
	t.Helper()
	if err := npyio.Read(strings.NewReader(string(topicFile(t, name))), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Package examples holds trained networks with inputs that training never saw.
//
// Each directory has the script that made its files, and says where the data
// come from. Everything is compiled in, so that a demonstration needs no files.
package examples

import (
	"bytes"
	"embed"
	"fmt"
	"strings"

	"codeberg.org/sbinet/npyio"
)

//go:embed */model.onnx */inputs.npy */outputs.npy */labels.npy
var files embed.FS

// An Example is a trained classifier with held-out data.
type Example struct {
	Name    string
	About   string   // one line on what it tells from what
	Classes []string // what label 0, 1, ... means
	Model   []byte   // ONNX, with a dynamic first axis

	Shape   []int       // of one input, without the first axis
	Inputs  [][]float32 // one row per held-out input, in the model's axis order
	Outputs [][]float32 // what PyTorch or scikit-learn computes for them in floating point
	Labels  []int64     // what they really are
}

var digitNames = []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}

// all lists what is shipped, the best one to start with first.
var all = []Example{
	{
		Name:    "tumour",
		About:   "multilayer perceptron: is a breast tumour malignant or benign, by 30 measurements",
		Classes: []string{"malignant", "benign"},
	},
	{
		Name:    "digits",
		About:   "convolutional network with batch normalisation: handwritten digits, 8x8 pixels",
		Classes: digitNames,
	},
	{
		Name:    "lenet",
		About:   "LeNet-5: handwritten digits, 28x28 pixels",
		Classes: digitNames,
	},
	{
		Name:    "fashion",
		About:   "residual network: which of ten kinds of clothes, 28x28 pixels",
		Classes: []string{"t-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"},
	},
	{
		Name:    "sonar",
		About:   "convolutional network over one axis: metal or rock, by the echo of a sonar chirp in 60 bands",
		Classes: []string{"metal", "rock"},
	},
	{
		Name:    "credit",
		About:   "60 boosted trees: is a loan paid back, by 18 facts about it and the applicant",
		Classes: []string{"not paid", "paid"},
	},
	{
		Name:    "topic",
		About:   "transformer encoder: is a program about games, graphics, science or sound, by a line of text",
		Classes: []string{"games", "graphics", "science", "sound"},
	},
}

// Names lists the examples there are.
func Names() []string {
	names := make([]string, len(all))
	for i, e := range all {
		names[i] = e.Name
	}
	return names
}

// Find returns the example of that name.
func Find(name string) (Example, error) {
	for _, e := range all {
		if e.Name == name {
			return e.load()
		}
	}
	return Example{}, fmt.Errorf("no example is named %q: there are %s", name, strings.Join(Names(), ", "))
}

func (e Example) load() (Example, error) {
	var err error
	if e.Model, err = files.ReadFile(e.Name + "/model.onnx"); err != nil {
		return Example{}, fmt.Errorf("example: %w", err)
	}
	labels, _, err := read[int64](e.Name + "/labels.npy")
	if err != nil {
		return Example{}, err
	}
	inputs, shape, err := read[float32](e.Name + "/inputs.npy")
	if err != nil {
		return Example{}, err
	}
	outputs, _, err := read[float32](e.Name + "/outputs.npy")
	if err != nil {
		return Example{}, err
	}
	e.Labels, e.Shape = labels, shape[1:]
	e.Inputs = rows(inputs, shape[0])
	e.Outputs = rows(outputs, shape[0])
	return e, nil
}

// read returns the elements, last axis fastest, and the shape of an array.
func read[T float32 | int64](name string) ([]T, []int, error) {
	b, err := files.ReadFile(name)
	if err != nil {
		return nil, nil, fmt.Errorf("example: %w", err)
	}
	r, err := npyio.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, nil, fmt.Errorf("example: %s: %w", name, err)
	}
	var v []T
	if err := r.Read(&v); err != nil {
		return nil, nil, fmt.Errorf("example: %s: %w", name, err)
	}
	return v, r.Header.Descr.Shape, nil
}

// rows cuts v into n slices of the same length.
func rows(v []float32, n int) [][]float32 {
	out := make([][]float32, n)
	for i := range out {
		size := len(v) / n
		out[i] = v[i*size : (i+1)*size : (i+1)*size]
	}
	return out
}

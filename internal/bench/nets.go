// Package bench measures: networks of known size, emulated links, the cost of
// single operations, and reports that can be compared and plotted.
//
// It measures what others implement and is imported by the command alone.
package bench

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/tacit-mpc/tacit/model"
)

// A Net is a network with seeded random weights of the magnitude that training
// gives them: what it predicts is noise, what it costs is not.
type Net struct {
	Name        string
	About       string
	Comparisons int // of one row
	build       func(name string) *graph
}

var nets = []Net{
	{"tiny", "30 to 16 to 2, as the shipped tumour network", 16, mlp(30, 16, 2)},
	{"mlp", "multilayer perceptron 784-128-128-10", 256, mlp(784, 128, 128, 10)},
	{"cnn-b", "conv 16@5x5, maxpool, relu, conv 16@5x5, maxpool, relu, 100, 10 on 28x28, after MiniONN", 10_340, lenet(0, 16, 16, 100)},
	{"lenet5", "LeNet-5: conv 6@5x5 pad 2, maxpool, relu, conv 16@5x5, maxpool, relu, 120, 84, 10 on 28x28", 6_508, lenet(2, 6, 16, 120, 84)},
	{"lenet", "conv 20@5x5, maxpool, relu, conv 50@5x5, maxpool, relu, 500, 10 on 28x28", 15_220, lenet(0, 20, 50, 500)},
	{"resnet", "conv 16@3x3, residual blocks of 16 (stride 2), 16, 32 (stride 2) channels, average, 10 on 28x28", 28_224, miniResNet},
	{"relu10k", "10,000 ReLU behind one multiplication and its truncation each", 10_000, elementwise(100, 100)},
	{"relu500k", "500,000 ReLU behind one multiplication and its truncation each", 500_000, elementwise(500, 1000)},
	{"gemm", "one matrix product by 784x128", 0, mlp(784, 128)},
}

// Nets returns the networks, the smallest one first.
func Nets() []Net { return nets }

// NetNames lists the names for help texts.
func NetNames() string {
	var names []string
	for _, n := range nets {
		names = append(names, n.Name)
	}
	return strings.Join(names, ", ")
}

// FindNet returns the network of a name. Besides those of [Nets] there is
// dense-D-W: D hidden layers of W, on 128 inputs.
func FindNet(name string) (Net, error) {
	for _, n := range nets {
		if n.Name == name {
			return n, nil
		}
	}
	if sizes, ok := strings.CutPrefix(name, "dense-"); ok {
		d, w, _ := strings.Cut(sizes, "-")
		depth, err1 := strconv.Atoi(d)
		width, err2 := strconv.Atoi(w)
		if err1 == nil && err2 == nil && depth >= 1 && depth <= 64 && width >= 1 && width <= 4096 {
			return Dense(depth, width), nil
		}
	}
	return Net{}, fmt.Errorf("no network is named %q: there are %s, and dense-DEPTH-WIDTH", name, NetNames())
}

// Dense returns a network of depth hidden layers of a width.
func Dense(depth, width int) Net {
	sizes := []int{128}
	for range depth {
		sizes = append(sizes, width)
	}
	return Net{
		Name:        fmt.Sprintf("dense-%d-%d", depth, width),
		About:       fmt.Sprintf("%d hidden layers of %d on 128 inputs", depth, width),
		Comparisons: depth * width, build: mlp(append(sizes, 10)...),
	}
}

// mlp is a perceptron with ReLU between its layers.
func mlp(sizes ...int) func(string) *graph {
	return func(name string) *graph {
		g := newGraph(name, sizes[0])
		for i, n := range sizes[1:] {
			if i > 0 {
				g.relu()
			}
			g.dense(n)
		}
		return g
	}
}

// lenet is two convolutions of 5×5, the first one with pads, and dense layers.
func lenet(pad, first, second int, dense ...int) func(string) *graph {
	return func(name string) *graph {
		g := newGraph(name, 1, 28, 28).conv(first, 5, 1, pad).maxPool().relu().conv(second, 5, 1, 0).maxPool().relu()
		for _, n := range dense {
			g.dense(n).relu()
		}
		return g.dense(10)
	}
}

func miniResNet(name string) *graph {
	return newGraph(name, 1, 28, 28).conv(16, 3, 1, 1).relu().
		residual(16, 2).residual(16, 1).residual(32, 2).averagePool().dense(10)
}

// elementwise multiplies h×w numbers by a secret one.
func elementwise(h, w int) func(string) *graph {
	return func(name string) *graph { return newGraph(name, 1, h, w).conv(1, 1, 1, 0).relu() }
}

// calibration is how many rows fix the ranges of a network.
const calibration = 4

// Model returns the compiled network.
func (n *Net) Model() (*model.Model, error) {
	b, err := n.build(n.Name).encode()
	if err != nil {
		return nil, fmt.Errorf("network %s: %w", n.Name, err)
	}
	g, err := model.Load(b)
	if err != nil {
		return nil, fmt.Errorf("network %s: %w", n.Name, err)
	}
	lo, hi := 0.0, 1.0
	size := 1
	for _, d := range g.Input {
		size *= d
	}
	return model.Compile(g, model.Options{Calibration: rows(calibration, size), InputLo: &lo, InputHi: &hi})
}

// Rows returns so many inputs for a model of [Net.Model].
func Rows(m *model.Model, count int) [][]float32 { return rows(count, m.Manifest.Input.Len()) }

// rows returns seeded numbers in [0, 1), as the pixels of an image.
func rows(count, size int) [][]float32 {
	rng := rand.New(rand.NewPCG(7, 8))
	all := make([][]float32, count)
	for i := range all {
		all[i] = make([]float32, size)
		for k := range all[i] {
			all[i][k] = rng.Float32()
		}
	}
	return all
}

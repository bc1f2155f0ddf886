package model

import "errors"

// Options steer [Compile].
type Options struct {
	Name         string      // of the model, for the manifest
	FractionBits int         // of activations and outputs; 0 chooses
	Calibration  [][]float32 // sample rows; without them, ranges are worst cases
	Margin       float64     // times the largest value seen in Calibration; 0 means 4
	InputLo      *float64    // declared input range
	InputHi      *float64
}

// Compile turns a graph into a fixed-point program and its parameters.
func Compile(g *Graph, o Options) (*Model, error) {
	return nil, errors.New("compile: not a network")
}

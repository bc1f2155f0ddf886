package model

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// An Image says how a picture becomes a row: which of its axes comes first, and
// by what its 8-bit samples are divided. Then the means are subtracted, and it is
// divided by the deviations: one for all channels, or one for each of red, green
// and blue. A model without it takes no pictures.
type Image struct {
	Layout    string    `json:"layout"` // ChannelsFirst or ChannelsLast
	Divisor   float64   `json:"divisor"`
	Mean      []float64 `json:"mean,omitempty"`
	Deviation []float64 `json:"deviation,omitempty"`
}

// The orders of the axes of a picture.
const (
	ChannelsFirst = "chw"
	ChannelsLast  = "hwc"
)

// ParseImage reads LAYOUT/DIVISOR, such as chw/255, or LAYOUT/DIVISOR/MEANS/DEVIATIONS,
// such as chw/255/0.485,0.456,0.406/0.229,0.224,0.225.
func ParseImage(s string) (*Image, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 2 && len(parts) != 4 {
		return nil, fmt.Errorf("image %q is neither LAYOUT/DIVISOR nor LAYOUT/DIVISOR/MEANS/DEVIATIONS", s)
	}
	var lists [3][]float64
	for i, part := range parts[1:] {
		for _, number := range strings.Split(part, ",") {
			x, err := strconv.ParseFloat(number, 64)
			if err != nil {
				return nil, fmt.Errorf("image %q: %q is not a number", s, number)
			}
			lists[i] = append(lists[i], x)
		}
	}
	if len(lists[0]) != 1 {
		return nil, fmt.Errorf("image %q has several divisors", s)
	}
	i := &Image{parts[0], lists[0][0], lists[1], lists[2]}
	return i, i.known()
}

func (i *Image) known() error {
	if i.Layout != ChannelsFirst && i.Layout != ChannelsLast {
		return fmt.Errorf("layout %q is neither %s nor %s", i.Layout, ChannelsFirst, ChannelsLast)
	}
	if len(i.Mean) != len(i.Deviation) || len(i.Mean) != 0 && len(i.Mean) != 1 && len(i.Mean) != 3 {
		return fmt.Errorf("%d means and %d deviations are not none, one or three", len(i.Mean), len(i.Deviation))
	}
	for _, x := range append([]float64{i.Divisor}, i.Deviation...) {
		if !(x > 0) || math.IsInf(x, 0) {
			return fmt.Errorf("the divisor or deviation %v is not a positive number", x)
		}
	}
	for _, x := range i.Mean {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("the mean %v is not a number", x)
		}
	}
	return nil
}

// validate checks that rows of these parts can be pictures.
func (i *Image) validate(parts []Part) error {
	if i == nil {
		return nil
	}
	if err := i.known(); err != nil {
		return err
	}
	_, _, channels, err := i.Size(parts)
	if err == nil && len(i.Mean) > 1 && len(i.Mean) != channels {
		err = fmt.Errorf("%d means for %d channel", len(i.Mean), channels)
	}
	return err
}

// Size returns the size of the pictures that rows of these parts are.
func (i *Image) Size(parts []Part) (width, height, channels int, err error) {
	if len(parts) != 1 {
		return 0, 0, 0, errors.New("a model of several inputs takes no pictures")
	}
	s := parts[0].Shape
	switch {
	case len(s) == 2:
		return s[1], s[0], 1, nil
	case len(s) == 3 && i.Layout == ChannelsFirst && (s[0] == 1 || s[0] == 3):
		return s[2], s[1], s[0], nil
	case len(s) == 3 && i.Layout == ChannelsLast && (s[2] == 1 || s[2] == 3):
		return s[1], s[0], s[2], nil
	}
	return 0, 0, 0, fmt.Errorf("rows of shape %v are no pictures of 1 or 3 channels in the layout %s", s, i.Layout)
}

// Row makes a row of samples, which come row by row, pixel by pixel, channel by
// channel.
func (i *Image) Row(samples []uint8, channels int) []float32 {
	row := make([]float32, len(samples))
	pixels := len(samples) / channels
	for k, v := range samples {
		at := k
		if i.Layout == ChannelsFirst {
			at = k%channels*pixels + k/channels
		}
		x := float64(v) / i.Divisor
		if n := len(i.Mean); n > 0 {
			x = (x - i.Mean[k%channels%n]) / i.Deviation[k%channels%n]
		}
		row[at] = float32(x)
	}
	return row
}

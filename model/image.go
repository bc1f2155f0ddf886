package model

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// An Image says how a picture becomes a row: which of its axes comes first, and
// by what its 8-bit samples are divided. A model without it takes no pictures.
type Image struct {
	Layout  string  `json:"layout"` // ChannelsFirst or ChannelsLast
	Divisor float64 `json:"divisor"`
}

// The orders of the axes of a picture.
const (
	ChannelsFirst = "chw"
	ChannelsLast  = "hwc"
)

// ParseImage reads LAYOUT/DIVISOR, such as chw/255.
func ParseImage(s string) (*Image, error) {
	layout, number, _ := strings.Cut(s, "/")
	divisor, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return nil, fmt.Errorf("image %q is not LAYOUT/DIVISOR", s)
	}
	i := &Image{layout, divisor}
	return i, i.known()
}

func (i *Image) known() error {
	if i.Layout != ChannelsFirst && i.Layout != ChannelsLast {
		return fmt.Errorf("layout %q is neither %s nor %s", i.Layout, ChannelsFirst, ChannelsLast)
	}
	if !(i.Divisor > 0) || math.IsInf(i.Divisor, 0) {
		return fmt.Errorf("the divisor %v is not a positive number", i.Divisor)
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
	_, _, _, err := i.Size(parts)
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
		row[at] = float32(float64(v) / i.Divisor)
	}
	return row
}

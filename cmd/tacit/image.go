package main

import (
	"errors"
	"fmt"
	"image"
	"image/draw"
	_ "image/jpeg" // decoders
	_ "image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	scale "golang.org/x/image/draw"

	"github.com/tacit-mpc/tacit/model"
)

// maxPixels bounds a picture before it is decoded.
const maxPixels = 1 << 26

// isPicture tells by the name of a file.
func isPicture(path string) bool {
	return slices.Contains([]string{".png", ".jpg", ".jpeg"}, strings.ToLower(filepath.Ext(path)))
}

// picturesIn lists the pictures of a directory in the order of their names.
func picturesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		if !e.IsDir() && isPicture(e.Name()) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	if len(paths) == 0 {
		return nil, &usageError{fmt.Errorf("%s: no pictures", dir), "a directory of inputs holds .png and .jpg files, one for each row"}
	}
	return paths, nil
}

// develop makes rows of the pictures, as the model takes them.
func (t *table) develop(parts []model.Part, as *model.Image) error {
	if as == nil {
		return &usageError{
			fmt.Errorf("%s: the model does not say how pictures become its inputs", t.path),
			"declare it where the model is deployed or tried, for example --image chw/255",
		}
	}
	width, height, channels, err := as.Size(parts)
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	t.rows, t.shape = nil, parts[0].Shape
	for _, path := range t.pictures {
		samples, err := readPicture(path, width, height, channels)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		t.rows = append(t.rows, as.Row(samples, channels))
	}
	return nil
}

// readPicture returns the samples of a picture in that size: row by row, pixel by
// pixel, channel by channel.
func readPicture(path string, width, height, channels int) ([]uint8, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c, _, err := image.DecodeConfig(f)
	if err != nil {
		return nil, fmt.Errorf("not a PNG or JPEG picture: %w", err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxPixels/c.Height {
		return nil, fmt.Errorf("%d by %d pixels are none or too many", c.Width, c.Height)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	picture, _, err := image.Decode(f)
	if err != nil {
		return nil, err
	}
	if o, ok := picture.(interface{ Opaque() bool }); !ok || !o.Opaque() {
		return nil, errors.New("it has transparent parts, whose colour is not known; save it without an alpha channel")
	}
	if channels == 1 {
		return inGrey(picture, width, height), nil
	}
	return inColour(picture, width, height), nil
}

// inGrey returns the luma of a picture in another size.
func inGrey(picture image.Image, width, height int) []uint8 {
	from := image.NewGray(picture.Bounds())
	draw.Draw(from, from.Bounds(), picture, picture.Bounds().Min, draw.Src)
	to := image.NewGray(image.Rect(0, 0, width, height))
	resize(to, from)
	return to.Pix
}

// inColour returns red, green and blue.
func inColour(picture image.Image, width, height int) []uint8 {
	to := image.NewRGBA(image.Rect(0, 0, width, height))
	resize(to, picture)
	samples := make([]uint8, 0, 3*width*height)
	for pixel := range slices.Chunk(to.Pix, 4) {
		samples = append(samples, pixel[:3]...)
	}
	return samples
}

// resize draws a picture in the size of to: as it is if it has that size, else
// by a triangle filter, which averages where it shrinks.
func resize(to draw.Image, from image.Image) {
	if to.Bounds().Size() == from.Bounds().Size() {
		draw.Draw(to, to.Bounds(), from, from.Bounds().Min, draw.Src)
		return
	}
	scale.BiLinear.Scale(to, to.Bounds(), from, from.Bounds(), draw.Src, nil)
}

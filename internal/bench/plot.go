package bench

import (
	"errors"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A Sweep is how cost is measured against one quantity.
type Sweep struct {
	Kind  string // batch, depth, width or parties
	About string // the axis
	Fixed string // what stays the same
}

// Sweeps are those of tacit bench scale.
var Sweeps = []Sweep{
	{"batch", "inferences at once, both phases", "2 hidden layers of 128, n = 3, per inference"},
	{"depth", "hidden layers of 128", "n = 3, request of 1, material for 32"},
	{"width", "neurons of 2 hidden layers", "n = 3, request of 1, material for 32"},
	{"parties", "parties", "2 hidden layers of 128, request of 1, material for 32"},
}

// ScaleResults returns the figures of one point of a sweep, per inference.
// Online times are those at the parties.
func ScaleResults(kind string, x int, m *Macro) []Result {
	p, o := fmt.Sprintf("scale/%s/%d/", kind, x), m.Online[0]
	per := func(name string, samples []float64) Result {
		r := Summarise(p+name, "s", samples)
		r.Value /= float64(o.Batch)
		return r
	}
	return []Result{
		per("online/time", o.Run), per("plaintext/time", o.Plain),
		{Name: p + "offline/time", Value: m.OfflineSeconds, Unit: "s", Samples: 1},
		{Name: p + "online/bytes", Value: o.Bytes / float64(o.Batch), Unit: "B"},
		{Name: p + "offline/bytes", Value: m.OfflineBytes, Unit: "B"},
	}
}

// A curve is one quantity against the variable of a sweep.
type curve struct {
	name   string
	points plotter.XYs
}

// curves returns those of a sweep that end in a metric, time or bytes.
func curves(r *Report, kind, metric string) (all []curve, err error) {
	for _, x := range r.Results {
		parts := strings.Split(x.Name, "/")
		if len(parts) != 5 || parts[0] != "scale" || parts[1] != kind || parts[4] != metric || x.Value <= 0 {
			continue
		}
		at, err := strconv.Atoi(parts[2])
		if err != nil || at < 1 {
			return nil, fmt.Errorf("result %s is not one of tacit bench scale", x.Name)
		}
		y := x.Value
		if metric == "time" {
			y *= 1000
		} else {
			y /= 1000
		}
		i := slices.IndexFunc(all, func(c curve) bool { return c.name == parts[3] })
		if i < 0 {
			i, all = len(all), append(all, curve{name: parts[3]})
		}
		all[i].points = append(all[i].points, plotter.XY{X: float64(at), Y: y})
	}
	slices.SortFunc(all, func(a, b curve) int { return strings.Compare(a.name, b.name) })
	for _, c := range all {
		slices.SortFunc(c.points, func(a, b plotter.XY) int { return int(a.X - b.X) })
	}
	return all, nil
}

// Plot draws every sweep of a report as SVG into dir and returns the files.
func Plot(r *Report, dir string) (files []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, s := range Sweeps {
		for _, metric := range []string{"time", "bytes"} {
			all, err := curves(r, s.Kind, metric)
			if err != nil {
				return files, err
			}
			if len(all) == 0 {
				continue
			}
			file := filepath.Join(dir, fmt.Sprintf("%s-%s.svg", s.Kind, metric))
			if err := drawCurves(file, s, metric, all); err != nil {
				return files, fmt.Errorf("%s: %w", file, err)
			}
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		return nil, errors.New("the report has nothing to plot: make one with tacit bench scale --out")
	}
	return files, nil
}

// palette is told apart also by those who see fewer colours (Okabe and Ito).
var palette = []color.Color{
	color.RGBA{0x00, 0x72, 0xb2, 0xff}, color.RGBA{0xd5, 0x5e, 0x00, 0xff}, color.RGBA{0x00, 0x9e, 0x73, 0xff},
}

func drawCurves(file string, s Sweep, metric string, all []curve) error {
	p := plot.New()
	p.Title.Text = "Cost against " + s.Kind + ": " + s.Fixed
	p.Title.TextStyle.Font.Size = vg.Points(10)
	p.X.Label.Text, p.Y.Label.Text = s.About, "ms per inference"
	if metric == "bytes" {
		p.Y.Label.Text = "kB per inference and party"
	}
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.Add(plotter.NewGrid())
	var ticks plot.ConstantTicks
	for i, c := range all {
		line, points, err := plotter.NewLinePoints(c.points)
		if err != nil {
			return err
		}
		line.Color, points.Color = palette[i%len(palette)], palette[i%len(palette)]
		line.Width, points.Shape = vg.Points(1.5), draw.CircleGlyph{}
		p.Add(line, points)
		p.Legend.Add(c.name, line, points)
	}
	for _, xy := range all[0].points {
		ticks = append(ticks, plot.Tick{Value: xy.X, Label: strconv.Itoa(int(xy.X))})
	}
	p.X.Tick.Marker = ticks
	if s.Kind != "parties" {
		p.X.Scale = plot.LogScale{}
	}
	p.Legend.Top, p.Legend.Left = true, s.Kind != "batch"
	w, err := p.WriterTo(16*vg.Centimeter, 10*vg.Centimeter, strings.TrimPrefix(filepath.Ext(file), "."))
	if err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = w.WriteTo(f)
	return errors.Join(err, f.Close())
}

package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"
)

// format is the version of the encoding of a [Report].
const format = 1

// A Report is what one run measured, and on what.
type Report struct {
	Format     int               `json:"format"`
	Command    string            `json:"command"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Machine    Machine           `json:"machine"`
	Results    []Result          `json:"results"`
}

// A Result is one figure. Less is better, for all of them.
type Result struct {
	Name  string  `json:"name"` // stable from commit to commit
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Spread is half the distance of the quartiles of the samples, relative to
	// the median: 0 for what is counted, not measured.
	Spread  float64 `json:"spread,omitempty"`
	Samples int     `json:"samples,omitempty"`
}

// NewReport returns a report without results.
func NewReport(command string, parameters map[string]string) *Report {
	return &Report{Format: format, Command: command, Parameters: parameters, Machine: ThisMachine()}
}

// Add appends results.
func (r *Report) Add(results ...Result) { r.Results = append(r.Results, results...) }

// Find returns the value of a result, if it is there.
func (r *Report) Find(name string) (float64, bool) {
	i := slices.IndexFunc(r.Results, func(x Result) bool { return x.Name == name })
	if i < 0 {
		return 0, false
	}
	return r.Results[i].Value, true
}

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Save writes the report to a file.
func (r *Report) Save(file string) error {
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// Load reads a report that [Report.Save] has written.
func Load(file string) (*Report, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// Parse decodes a report.
func Parse(b []byte) (*Report, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	r := &Report{}
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("not a report of tacit bench --json: %w", err)
	}
	if r.Format != format {
		return nil, fmt.Errorf("a report of format %d, this version reads %d: measure again", r.Format, format)
	}
	seen := map[string]bool{}
	for _, x := range r.Results {
		switch {
		case x.Name == "" || seen[x.Name]:
			return nil, fmt.Errorf("result %q is there twice or has no name", x.Name)
		case x.Value < 0 || x.Spread < 0 || math.IsInf(x.Value, 0):
			return nil, fmt.Errorf("result %s is %v ± %v", x.Name, x.Value, x.Spread)
		}
		seen[x.Name] = true
	}
	if len(r.Results) == 0 {
		return nil, errors.New("a report without results")
	}
	return r, nil
}

// Summarise returns the median of samples as a result.
func Summarise(name, unit string, samples []float64) Result {
	s := slices.Sorted(slices.Values(samples))
	r := Result{Name: name, Unit: unit, Samples: len(s)}
	if len(s) == 0 {
		return r
	}
	r.Value = s[len(s)/2]
	if r.Value > 0 {
		r.Spread = (s[len(s)*3/4] - s[len(s)/4]) / 2 / r.Value
	}
	return r
}

// Quantile returns the smallest sample that a part q of all do not exceed.
func Quantile(name, unit string, samples []float64, q float64) Result {
	s := slices.Sorted(slices.Values(samples))
	r := Result{Name: name, Unit: unit, Samples: len(s)}
	if len(s) > 0 {
		r.Value = s[min(len(s)-1, max(0, int(math.Ceil(q*float64(len(s))))-1))]
	}
	return r
}

// Format returns the value as people read it.
func (r Result) Format() string { return FormatValue(r.Value, r.Unit) }

// FormatValue writes a value in a unit of [Result] with three digits or so.
func FormatValue(v float64, unit string) string {
	switch unit {
	case "s":
		return roundTime(time.Duration(v * float64(time.Second))).String()
	case "B":
		switch {
		case v < 1e3:
			return fmt.Sprintf("%.0f B", v)
		case v < 1e6:
			return fmt.Sprintf("%.1f kB", v/1e3)
		}
		return fmt.Sprintf("%.2f MB", v/1e6)
	case "ns":
		if v >= 1000 {
			return roundTime(time.Duration(v)).String()
		}
		return fmt.Sprintf("%.3g ns", v)
	}
	return strings.TrimSpace(fmt.Sprintf("%.4g %s", v, unit))
}

func roundTime(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}

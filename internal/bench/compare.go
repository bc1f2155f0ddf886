package bench

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"
)

// noise is how much a measured figure changes by itself, beyond its spread.
const noise = 0.05

// A Change is a result of two reports. A ratio below 1 is an improvement.
type Change struct {
	Name, Unit string
	A, B       float64
	Ratio      float64
	Beyond     bool // more than noise
}

// Compare returns the results that both reports have, in the order of a, and
// the names of those that only one has.
func Compare(a, b *Report) (changes []Change, onlyA, onlyB []string) {
	inA := map[string]bool{}
	byName := map[string]Result{}
	for _, r := range b.Results {
		byName[r.Name] = r
	}
	for _, x := range a.Results {
		inA[x.Name] = true
		y, ok := byName[x.Name]
		if !ok || x.Unit != y.Unit {
			onlyA = append(onlyA, x.Name)
			continue
		}
		c := Change{Name: x.Name, Unit: x.Unit, A: x.Value, B: y.Value, Ratio: 1}
		if x.Value != y.Value {
			c.Ratio = y.Value / x.Value
		}
		tolerance := 0.0 // for what is counted
		if x.Samples > 0 || y.Samples > 0 {
			tolerance = noise + x.Spread + y.Spread
		}
		c.Beyond = math.Abs(c.Ratio-1) > tolerance
		changes = append(changes, c)
	}
	for _, y := range b.Results {
		if !inA[y.Name] {
			onlyB = append(onlyB, y.Name)
		}
	}
	return changes, onlyA, onlyB
}

// WriteComparison writes a table of two reports.
func WriteComparison(w io.Writer, a, b *Report) error {
	changes, onlyA, onlyB := Compare(a, b)
	for _, r := range []struct {
		name string
		m    Machine
	}{{"A", a.Machine}, {"B", b.Machine}} {
		fmt.Fprintf(w, "%s: commit %s, %s, %s, %d cores\n", r.name, r.m.Commit, r.m.Go, r.m.CPU, r.m.Cores)
	}
	if a.Machine.CPU != b.Machine.CPU || a.Machine.Cores != b.Machine.Cores {
		fmt.Fprintln(w, "the machines differ: only bytes and rounds compare")
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "name\tA\tB\tB/A\t\t")
	for _, c := range changes {
		mark := ""
		switch {
		case c.Beyond && c.Ratio < 1:
			mark = "better"
		case c.Beyond:
			mark = "WORSE"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.3f\t%s\t\n", c.Name, FormatValue(c.A, c.Unit), FormatValue(c.B, c.Unit), c.Ratio, mark)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, n := range onlyA {
		fmt.Fprintf(w, "only in A: %s\n", n)
	}
	for _, n := range onlyB {
		fmt.Fprintf(w, "only in B: %s\n", n)
	}
	return nil
}

// WriteTable writes all results of a report.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "name\tvalue\tspread\tsamples\t")
	for _, x := range r.Results {
		spread, samples := "", ""
		if x.Samples > 0 {
			spread, samples = fmt.Sprintf("±%.0f%%", 100*x.Spread), fmt.Sprint(x.Samples)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\n", x.Name, x.Format(), spread, samples)
	}
	return t.Flush()
}

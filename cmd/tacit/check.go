package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tacit-mpc/tacit/model"
)

func checkCommand() *cobra.Command {
	var parties int
	var layers, asJSON bool
	var ranges rangeFlags
	c := &cobra.Command{
		Use:   "check MODEL.onnx",
		Short: "Tell whether a model can run, and how exact it will be",
		Long: `Compile an ONNX file without running anything, and tell what stands in the way:
all unsupported nodes at once, each with a hint. For each tensor the range, the
format and the proven errors are listed.

With sample inputs, the network is also computed in floating point, in fixed
point, and as the parties do it, and compared tensor by tensor: --layers shows
all, and the first tensor that diverges is named. No network is used, and nothing
leaves this machine.`,
		Example: "  tacit check model.onnx\n  tacit check model.onnx --calibrate x.npy --layers\n  tacit check model.onnx --calibrate x.npy --max-error 0.001 --reveal label",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkSizes(parties, 1); err != nil {
				return err
			}
			samples, err := ranges.samples()
			if err != nil {
				return err
			}
			m, err := compile(c, args[0], samples, &ranges)
			if err != nil {
				return err
			}
			r := newFindings(m, parties)
			if samples != nil {
				if r.Tensors, err = m.Differences(flat(samples.rows), parties, rand.New(rand.NewPCG(rand.Uint64(), 0))); err != nil {
					return err
				}
				r.Rows = len(samples.rows)
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(r)
			}
			return r.print(c.OutOrStdout(), layers)
		},
	}
	ranges.addSamples(c, ", and tensors are compared on them")
	c.Flags().IntVarP(&parties, "parties", "p", 3, "number of parties, 2 to 7")
	c.Flags().BoolVar(&layers, "layers", false, "list every tensor")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	ranges.add(c)
	return c
}

// findings is what a check finds out.
type findings struct {
	Operations   int                `json:"operations"`
	Comparisons  int                `json:"comparisons_per_row"`
	FractionBits int                `json:"fraction_bits"`
	Parties      int                `json:"parties"`
	UlpBound     int64              `json:"ulp_bound"`
	FloatBound   float64            `json:"float_bound"` // plaintext in fixed point from real numbers, proven
	Reveals      string             `json:"reveals"`
	InputLo      float64            `json:"input_lo"`
	InputHi      float64            `json:"input_hi"`
	Assumed      bool               `json:"input_range_assumed"`
	Rows         int                `json:"rows"`    // compared
	Tensors      []model.Difference `json:"tensors"` // with 0 differences where no rows were compared
}

func newFindings(m *model.Model, parties int) *findings {
	mf := &m.Manifest
	r := &findings{
		Operations: len(mf.Program.Ops), Comparisons: mf.Program.Comparisons(), FractionBits: mf.FractionBits, Parties: parties,
		UlpBound: mf.UlpBound(parties), FloatBound: m.FloatBound(), Reveals: mf.Policy.String(),
		InputLo: mf.Input.Lo, InputHi: mf.Input.Hi, Assumed: mf.Assumed,
	}
	for _, p := range m.Points() {
		r.Tensors = append(r.Tensors, model.Difference{Point: p})
	}
	return r
}

func (r *findings) print(w io.Writer, layers bool) error {
	fmt.Fprintf(w, "it compiles: %d operations, %d comparisons per row, %d fraction bits\n", r.Operations, r.Comparisons, r.FractionBits)
	fmt.Fprintf(w, "the client sees %s\n", r.Reveals)
	assumed := ""
	if r.Assumed {
		assumed = ", which is assumed: declare it with --lo and --hi or give samples with --calibrate"
	}
	fmt.Fprintf(w, "inputs from %.4g to %.4g are accepted%s\n", r.InputLo, r.InputHi, assumed)
	fmt.Fprintf(w, "proven: at most %d ulp of 2^-%d between private and plaintext, %.2g between fixed point and real numbers\n",
		r.UlpBound, r.FractionBits, r.FloatBound)
	if r.Rows > 0 {
		last := r.Tensors[len(r.Tensors)-1]
		fmt.Fprintf(w, "on %d rows: outputs up to %.4g, wrong by %.2g in fixed point and by %.2g more as %d parties compute them\n",
			r.Rows, last.Largest, last.Fixed, last.Private, r.Parties)
		r.verdict(w)
	}
	if !layers {
		return nil
	}
	fmt.Fprintln(w)
	return r.table(w)
}

// verdict names the first tensor that diverges.
func (r *findings) verdict(w io.Writer) {
	for _, d := range r.Tensors {
		if d.Diverges() {
			fmt.Fprintf(w, "the first tensor that diverges, by more than 1 %% of its largest value: %s (%s), %.2g of %.4g; use more --fraction-bits, or scale what is before it\n",
				d.Point.Name, d.Point.Kind, d.Fixed+d.Private, d.Largest)
			return
		}
	}
	fmt.Fprintln(w, "no tensor diverges by more than 1 % of its largest value")
}

func (r *findings) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "tensor\tkind\telements\trange\tbits\tfraction\tproven private\tproven rounding")
	if r.Rows > 0 {
		fmt.Fprint(t, "\tlargest\tfixed point\tprivate\t")
	}
	fmt.Fprintln(t)
	for _, d := range r.Tensors {
		p := d.Point
		fmt.Fprintf(t, "%.40s\t%s\t%d\t%.4g to %.4g\t%d\t%d\t%.2g\t%.2g", p.Name, p.Kind, p.Len, p.Lo, p.Hi, p.Width, p.Frac, p.Error.Private(r.Parties), p.Error.Rounding)
		if r.Rows > 0 {
			mark := ""
			if d.Diverges() {
				mark = "<-"
			}
			fmt.Fprintf(t, "\t%.4g\t%.2g\t%.2g\t%s", d.Largest, d.Fixed, d.Private, mark)
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

func flat(rows [][]float32) []float32 {
	var v []float32
	for _, r := range rows {
		v = append(v, r...)
	}
	return v
}

// decided returns the class that a row of output stands for: the largest of several,
// or whether a single one says yes.
func decided(y []float32, limit float64) int {
	if len(y) == 1 {
		if float64(y[0]) == math.Trunc(float64(y[0])) {
			return int(y[0])
		}
		if float64(y[0]) >= limit {
			return 1
		}
		return 0
	}
	best := 0
	for i, v := range y {
		if v > y[best] {
			best = i
		}
	}
	return best
}

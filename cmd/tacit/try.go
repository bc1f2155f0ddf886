package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func tryCommand() *cobra.Command {
	var output, keep string
	var input []string
	var parties, batch int
	var asJSON bool
	var ranges rangeFlags
	var comparison comparisonFlags
	c := &cobra.Command{
		Use:   "try MODEL.onnx --input X.npy",
		Short: "Run a model of your own privately, on this machine",
		Long: `Run an ONNX model on your inputs through a whole cluster on this machine: real
daemons, one process for each party, real cryptography, real connections. It
shows whether the model can be run, how exact the results are, and what they cost.

The rows of the input file are served as requests of --batch rows. They also
serve as samples for the ranges of all values; see ` + "`tacit deploy --help`" + `.`,
		Example: "  tacit try model.onnx --input x.npy --output y.npy --parties 3",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkSizes(parties, batch); err != nil {
				return err
			}
			samples, err := readInputs(input)
			if err != nil {
				return err
			}
			m, err := compile(c, args[0], samples, &ranges)
			if err != nil {
				return err
			}
			if err := comparison.choose(m, parties); err != nil {
				return err
			}
			if output != "" {
				if err := writable(output); err != nil {
					return err
				}
			}
			dir, done, err := workDir(keep)
			if err != nil {
				return err
			}
			defer done()
			t := &trial{name: "model", model: m, rows: samples.rows, parties: parties, batch: batch, dir: dir}
			out, err := t.run(c.Context())
			if err != nil {
				return err
			}
			if output != "" {
				if err := samples.write(output, out.outputs, m.Manifest.Result); err != nil {
					return err
				}
			}
			w := c.OutOrStdout()
			if asJSON {
				err = out.report.json(w)
			} else {
				if output == "" {
					err = printRows(w, out.outputs, false)
					fmt.Fprintln(w)
				}
				fmt.Fprintf(w, "largest difference from the plaintext engine: %d ulp of 2^-%d, proven bound %d\n\n",
					out.report.MaxUlp, out.report.FractionBits, out.report.UlpBound)
				if err == nil {
					err = out.report.print(w)
				}
			}
			if err != nil {
				return err
			}
			return out.report.check()
		},
	}
	c.Flags().StringArrayVarP(&input, "input", "i", nil, "inputs: .npy with rows along the first axis, .csv, .json, .png, .jpg or a directory of these two; NAME=FILE for each of several")
	c.Flags().StringVarP(&output, "output", "o", "", "write predictions to this .npy file")
	c.Flags().IntVarP(&parties, "parties", "p", 3, "number of parties, 2 to 7")
	c.Flags().IntVarP(&batch, "batch", "b", 1, "rows of one request")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	c.Flags().StringVar(&keep, "keep", "", "leave configuration, keys and logs in this directory")
	ranges.add(c)
	comparison.add(c)
	if err := c.MarkFlagRequired("input"); err != nil {
		panic(err)
	}
	return c
}

// check fails if a result is worse than was proven: a bug, never bad luck.
func (r *report) check() error {
	if r.MaxUlp > r.UlpBound {
		return fmt.Errorf("a prediction is off by %d ulp, more than the proven bound of %d: please report this", r.MaxUlp, r.UlpBound)
	}
	return nil
}

func checkSizes(parties, batch int) error {
	if parties < 2 || parties > 7 {
		return &usageError{fmt.Errorf("%d parties", parties), "--parties is 2 to 7"}
	}
	if batch < 1 || batch > 4096 {
		return &usageError{fmt.Errorf("a batch of %d rows", batch), "--batch is 1 to 4096"}
	}
	return nil
}

// workDir returns keep, which must be new or empty, or a temporary directory
// that done removes.
func workDir(keep string) (dir string, done func(), err error) {
	if keep == "" {
		dir, err = os.MkdirTemp("", "tacit-")
		return dir, func() { _ = os.RemoveAll(dir) }, err
	}
	if err := os.MkdirAll(keep, 0o700); err != nil {
		return "", nil, err
	}
	entries, err := os.ReadDir(keep)
	if err != nil {
		return "", nil, err
	}
	if len(entries) > 0 {
		return "", nil, &usageError{fmt.Errorf("%s is not empty", keep), "give --keep a new directory"}
	}
	return keep, func() {}, nil
}

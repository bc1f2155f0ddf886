package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tacit-mpc/tacit/client"
)

func predictCommand() *cobra.Command {
	var cluster, name, output string
	var input []string
	var batch int
	var asJSON bool
	c := &cobra.Command{
		Use:   "predict --cluster FILE --model NAME --input X",
		Short: "Ask for private predictions",
		Long: `Deal shares of inputs to the parties, and recombine the outputs that they
return. Nobody else learns an input or an output. Every row is checked against
the range that the model was compiled for before anything is sent.

Inputs are .npy (rows along the first axis), .csv (a row per line, with or without
a header), .json (an array per row, or an object with the inputs by name), and, if
the model declares how, pictures: a file is a row, and so is each in a directory,
in the order of names. What comes before the model's edge is computed here.
Without --output, predictions are printed, a row per line.`,
		Example: "  tacit predict --cluster cluster.yaml --model tumour --input x.npy --output y.npy",
		Args:    usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			samples, err := readInputs(input)
			if err != nil {
				return err
			}
			if batch < 1 {
				return &usageError{fmt.Errorf("a batch of %d rows", batch), "--batch is at least 1"}
			}
			if output != "" {
				if err := writable(output); err != nil {
					return err
				}
			}
			cl, err := dial(c.Context(), cluster)
			if err != nil {
				return err
			}
			defer cl.Close()
			m, err := cl.Manifest(c.Context(), name)
			if err != nil {
				return err
			}
			// All rows are checked before the first is sent.
			if err := samples.join(m.RowParts(), m.Image); err != nil {
				return err
			}
			rows := samples.rows
			if _, err := m.Encode(slices.Concat(rows...)); err != nil {
				return fmt.Errorf("%s: %w", samples.path, err)
			}
			var all [][]float32
			bar := progress(len(rows), "predicting")
			for some := range slices.Chunk(rows, batch) {
				p, err := cl.Predict(c.Context(), name, slices.Concat(some...), len(some))
				if err != nil {
					return err
				}
				all = append(all, split(p, len(some))...)
				bar.add(len(some))
			}
			bar.finish()
			if output != "" {
				return samples.write(output, all, m.Result)
			}
			return printRows(c.OutOrStdout(), all, asJSON)
		},
	}
	c.Flags().StringVarP(&cluster, "cluster", "c", "cluster.yaml", "the cluster, as `tacit cluster init` wrote it for this client")
	c.Flags().StringVarP(&name, "model", "m", "", "name of the model")
	c.Flags().StringArrayVarP(&input, "input", "i", nil, "inputs: .npy, .csv, .json, .png, .jpg or a directory of these two; NAME=FILE for each of several")
	c.Flags().StringVarP(&output, "output", "o", "", "write predictions to this .npy file")
	c.Flags().IntVarP(&batch, "batch", "b", 1, "rows of one request")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON array of rows")
	for _, f := range []string{"model", "input"} {
		if err := c.MarkFlagRequired(f); err != nil {
			panic(err)
		}
	}
	return c
}

// split returns the rows of a prediction.
func split(p *client.Prediction, rows int) [][]float32 {
	return slices.Collect(slices.Chunk(p.Output, len(p.Output)/rows))
}

func printRows(w io.Writer, rows [][]float32, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(rows)
	}
	for _, r := range rows {
		if _, err := fmt.Fprintln(w, numbersText(r)); err != nil {
			return err
		}
	}
	return nil
}

func numbersText(row []float32) string {
	var s []string
	for _, x := range row {
		s = append(s, fmt.Sprintf("%.6g", x))
	}
	return strings.Join(s, ",")
}

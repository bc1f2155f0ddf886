package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tacit-mpc/tacit/internal/bench"
	"github.com/tacit-mpc/tacit/internal/rehearse"
	"github.com/tacit-mpc/tacit/model"
)

func planCommand() *cobra.Command {
	var link string
	var parties, batch, offline int
	var asJSON bool
	var ranges rangeFlags
	c := &cobra.Command{
		Use:   "plan MODEL.onnx --link 40ms/100Mbit",
		Short: "Predict what a model will cost on a network, with both ways to compare",
		Long: `Predict time, bytes, rounds and memory of a model on a network of the given
round-trip time and bandwidth, for each way to compare secret numbers: garbled
circuits, which need few rounds, and carry trees, which need few bytes.

Bytes and rounds are exact. Times come from a rehearsal: all parties run in this
process, on the processors of this machine, over an emulated network.`,
		Example: "  tacit plan model.onnx --link 40ms/100Mbit\n  tacit plan model.onnx --link 0.1ms/10Gbit --batch 32 --json",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkSizes(parties, batch); err != nil {
				return err
			}
			l, err := bench.ParseLink(link)
			if err != nil {
				return &usageError{err, "for example --link 10ms/1Gbit"}
			}
			samples, err := ranges.samples()
			if err != nil {
				return err
			}
			m, err := compile(c, args[0], samples, &ranges)
			if err != nil {
				return err
			}
			x, err := anyInput(m, samples, batch)
			if err != nil {
				return err
			}
			var results []*rehearse.Result
			for _, backend := range rehearse.Backends() {
				say("rehearsing with %s comparisons, %d parties, %s", backend, parties, link)
				r, err := rehearse.Run(c.Context(), m, x, rehearse.Scene{
					Parties: parties, Batch: batch, Offline: max(offline, batch), Backend: backend, Link: l.Profile, Repeat: 5,
				})
				if err != nil {
					return err
				}
				results = append(results, r)
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(map[string]any{
					"parties": parties, "batch": batch, "offline_batch": max(offline, batch), "link": link,
					"comparisons_per_row": m.Manifest.Program.Comparisons(), "plans": results,
				})
			}
			return printPlans(c.OutOrStdout(), results, batch, max(offline, batch))
		},
	}
	c.Flags().StringVarP(&link, "link", "l", "none", "round trip and bandwidth between parties, as 40ms/100Mbit; none is this machine alone")
	c.Flags().StringArrayVarP(&ranges.calibrate, "input", "i", nil, "sample inputs, from which ranges follow as with `deploy --calibrate`; NAME=FILE for each of several")
	c.Flags().IntVarP(&parties, "parties", "p", 3, "number of parties, 2 to 7")
	c.Flags().IntVarP(&batch, "batch", "b", 1, "rows of one request")
	c.Flags().IntVar(&offline, "offline-batch", 8, "inferences prepared at once")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	ranges.add(c)
	return c
}

// anyInput returns encoded rows: the first samples, or numbers from the range
// that the model accepts. Costs do not depend on them.
func anyInput(m *model.Model, samples *table, batch int) ([]uint64, error) {
	var rows []float32
	for i := range batch {
		if samples != nil {
			rows = append(rows, samples.rows[i%len(samples.rows)]...)
			continue
		}
		for _, p := range m.Manifest.InputParts() {
			for range p.Len() {
				x := p.Lo + rand.Float64()*(p.Hi-p.Lo)/2
				if p.Whole {
					x = math.Ceil(x)
				}
				rows = append(rows, float32(x))
			}
		}
	}
	if samples != nil {
		return m.Manifest.Encode(rows)
	}
	return m.Manifest.EncodeInput(rows)
}

// printPlans writes a table, and which plan is faster online.
func printPlans(w io.Writer, results []*rehearse.Result, batch, offline int) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "comparison\tphase\ttime\tsent per party\trounds\t")
	for _, r := range results {
		fmt.Fprintf(t, "%s\tsetup, once\t%s\t%s\t%d\t\n", r.Backend, seconds(r.Setup.Seconds), size(float64(r.Setup.Sent)), r.Setup.Rounds)
		fmt.Fprintf(t, "\toffline, per row (%d at once)\t%s\t%s\t%d\t\n", offline, seconds(r.Offline.Seconds/float64(offline)),
			size(float64(r.Offline.Sent)/float64(offline)), r.Offline.Rounds)
		fmt.Fprintf(t, "\tonline, per request of %d\t%s\t%s\t%d\t\n", batch, seconds(r.Online.Seconds), size(float64(r.Online.Sent)), r.Online.Rounds)
		fmt.Fprintf(t, "\tmaterial per row, on disk\t\t%s\t\t\n", size(float64(r.Material)))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	best := slices.MinFunc(results, func(a, b *rehearse.Result) int {
		if a.Online.Seconds < b.Online.Seconds {
			return -1
		}
		return 1
	})
	_, err := fmt.Fprintf(w, "\nfaster online: comparison: %s\n", best.Backend)
	return err
}

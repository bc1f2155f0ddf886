package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tacit-mpc/tacit/internal/bench"
)

// scaleFlags are the points of every sweep.
type scaleFlags struct{ batch, depth, width, parties []string }

func benchScaleCommand() *cobra.Command {
	var o output
	var f scaleFlags
	c := &cobra.Command{
		Use:   "scale",
		Short: "Measure cost against batch, depth, width and number of parties",
		Long: `Measure both phases of perceptrons on 128 inputs through real processes, with one
quantity changed at a time: the batch, that is how many inferences are prepared and
predicted at once; hidden layers of 128; neurons of two hidden layers; parties.
Figures are per inference. A list that is given as "" is left out.`,
		Example: "  tacit bench scale --out scale.json\n  tacit bench plot scale.json --out plots",
		Args:    usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			points, err := f.points()
			if err != nil {
				return err
			}
			r := bench.NewReport("scale", nil)
			for i, p := range points {
				say("%d of %d", i+1, len(points))
				w, err := workloadOf(p.run)
				if err != nil {
					return err
				}
				w.exact = true
				m, err := w.run(c.Context())
				if err != nil {
					return err
				}
				r.Add(bench.ScaleResults(p.kind, p.x, m)...)
			}
			return o.write(c.OutOrStdout(), r, r.WriteTable)
		},
	}
	c.Flags().StringSliceVar(&f.batch, "batch", []string{"1", "2", "4", "8", "16", "32", "64", "128", "256"}, "inferences at once")
	c.Flags().StringSliceVar(&f.depth, "depth", []string{"1", "2", "4", "8", "16"}, "hidden layers")
	c.Flags().StringSliceVar(&f.width, "width", []string{"32", "64", "128", "256", "512", "1024"}, "neurons of a hidden layer")
	c.Flags().StringSliceVar(&f.parties, "parties", []string{"2", "3", "4", "5", "6", "7"}, "numbers of parties")
	o.add(c)
	return c
}

// A scalePoint is one cluster of a sweep.
type scalePoint struct {
	kind string
	x    int
	run  bench.Run
}

func (f *scaleFlags) points() (all []scalePoint, err error) {
	for _, s := range []struct {
		kind string
		list []string
		hi   int
		run  func(x int) bench.Run
	}{
		{"batch", f.batch, 4096, func(x int) bench.Run { return bench.Run{Net: "dense-2-128", Parties: 3, Batches: []int{x}, Offline: x} }},
		{"depth", f.depth, 64, func(x int) bench.Run {
			return bench.Run{Net: fmt.Sprintf("dense-%d-128", x), Parties: 3, Batches: []int{1}, Offline: 32}
		}},
		{"width", f.width, 4096, func(x int) bench.Run {
			return bench.Run{Net: fmt.Sprintf("dense-2-%d", x), Parties: 3, Batches: []int{1}, Offline: 32}
		}},
		{"parties", f.parties, 7, func(x int) bench.Run {
			return bench.Run{Net: "dense-2-128", Parties: x, Batches: []int{1}, Offline: 32}
		}},
	} {
		if len(s.list) == 0 {
			continue
		}
		lo := 1
		if s.kind == "parties" {
			lo = 2
		}
		values, err := integers("--"+s.kind, s.list, lo, s.hi)
		if err != nil {
			return nil, err
		}
		for _, x := range values {
			run := s.run(x)
			run.Link, run.Requests = "none", 7
			all = append(all, scalePoint{s.kind, x, run})
		}
	}
	return all, nil
}

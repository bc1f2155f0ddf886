package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tacit-mpc/tacit/internal/bench"
)

func benchTargetsCommand() *cobra.Command {
	var file string
	var nets []string
	c := &cobra.Command{
		Use:   "targets",
		Short: "Measure every figure the project promises",
		Long: `Run all networks of the targets through real processes on this machine and print,
for every target, what is promised, what was measured, and whether that is met.
Online times are those at the parties from input to output, as those of peers are,
and beside them what a client sees, opening the session included. It takes some
minutes on two cores, on which nothing else should run.`,
		Example: "  tacit bench targets --json targets.json",
		Args:    usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			r := bench.NewReport("targets", nil)
			work, err := selected(nets)
			if err != nil {
				return err
			}
			for i, w := range work {
				say("%d of %d", i+1, len(work))
				m, err := w.run(c.Context())
				if err != nil {
					return err
				}
				r.Add(m.Results()...)
			}
			if file != "" {
				if err := r.Save(file); err != nil {
					return err
				}
			}
			return bench.WriteTargets(c.OutOrStdout(), r)
		},
	}
	c.Flags().StringVar(&file, "json", "", "also write all that was measured to this file, for compare")
	c.Flags().StringSliceVar(&nets, "net", nil, "only these networks: "+bench.NetNames())
	return c
}

// selected returns what is to be measured for some networks, or for all.
func selected(nets []string) ([]workload, error) {
	wanted := map[string]bool{}
	for _, n := range nets {
		if _, err := bench.FindNet(n); err != nil {
			return nil, &usageError{err, "`tacit bench macro --help` describes them"}
		}
		wanted[n] = true
	}
	var all []workload
	for _, run := range bench.TargetRuns {
		if len(nets) > 0 && !wanted[run.Net] {
			continue
		}
		w, err := workloadOf(run)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	if len(all) == 0 {
		return nil, &usageError{fmt.Errorf("no target is about %v", nets), "leave --net out for all targets"}
	}
	return all, nil
}

// workloadOf returns what to measure for a run.
func workloadOf(run bench.Run) (workload, error) {
	net, err := bench.FindNet(run.Net)
	if err != nil {
		return workload{}, err
	}
	link, err := bench.ParseLink(run.Link)
	return workload{
		net: net, parties: run.Parties, link: link, batches: run.Batches, requests: run.Requests, offline: run.Offline, comparison: run.Comparison,
	}, err
}

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tacit-mpc/tacit/internal/bench"
	"github.com/tacit-mpc/tacit/internal/rehearse"
)

// macroFlags say what tacit bench macro measures.
type macroFlags struct {
	nets, links, batches, parties []string
	requests, offline, bulk       int
	pprof, comparison             string
	steps                         bool
}

func benchMacroCommand() *cobra.Command {
	var o output
	var f macroFlags
	c := &cobra.Command{
		Use:   "macro",
		Short: "Measure whole networks through real processes",
		Long: `Start a cluster of real processes for every combination of --net, --parties and
--link, and measure

  setup     base OTs, keys and encrypted weights: once for many batches
  offline   per inference, when at least --offline-batch of them are prepared at
            once, all before the first request
  online    per request of --batch rows: as the client sees it, and at the parties
            from input to output; the median of --requests after a warm-up
  plaintext the integer inference of the same program, in one process, on the same
            machine: the limit. The ratio is of time at the parties.

and bytes sent per party. Networks have random weights of the size of trained ones:
` + netHelp() + `
A link other than none is emulated by this process, which stands between the
parties and the client and delays what passes: 40ms/100Mbit is a round trip of
40 ms and 100 Mbit/s out of every host. The daemons do not know.`,
		Example: "  tacit bench macro --net mlp,lenet5 --batch 1,32 --parties 2,3,5\n" +
			"  tacit bench macro --net mlp --link none,0.1ms/10Gbit,10ms/1Gbit,40ms/100Mbit\n" +
			"  tacit bench macro --net cnn-b --bulk 100 --steps --pprof profiles",
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			work, err := f.workloads()
			if err != nil {
				return err
			}
			var all []*bench.Macro
			r := bench.NewReport("macro", f.parameters())
			for _, w := range work {
				m, err := w.run(c.Context())
				if err != nil {
					return err
				}
				all = append(all, m)
				r.Add(m.Results()...)
			}
			return o.write(c.OutOrStdout(), r, func(w io.Writer) error {
				err := bench.WriteMacros(w, all)
				for _, m := range all {
					if f.steps {
						err = errors.Join(err, m.WriteSteps(w))
					}
				}
				return err
			})
		},
	}
	f.add(c)
	o.add(c)
	return c
}

func netHelp() string {
	var b strings.Builder
	for _, n := range bench.Nets() {
		fmt.Fprintf(&b, "  %-9s %s (%d comparisons)\n", n.Name, n.About, n.Comparisons)
	}
	return b.String()
}

func (f *macroFlags) add(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.nets, "net", []string{"mlp"}, "networks, or dense-DEPTH-WIDTH")
	c.Flags().StringSliceVar(&f.batches, "batch", []string{"1"}, "rows of a request")
	c.Flags().StringSliceVar(&f.parties, "parties", []string{"3"}, "numbers of parties, 2 to 7")
	c.Flags().StringSliceVar(&f.links, "link", []string{"none"}, "networks to emulate: none, or ROUND-TRIP/BANDWIDTH")
	c.Flags().IntVar(&f.requests, "requests", 9, "requests of each size after a warm-up; 3 are enough from 32 rows on")
	c.Flags().IntVar(&f.offline, "offline-batch", 32, "inferences prepared at once, or more if the requests need more")
	c.Flags().IntVar(&f.bulk, "bulk", 0, "also time so many requests alone, and while material is made for another model, and print the 99th percentile")
	c.Flags().BoolVar(&f.steps, "steps", false, "also print time and bytes by layer online, by step offline")
	c.Flags().StringVar(&f.comparison, "comparison", rehearse.Auto, "how the parties compare: "+strings.Join(append(rehearse.Backends(), rehearse.Auto), ", "))
	c.Flags().StringVar(&f.pprof, "pprof", "", "write CPU and heap profiles of every party and of the client into this directory")
}

func (f *macroFlags) parameters() map[string]string {
	return map[string]string{
		"requests": fmt.Sprint(f.requests), "offline-batch": fmt.Sprint(f.offline), "bulk": fmt.Sprint(f.bulk),
	}
}

// workloads returns every combination.
func (f *macroFlags) workloads() ([]workload, error) {
	batches, err := integers("--batch", f.batches, 1, 4096)
	if err != nil {
		return nil, err
	}
	parties, err := integers("--parties", f.parties, 2, 7)
	if err != nil {
		return nil, err
	}
	if f.requests < 1 || f.bulk < 0 || f.offline < 1 || f.offline > 4096 {
		return nil, &usageError{errors.New("--requests, --bulk or --offline-batch is out of range"),
			"--requests is 1 or more, --bulk 0 or more, --offline-batch 1 to 4096"}
	}
	var all []workload
	for _, name := range f.nets {
		net, err := bench.FindNet(name)
		if err != nil {
			return nil, &usageError{err, "`tacit bench macro --help` describes them"}
		}
		for _, n := range parties {
			for _, l := range f.links {
				link, err := bench.ParseLink(l)
				if err != nil {
					return nil, &usageError{err, "links are separated by commas"}
				}
				all = append(all, workload{
					net: net, parties: n, link: link, batches: batches,
					requests: f.requests, offline: f.offline, bulk: f.bulk, pprof: f.pprof, comparison: f.comparison,
				})
			}
		}
	}
	return all, nil
}

package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tacit-mpc/tacit/internal/bench"
)

func benchCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure speed and traffic on this machine, compare and plot",
		Long: `Measure what Tacit costs on this machine.

  targets  the figures the project promises, each beside what is measured now
  macro    whole networks through clusters of real processes, both phases apart
  micro    single operations: products, hashes, oblivious transfers, garbling
  scale    cost against batch, depth, width and number of parties
  compare  two reports, and which changes are more than noise
  plot     the report of scale, as SVG

Every measurement prints a table, and with --json one object: the commit, the
processor and its features, the parameters, and a flat list of results with
names that stay from commit to commit. Less is better for every result. Build
with go build, as go run does not tell the commit, and leave the machine alone
while it measures. docs/performance.md explains the figures.`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(benchTargetsCommand(), benchMacroCommand(), benchMicroCommand(), benchScaleCommand(),
		benchCompareCommand(), benchPlotCommand())
	return c
}

// output is where results go.
type output struct {
	json bool
	file string
}

func (o *output) add(c *cobra.Command) {
	c.Flags().BoolVar(&o.json, "json", false, "print one JSON object instead of tables")
	c.Flags().StringVar(&o.file, "out", "", "also write the JSON object to this file, for compare and plot")
}

// write prints a report, its tables by the given function.
func (o *output) write(w io.Writer, r *bench.Report, tables func(io.Writer) error) error {
	if o.file != "" {
		if err := r.Save(o.file); err != nil {
			return err
		}
	}
	if o.json {
		return r.WriteJSON(w)
	}
	return tables(w)
}

func benchMicroCommand() *cobra.Command {
	var o output
	var effort bench.Effort
	c := &cobra.Command{
		Use:   "micro",
		Short: "Measure single operations",
		Long: `Measure the operations that networks are made of, in this process: products
modulo 2^32, 2^40 and 2^64 per multiplication, the hash per block, OT extension per correlated
OT of two parties, garbling and evaluation per AND gate and comparisons of 20 bits
of three parties, matrix triples per inference, and a round of three parties over
encrypted loopback connections. Times are those of the whole machine, for all
parties together. For single kernels and benchstat, there is go test -bench.`,
		Example: "  tacit bench micro\n  tacit bench micro --json --out before.json",
		Args:    usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if effort.Samples < 1 || effort.Sample < 0 || effort.Sample > time.Minute {
				return &usageError{fmt.Errorf("%d samples of %v", effort.Samples, effort.Sample), "--samples is 1 or more, --sample at most 1m"}
			}
			r := bench.NewReport("micro", map[string]string{"samples": strconv.Itoa(effort.Samples), "sample": effort.Sample.String()})
			results, err := bench.Micro(c.Context(), effort, func(name string) { say("%s", name) })
			if err != nil {
				return err
			}
			r.Add(results...)
			return o.write(c.OutOrStdout(), r, r.WriteTable)
		},
	}
	c.Flags().IntVar(&effort.Samples, "samples", 7, "how often each operation is timed; the median counts")
	c.Flags().DurationVar(&effort.Sample, "sample", 100*time.Millisecond, "how long each sample takes at least")
	o.add(c)
	return c
}

func benchCompareCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "compare A.json B.json",
		Short: "Compare two reports",
		Long: `Print name, value in A, value in B and the ratio B/A of all results that both
reports have. A change is marked if it is more than noise: any change of what is
counted, such as bytes and rounds, and one beyond 5 % and the spread of both
reports of what is measured.`,
		Example: "  tacit bench compare before.json after.json",
		Args:    usage(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := bench.Load(args[0])
			if err != nil {
				return err
			}
			b, err := bench.Load(args[1])
			if err != nil {
				return err
			}
			return bench.WriteComparison(c.OutOrStdout(), a, b)
		},
	}
}

func benchPlotCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:     "plot REPORT.json --out DIR",
		Short:   "Plot the report of tacit bench scale as SVG",
		Long:    "Draw cost against batch, depth, width and number of parties, one SVG of times and\none of bytes for each, from what `tacit bench scale --out REPORT.json` measured.",
		Example: "  tacit bench scale --out scale.json\n  tacit bench plot scale.json --out docs/plots",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := bench.Load(args[0])
			if err != nil {
				return err
			}
			files, err := bench.Plot(r, out)
			for _, f := range files {
				fmt.Fprintln(c.OutOrStdout(), f)
			}
			return err
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "plots", "directory to write to")
	return c
}

// integers reads a list of integers from lo to hi.
func integers(flag string, list []string, lo, hi int) ([]int, error) {
	var all []int
	for _, s := range list {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < lo || n > hi {
			return nil, &usageError{fmt.Errorf("%s %q", flag, s), fmt.Sprintf("%s takes numbers from %d to %d, separated by commas", flag, lo, hi)}
		}
		all = append(all, n)
	}
	if len(all) == 0 {
		return nil, &usageError{fmt.Errorf("%s is empty", flag), flag + " takes numbers, separated by commas"}
	}
	return all, nil
}

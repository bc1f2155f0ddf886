package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tacit-mpc/tacit/examples"
	"github.com/tacit-mpc/tacit/model"
)

func demoCommand() *cobra.Command {
	var name, keep string
	var parties, rows int
	var asJSON bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Watch three parties predict privately, with nothing prepared",
		Long: `Make identities for the parties, a model owner and a client; start a daemon for
every party, each a process of its own; deal a trained model's weights as shares;
run the offline phase; predict held-out real inputs; compare with the plaintext.`,
		Example: "  tacit demo\n  tacit demo --model digits --parties 5\n  tacit demo --keep cluster",
		Args:    usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkSizes(parties, 1); err != nil {
				return err
			}
			e, err := examples.Find(name)
			if err != nil {
				return &usageError{err, "--model is one of " + strings.Join(examples.Names(), ", ")}
			}
			m, err := loadExample(e)
			if err != nil {
				return err
			}
			dir, done, err := workDir(keep)
			if err != nil {
				return err
			}
			defer done()
			inputs := e.Inputs[:min(max(rows, 1), len(e.Inputs))]
			say("%s: %s", e.Name, e.About)
			t := &trial{name: e.Name, model: m, rows: inputs, parties: parties, batch: 1, dir: dir}
			out, err := t.run(c.Context())
			if err != nil {
				return err
			}
			if keep != "" {
				defer tellKept(dir, e.Name, parties)
			}
			if asJSON {
				return out.report.json(c.OutOrStdout())
			}
			if err := printDemo(c.OutOrStdout(), e, out); err != nil {
				return err
			}
			return out.report.check()
		},
	}
	c.Flags().StringVarP(&name, "model", "m", "tumour", "example: "+strings.Join(examples.Names(), ", "))
	c.Flags().IntVarP(&parties, "parties", "p", 3, "number of parties, 2 to 7")
	c.Flags().IntVarP(&rows, "rows", "r", 12, "how many held-out inputs")
	c.Flags().StringVar(&keep, "keep", "", "leave the configuration, keys and logs in this directory, to go on by hand")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object with the costs")
	return c
}

func loadExample(e examples.Example) (*model.Model, error) {
	g, err := model.Load(e.Model)
	if err != nil {
		return nil, err
	}
	return model.Compile(g, model.Options{Calibration: e.Inputs})
}

// printDemo shows every prediction beside the plaintext, then the costs.
func printDemo(w io.Writer, e examples.Example, out *outcome) error {
	fmt.Fprintln(w)
	private, plain := 0, 0
	for i, y := range out.outputs {
		got, want := class(y), class(out.plain[i])
		if int64(got) == e.Labels[i] {
			private++
		}
		if int64(want) == e.Labels[i] {
			plain++
		}
		fmt.Fprintf(w, "input %2d: private %-10s plaintext %-10s truth %-10s difference %3d ulp   %s\n",
			i, e.Classes[got], e.Classes[want], e.Classes[e.Labels[i]], out.ulps[i], shorten(y))
	}
	r := out.report
	fmt.Fprintf(w, "\ncorrect: %d of %d privately, %d of %d in plaintext\n", private, r.Rows, plain, r.Rows)
	fmt.Fprintf(w, "largest difference: %d ulp of 2^-%d, proven bound %d\n\n", r.MaxUlp, r.FractionBits, r.UlpBound)
	return r.print(w)
}

// class is the index of the largest output.
func class(y []float32) int {
	best := 0
	for i, v := range y {
		if v > y[best] {
			best = i
		}
	}
	return best
}

// shorten prints at most four outputs, the largest first.
func shorten(y []float32) string {
	s := slices.Clone(y)
	slices.SortFunc(s, func(a, b float32) int {
		if a > b {
			return -1
		}
		return 1
	})
	var parts []string
	for _, v := range s[:min(4, len(s))] {
		parts = append(parts, fmt.Sprintf("%.4f", v))
	}
	if len(s) > 4 {
		parts = append(parts, "…")
	}
	return "[" + strings.Join(parts, " ") + "]"
}

func tellKept(dir, name string, parties int) {
	say("\nkept in %s. To go on by hand, in one terminal for each party:", dir)
	for i := range parties {
		say("  tacit party --config %s/party%d/party.yaml", dir, i)
	}
	say("then\n  tacit status --cluster %s/client/cluster.yaml\n  tacit predict --cluster %s/client/cluster.yaml --model %s --input X.npy", dir, dir, name)
}

package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/spf13/cobra"

	"github.com/tacit-mpc/tacit/internal/bench"
	"github.com/tacit-mpc/tacit/internal/datasheet"
	"github.com/tacit-mpc/tacit/model"
)

func explainCommand() *cobra.Command {
	var labels, lan, wan string
	var parties int
	var asJSON, noCost bool
	var ranges rangeFlags
	var comparison comparisonFlags
	c := &cobra.Command{
		Use:   "explain MODEL.onnx",
		Short: "Write a datasheet: who learns what, how exact, how costly",
		Long: `Write a datasheet of a model for those who have to decide about it, in Markdown
or, with --json, as JSON: what each role learns, the adversary, the protocols and
their parameters, the error bound, the accuracy on labelled inputs, and the cost
on a local and on a wide-area network, from a rehearsal on this machine.`,
		Example: "  tacit explain model.onnx --calibrate x.npy --labels y.csv > DATASHEET.md",
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
			if err := comparison.choose(m, parties); err != nil {
				return err
			}
			s := datasheet.New(m, parties)
			if samples != nil {
				if s.Seen, err = seen(m, samples, labels, parties); err != nil {
					return err
				}
			} else if labels != "" {
				return &usageError{fmt.Errorf("labels without inputs"), "give the labelled inputs with --calibrate"}
			}
			if !noCost {
				if err := price(c, s, m, samples, [2]string{lan, wan}); err != nil {
					return err
				}
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(s)
			}
			return s.Markdown(c.OutOrStdout())
		},
	}
	ranges.addSamples(c, "")
	c.Flags().StringVar(&labels, "labels", "", "the class of every sample, one number per row, .npy, .csv or .json")
	c.Flags().StringVar(&lan, "lan", "0.5ms/1Gbit", "local network: round trip and bandwidth")
	c.Flags().StringVar(&wan, "wan", "40ms/100Mbit", "wide-area network")
	c.Flags().BoolVar(&noCost, "no-cost", false, "leave out the rehearsal")
	c.Flags().IntVarP(&parties, "parties", "p", 3, "number of parties, 2 to 7")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	ranges.add(c)
	comparison.add(c)
	return c
}

// price rehearses m on both networks.
func price(c *cobra.Command, s *datasheet.Sheet, m *model.Model, samples *table, links [2]string) error {
	x, err := anyInput(m, samples, 1)
	if err != nil {
		return err
	}
	for i, network := range []string{"local", "wide-area"} {
		l, err := bench.ParseLink(links[i])
		if err != nil {
			return &usageError{err, "for example --wan 40ms/100Mbit"}
		}
		say("rehearsing on a %s network, %s", network, links[i])
		if err := s.Price(c.Context(), m, x, network, links[i], l.Profile, 8); err != nil {
			return err
		}
	}
	return nil
}

// seen compares what parties would compute on samples with floating point, and
// both with labels.
func seen(m *model.Model, samples *table, labels string, parties int) (*datasheet.Seen, error) {
	rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
	rows := flat(samples.rows)
	all, err := m.Differences(rows, parties, rng)
	if err != nil {
		return nil, err
	}
	last := all[len(all)-1]
	s := &datasheet.Seen{Rows: len(samples.rows), Largest: last.Largest, Difference: last.Fixed + last.Private}
	if labels == "" {
		return s, nil
	}
	t, err := readTable(labels)
	if err != nil {
		return nil, err
	}
	want := flat(t.rows)
	if len(want) != s.Rows {
		return nil, fmt.Errorf("%s: %d labels for %d rows", labels, len(want), s.Rows)
	}
	float, err := m.Float(rows)
	if err != nil {
		return nil, err
	}
	private, err := m.Simulate(rows, parties, rng)
	if err != nil {
		return nil, err
	}
	right := func(y []float32) float64 {
		n, hits := len(y)/s.Rows, 0
		for i, label := range want {
			if decided(y[i*n:][:n], m.Manifest.Limit()) == int(label) {
				hits++
			}
		}
		return float64(hits) / float64(s.Rows)
	}
	s.Labelled, s.FloatAccuracy, s.PrivateAccuracy = s.Rows, right(float), right(private)
	return s, nil
}

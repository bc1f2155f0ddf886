package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/tacit-mpc/tacit/internal/bench"
	"github.com/tacit-mpc/tacit/internal/rehearse"
	"github.com/tacit-mpc/tacit/model"
)

// comparisonFlags are the flags that say how the parties compare.
type comparisonFlags struct{ name, link string }

func (f *comparisonFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.name, "comparison", rehearse.Auto,
		"how the parties compare: "+strings.Join(append(rehearse.Backends(), rehearse.Auto), ", ")+"; `tacit plan` shows what each costs")
	c.Flags().StringVar(&f.link, "link", "1ms/1Gbit", "network between the parties, round trip and bandwidth, for which they are set up")
}

// choose decides how parties compare for m.
func (f *comparisonFlags) choose(m *model.Model, parties int) error {
	l, err := bench.ParseLink(f.link)
	if err != nil {
		return &usageError{err, "for example --link 10ms/1Gbit"}
	}
	m.Manifest.Depth = rehearse.Depth(l.BitsPerSecond)
	m.Manifest.Comparison, err = rehearse.Choose(f.name, &m.Manifest, parties, l.Profile)
	if err != nil {
		return &usageError{err, "--comparison is one of " + strings.Join(append(rehearse.Backends(), rehearse.Auto), ", ")}
	}
	return nil
}

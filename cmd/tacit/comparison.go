package main

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tacit-mpc/tacit/internal/bench"
	"github.com/tacit-mpc/tacit/internal/rehearse"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/transport"
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
	return choose(m, f.name, parties, l.Profile)
}

// choose sets what depends on the network. No name stands for auto.
func choose(m *model.Model, name string, parties int, link transport.Profile) (err error) {
	m.Manifest.Depth = rehearse.Depth(link.BitsPerSecond)
	m.Manifest.Comparison, err = rehearse.Choose(cmp.Or(name, rehearse.Auto), &m.Manifest, parties, link)
	if err != nil {
		return &usageError{err, "--comparison is one of " + strings.Join(append(rehearse.Backends(), rehearse.Auto), ", ")}
	}
	return nil
}

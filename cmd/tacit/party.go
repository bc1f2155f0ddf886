package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/tacit-mpc/tacit/configs"
	"github.com/tacit-mpc/tacit/internal/bench"
	"github.com/tacit-mpc/tacit/party"
)

func partyCommand() *cobra.Command {
	var config, profiles string
	var attached bool
	c := &cobra.Command{
		Use:   "party --config FILE",
		Short: "Run one party: the daemon of one organisation",
		Long: `Run the daemon of one organisation until it gets SIGTERM or an interrupt.

It serves the other parties and the clients on its allow-list, keeps its shares
of models and its prepared material in its data directory, and logs to standard
error, one JSON object per line, or text when that is a terminal.`,
		Example: "  tacit party --config party.yaml",
		Args:    usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := configs.LoadParty(config)
			if err != nil {
				return err
			}
			log, err := logger(cfg.LogLevel)
			if err != nil {
				return err
			}
			ctx := c.Context()
			if attached {
				ctx = untilEOF(ctx, os.Stdin)
			}
			p, err := party.New(*cfg, log)
			if err != nil {
				return err
			}
			p.TakeProcess()
			if profiles == "" {
				return p.Run(ctx)
			}
			return bench.Profile(profiles, func() error { return p.Run(ctx) })
		},
	}
	c.Flags().StringVarP(&config, "config", "c", "party.yaml", "the party's configuration")
	c.Flags().BoolVar(&attached, "attached", false, "stop when standard input ends, as with the process that holds it")
	c.Flags().StringVar(&profiles, "pprof", "", "for tacit bench: write FILE.cpu.pprof and FILE.heap.pprof")
	for _, hidden := range []string{"attached", "pprof"} {
		if err := c.Flags().MarkHidden(hidden); err != nil {
			panic(err)
		}
	}
	return c
}

// logger writes to standard error, for people or for machines.
func logger(level string) (zerolog.Logger, error) {
	l, err := zerolog.ParseLevel(level)
	if err != nil {
		return zerolog.Logger{}, fmt.Errorf("log level: %w", err)
	}
	var w io.Writer = os.Stderr
	if terminal(os.Stderr) {
		w = zerolog.ConsoleWriter{Out: os.Stderr}
	}
	return zerolog.New(w).Level(l).With().Timestamp().Logger(), nil
}

// terminal reports whether a person reads f.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// untilEOF is done when r ends, too.
func untilEOF(ctx context.Context, r io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, r) // its end is all that matters
	}()
	return ctx
}

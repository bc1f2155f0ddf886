// Command tacit runs private inference among organisations: the party daemon,
// the tools of model owners and clients, and a demonstration of all of it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run()) }

// run returns 0, 1 for a failure, or 2 for a command line that makes no sense.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	begun := false // an error before a command runs is one of the command line
	root := rootCommand()
	watch(root, &begun)
	c, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	if ctx.Err() != nil && c.Name() != "party" { // all that failed, failed of it
		fmt.Fprintln(os.Stderr, "error: interrupted")
		return 1
	}
	fmt.Fprintln(os.Stderr, "error:", strings.ReplaceAll(err.Error(), "\n", "\n       "))
	if hint := hintFor(err); hint != "" {
		fmt.Fprintln(os.Stderr, "hint:", hint)
	}
	if _, ok := errors.AsType[*usageError](err); ok || !begun {
		return 2
	}
	return 1
}

// watch has every command note that it has begun to run.
func watch(c *cobra.Command, begun *bool) {
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			*begun = true
			return run(c, args)
		}
	}
	for _, sub := range c.Commands() {
		watch(sub, begun)
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "tacit",
		Short: "Private inference among organisations that do not collude",
		Long: `Tacit computes the predictions of a secret model on secret inputs. Two to seven
organisations each run a party; the model owner deals shares of the weights, a
client deals shares of an input, and only the client sees the prediction.

See it work on this machine, with nothing prepared:

    tacit demo

Use a model of your own, still on this machine alone:

    tacit try model.onnx --input x.npy --output y.npy

As separate organisations: keygen, cluster init, party, deploy, predict.`,
		Version:           version,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &usageError{err, fmt.Sprintf("`%s --help` lists the flags", c.CommandPath())}
	})
	root.AddCommand(demoCommand(), tryCommand(), planCommand(), checkCommand(), explainCommand(), keygenCommand(), clusterCommand(), partyCommand(),
		deployCommand(), predictCommand(), statusCommand(), benchCommand())
	return root
}

// A usageError is a command line that makes no sense.
type usageError struct {
	error
	hint string
}

func (e *usageError) Unwrap() error { return e.error }

// usage wraps the check of positional arguments, so that its errors are usage
// errors.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return &usageError{err, "usage: " + c.UseLine()}
		}
		return nil
	}
}

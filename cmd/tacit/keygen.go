package main

import (
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tacit-mpc/tacit/transport/p2p"
)

func keygenCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "keygen --out FILE",
		Short: "Make the identity of a party, a model owner or a client",
		Long: `Make a new identity: a secret key, written to a file that only its owner can
read, and the public identity that belongs to it, printed.

The secret file never leaves the machine it was made on. The public identity is
what others put into the deployment file.`,
		Example: "  tacit keygen --out identity.key",
		Args:    usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			id, err := p2p.NewIdentity(rand.Reader)
			if err != nil {
				return err
			}
			if err := id.Save(out); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), id.PeerID())
			return nil
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "identity.key", "where to write the secret key; must not exist")
	return c
}

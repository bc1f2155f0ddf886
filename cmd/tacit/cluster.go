package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tacit-mpc/tacit/configs"
)

func clusterCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "cluster",
		Short: "Write the configuration of parties and clients from a deployment file",
		Args:  usage(cobra.NoArgs),
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(clusterInitCommand())
	return c
}

func clusterInitCommand() *cobra.Command {
	var deployment, out string
	c := &cobra.Command{
		Use:   "init --deployment FILE --out DIR",
		Short: "Write each organisation's own configuration",
		Long: `Write, from the deployment file on which the organisations agree, one directory
for each party with its party.yaml, one for each client with its cluster.yaml.

Every organisation can run this by itself: the deployment file holds public
identities only. Each then puts its own identity.key beside its own file. Run it
again after a change; files are replaced, keys and data are never touched.`,
		Example: "  tacit cluster init --deployment deployment.yaml --out cluster",
		Args:    usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := configs.LoadDeployment(deployment)
			if err != nil {
				return err
			}
			written, err := writeCluster(d, out)
			for _, file := range written {
				fmt.Fprintln(c.OutOrStdout(), file)
			}
			return err
		},
	}
	c.Flags().StringVarP(&deployment, "deployment", "d", "deployment.yaml", "the file on which the organisations agree")
	c.Flags().StringVarP(&out, "out", "o", "cluster", "directory to write to")
	return c
}

// writeCluster writes DIR/NAME/party.yaml for every party and
// DIR/NAME/cluster.yaml for every client, and returns the files.
func writeCluster(d *configs.Deployment, dir string) (written []string, err error) {
	write := func(name, file string, b []byte) error {
		path := filepath.Join(dir, name, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return err
		}
		written = append(written, path)
		return nil
	}
	for i, m := range d.Parties {
		p, err := d.PartyConfig(i)
		if err != nil {
			return written, err
		}
		if err := write(m.Name, "party.yaml", p.YAML()); err != nil {
			return written, err
		}
	}
	cluster, err := d.Cluster()
	if err != nil {
		return written, err
	}
	for _, client := range d.Clients {
		if err := write(client.Name, "cluster.yaml", cluster.YAML()); err != nil {
			return written, err
		}
	}
	return written, nil
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tacit-mpc/tacit/client"
)

func statusCommand() *cobra.Command {
	var cluster string
	var asJSON bool
	c := &cobra.Command{
		Use:     "status --cluster FILE",
		Short:   "Show the parties, their models and what is prepared",
		Long:    "Ask every party for its state. The exit status is 1 if one cannot be asked.",
		Example: "  tacit status --cluster cluster.yaml",
		Args:    usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := dial(c.Context(), cluster)
			if err != nil {
				return err
			}
			defer cl.Close()
			all := cl.Status(c.Context())
			if asJSON {
				err = statusJSON(c.OutOrStdout(), all)
			} else {
				err = statusTable(c.OutOrStdout(), all)
			}
			for _, s := range all {
				err = errors.Join(err, s.Err)
			}
			return err
		},
	}
	c.Flags().StringVarP(&cluster, "cluster", "c", "cluster.yaml", "the cluster, as `tacit cluster init` wrote it for this client")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON array, a party per element")
	return c
}

func statusJSON(w io.Writer, all []client.PartyStatus) error {
	type entry struct {
		Party  int            `json:"party"`
		Name   string         `json:"name"`
		Status *client.Status `json:"status,omitempty"`
		Error  string         `json:"error,omitempty"`
	}
	var out []entry
	for _, s := range all {
		e := entry{Party: s.Party, Name: s.Name, Status: &s.Status}
		if s.Err != nil {
			e.Status, e.Error = nil, s.Err.Error()
		}
		out = append(out, e)
	}
	return json.NewEncoder(w).Encode(out)
}

func statusTable(w io.Writer, all []client.PartyStatus) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PARTY\tUP\tMODEL\tVERSION\tREADY\tPREPARATION\tPROBLEM")
	for _, s := range all {
		if s.Err != nil {
			fmt.Fprintf(t, "%s\t-\t\t\t\t\t%v\n", s.Name, s.Err)
			continue
		}
		up := s.Status.Uptime.Round(time.Second)
		problem := ""
		for _, p := range s.Status.Peers {
			if !p.Reachable {
				problem += "does not reach " + p.Name + " "
			}
		}
		if len(s.Status.Models) == 0 {
			fmt.Fprintf(t, "%s\t%v\t(none)\t\t\t\t%s\n", s.Name, up, problem)
		}
		for _, m := range s.Status.Models {
			fmt.Fprintf(t, "%s\t%v\t%s\t%d (%s)\t%d of %d\t%s\t%s\n", s.Name, up, m.Name, m.Seq, m.Version.Short(), m.Pool, m.Target, m.Prep, problem+m.Problem)
		}
	}
	return t.Flush()
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tacit-mpc/tacit/client"
	"github.com/tacit-mpc/tacit/configs"
	"github.com/tacit-mpc/tacit/internal/bench"
)

// Models of a measured cluster: the one that is measured, and one whose only
// purpose is that material for it is made without end.
const (
	benchModel = "measured"
	bulkModel  = "bulk"
	bulkPool   = 1 << 16
	bulkBatch  = 32
)

// A benchCluster is a running cluster of processes with connected clients.
type benchCluster struct {
	local *localCluster
	relay *bench.Relay // nil over plain loopback
	owner *client.Client
	user  *client.Client
}

// startCluster starts n parties in dir that serve a model over emulated links.
func startCluster(ctx context.Context, dir string, n int, link bench.Link, profile string, m configs.Model) (_ *benchCluster, err error) {
	c := &benchCluster{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop())
		}
	}()
	c.local, err = prepareLocal(dir, n, m, configs.Model{Name: bulkModel, Pool: bulkPool, Batch: bulkBatch, MaxBatch: 1})
	if err != nil {
		return nil, err
	}
	c.local.profile = profile
	if !link.None() {
		c.relay = bench.NewRelay(link.Profile)
		if err := redirect(dir, n, c.relay); err != nil {
			return nil, err
		}
	}
	if err := c.local.start(); err != nil {
		return nil, err
	}
	if c.owner, err = c.local.dial(ctx, "owner"); err != nil {
		return nil, err
	}
	c.user, err = c.local.dial(ctx, "client")
	return c, err
}

// redirect has every party and client reach every party through the relay.
// Parties listen where they did.
func redirect(dir string, n int, relay *bench.Relay) error {
	through := func(from string, members []configs.Member) error {
		for j := range members {
			if members[j].Name == from {
				continue
			}
			a, err := relay.Between(from, members[j].Name, members[j].Address)
			if err != nil {
				return err
			}
			members[j].Address = a
		}
		return nil
	}
	for i := range n {
		name := fmt.Sprintf("party%d", i)
		file := filepath.Join(dir, name, "party.yaml")
		p, err := configs.LoadParty(file)
		if err != nil {
			return err
		}
		if err := through(name, p.Parties); err != nil {
			return err
		}
		if err := os.WriteFile(file, p.YAML(), 0o600); err != nil {
			return err
		}
	}
	for _, name := range []string{"owner", "client"} {
		file := filepath.Join(dir, name, "cluster.yaml")
		c, err := configs.LoadCluster(file)
		if err != nil {
			return err
		}
		if err := through(name, c.Parties); err != nil {
			return err
		}
		if err := os.WriteFile(file, c.YAML(), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// cpu returns how long the parties have computed, on average.
func (c *benchCluster) cpu() float64 {
	var sum float64
	for _, p := range c.local.parties {
		d, ok := bench.CPUTime(p.Process.Pid)
		if !ok {
			return 0
		}
		sum += d.Seconds()
	}
	return sum / float64(len(c.local.parties))
}

// memory returns the most that one of the parties has held, in bytes.
func (c *benchCluster) memory() float64 {
	var most int64
	for _, p := range c.local.parties {
		b, _ := bench.PeakMemory(p.Process.Pid)
		most = max(most, b)
	}
	return float64(most)
}

// stop ends all processes.
func (c *benchCluster) stop() error {
	var err error
	for _, cl := range []*client.Client{c.user, c.owner} {
		if cl != nil {
			err = errors.Join(err, cl.Close())
		}
	}
	if c.local != nil {
		err = errors.Join(err, c.local.stop())
	}
	if c.relay != nil {
		c.relay.Close()
	}
	return err
}

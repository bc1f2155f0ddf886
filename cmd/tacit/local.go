package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/tacit-mpc/tacit/client"
	"github.com/tacit-mpc/tacit/configs"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// A localCluster is a whole cluster on this machine: the configuration of every
// organisation in a directory, and a process for each party.
type localCluster struct {
	dir     string
	parties []*exec.Cmd
	stdin   []*os.File // whose end tells a party that this process is gone
	profile string     // directory for profiles of the parties, or none
}

// prepareLocal writes the identities and the configuration of n parties, a model
// owner and a client into dir. They serve the given models and no other.
func prepareLocal(dir string, n int, models ...configs.Model) (*localCluster, error) {
	addresses, err := freeAddresses(n)
	if err != nil {
		return nil, err
	}
	timeouts := configs.DefaultTimeouts()
	timeouts.Material, timeouts.Prepare = 15*time.Minute, 15*time.Minute // a person waits for the only request
	d := &configs.Deployment{
		Models:   models,
		Timeouts: timeouts,
		Limits:   configs.Limits{MaxBatch: 32, MaxSessions: 8},
	}
	var names []string
	for _, m := range models {
		names = append(names, m.Name)
		d.Limits.MaxBatch = max(d.Limits.MaxBatch, m.MaxBatch)
	}
	for i, address := range addresses {
		name := fmt.Sprintf("party%d", i)
		id, err := identity(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		d.Parties = append(d.Parties, configs.Member{Name: name, Address: address, Identity: id})
	}
	for name, role := range map[string]configs.Role{"owner": configs.RoleDeploy, "client": configs.RolePredict} {
		id, err := identity(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		d.Clients = append(d.Clients, configs.Client{Name: name, Identity: id, Roles: []configs.Role{role}, Models: names})
	}
	if err := os.WriteFile(filepath.Join(dir, "deployment.yaml"), d.YAML(), 0o600); err != nil {
		return nil, err
	}
	if _, err := writeCluster(d, dir); err != nil {
		return nil, err
	}
	return &localCluster{dir: dir, parties: make([]*exec.Cmd, n), stdin: make([]*os.File, n)}, nil
}

// identity makes a key in dir and returns the public identity.
func identity(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	id, err := p2p.NewIdentity(rand.Reader)
	if err != nil {
		return "", err
	}
	return string(id.PeerID()), id.Save(filepath.Join(dir, configs.IdentityFile))
}

// freeAddresses returns n loopback addresses whose ports nobody uses now.
func freeAddresses(n int) ([]string, error) {
	var addresses []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("a free port: %w", err)
		}
		defer l.Close()
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

// start runs the daemon of every party as a process of its own.
func (l *localCluster) start() error {
	for i := range l.parties {
		if err := l.startParty(i); err != nil {
			return fmt.Errorf("party %d: %w", i, err)
		}
	}
	return nil
}

func (l *localCluster) startParty(i int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir := filepath.Join(l.dir, fmt.Sprintf("party%d", i))
	log, err := os.OpenFile(filepath.Join(dir, "log.json"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	args := []string{"party", "--attached", "--config", filepath.Join(dir, "party.yaml")}
	if l.profile != "" {
		args = append(args, "--pprof", filepath.Join(l.profile, fmt.Sprintf("party%d", i)))
	}
	c := exec.Command(self, args...)
	c.Stdin, c.Stdout, c.Stderr = read, log, log
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt of the terminal is for this process
	if err := c.Start(); err != nil {
		write.Close()
		return err
	}
	l.parties[i], l.stdin[i] = c, write
	return nil
}

// dial connects as the member of that name, and waits until all parties answer
// and see each other.
func (l *localCluster) dial(ctx context.Context, name string) (*client.Client, error) {
	c, err := dial(ctx, filepath.Join(l.dir, name, "cluster.yaml"))
	if err != nil {
		return nil, err
	}
	_, err = backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, connected(ctx, c) },
		backoff.WithBackOff(backoff.NewConstantBackOff(50*time.Millisecond)), backoff.WithMaxElapsedTime(20*time.Second))
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("the parties did not start: %w%s", err, l.complaints())
	}
	return c, nil
}

func connected(ctx context.Context, c *client.Client) error {
	for _, s := range c.Status(ctx) {
		if s.Err != nil {
			return s.Err
		}
		for _, p := range s.Status.Peers {
			if !p.Reachable {
				return fmt.Errorf("party %d does not reach party %d", s.Party, p.Party)
			}
		}
	}
	return nil
}

// kill ends all parties at once, in the middle of whatever they do.
func (l *localCluster) kill() {
	for _, c := range l.parties {
		if c != nil {
			_ = c.Process.Kill() // stop waits for it
		}
	}
}

// complaints returns the last line of the log of every party that ends with
// something else than information.
func (l *localCluster) complaints() string {
	var all strings.Builder
	for i := range l.parties {
		log, err := os.ReadFile(filepath.Join(l.dir, fmt.Sprintf("party%d", i), "log.json"))
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(log)), "\n")
		if last := lines[len(lines)-1]; last != "" && !strings.Contains(last, `"level":"info"`) {
			fmt.Fprintf(&all, "\nparty %d: %s", i, last)
		}
	}
	return all.String()
}

// stop ends all parties and waits for them.
func (l *localCluster) stop() error {
	var errs []error
	for i, c := range l.parties {
		if c == nil {
			continue
		}
		l.stdin[i].Close()
		if err := c.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, err)
		}
	}
	for i, c := range l.parties {
		if c == nil {
			continue
		}
		late := time.AfterFunc(10*time.Second, func() { _ = c.Process.Kill() })
		if err := c.Wait(); err != nil {
			errs = append(errs, fmt.Errorf("party %d: %w", i, err))
		}
		late.Stop()
	}
	return errors.Join(errs...)
}

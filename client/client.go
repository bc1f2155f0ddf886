// Package client is what applications and model owners use: it shares a model
// or an input among the parties of a cluster and recombines what they return.
//
// Weights and inputs leave this process as shares only, of which any n−1 are
// uniformly random. Outputs are recombined here and nowhere else, and only if
// all parties have computed the same session of the same version of the same
// model.
//
//	c, err := client.Dial(ctx, cluster, identity)
//	defer c.Close()
//	p, err := c.Predict(ctx, "tumour", row, 1)
//	fmt.Println(p.Output)
package client

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tacit-mpc/tacit/configs"
	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// openTime limits how long it takes to reach a party.
const openTime = 4 * time.Second

// askTime limits how long a party takes to answer without the others.
const askTime = 10 * time.Second

// A Client talks to the parties of one cluster. It is safe for concurrent use.
type Client struct {
	parties []configs.Member
	node    *p2p.Node

	mu    sync.Mutex
	known map[string]served // by name of the model
}

// A served is what the parties serve under a name.
type served struct {
	manifest *model.Manifest
	digest   wire.ID
}

// Dial returns a client of a cluster. It connects to the parties when there is
// something to tell them. The cluster must have been checked, as the functions
// of package configs do.
func Dial(ctx context.Context, cluster configs.Cluster, identity p2p.Identity) (*Client, error) {
	if len(cluster.Parties) < configs.MinParties {
		return nil, fmt.Errorf("a cluster has at least %d parties", configs.MinParties)
	}
	node, err := p2p.Listen(context.WithoutCancel(ctx), identity, nil, p2p.Options{
		Allow: func(p2p.PeerID) bool { return false }, // nobody connects to a client
	})
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return &Client{parties: cluster.Parties, node: node, known: map[string]served{}}, nil
}

// Close ends all connections.
func (c *Client) Close() error { return c.node.Close() }

// Parties returns the number of parties.
func (c *Client) Parties() int { return len(c.parties) }

// open opens a stream to party i with a first message.
func (c *Client) open(ctx context.Context, i int, class p2p.Class, first wire.Message) (p2p.Stream, error) {
	header, err := wire.Encode(first)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, openTime, fmt.Errorf("%w within %v", errNoAnswer, openTime))
	defer cancel()
	peer := c.parties[i]
	return c.node.Open(ctx, p2p.PeerID(peer.Identity), []string{peer.Address}, class, header)
}

// interrupt has calls on s fail once ctx is done, until stop is called.
func interrupt(ctx context.Context, s p2p.Stream) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		s.SetReadDeadline(time.Unix(1, 0))
		s.SetWriteDeadline(time.Unix(1, 0))
	})
}

// Manifest returns the public description of a model, if all parties serve the
// same version of it.
func (c *Client) Manifest(ctx context.Context, name string) (*model.Manifest, error) {
	s, err := c.lookup(ctx, name)
	return s.manifest, err
}

// lookup asks all parties what they serve under a name.
func (c *Client) lookup(ctx context.Context, name string) (served, error) {
	if !wire.ValidName(name) {
		return served{}, c.invalid(wire.CodeRequest, "look up model", fmt.Sprintf("%q is not the name of a model", name))
	}
	answers, manifests := make([]wire.Model, len(c.parties)), make([]served, len(c.parties))
	err := c.each(ctx, "look up model", askTime, func(ctx context.Context, i int) (err error) {
		answers[i], manifests[i], err = c.ask(ctx, i, name)
		return err
	})
	if err != nil {
		return served{}, err
	}
	for i, a := range answers {
		if a.Version != answers[0].Version || a.Manifest != answers[0].Manifest {
			return served{}, c.named(wire.Error{
				Code: wire.CodeVersion, Party: i, Step: "look up model",
				Message: fmt.Sprintf("serves version %s of model %q, party 0 serves %s", a.Version.Short(), name, answers[0].Version.Short()),
				Hint:    "deploy the model again",
			})
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[name] = manifests[0]
	return manifests[0], nil
}

// ask asks one party for a manifest.
func (c *Client) ask(ctx context.Context, i int, name string) (wire.Model, served, error) {
	s, err := c.open(ctx, i, p2p.Control, wire.Lookup{Model: name})
	if err != nil {
		return wire.Model{}, served{}, err
	}
	defer s.Close()
	defer interrupt(ctx, s)()
	answer, err := wire.Read[wire.Model](s)
	if err != nil {
		return answer, served{}, err
	}
	b, err := wire.ReadPayload(s, answer.Len, wire.MaxManifest)
	if err != nil {
		return answer, served{}, err
	}
	m, err := model.ParseManifest(b)
	if err != nil {
		return answer, served{}, fmt.Errorf("%w: %w", wire.ErrMalformed, err)
	}
	if m.Digest() != answer.Manifest {
		return answer, served{}, fmt.Errorf("%w: the manifest does not have the digest that was announced", wire.ErrMalformed)
	}
	return answer, served{m, answer.Manifest}, nil
}

// current returns what the client believes is served.
func (c *Client) current(ctx context.Context, name string) (served, error) {
	c.mu.Lock()
	s, ok := c.known[name]
	c.mu.Unlock()
	if ok {
		return s, nil
	}
	return c.lookup(ctx, name)
}

func (c *Client) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, name)
}

// PartyStatus is what one party says about itself, or why it cannot be asked.
type PartyStatus struct {
	Party  int
	Name   string
	Status Status
	Err    error
}

// Status asks every party for its state.
func (c *Client) Status(ctx context.Context) []PartyStatus {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	all := make([]PartyStatus, len(c.parties))
	var calls sync.WaitGroup
	for i, p := range c.parties {
		calls.Go(func() {
			st, err := c.status(ctx, i)
			if err != nil {
				err = c.blame(i, "status", err)
			}
			all[i] = PartyStatus{i, p.Name, st, err}
		})
	}
	calls.Wait()
	return all
}

func (c *Client) status(ctx context.Context, i int) (Status, error) {
	s, err := c.open(ctx, i, p2p.Control, wire.StatusRequest{})
	if err != nil {
		return Status{}, err
	}
	defer s.Close()
	defer interrupt(ctx, s)()
	r, err := wire.Read[wire.Report](s)
	if err != nil {
		return Status{}, err
	}
	b, err := wire.ReadPayload(s, r.Len, wire.MaxReport)
	if err != nil {
		return Status{}, err
	}
	return wire.DecodeStatus(b)
}

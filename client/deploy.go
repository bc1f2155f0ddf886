package client

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// A Deployment is a version of a model that all parties serve.
type Deployment struct {
	Version  ID
	Number   uint64 // counts the versions of the name
	Manifest ID
}

// Deploy shares a model among the parties, who serve it under name from then
// on, in place of what they served before. If it fails, they serve what they
// served before. Material that was prepared for the former version is lost.
func (c *Client) Deploy(ctx context.Context, name string, m *model.Model) (Deployment, error) {
	const step = "deploy"
	if !wire.ValidName(name) {
		return Deployment{}, c.invalid(CodeRequest, step, fmt.Sprintf("%q cannot name a model", name))
	}
	encoded, err := m.Manifest.JSON()
	if err != nil {
		return Deployment{}, c.invalid(CodeRequest, step, err.Error())
	}
	if len(encoded) > wire.MaxManifest {
		return Deployment{}, c.invalid(CodeRequest, step, fmt.Sprintf("a manifest of %d bytes, at most %d", len(encoded), wire.MaxManifest))
	}
	ask := wire.DeployRequest{Model: name, Manifest: m.Manifest.Digest(), Len: int64(len(encoded))}
	rand.Read(ask.Request[:])
	payloads, err := c.shareWeights(m)
	if err != nil {
		return Deployment{}, err
	}
	answers := make([]wire.Deployed, len(c.parties))
	err = c.each(ctx, step, 0, func(ctx context.Context, i int) (err error) {
		ask := ask
		ask.Seed = i < len(c.parties)-1
		answers[i], err = c.offer(ctx, i, ask, encoded, payloads[i])
		return err
	})
	if err != nil {
		return Deployment{}, err
	}
	c.forget(name)
	for i, a := range answers {
		if a != answers[0] {
			return Deployment{}, c.named(wire.Error{
				Code: CodeVersion, Party: i, Step: step, Message: "has another version than party 0", Hint: "deploy the model again",
			})
		}
	}
	return Deployment{answers[0].Version, answers[0].Seq, answers[0].Manifest}, nil
}

// offer sends party i a manifest and its shares, and waits until it serves them.
func (c *Client) offer(ctx context.Context, i int, ask wire.DeployRequest, parts ...[]byte) (wire.Deployed, error) {
	s, err := c.open(ctx, i, p2p.Bulk, ask)
	if err != nil {
		return wire.Deployed{}, err
	}
	defer s.Close()
	defer interrupt(ctx, s)()
	for _, b := range parts {
		if _, err := s.Write(b); err != nil {
			if _, told := wire.Read[wire.Deployed](s); told != nil {
				return wire.Deployed{}, told // why it stopped listening
			}
			return wire.Deployed{}, err
		}
	}
	return wire.Read[wire.Deployed](s)
}

// shareWeights returns what each party gets: a seed, and the last one all
// elements of its share.
func (c *Client) shareWeights(m *model.Model) ([][]byte, error) {
	n := len(c.parties)
	seeds := make([]share.Seed, n-1)
	payloads := make([][]byte, n)
	for i := range seeds {
		rand.Read(seeds[i][:])
		payloads[i] = seeds[i][:]
	}
	params := m.Manifest.Program.Params
	if len(params) != len(m.Params) {
		return nil, c.invalid(CodeRequest, "deploy", fmt.Sprintf("%d parameters, the program has %d", len(m.Params), len(params)))
	}
	for i, p := range params {
		if len(m.Params[i]) != p.Len {
			return nil, c.invalid(CodeRequest, "deploy", fmt.Sprintf("parameter %q has %d elements, want %d", p.Name, len(m.Params[i]), p.Len))
		}
		x, err := share.Deal(seeds, wire.LabelWeight, uint64(i), m.Params[i], p.Width)
		if err != nil {
			return nil, fmt.Errorf("deploy: %w", err)
		}
		payloads[n-1] = ring.AppendPacked(payloads[n-1], x, p.Width)
	}
	return payloads, nil
}

package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/tacit-mpc/tacit/transport"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// rounds measures one round of three parties, over encrypted loopback
// connections as the daemons use them, per round.
func (t *timer) rounds() error {
	meshes, stop, err := loopback(t.ctx, 3)
	if err != nil {
		return err
	}
	defer stop()
	for _, size := range []struct {
		name  string
		bytes int
	}{{"64 B", 64}, {"16 kB", 16 << 10}, {"1 MB", 1 << 20}} {
		msg := make([]byte, size.bytes)
		err := t.time("micro/round/loopback "+size.name, 16, func() (time.Duration, error) {
			return together(meshes, func(m *transport.Mesh) error {
				for range 16 {
					if _, err := m.Broadcast("round", msg); err != nil {
						return err
					}
				}
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// loopback connects n nodes of this process, each to all others.
func loopback(ctx context.Context, n int) (meshes []*transport.Mesh, stop func(), err error) {
	nodes, links := make([]*p2p.Node, n), make([][]transport.Link, n)
	stop = func() {
		closeAll(meshes)
		for _, node := range nodes {
			if node != nil {
				node.Close()
			}
		}
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	for i := range n {
		id, err := p2p.NewIdentity(rand.Reader)
		if err != nil {
			return nil, stop, err
		}
		everybody := func(p2p.PeerID) bool { return true }
		if nodes[i], err = p2p.Listen(ctx, id, []string{"127.0.0.1:0"}, p2p.Options{Allow: everybody}); err != nil {
			return nil, stop, err
		}
		links[i] = make([]transport.Link, n)
		for j := range i {
			s, err := nodes[i].Open(ctx, nodes[j].PeerID(), nodes[j].Addrs(), p2p.Online, nil)
			if err != nil {
				return nil, stop, fmt.Errorf("connect: %w", err)
			}
			in, err := nodes[j].Accept(ctx)
			if err != nil {
				return nil, stop, fmt.Errorf("connect: %w", err)
			}
			o := transport.LinkOptions{Holds: p2p.Holds}
			links[i][j], links[j][i] = transport.NewLink(s, o), transport.NewLink(in.Stream, o)
		}
	}
	for i := range n {
		meshes = append(meshes, transport.New(ctx, i, links[i]))
	}
	return meshes, stop, nil
}

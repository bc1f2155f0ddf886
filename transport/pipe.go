package transport

import (
	"bytes"
	"context"
	"fmt"
)

// Pipe returns the meshes of n parties that run in this process.
func Pipe(ctx context.Context, n int) []*Mesh {
	return meshes(ctx, n, func(i, j int) (Link, Link) {
		up, cut := context.WithCancelCause(context.Background())
		there, back := make(chan message, 256), make(chan message, 256)
		return &pipe{there, back, up, cut}, &pipe{back, there, up, cut}
	})
}

// meshes returns n meshes, with the link between parties i and j from connect.
func meshes(ctx context.Context, n int, connect func(i, j int) (Link, Link)) []*Mesh {
	links := make([][]Link, n)
	for i := range links {
		links[i] = make([]Link, n)
		for j := range i {
			links[i][j], links[j][i] = connect(i, j)
		}
	}
	ms := make([]*Mesh, n)
	for i := range ms {
		ms[i] = New(ctx, i, links[i])
	}
	return ms
}

type message struct {
	step    string
	payload []byte
}

type pipe struct {
	out chan<- message
	in  <-chan message
	up  context.Context // done once either end is closed
	cut context.CancelCauseFunc
}

func (p *pipe) Send(step string, msg []byte) error {
	if p.up.Err() != nil {
		return context.Cause(p.up)
	}
	select {
	case p.out <- message{step, bytes.Clone(msg)}:
		return nil
	case <-p.up.Done():
		return context.Cause(p.up)
	}
}

func (p *pipe) Recv(step string, msg []byte) error {
	got, err := p.next()
	if err != nil {
		return err
	}
	if got.step != step || len(got.payload) != len(msg) {
		return fmt.Errorf("%w: want %q, %d bytes; got %q, %d bytes",
			ErrDesync, step, len(msg), got.step, len(got.payload))
	}
	copy(msg, got.payload)
	return nil
}

// next returns the next message. What was sent before the link closed still
// arrives.
func (p *pipe) next() (message, error) {
	select {
	case got := <-p.in:
		return got, nil
	case <-p.up.Done():
	}
	select {
	case got := <-p.in:
		return got, nil
	default:
		return message{}, context.Cause(p.up)
	}
}

func (p *pipe) Abort(party int, step string) { p.cut(&AbortError{party, step}) }

func (p *pipe) Close() error {
	p.cut(ErrGone)
	return nil
}

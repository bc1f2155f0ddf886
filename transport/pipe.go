package transport

import (
	"bytes"
	"context"
	"fmt"
	"io"
)

// Pipe returns the meshes of n parties that run in this process.
func Pipe(ctx context.Context, n int) []*Mesh {
	links := make([][]Link, n)
	for i := range links {
		links[i] = make([]Link, n)
		for j := range i {
			up, cut := context.WithCancelCause(context.Background())
			there, back := make(chan frame, 1), make(chan frame, 1)
			links[i][j] = &pipe{there, back, up, cut}
			links[j][i] = &pipe{back, there, up, cut}
		}
	}
	meshes := make([]*Mesh, n)
	for i := range meshes {
		meshes[i] = New(ctx, i, links[i])
	}
	return meshes
}

type frame struct {
	step string
	msg  []byte
}

type pipe struct {
	out chan<- frame
	in  <-chan frame
	up  context.Context // done once either end is closed
	cut context.CancelCauseFunc
}

func (p *pipe) Send(step string, msg []byte) error {
	select {
	case p.out <- frame{step, bytes.Clone(msg)}:
		return nil
	case <-p.up.Done():
		return context.Cause(p.up)
	}
}

func (p *pipe) Recv(step string, msg []byte) error {
	select {
	case f := <-p.in:
		if f.step != step || len(f.msg) != len(msg) {
			return fmt.Errorf("%w: sent %q, %d bytes, want %d", ErrDesync, f.step, len(f.msg), len(msg))
		}
		copy(msg, f.msg)
		return nil
	case <-p.up.Done():
		return context.Cause(p.up)
	}
}

func (p *pipe) Abort(party int, step string) { p.cut(&AbortError{party, step}) }

func (p *pipe) Close() error {
	p.cut(io.ErrClosedPipe)
	return nil
}

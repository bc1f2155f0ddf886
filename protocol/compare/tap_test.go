package compare

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

// A tap is a link that keeps what is sent, by run and step.
type tap struct {
	out  chan<- []byte
	in   <-chan []byte
	down *down
	run  *int // of the sending party
	sent map[string][][]byte
}

// down tells all links that one was closed.
type down struct {
	once sync.Once
	c    chan struct{}
}

func (l *tap) Send(step string, msg []byte) error {
	key := fmt.Sprint(*l.run, step)
	l.sent[key] = append(l.sent[key], bytes.Clone(msg))
	select {
	case l.out <- bytes.Clone(msg):
		return nil
	case <-l.down.c:
		return errors.New("closed")
	}
}

func (l *tap) Recv(step string, msg []byte) error {
	select {
	case b := <-l.in:
		if copy(msg, b) != len(b) || len(b) != len(msg) {
			return transport.ErrDesync
		}
		return nil
	case <-l.down.c:
		return errors.New("closed")
	}
}

func (l *tap) Abort(int, string) { l.Close() }
func (l *tap) Close() error      { l.down.once.Do(func() { close(l.down.c) }); return nil }

// tapped runs f at n parties and returns what was sent, by sender and receiver.
// f sets *run to the number of what it is about to do.
func tapped(t *testing.T, n int, f func(m *transport.Mesh, run *int) error) [][]map[string][][]byte {
	t.Helper()
	closed := &down{c: make(chan struct{})}
	runs, sent := make([]int, n), make([][]map[string][][]byte, n)
	links := make([][]transport.Link, n)
	for i := range n {
		links[i], sent[i] = make([]transport.Link, n), make([]map[string][][]byte, n)
	}
	for i := range n {
		for j := range i {
			there, back := make(chan []byte, 1), make(chan []byte, 1)
			sent[i][j], sent[j][i] = map[string][][]byte{}, map[string][][]byte{}
			links[i][j] = &tap{there, back, closed, &runs[i], sent[i][j]}
			links[j][i] = &tap{back, there, closed, &runs[j], sent[j][i]}
		}
	}
	var parties sync.WaitGroup
	for p := range n {
		m := transport.New(t.Context(), p, links[p])
		parties.Go(func() {
			if err := f(m, &runs[p]); err != nil {
				t.Errorf("party %d: %v", p, err)
				m.Close()
			}
		})
	}
	parties.Wait()
	return sent
}

// A planted is a session that records the masks that its party drew. Padless, its
// products lack the pads of the senders.
type planted struct {
	*ot.Session
	padless bool
	reqs    []ot.Request // of the first call
}

func (s *planted) Authenticate(m *transport.Mesh, step string, reqs []ot.Request) ([]ot.Bits, error) {
	if s.reqs == nil {
		s.reqs = reqs
	}
	return s.Session.Authenticate(m, step, reqs)
}

func (s *planted) Mul(m *transport.Mesh, step string, reqs []ot.MulRequest) ([][][]uint64, error) {
	if !s.padless {
		return s.Session.Mul(m, step, reqs)
	}
	u := make([][][]uint64, len(reqs))
	for r, req := range reqs {
		for w := range req.Widths {
			u[r] = append(u[r], make([]uint64, req.Beta.Len()))
			if req.One && req.Order[0] == m.Self() {
				for e, x := range req.Beta.X {
					u[r][w][e] = uint64(x)
				}
			}
		}
	}
	for t := range m.N() {
		out, in := make([][]byte, m.N()), make([][]byte, m.N())
		for r, req := range reqs {
			recv, senders := turn(req.Order, req.One, t)
			for _, j := range senders {
				for w, width := range req.Widths {
					if j == m.Self() {
						out[recv] = ring.AppendPacked(out[recv], rest(m, req, u[r], w), width)
					} else if recv == m.Self() {
						in[j] = append(in[j], make([]byte, ring.PackedLen(req.Beta.Len(), width))...)
					}
				}
			}
		}
		if err := m.Exchange(step, out, in); err != nil {
			return nil, err
		}
		for r, req := range reqs {
			recv, senders := turn(req.Order, req.One, t)
			if recv != m.Self() {
				continue
			}
			for w, width := range req.Widths {
				total := rest(m, req, u[r], w)
				if req.One {
					clear(total)
				}
				for _, j := range senders {
					d := make([]uint64, len(total))
					ring.Unpack(d, in[j], width)
					in[j] = in[j][ring.PackedLen(len(d), width):]
					ring.AddTo(total, d)
				}
				for e, x := range req.Beta.X {
					u[r][w][e] += uint64(x) * total[e]
				}
			}
		}
	}
	return u, nil
}

// turn returns who receives in round t of a product, and from whom.
func turn(order []int, one bool, t int) (recv int, senders []int) {
	if one {
		if t+1 >= len(order) {
			return -1, nil
		}
		return order[t+1], order[:t+1]
	}
	for _, j := range order {
		if j != order[t] {
			senders = append(senders, j)
		}
	}
	return order[t], senders
}

// rest returns v − 2u.
func rest(m *transport.Mesh, req ot.MulRequest, u [][]uint64, w int) []uint64 {
	v := make([]uint64, req.Beta.Len())
	for e := range v {
		if !req.One {
			v[e] = req.V[w][e]
		} else if req.Order[0] == m.Self() {
			v[e] = 1
		}
		v[e] -= 2 * u[w][e]
	}
	return v
}

// A loom is randomness in which masks, which are drawn by the read of length
// size, have a part set to zero, or in which seeds and the first part of masks
// repeat.
type loom struct {
	io.Reader
	size, split int // bytes of a draw of masks; of the bits of r in it
	zero        [2]int
	repeat      int // reads after which drawn parts repeat, or 0
	twins       bool
	twin        []byte // the masks of gates that the next read repeats
	reads       int
	old         [][]byte
}

func (l *loom) Read(p []byte) (int, error) {
	if _, err := io.ReadFull(l.Reader, p); err != nil {
		return 0, err
	}
	part := p
	if len(p) == l.size {
		clear(p[l.zero[0]:l.zero[1]])
		part = p[:l.split]
		if l.twin != nil {
			copy(p[l.split:], l.twin)
			l.twin = nil
		} else if l.twins {
			l.twin = bytes.Clone(p[l.split:])
		}
	}
	if l.reads++; l.repeat > 0 {
		if l.reads > l.repeat {
			copy(part, l.old[l.reads-l.repeat-1])
		}
		l.old = append(l.old, bytes.Clone(part))
	}
	return len(p), nil
}

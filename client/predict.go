package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// A Prediction is the result of one session.
type Prediction struct {
	Output   []float32       // of all rows, after the final steps that run here
	Raw      []uint64        // what the parties computed, fixed point
	Manifest *model.Manifest // of the model that was used
	Version  ID
	Session  ID
	Stats    []SessionStats // by party
}

// attempts is how often a request is tried that failed before any share of the
// input had left.
const attempts = 3

// Predict computes the model on batch rows in one session. The rows, one after
// the other, are what [model.Manifest.RowParts] says: the edge of the model, if it
// has one, is computed here. What is shared is checked against the declared range
// of the model before anything is sent.
//
// Every attempt is a new session with fresh shares and fresh material, which the
// parties may have requests of others share. Predict makes another attempt only
// if the parties could not agree on the session.
func (c *Client) Predict(ctx context.Context, name string, rows []float32, batch int) (*Prediction, error) {
	for try := 1; ; try++ {
		p, err := c.predict(ctx, name, rows, batch)
		if err == nil || try == attempts || ctx.Err() != nil || !repeatable(err) {
			return p, err
		}
		c.forget(name)
	}
}

// repeatable reports whether a failed request may succeed at once: parties that
// disagreed have discarded what they disagreed on.
func repeatable(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.unshared && (e.Code == CodeProgram || e.Code == CodeVersion || e.Code == CodeMaterial)
}

func (c *Client) predict(ctx context.Context, name string, rows []float32, batch int) (*Prediction, error) {
	m, err := c.current(ctx, name)
	if err != nil {
		return nil, err
	}
	x, err := c.encode(m.manifest, rows, batch)
	if err != nil {
		return nil, err
	}
	s := &session{c: c, name: name, served: m, batch: batch, streams: make([]p2p.Stream, len(c.parties))}
	defer s.close()
	accept, err := s.request(ctx)
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			e.unshared = true
		}
		return nil, err
	}
	p := &Prediction{Manifest: m.manifest, Version: accept.Version, Session: accept.Session}
	if p.Raw, p.Stats, err = s.compute(ctx, accept.Session, x); err != nil {
		return nil, err
	}
	p.Output = m.manifest.Decode(p.Raw)
	return p, nil
}

// encode turns rows into ring elements or says what is wrong with them.
func (c *Client) encode(m *model.Manifest, rows []float32, batch int) ([]uint64, error) {
	if batch < 1 || batch > wire.MaxBatch {
		return nil, c.invalid(CodeInput, "encode input", fmt.Sprintf("a batch of %d rows, want 1 to %d", batch, wire.MaxBatch))
	}
	if want := batch * m.RowLen(); len(rows) != want {
		return nil, c.invalid(CodeInput, "encode input", fmt.Sprintf(
			"%d numbers are not %d rows of shape %v, which have %d", len(rows), batch, m.RowShape(), want))
	}
	x, err := m.Encode(rows)
	if err != nil {
		e := c.invalid(CodeInput, "encode input", err.Error())
		e.Hint = "the model was compiled for a range of inputs: compile it again with inputs like these"
		if errors.Is(err, model.ErrIndex) {
			e.Hint = "number the words or categories as in training"
		}
		return nil, e
	}
	return x, nil
}

// A session is one request at all parties.
type session struct {
	c       *Client
	name    string
	served  served
	batch   int
	streams []p2p.Stream
}

func (s *session) close() {
	for _, stream := range s.streams {
		if stream != nil {
			stream.Close()
		}
	}
}

// request has the parties agree on a session. No secret is involved.
func (s *session) request(ctx context.Context) (wire.Accept, error) {
	const step = "request"
	ask := wire.PredictRequest{Model: s.name, Manifest: s.served.digest, Batch: s.batch}
	rand.Read(ask.Request[:])
	accepts := make([]wire.Accept, len(s.streams))
	err := s.c.each(ctx, step, 0, func(ctx context.Context, i int) (err error) {
		if s.streams[i], err = s.c.open(ctx, i, p2p.Online, ask); err != nil {
			return err
		}
		defer interrupt(ctx, s.streams[i])()
		accepts[i], err = wire.Read[wire.Accept](s.streams[i])
		return err
	})
	if err != nil {
		return wire.Accept{}, err
	}
	for i, a := range accepts {
		if a != accepts[0] {
			return a, s.c.named(wire.Error{
				Code: CodeVersion, Party: i, Step: step,
				Message: "has agreed on another session, version or model than party 0",
				Hint:    "retry; if it happens again, deploy the model again",
			})
		}
	}
	if accepts[0].Manifest != s.served.digest {
		return accepts[0], s.c.invalid(CodeProgram, step, "the parties serve another model than was asked for")
	}
	return accepts[0], nil
}

// compute shares x, which is encoded, and recombines the output.
func (s *session) compute(ctx context.Context, id wire.ID, x []uint64) ([]uint64, []SessionStats, error) {
	n, in, out := len(s.streams), s.served.manifest.Input, s.served.manifest.Output
	seeds := make([]share.Seed, n-1)
	for i := range seeds {
		rand.Read(seeds[i][:])
	}
	last, err := share.Deal(seeds, wire.LabelInput, 0, x, in.Width)
	if err != nil {
		return nil, nil, err
	}
	parts, stats := make([][]uint64, n), make([]SessionStats, n)
	err = s.c.each(ctx, "compute", 0, func(ctx context.Context, i int) (err error) {
		defer interrupt(ctx, s.streams[i])()
		payload := ring.AppendPacked(nil, last, in.Width)
		if i < n-1 {
			payload = seeds[i][:]
		}
		if err := wire.Write(s.streams[i], wire.Shares{Session: id, Seed: i < n-1}, payload); err != nil {
			return s.lastWords(i, err)
		}
		parts[i], stats[i], err = s.result(i, id, s.batch*out.Len(), out.Width)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	y := make([]uint64, s.batch*out.Len())
	for _, part := range parts {
		ring.AddTo(y, part)
	}
	ring.Reduce(y, out.Width)
	return y, stats, nil
}

// lastWords returns what party i said before it stopped listening, if it did.
func (s *session) lastWords(i int, err error) error {
	if _, told := wire.Read[wire.Result](s.streams[i]); told != nil {
		if _, ok := errors.AsType[*wire.Error](told); ok {
			return told
		}
	}
	return err
}

// result receives the output share of party i, size elements of width bits.
func (s *session) result(i int, id wire.ID, size, width int) ([]uint64, SessionStats, error) {
	stream := s.streams[i]
	r, err := wire.Read[wire.Result](stream)
	if err != nil {
		return nil, SessionStats{}, err
	}
	if r.Session != id {
		return nil, SessionStats{}, fmt.Errorf("%w: the result of another session", wire.ErrMalformed)
	}
	n := int64(ring.PackedLen(size, width))
	packed, err := wire.ReadPayload(stream, n, n)
	if err != nil {
		return nil, SessionStats{}, err
	}
	report, err := wire.ReadPayload(stream, r.Stats, wire.MaxReport)
	if err != nil {
		return nil, SessionStats{}, err
	}
	stats, err := wire.DecodeSessionStats(report)
	if err != nil {
		return nil, SessionStats{}, err
	}
	y := make([]uint64, size)
	ring.Unpack(y, packed, width)
	return y, stats, nil
}

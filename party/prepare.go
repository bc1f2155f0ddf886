package party

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/protocol/prep"
	"github.com/tacit-mpc/tacit/transport"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

const (
	// heartbeat is how often party 0 makes sure that the others are there
	// while there is nothing to prepare.
	heartbeat = 2 * time.Second
	// retryMin and retryMax bound the time between attempts to prepare, up to
	// half of that added at random: well below [unreachableTime], so that a
	// request finds a party that is back.
	retryMin, retryMax = 200 * time.Millisecond, time.Second
)

// Steps of a preparation session, on its main lane.
const (
	stepSizes = "prep: inventory sizes"
	stepHeld  = "prep: inventory"
	stepKept  = "prep: inventory kept"
	stepOrder = "prep: order"
	stepAck   = "prep: acknowledge"
	stepBatch = "prep: batch stored"
	orderLen  = 1 + 32
)

// The orders of party 0.
const (
	orderIdle    = iota
	orderBatch   // generate a batch
	orderCompare // compare inventories again
)

// A preparation is one session in which the parties fill the pools of a
// version. Party 0 gives the orders. What the session holds, base OTs and HE
// keys, ends with it.
type preparation struct {
	p        *Party
	v        *version
	stock    *stock
	hint     int // size of the batches
	at       wire.ID
	control  *transport.Mesh
	ot, he   *transport.Mesh
	profiles []*profile
	preparer *prep.Preparer // nil until the first batch
}

// fill keeps the pool of v at its target until ctx is done. Only party 0 does;
// the others follow its orders.
func (p *Party) fill(ctx context.Context, v *version, s *stock) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = retryMin, retryMax
	for ctx.Err() == nil {
		began := time.Now()
		err := p.leadPrep(ctx, v, s)
		if ctx.Err() != nil {
			return
		}
		_, lost := errors.AsType[*transport.PeerError](err)
		s.update(func() {
			s.status.Prep, s.problem = prepOffline, err
			// A party that was lost may have lost what was staged, too.
			s.synced = s.synced && !lost
		})
		if time.Since(began) > retryMax {
			wait.Reset()
		}
		pause := wait.NextBackOff()
		p.log.Warn().Err(err).Str("model", v.name).Dur("retry", pause).Msg("preparation stopped")
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
		}
	}
}

// leadPrep runs one preparation session as party 0.
func (p *Party) leadPrep(ctx context.Context, v *version, s *stock) error {
	at := newID()
	pr, err := p.prepare(ctx, v, s, s.batch, at, call{
		at: meeting{at, laneMain}, class: p2p.Bulk,
		job: wire.Prep{Mesh: at, Model: v.name, Version: v.id, Batch: s.batch},
	}, wire.Willing)
	if err != nil {
		return err
	}
	defer pr.close()
	for {
		change := s.change()
		if op := s.need(); op != orderIdle {
			if err := pr.order(ctx, op); err != nil {
				return err
			}
			continue
		}
		t := time.NewTimer(heartbeat)
		select {
		case <-change:
		case <-t.C:
			err = pr.order(ctx, orderIdle)
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		t.Stop()
		if err != nil {
			return err
		}
	}
}

// order gives an order to all parties and follows it.
func (pr *preparation) order(ctx context.Context, op byte) error {
	if op == orderBatch {
		select {
		case pr.p.factory <- struct{}{}:
			defer func() { <-pr.p.factory }()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	id := batchID()
	msg := append([]byte{op}, id[:]...)
	out, in := make([][]byte, pr.control.N()), make([][]byte, pr.control.N())
	for j := range out {
		out[j], in[j] = msg, make([]byte, 1)
	}
	if err := pr.control.Exchange(stepOrder, out, make([][]byte, len(out))); err != nil {
		return err
	}
	if err := pr.control.Exchange(stepAck, make([][]byte, len(in)), in); err != nil {
		return err
	}
	return pr.follow(op, id)
}

// follow does what party 0 has ordered.
func (pr *preparation) follow(op byte, id wire.ID) error {
	switch op {
	case orderBatch:
		return pr.generate(id)
	case orderCompare:
		if err := pr.compare(); err != nil {
			return err
		}
		pr.stock.open()
	}
	return nil
}

// batchID returns a name for a batch: the time in 8 bytes, so that names sort
// by age, and 24 random bytes.
func batchID() wire.ID {
	var id wire.ID
	binary.BigEndian.PutUint64(id[:8], uint64(time.Now().UnixNano()))
	rand.Read(id[8:])
	return id
}

// followPrep takes part in a preparation session that party 0 has opened.
func (p *Party) followPrep(job wire.Prep, lead p2p.Stream) error {
	v, r := p.models.find(job.Model, job.Version), wire.Willing
	if v == nil {
		r = wire.RefuseVersion
		if p.models.get(job.Model) == nil {
			r = wire.RefuseModel
		}
		v = &version{name: job.Model, id: job.Version}
	} else if err := p.adopt(v); err != nil {
		p.log.Error().Err(err).Str("model", v.name).Msg("cannot serve the version of party 0")
		r = wire.RefuseStorage
	}
	c := call{at: meeting{job.Mesh, laneMain}, class: p2p.Bulk, lead: lead}
	ended := make(chan error, 1)
	p.background(job.Model, func(ctx context.Context) {
		ended <- p.obey(ctx, v, job, c, r)
	})
	err := <-ended
	if s := p.stock(v); s != nil {
		s.update(func() { s.status.Prep, s.problem = prepOffline, err })
	}
	return err
}

// adopt serves a version that party 0 serves, in case this party did not hear
// of the end of its deployment, and drops others that it has left behind.
func (p *Party) adopt(v *version) error {
	if p.models.get(v.name) == v && p.stock(v) != nil {
		return p.models.dropOthers(v)
	}
	if err := p.models.serve(v); err != nil {
		return err
	}
	p.begin(v)
	return nil
}

// obey follows the orders of party 0 for as long as the session lasts.
func (p *Party) obey(ctx context.Context, v *version, job wire.Prep, c call, r wire.Refusal) error {
	s := p.stock(v)
	if s == nil && r == wire.Willing {
		r = wire.RefuseModel
	}
	pr, err := p.prepare(ctx, v, s, job.Batch, job.Mesh, c, r)
	if err != nil {
		return err
	}
	defer pr.close()
	msg := make([]byte, orderLen)
	ack := make([][]byte, pr.control.N())
	ack[0] = []byte{1}
	for {
		if err := pr.control.Await(stepOrder, 0, msg); err != nil {
			return err
		}
		if err := pr.control.Exchange(stepAck, ack, make([][]byte, len(ack))); err != nil {
			return err
		}
		if err := pr.follow(msg[0], wire.ID(msg[1:])); err != nil {
			return err
		}
	}
}

// prepare opens a preparation session: the parties agree on the version and
// keep the material that all of them hold.
func (p *Party) prepare(ctx context.Context, v *version, s *stock, hint int, at wire.ID, c call, r wire.Refusal) (_ *preparation, err error) {
	pr := &preparation{p: p, v: v, stock: s, hint: hint, at: at}
	defer func() {
		if err != nil {
			pr.close()
		}
	}()
	if s != nil {
		s.enter(prepConnecting)
	}
	if pr.control, err = p.roster.mesh(ctx, c, connectTime); err != nil {
		return nil, err
	}
	pr.control.Timeout(p.cfg.Timeouts.Prepare)
	topic := proposal{kind: "prepare", model: v.name, version: v.id, batch: hint}
	if v.manifest != nil {
		topic.v = v
	}
	if _, err := agree(pr.control, p.hello(topic, r)); err != nil {
		return nil, err
	}
	if err := pr.compare(); err != nil {
		return nil, err
	}
	p.warm(ctx)
	s.open()
	p.log.Info().Str("model", v.name).Int("pool", v.pool.level()).Msg("preparation session is open")
	return pr, nil
}

func (pr *preparation) close() {
	if pr.preparer != nil {
		pr.preparer.Close()
	}
	for _, m := range []*transport.Mesh{pr.control, pr.ot, pr.he} {
		if m != nil {
			m.Close()
		}
	}
}

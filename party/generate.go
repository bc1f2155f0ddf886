package party

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/protocol/prep"
	"github.com/tacit-mpc/tacit/transport"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// compare has every party discard the material that not all of them hold: what
// a crash or a failed session has left at some. Rounds: 3.
func (pr *preparation) compare() error {
	pr.stock.comparing.Lock()
	defer pr.stock.comparing.Unlock()
	m := pr.control
	own := pr.v.pool.ids()
	sizes, err := m.Broadcast(stepSizes, binary.LittleEndian.AppendUint32(nil, uint32(len(own))))
	if err != nil {
		return err
	}
	out, in := make([][]byte, m.N()), make([][]byte, m.N())
	var list []byte
	for _, id := range own {
		list = binary.LittleEndian.AppendUint32(append(list, id.Batch[:]...), id.Index)
	}
	for j := range in {
		n := binary.LittleEndian.Uint32(sizes[j])
		if n > wire.MaxIndex {
			return &transport.PeerError{Party: j, Step: stepSizes, Err: fmt.Errorf("%w: %d materials", wire.ErrMalformed, n)}
		}
		out[j], in[j] = list, make([]byte, materialLen*int(n))
	}
	if err := m.Exchange(stepHeld, out, in); err != nil {
		return err
	}
	count := map[wire.Material]int{}
	for j, b := range in {
		for ; j != m.Self() && len(b) > 0; b = b[materialLen:] {
			count[wire.Material{Batch: wire.ID(b[:32]), Index: binary.LittleEndian.Uint32(b[32:])}]++
		}
	}
	var shared []wire.Material
	for _, id := range own {
		if count[id] == m.N()-1 {
			shared = append(shared, id)
		}
	}
	if burnt := len(own) - len(shared); burnt > 0 {
		pr.p.log.Info().Str("model", pr.v.name).Int("burnt", burnt).Msg("material is discarded that not all parties hold")
	}
	return all(m, stepKept, pr.v.pool.keep(shared))
}

// materialLen is the length of an encoded [wire.Material] in bytes.
const materialLen = 32 + 4

// generate makes one batch and adds it to the pool, at all parties or at none.
func (pr *preparation) generate(id wire.ID) error {
	pr.stock.enter(prepGenerating)
	if err := pr.setup(); err != nil {
		return err
	}
	start := time.Now()
	for _, prof := range pr.profiles {
		prof.start()
	}
	ids, stored, err := pr.make(id)
	if err != nil {
		return errors.Join(err, pr.v.pool.discard(ids))
	}
	pr.control.Timeout(0) // a peer that is slow is not lost: the links notice that
	err = all(pr.control, stepBatch, stored)
	pr.control.Timeout(pr.p.cfg.Timeouts.Prepare)
	if err == nil && pr.p.self == 0 {
		err = pr.v.pool.admit(ids...)
	}
	if err != nil {
		return errors.Join(err, pr.v.pool.discard(ids))
	}
	stats := batchStats(pr.hint, time.Since(start), pr.profiles...)
	pr.stock.record(stats)
	pr.stock.enter(prepIdle)
	pr.p.log.Info().Str("model", pr.v.name).Stringer("batch", id).Int("inferences", pr.hint).
		Dur("time", stats.Time).Int64("bytes", stats.Bytes).Int("pool", pr.v.pool.level()).Msg("batch is ready")
	return nil
}

// setup makes the preparer of the session, for the first batch. Before that the
// session costs nothing.
func (pr *preparation) setup() (err error) {
	if pr.preparer != nil {
		return nil
	}
	pr.stock.enter(prepSetup)
	start := time.Now()
	ctx := pr.control.Context()
	for _, lane := range []struct {
		name string
		mesh **transport.Mesh
	}{{laneOT, &pr.ot}, {laneHE, &pr.he}} {
		*lane.mesh, err = pr.p.roster.mesh(ctx, call{
			at: meeting{pr.at, lane.name}, class: p2p.Bulk, wrap: pr.p.pacer.wrap,
		}, pr.p.cfg.Timeouts.Prepare)
		if err != nil {
			return err
		}
		(*lane.mesh).Timeout(pr.p.cfg.Timeouts.Prepare)
		(*lane.mesh).Pace(pr.p.pacer.pause, pr.p.workers)
		pr.profiles = append(pr.profiles, newProfile(*lane.mesh))
	}
	pr.preparer, err = prep.NewPreparer(pr.ot, pr.he, rand.Reader, &pr.v.manifest.Program, pr.v.weights.Linear, pr.hint, prep.Options(pr.v.manifest)...)
	if err != nil {
		return err
	}
	stats := batchStats(0, time.Since(start), pr.profiles...)
	pr.stock.update(func() { pr.stock.status.Setup = stats })
	return nil
}

// make makes a batch and stores each inference as it is complete. Party 0, which
// proposes what a session uses, admits them only after all parties have said
// that they hold them; the others hold them at once, so as to have what it
// proposes then. A disk that fails does not end the protocol, so that the others
// can be told why there is no batch.
func (pr *preparation) make(id wire.ID) (ids []wire.Material, stored, err error) {
	err = pr.preparer.GenerateTo(id, pr.hint, func(x *prep.Inference) error {
		m := wire.Material{Batch: id, Index: uint32(len(ids))}
		ids = append(ids, m)
		if stored != nil {
			return nil
		}
		var b []byte
		if b, stored = pr.v.demand.Append(nil, x); stored != nil {
			return nil
		}
		if stored = pr.v.pool.put(m, b); stored == nil && pr.p.self != 0 {
			stored = pr.v.pool.admit(m)
		}
		return nil
	})
	return ids, stored, err
}

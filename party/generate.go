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
	made, err := pr.preparer.Generate(id, pr.hint)
	if err != nil {
		return err
	}
	ids, err := pr.store(id, made)
	pr.control.Timeout(0) // a peer that is slow is not lost: the links notice that
	err = all(pr.control, stepBatch, err)
	pr.control.Timeout(pr.p.cfg.Timeouts.Prepare)
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

// store puts a batch into the pool. Nobody hands any of it out before all
// parties have said that they hold it.
func (pr *preparation) store(id wire.ID, made []*prep.Inference) ([]wire.Material, error) {
	var ids []wire.Material
	var data [][]byte
	for i, inference := range made {
		b, err := pr.v.demand.Append(nil, inference)
		if err != nil {
			return ids, err
		}
		ids, data = append(ids, wire.Material{Batch: id, Index: uint32(i)}), append(data, b)
	}
	return ids, pr.v.pool.add(ids, data)
}

package party

import (
	"time"

	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/transport"
)

// A profile measures the steps of a mesh. The time of a step is that since the
// end of the step before it: computation counts with the exchange it leads to.
type profile struct {
	mesh  *transport.Mesh
	last  time.Time
	times map[string]time.Duration
	base  map[string]transport.Stats // traffic before start
}

// newProfile starts to measure m.
func newProfile(m *transport.Mesh) *profile {
	p := &profile{mesh: m}
	m.Observe(p.step)
	p.start()
	return p
}

// start forgets all that was measured.
func (p *profile) start() {
	p.last, p.times, p.base = time.Now(), map[string]time.Duration{}, map[string]transport.Stats{}
	for _, s := range p.mesh.Steps() {
		p.base[s.Step] = s
	}
}

func (p *profile) step(name string) {
	now := time.Now()
	p.times[name] += now.Sub(p.last)
	p.last = now
}

// steps returns the steps since start.
func (p *profile) steps() []wire.StepStats {
	var all []wire.StepStats
	for _, s := range p.mesh.Steps() {
		b := p.base[s.Step]
		if s.Rounds == b.Rounds {
			continue
		}
		all = append(all, wire.StepStats{
			Step: s.Step, Rounds: s.Rounds - b.Rounds,
			Sent: s.Sent - b.Sent, Received: s.Received - b.Received,
			Time: p.times[s.Step],
		})
	}
	return all
}

// batchStats sums up profiles that ran side by side for d.
func batchStats(batch int, d time.Duration, profiles ...*profile) wire.BatchStats {
	b := wire.BatchStats{Batch: batch, Time: d}
	for _, p := range profiles {
		for _, s := range p.steps() {
			b.Sent += s.Sent
			b.Bytes += s.Sent + s.Received
			b.Steps = append(b.Steps, s)
		}
	}
	return b
}

// Package rehearse predicts what a model will cost on a given network: it runs
// all parties in one process, with the real protocols, over an emulated link.
//
// Bytes and rounds are those of the planners, which are exact. Times are
// measured: the computation is the real one, of all parties on the processors of
// this machine, and the network is emulated.
package rehearse

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/compare"
	"github.com/tacit-mpc/tacit/protocol/infer"
	"github.com/tacit-mpc/tacit/protocol/prep"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport"
)

// A Scene is what is rehearsed.
type Scene struct {
	Parties int
	Batch   int    // rows of a request
	Offline int    // inferences prepared at once, at least Batch
	Backend string // of comparisons, one of Backends
	Link    transport.Profile
	Repeat  int // requests to take the median of, at least 1
}

// A Phase is what one phase costs a party.
type Phase struct {
	Seconds float64 `json:"seconds"`
	Sent    int64   `json:"sent_per_party"` // payload bytes, averaged over the parties
	Rounds  int     `json:"rounds"`
}

// A Result is the prediction. Offline is for all Scene.Offline inferences,
// Online for one request.
type Result struct {
	Backend  string `json:"comparison"`
	Setup    Phase  `json:"setup"`
	Offline  Phase  `json:"offline"`
	Online   Phase  `json:"online"`
	Material int    `json:"material_bytes"` // of one inference, on disk at a party
}

// Backends are the names of the ways to compare.
func Backends() []string { return []string{compare.Garbled.String(), compare.Carry.String()} }

// What a round and a byte cost between processes beyond what they cost here:
// system calls, encryption, waking the peers, the disk. Measured with three
// parties on two cores; see docs/performance.md.
const (
	roundOverhead = 350 * time.Microsecond
	byteOverhead  = 14 * time.Nanosecond
)

// overhead returns what a phase costs beyond its rehearsal.
func (p Phase) overhead() float64 {
	return float64(p.Rounds)*roundOverhead.Seconds() + float64(p.Sent)*byteOverhead.Seconds()
}

// Run rehearses m on a request of x, Scene.Batch encoded rows.
func Run(ctx context.Context, m *model.Model, x []uint64, s Scene) (*Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	backend, err := compare.ParseBackend(s.Backend)
	if err != nil {
		return nil, err
	}
	c := &cast{Scene: s, program: &m.Manifest.Program, options: []prep.Option{prep.Comparisons(backend), prep.Depth(Depth(s.Link.BitsPerSecond))}}
	if err := c.deal(ctx, m); err != nil {
		return nil, err
	}
	r := c.costs()
	if err := c.prepare(ctx, r); err != nil {
		return nil, err
	}
	if err := c.perform(ctx, r, x); err != nil {
		return nil, err
	}
	return r, nil
}

// A cast is all parties.
type cast struct {
	Scene
	program *model.Program
	options []prep.Option
	weights []*infer.Weights
	mats    [][]*prep.Inference // by party
}

// costs fills in what is known without running anything.
func (c *cast) costs() *Result {
	r := &Result{Backend: c.Backend}
	n := int64(c.Parties)
	for i := range c.Parties {
		setup := prep.PlanSetup(c.program, c.Parties, i, c.Scene.Offline)
		offline := prep.PlanGenerate(c.program, c.Parties, i, c.Scene.Offline, c.Scene.Offline, c.options...)
		var online transport.Stats
		for _, s := range infer.Plan(c.program, c.Parties, i, c.Batch, c.options...) {
			online.Rounds += s.Rounds
			online.Sent += s.Sent
		}
		r.Setup.Sent += setup.Sent() / n
		r.Offline.Sent += offline.Sent() / n
		r.Online.Sent += online.Sent / n
		r.Setup.Rounds, r.Offline.Rounds, r.Online.Rounds = setup.Rounds(), offline.Rounds(), online.Rounds
	}
	r.Material = prep.Count(c.program, c.options...).Len(c.Parties, 0)
	return r
}

// deal shares the weights, over a network without delay.
func (c *cast) deal(ctx context.Context, m *model.Model) error {
	params := make([][]share.Share, c.Parties)
	for i, p := range c.program.Params {
		s, err := share.Split(rand.Reader, m.Params[i], p.Width, c.Parties)
		if err != nil {
			return err
		}
		for j := range params {
			params[j] = append(params[j], s[j])
		}
	}
	meshes := transport.Pipe(ctx, c.Parties)
	c.weights = make([]*infer.Weights, c.Parties)
	return each(c.Parties, func(i int) (err error) {
		c.weights[i], err = infer.Deal(meshes[i], rand.Reader, c.program, params[i])
		return err
	})
}

// prepare runs the offline phase.
func (c *cast) prepare(ctx context.Context, r *Result) error {
	ots, hes := transport.PipeOver(ctx, c.Parties, c.Link), transport.PipeOver(ctx, c.Parties, c.Link)
	preparers := make([]*prep.Preparer, c.Parties)
	start := time.Now()
	err := each(c.Parties, func(i int) (err error) {
		preparers[i], err = prep.NewPreparer(ots[i], hes[i], rand.Reader, c.program, c.weights[i].Linear, c.Scene.Offline, c.options...)
		return err
	})
	if err != nil {
		return fmt.Errorf("rehearsal of the setup: %w", err)
	}
	r.Setup.Seconds = time.Since(start).Seconds()
	var id [32]byte
	rand.Read(id[:])
	c.mats = make([][]*prep.Inference, c.Parties)
	start = time.Now()
	err = each(c.Parties, func(i int) (err error) {
		defer preparers[i].Close()
		c.mats[i], err = preparers[i].Generate(id, c.Scene.Offline)
		return err
	})
	if err != nil {
		return fmt.Errorf("rehearsal of the offline phase: %w", err)
	}
	r.Offline.Seconds = time.Since(start).Seconds() + r.Offline.overhead()
	return nil
}

// perform runs requests, of which the fastest counts: others had to wait for the
// processors or the collector.
func (c *cast) perform(ctx context.Context, r *Result, x []uint64) error {
	meshes := transport.PipeOver(ctx, c.Parties, c.Link)
	for range max(1, min(c.Repeat, c.Scene.Offline/c.Batch)) {
		xs, err := share.Split(rand.Reader, x, c.program.Values[0].Width, c.Parties)
		if err != nil {
			return err
		}
		start := time.Now()
		err = each(c.Parties, func(i int) error {
			mats := c.mats[i][:c.Batch]
			c.mats[i] = c.mats[i][c.Batch:]
			_, err := infer.Run(meshes[i], c.program, c.weights[i], mats, xs[i])
			return err
		})
		if err != nil {
			return fmt.Errorf("rehearsal of the online phase: %w", err)
		}
		took := time.Since(start).Seconds() + r.Online.overhead()
		if r.Online.Seconds == 0 || took < r.Online.Seconds {
			r.Online.Seconds = took
		}
	}
	return nil
}

// each runs f as every party and returns the first error.
func each(n int, f func(i int) error) error {
	var (
		parties sync.WaitGroup
		once    sync.Once
		first   error
	)
	for i := range n {
		parties.Go(func() {
			if err := f(i); err != nil {
				once.Do(func() { first = err })
			}
		})
	}
	parties.Wait()
	return first
}

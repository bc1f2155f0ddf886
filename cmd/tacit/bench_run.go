package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tacit-mpc/tacit/client"
	"github.com/tacit-mpc/tacit/configs"
	"github.com/tacit-mpc/tacit/internal/bench"
	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/model"
)

// A workload is what one cluster is measured on.
type workload struct {
	net      bench.Net
	parties  int
	link     bench.Link
	batches  []int  // rows of a request
	requests int    // of each size, after a warm-up
	offline  int    // inferences prepared at once
	exact    bool   // offline is not raised to what the requests need
	bulk     int    // requests to time alone and beside the making of material
	pprof    string // directory for profiles, or none

	comparison string // how the parties compare; empty for what the planner chooses
}

// plainRuns is how often the plaintext engine is timed.
const plainRuns = 9

// run measures it. The processes are gone when it returns.
func (w *workload) run(ctx context.Context) (*bench.Macro, error) {
	var out *bench.Macro
	measure := func(profile string) (err error) {
		out, err = w.measure(ctx, profile)
		return err
	}
	name := fmt.Sprintf("%s, %d parties, link %s", w.net.Name, w.parties, w.link.Name)
	say("%s", name)
	if w.pprof == "" {
		err := measure("")
		return out, err
	}
	dir := filepath.Join(w.pprof, fmt.Sprintf("%s-%d-%s", w.net.Name, w.parties, strings.ReplaceAll(w.link.Name, "/", "-")))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	err := bench.Profile(filepath.Join(dir, "client"), func() error { return measure(dir) })
	return out, err
}

// stock returns how many inferences to prepare at once, and how many to keep. If
// all are made before the first request, nothing is made during the others.
// Otherwise it is made on request, and requests take it from the disk.
func (w *workload) stock() (offline, pool int) {
	if w.exact {
		return w.offline, 0
	}
	need := 1 + 2*w.bulk*w.batches[0] // one is left: an empty pool is filled
	for _, b := range w.batches {
		need += (1 + w.count(b)) * b
	}
	offline = max(w.offline, need)
	return offline, offline
}

// few is how many requests of a large batch are enough.
const few = 3

// count returns how many requests of a size are made after the warm-up.
func (w *workload) count(batch int) int {
	if batch >= 32 {
		return min(w.requests, few)
	}
	return w.requests
}

func (w *workload) measure(ctx context.Context, profile string) (out *bench.Macro, err error) {
	m, err := w.net.Model()
	if err != nil {
		return nil, err
	}
	if err := choose(m, w.comparison, w.parties, w.link.Profile); err != nil {
		return nil, err
	}
	dir, done, err := workDir("")
	if err != nil {
		return nil, err
	}
	defer done()
	offline, pool := w.stock()
	if offline > configs.MaxBatch {
		return nil, fmt.Errorf("the requests need %d inferences, at most %d are prepared at once: ask for fewer or smaller ones", offline, configs.MaxBatch)
	}
	c, err := startCluster(ctx, dir, w.parties, w.link, profile, configs.Model{
		Name: benchModel, Pool: pool, Batch: offline, MaxBatch: slices.Max(w.batches),
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if _, err := c.owner.Deploy(ctx, benchModel, m); err != nil {
		return nil, err
	}
	out = &bench.Macro{Net: w.net.Name, Parties: w.parties, Link: w.link.Name, OfflineBatch: offline, Garbled: m.Manifest.Comparison == model.Garbled}
	for _, batch := range w.batches {
		o, err := w.online(ctx, c, m, batch, out)
		if err != nil {
			return nil, err
		}
		out.Online = append(out.Online, o)
	}
	if err := w.material(ctx, c, out); err != nil {
		return nil, err
	}
	out.Memory = c.memory()
	if w.bulk > 0 {
		err = w.beside(ctx, c, m, &out.Online[0])
	}
	return out, err
}

// online measures requests of one size, after a warm-up.
func (w *workload) online(ctx context.Context, c *benchCluster, m *model.Model, batch int, out *bench.Macro) (bench.Online, error) {
	o := bench.Online{Batch: batch}
	x := slices.Concat(bench.Rows(m, batch)...)
	requests := w.count(batch)
	bar := progress(requests, fmt.Sprintf("requests of %d", batch))
	defer bar.finish()
	var last answer
	var computed []float64
	for i := -1; i < requests; i++ {
		before := c.cpu()
		a, err := ask(ctx, c.user, x, batch)
		if err != nil {
			return o, err
		}
		last = a
		if i < 0 {
			continue
		}
		bar.add(1)
		o.Latency, o.Run = append(o.Latency, a.latency), append(o.Run, a.run)
		if !w.exact { // otherwise it made material, too
			computed = append(computed, c.cpu()-before)
		}
	}
	o.CPU = bench.Summarise("", "s", computed).Value
	o.Bytes, o.Rounds = traffic(last.Stats)
	if len(out.Online) == 0 {
		for _, l := range layersOf(&m.Manifest.Program, last.Stats) {
			out.Steps = append(out.Steps, bench.Step{Phase: "online", Name: l.Name + " " + l.Kind, Seconds: l.Seconds, Bytes: float64(l.Bytes), Rounds: l.Rounds})
		}
	}
	var err error
	o.Plain, err = plaintext(m, x, batch)
	return o, err
}

// An answer is one request and what it took, in seconds.
type answer struct {
	*client.Prediction
	latency float64 // for the client, without waiting for material
	run     float64 // at the slowest party
}

func ask(ctx context.Context, c *client.Client, x []float32, batch int) (answer, error) {
	start := time.Now()
	p, err := c.Predict(ctx, benchModel, x, batch)
	if err != nil {
		return answer{}, err
	}
	a := answer{Prediction: p, latency: (time.Since(start) - p.Stats[0].Wait).Seconds()}
	for _, s := range p.Stats {
		a.run = max(a.run, s.Run.Seconds())
	}
	return a, nil
}

// traffic returns what a party sent on average, and the rounds.
func traffic(parties []wire.SessionStats) (bytes float64, rounds int) {
	for _, s := range parties {
		for _, st := range s.Steps {
			bytes += float64(st.Sent) / float64(len(parties))
		}
	}
	for _, st := range parties[0].Steps {
		rounds += st.Rounds
	}
	return bytes, rounds
}

// plaintext times the plaintext engine.
func plaintext(m *model.Model, x []float32, batch int) ([]float64, error) {
	encoded, err := m.Manifest.Encode(x)
	if err != nil {
		return nil, err
	}
	e, err := m.Evaluator()
	if err != nil {
		return nil, err
	}
	var times []float64
	for i := -1; i < plainRuns; i++ {
		start := time.Now()
		if _, err := e.Eval(encoded, batch); err != nil {
			return nil, err
		}
		if i >= 0 { // the first run warms up
			times = append(times, time.Since(start).Seconds())
		}
	}
	return times, nil
}

// material asks the parties what the offline phase has cost.
func (w *workload) material(ctx context.Context, c *benchCluster, out *bench.Macro) error {
	for _, s := range c.user.Status(ctx) {
		if s.Err != nil {
			return s.Err
		}
		i := slices.IndexFunc(s.Status.Models, func(m client.ModelStatus) bool { return m.Name == benchModel })
		if i < 0 || s.Status.Models[i].Inferences == 0 {
			return fmt.Errorf("party %d does not report an offline phase", s.Party)
		}
		st := s.Status.Models[i]
		out.SetupSeconds = max(out.SetupSeconds, st.Setup.Time.Seconds())
		out.SetupBytes += float64(st.Setup.Sent) / float64(w.parties)
		out.OfflineSeconds = max(out.OfflineSeconds, st.Total.Time.Seconds()/float64(st.Inferences))
		out.OfflineBytes += float64(st.Last.Sent) / float64(st.Last.Batch*w.parties)
		if s.Party != 0 {
			continue
		}
		for _, step := range st.Last.Steps {
			out.OfflineRounds += step.Rounds
			out.Steps = append(out.Steps, bench.Step{Phase: "offline", Name: step.Step, Seconds: step.Time.Seconds(), Bytes: float64(step.Sent), Rounds: step.Rounds})
		}
	}
	return nil
}

// beside times requests of the first size: alone, then while the parties make
// material for another model all the time.
func (w *workload) beside(ctx context.Context, c *benchCluster, m *model.Model, o *bench.Online) error {
	x := slices.Concat(bench.Rows(m, o.Batch)...)
	times := func() (all []float64, err error) {
		bar := progress(w.bulk, "requests")
		defer bar.finish()
		for range w.bulk {
			a, err := ask(ctx, c.user, x, o.Batch)
			if err != nil {
				return nil, err
			}
			all = append(all, a.latency)
			bar.add(1)
		}
		return all, nil
	}
	var err error
	if o.Alone, err = times(); err != nil {
		return err
	}
	say("making material for another model meanwhile")
	if _, err := c.owner.Deploy(ctx, bulkModel, m); err != nil {
		return err
	}
	o.Bulk, err = times()
	return err
}

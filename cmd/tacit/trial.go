package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tacit-mpc/tacit/client"
	"github.com/tacit-mpc/tacit/configs"
	"github.com/tacit-mpc/tacit/model"
)

// A trial runs a model on rows through a cluster of real processes on this
// machine, and compares with the plaintext engine.
type trial struct {
	name    string // under which the model is served
	model   *model.Model
	rows    [][]float32
	parties int
	batch   int    // rows of one request
	dir     string // for configuration, keys and logs
}

// An outcome is what a trial returns.
type outcome struct {
	outputs [][]float32 // private predictions, by row
	plain   [][]float32 // of the plaintext engine
	ulps    []int64     // largest difference, by row
	report  report
}

// maxComparisons bounds the material that is made at once, and maxRows its rows.
const (
	maxComparisons = 400_000
	maxRows        = 256
)

// offlineBatch is how many inferences are prepared at once: all that are
// needed, the warm-up included, if memory allows.
func (t *trial) offlineBatch() int {
	need := len(t.rows) + t.batch
	room := maxComparisons / max(1, t.model.Manifest.Program.Comparisons())
	return max(t.batch, min(need, room, maxRows), 1)
}

// run does it all. The processes are gone when it returns.
func (t *trial) run(ctx context.Context) (out *outcome, err error) {
	cluster, err := prepareLocal(t.dir, t.parties, configs.Model{
		Name: t.name, Pool: 0, Batch: t.offlineBatch(), MaxBatch: t.batch,
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if ctx.Err() != nil { // nobody waits for what they were doing
			cluster.kill()
		}
		err = errors.Join(err, cluster.stop())
	}()
	say("starting %d parties, each a process of its own", t.parties)
	if err := cluster.start(); err != nil {
		return nil, err
	}
	owner, err := cluster.dial(ctx, "owner")
	if err != nil {
		return nil, err
	}
	defer owner.Close()
	say("dealing shares of the weights")
	if _, err := owner.Deploy(ctx, t.name, t.model); err != nil {
		return nil, err
	}
	user, err := cluster.dial(ctx, "client")
	if err != nil {
		return nil, err
	}
	defer user.Close()
	out, predictions, err := t.watched(ctx, user)
	if err != nil {
		return nil, err
	}
	if err := t.compare(out, predictions); err != nil {
		return nil, err
	}
	return out, t.measure(out, user.Status(ctx))
}

// watched is predict, but gives up when a disk is full: the parties would wait
// until somebody makes room.
func (t *trial) watched(ctx context.Context, c *client.Client) (*outcome, []*client.Prediction, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		for tick := time.Tick(2 * time.Second); ctx.Err() == nil; {
			select {
			case <-ctx.Done():
			case <-tick:
				for _, s := range c.Status(ctx) {
					for _, m := range s.Status.Models {
						if strings.Contains(m.Problem, syscall.ENOSPC.Error()) {
							cancel(fmt.Errorf("party %d: no space left for material in %s", s.Party, t.dir))
						}
					}
				}
			}
		}
	}()
	out, predictions, err := t.predict(ctx, c)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return out, predictions, err
}

// predict runs a warm-up, then all rows, and notes times.
func (t *trial) predict(ctx context.Context, c *client.Client) (*outcome, []*client.Prediction, error) {
	say("offline phase: making material for %d inferences", t.offlineBatch())
	spin := progress(-1, "preparing")
	warm := t.rows[:min(t.batch, len(t.rows))]
	if _, err := c.Predict(ctx, t.name, slices.Concat(warm...), len(warm)); err != nil {
		return nil, nil, err
	}
	spin.finish()
	say("online phase: predicting %d rows, %d at a time", len(t.rows), t.batch)
	bar := progress(len(t.rows), "predicting")
	out := &outcome{}
	var predictions []*client.Prediction
	var times []float64
	for rows := range slices.Chunk(t.rows, t.batch) {
		start := time.Now()
		p, err := c.Predict(ctx, t.name, slices.Concat(rows...), len(rows))
		if err != nil {
			return nil, nil, err
		}
		took := time.Since(start) - p.Stats[0].Wait // which is for the offline phase
		if len(rows) == t.batch || len(times) == 0 {
			times = append(times, took.Seconds())
		}
		predictions = append(predictions, p)
		out.outputs = append(out.outputs, split(p, len(rows))...)
		bar.add(len(rows))
	}
	bar.finish()
	out.report.OnlineSecondsPerRequest = median(times)
	return out, predictions, nil
}

// compare runs the plaintext engine and notes the differences.
func (t *trial) compare(out *outcome, predictions []*client.Prediction) error {
	m := &t.model.Manifest
	x, err := m.Encode(slices.Concat(t.rows...))
	if err != nil {
		return err
	}
	want, err := t.model.Eval(x, len(t.rows))
	if err != nil {
		return err
	}
	decoded := m.Decode(want)
	out.plain = slices.Collect(slices.Chunk(decoded, len(decoded)/len(t.rows)))
	n := m.Output.Len()
	row := 0
	for _, p := range predictions {
		for got := range slices.Chunk(p.Raw, n) {
			out.ulps = append(out.ulps, m.Difference(got, want[row*n:]))
			row++
		}
	}
	first := predictions[0]
	r := &out.report
	r.MaxUlp, r.UlpBound = slices.Max(out.ulps), m.UlpBound(t.parties)
	r.Layers = layersOf(&m.Program, first.Stats)
	for _, s := range first.Stats {
		for _, st := range s.Steps {
			r.OnlineBytesPerPartyRow += float64(st.Sent)
		}
	}
	r.OnlineBytesPerPartyRow /= float64(t.parties) * float64(min(t.batch, len(t.rows)))
	for _, st := range first.Stats[0].Steps {
		r.OnlineRounds += st.Rounds
	}
	return nil
}

// measure fills in what the parties say of the offline phase.
func (t *trial) measure(out *outcome, all []client.PartyStatus) error {
	r := &out.report
	m := &t.model.Manifest
	r.Rows, r.Parties, r.Batch, r.Comparison = len(t.rows), t.parties, t.batch, m.Comparison
	r.FractionBits, r.ComparisonsPerRow, r.OfflineBatch = m.Output.Frac, m.Program.Comparisons(), t.offlineBatch()
	for _, s := range all {
		if s.Err != nil {
			return s.Err
		}
		i := slices.IndexFunc(s.Status.Models, func(m client.ModelStatus) bool { return m.Name == t.name })
		if i < 0 || s.Status.Models[i].Inferences == 0 {
			return fmt.Errorf("party %d does not report an offline phase", s.Party)
		}
		st := s.Status.Models[i]
		r.SetupSeconds = max(r.SetupSeconds, st.Setup.Time.Seconds())
		r.SetupBytesPerParty += st.Setup.Sent / int64(t.parties)
		r.OfflineSecondsPerRow = max(r.OfflineSecondsPerRow, st.Total.Time.Seconds()/float64(st.Inferences))
		// What all parties send is what all receive.
		r.OfflineBytesPerPartyRow += float64(st.Total.Bytes) / 2 / float64(st.Inferences*t.parties)
		if s.Party == 0 {
			r.offline = st.Last.Steps
			for _, step := range st.Last.Steps {
				r.OfflineRounds += step.Rounds
			}
		}
	}
	return nil
}

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return s[len(s)/2]
}

// say tells on standard error what is going on.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

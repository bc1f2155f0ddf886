package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tacit-mpc/tacit/transport"
)

// An Effort is how thoroughly single operations are timed.
type Effort struct {
	Samples int
	Sample  time.Duration // that one sample takes at least
}

// A timer times single operations.
type timer struct {
	ctx     context.Context
	effort  Effort
	say     func(name string)
	results []Result
}

// time measures work that run does and times itself; one call of it does per
// units.
func (t *timer) time(name string, per float64, run func() (time.Duration, error)) error {
	t.say(name)
	if _, err := run(); err != nil { // warms up
		return fmt.Errorf("%s: %w", name, err)
	}
	var all []float64
	for range t.effort.Samples {
		var took time.Duration
		calls := 0
		for took < t.effort.Sample || calls == 0 {
			if err := t.ctx.Err(); err != nil {
				return err
			}
			d, err := run()
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			took += d
			calls++
		}
		all = append(all, float64(took.Nanoseconds())/float64(calls)/per)
	}
	t.results = append(t.results, Summarise(name, "ns", all))
	return nil
}

// plain measures a function that cannot fail.
func (t *timer) plain(name string, per float64, f func()) error {
	return t.time(name, per, func() (time.Duration, error) {
		start := time.Now()
		f()
		return time.Since(start), nil
	})
}

// together runs f as every party of meshes, and returns how long that took.
func together(meshes []*transport.Mesh, f func(m *transport.Mesh) error) (time.Duration, error) {
	errs := make([]error, len(meshes))
	var parties sync.WaitGroup
	start := time.Now()
	for i, m := range meshes {
		parties.Go(func() {
			if errs[i] = f(m); errs[i] != nil {
				m.Close() // the others must not wait
			}
		})
	}
	parties.Wait()
	took := time.Since(start)
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return took, nil
}

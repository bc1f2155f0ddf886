package party

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/tacit-mpc/tacit/internal/wire"
)

// serveMetrics answers GET /metrics at the configured address, if there is one,
// until the party stops. The figures are those of the status, without the
// state of the peers.
func (p *Party) serveMetrics() error {
	if p.cfg.Metrics == "" {
		return nil
	}
	l, err := net.Listen("tcp", p.cfg.Metrics)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		writeMetrics(w, p.status(nil))
	})
	server := &http.Server{Handler: mux, ReadTimeout: answerTime, WriteTimeout: answerTime}
	p.work.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.log.Error().Err(err).Msg("metrics are no longer served")
		}
	})
	context.AfterFunc(p.ctx, func() { server.Close() })
	return nil
}

// writeMetrics writes a status in the text format of Prometheus. Names of
// models and states need no escapes.
func writeMetrics(w io.Writer, s wire.Status) {
	metric := func(name, kind, help string, write func(name string)) {
		fmt.Fprintf(w, "# HELP tacit_%s %s\n# TYPE tacit_%s %s\n", name, help, name, kind)
		write("tacit_" + name)
	}
	each := func(figure func(m wire.ModelStatus) float64) func(string) {
		return func(name string) {
			for _, m := range s.Models {
				fmt.Fprintf(w, "%s{model=%q} %g\n", name, m.Name, figure(m))
			}
		}
	}
	metric("uptime_seconds", "gauge", "Time since the start.", func(name string) {
		fmt.Fprintf(w, "%s %g\n", name, s.Uptime.Truncate(time.Millisecond).Seconds())
	})
	metric("sessions_total", "counter", "Sessions that have reached a state.", func(name string) {
		for _, state := range slices.Sorted(maps.Keys(s.Sessions)) {
			fmt.Fprintf(w, "%s{state=%q} %d\n", name, state, s.Sessions[state])
		}
	})
	metric("pool_inferences", "gauge", "Prepared inferences in stock.", each(func(m wire.ModelStatus) float64 { return float64(m.Pool) }))
	metric("pool_target_inferences", "gauge", "Prepared inferences wanted.", each(func(m wire.ModelStatus) float64 { return float64(m.Target) }))
	metric("prepared_inferences_total", "counter", "Inferences prepared.", each(func(m wire.ModelStatus) float64 { return float64(m.Inferences) }))
	metric("prepare_seconds_total", "counter", "Time spent preparing.", each(func(m wire.ModelStatus) float64 { return m.Total.Time.Seconds() }))
	metric("prepare_bytes_total", "counter", "Bytes sent and received to prepare.", each(func(m wire.ModelStatus) float64 { return float64(m.Total.Bytes) }))
}

package triple

import (
	"sync"
	"testing"

	"github.com/tacit-mpc/tacit/transport"
)

// BenchmarkMultiply is a batch of all of three parties, on all cores.
func BenchmarkMultiply(b *testing.B) {
	for _, l := range benchmarks {
		b.Run(l.name, func(b *testing.B) {
			const n, batch = 3, 16
			benchmark(b, n, func(m *transport.Mesh) (func() error, error) {
				r := rng(b, m.Self())
				w := values(r, l.layer.Conv.WeightLen(), 64, false)
				c, err := Setup(m, r, []Layer{l.layer}, [][]uint64{w}, batch)
				x := values(r, batch*l.layer.Conv.InLen(), 64, false)
				return func() error {
					_, err := c.Multiply(m, r, [][]uint64{x}, batch)
					return err
				}, err
			})
			p := PlanMultiply(n, 0, []Layer{l.layer}, batch, batch)
			b.ReportMetric(float64(p.Steps[0].Sent)/batch, "B/inference")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch/n, "ns/inference/party")
		})
	}
}

// BenchmarkSetup is the Setup of all of three parties, on all cores.
func BenchmarkSetup(b *testing.B) {
	for _, l := range benchmarks[:4] {
		b.Run(l.name, func(b *testing.B) {
			benchmark(b, 3, func(m *transport.Mesh) (func() error, error) {
				r := rng(b, m.Self())
				w := values(r, l.layer.Conv.WeightLen(), 64, false)
				return func() error {
					_, err := Setup(m, r, []Layer{l.layer}, [][]uint64{w}, 16)
					return err
				}, nil
			})
		})
	}
}

// benchmark times what start returns, at all parties.
func benchmark(b *testing.B, n int, start func(*transport.Mesh) (func() error, error)) {
	var parties, ready sync.WaitGroup
	ready.Add(n)
	begin := make(chan struct{})
	for _, m := range transport.Pipe(b.Context(), n) {
		parties.Go(func() {
			f, err := start(m)
			ready.Done()
			<-begin
			for range b.N {
				if err == nil {
					err = f()
				}
			}
			if err != nil {
				b.Error(err)
			}
		})
	}
	ready.Wait()
	b.ResetTimer()
	close(begin)
	parties.Wait()
}

package triple

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/transport"
)

// A benchmark is some layers and how many inferences are made at once.
type benchmark struct {
	name   string
	batch  int
	layers []Layer
}

func conv(size, in, kernel, out int) ring.Conv {
	return ring.Conv{H: size, W: size, In: in, KH: kernel, KW: kernel, Out: out, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Groups: 1}
}

func padded(c ring.Conv, p int) ring.Conv {
	c.Top, c.Left, c.Bottom, c.Right = p, p, p, p
	return c
}

func depthwise(size, channels, kernel int) ring.Conv {
	c := conv(size, channels, kernel, channels)
	c.Groups = channels
	return c
}

var benchmarks = []benchmark{
	{"784x128", 16, []Layer{{ring.MatMul(1, 784, 128), 40}}},
	{"784x128", 128, []Layer{{ring.MatMul(1, 784, 128), 36}}},
	{"784x128,64 bits", 16, []Layer{{ring.MatMul(1, 784, 128), 64}}},
	{"conv 1 to 6", 16, []Layer{{conv(28, 1, 5, 6), 40}}},
	{"conv 6 to 16", 16, []Layer{{conv(12, 6, 5, 16), 40}}},
	{"depthwise 32", 16, []Layer{{depthwise(8, 32, 3), 40}}},
	{"MLP", 32, []Layer{{ring.MatMul(1, 784, 128), 36}, {ring.MatMul(1, 128, 128), 35}, {ring.MatMul(1, 128, 10), 35}}},
	{"LeNet-5", 32, []Layer{
		{padded(conv(28, 1, 5, 6), 2), 33}, {conv(14, 6, 5, 16), 36},
		{ring.MatMul(1, 400, 120), 35}, {ring.MatMul(1, 120, 84), 35}, {ring.MatMul(1, 84, 10), 32},
	}},
}

// BenchmarkMultiply is a batch of all of three parties, on all cores.
func BenchmarkMultiply(b *testing.B) {
	for _, t := range benchmarks {
		b.Run(fmt.Sprintf("%s/%d", t.name, t.batch), func(b *testing.B) {
			const n = 3
			var before time.Duration
			t.run(b, n, &before, func(m *transport.Mesh, masks [][]uint64) (func() error, error) {
				r := rng(b, m.Self())
				c, err := Setup(m, r, t.layers, masks, t.batch)
				var a [][]uint64
				for _, l := range t.layers {
					a = append(a, values(r, t.batch*l.Conv.InLen(), l.Width, false))
				}
				return func() error {
					_, err := c.Multiply(m, r, a, t.batch)
					return err
				}, err
			})
			sent := PlanMultiply(n, 0, t.layers, t.batch, t.batch).Steps[0].Sent
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N*t.batch*n), "cpu-us/inference/party")
			b.ReportMetric(float64(sent)/float64(t.batch), "B/inference")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*t.batch*n), "us/inference/party")
		})
	}
}

// BenchmarkSetup is the Setup of all of three parties, on all cores.
func BenchmarkSetup(b *testing.B) {
	for _, t := range benchmarks {
		b.Run(fmt.Sprintf("%s/%d", t.name, t.batch), func(b *testing.B) {
			var before time.Duration
			t.run(b, 3, &before, func(m *transport.Mesh, masks [][]uint64) (func() error, error) {
				return func() error {
					_, err := Setup(m, rng(b, m.Self()), t.layers, masks, t.batch)
					return err
				}, nil
			})
			b.ReportMetric(float64(PlanSetup(3, 0, t.layers, t.batch).Steps[1].Sent), "B")
		})
	}
}

// run times what start returns, at all of n parties.
func (t *benchmark) run(b *testing.B, n int, before *time.Duration, start func(*transport.Mesh, [][]uint64) (func() error, error)) {
	var parties, ready sync.WaitGroup
	ready.Add(n)
	begin := make(chan struct{})
	for _, m := range transport.Pipe(b.Context(), n) {
		parties.Go(func() {
			var masks [][]uint64
			for _, l := range t.layers {
				masks = append(masks, values(rng(b, n+m.Self()), l.Conv.WeightLen(), l.Width, false))
			}
			f, err := start(m, masks)
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
	*before = cpuTime(b)
	close(begin)
	parties.Wait()
}

// cpuTime is what this process has used of all processors, which says more than
// the clock where others use them, too.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

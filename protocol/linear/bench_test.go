package linear

import (
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport"
)

func image(size, in, kernel, out, pad int) ring.Conv {
	return ring.Conv{H: size, W: size, In: in, KH: kernel, KW: kernel, Out: out, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1,
		Top: pad, Left: pad, Bottom: pad, Right: pad, Groups: 1}
}

// BenchmarkApply compares the processor time of one of three parties with that of
// the product in the clear, of the same shape, on one processor: "x-plaintext". All parties
// run here, and messages are copied in memory.
func BenchmarkApply(b *testing.B) {
	for _, s := range []struct {
		name  string
		conv  ring.Conv
		batch int
	}{
		{"128x784x128", ring.MatMul(1, 784, 128), 128},
		{"1x784x128", ring.MatMul(1, 784, 128), 1},
		{"32x784x128", ring.MatMul(1, 784, 128), 32},
		{"16x28x28-16,5x5", image(28, 16, 5, 16, 2), 1},
		{"lenet/1x28x28-6,5x5", image(28, 1, 5, 6, 2), 1},
		{"lenet/6x14x14-16,5x5", image(14, 6, 5, 16, 0), 1},
		{"lenet/400x120", ring.MatMul(1, 400, 120), 1},
		{"lenet/120x84", ring.MatMul(1, 120, 84), 1},
	} {
		for _, k := range []int{32, 40, 64} {
			b.Run(fmt.Sprintf("%s/k=%d", s.name, k), func(b *testing.B) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
				compareWithPlaintext(b, Layer{Conv: s.conv, Width: k}, s.batch)
			})
		}
	}
}

func randomShare(b *testing.B, n, k int) share.Share {
	b.Helper()
	v := make(share.Share, n)
	if err := ring.Random(rand.Reader, v, k); err != nil {
		b.Fatal(err)
	}
	return v
}

func compareWithPlaintext(b *testing.B, l Layer, batch int) {
	const parties = 3
	meshes := transport.Pipe(context.Background(), parties)
	defer meshes[0].Close()
	w := newWeights(0, l, randomShare(b, l.Conv.WeightLen(), l.Width), randomShare(b, l.Conv.WeightLen(), l.Width))
	x, bias := randomShare(b, batch*l.Conv.InLen(), l.Width), make(share.Share, batch*l.Conv.OutLen())
	masks := make([][]*Mask, parties)

	// The least of all turns, as other work on the machine only adds to it.
	secure, plain := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	for b.Loop() {
		for i := range masks {
			masks[i] = masks[i][:0]
			for range batch {
				masks[i] = append(masks[i], &Mask{a: make(share.Share, l.Conv.InLen()), u: make(share.Share, l.Conv.OutLen())})
			}
		}
		start := time.Now()
		var done sync.WaitGroup
		for i, m := range meshes {
			done.Go(func() {
				if _, err := w.Apply(m, "open D", masks[i], x); err != nil {
					b.Error(err)
				}
			})
		}
		done.Wait()
		secure = min(secure, time.Since(start))

		start = time.Now()
		z := append(share.Share(nil), bias...)
		w.v.MulAdd(z, x, batch)
		ring.Reduce(z, l.Width)
		plain = min(plain, time.Since(start))
	}
	b.ReportMetric(float64(secure)/parties, "ns/party")
	b.ReportMetric(float64(plain), "ns/plaintext")
	b.ReportMetric(float64(secure)/parties/float64(plain), "x-plaintext")
}

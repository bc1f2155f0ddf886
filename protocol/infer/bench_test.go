package infer_test

import (
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/tacit-mpc/tacit/examples"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/infer"
	"github.com/tacit-mpc/tacit/protocol/prep"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/transport"
)

// together runs f as every party and returns the first error.
func together(n int, f func(i int) error) error {
	errs := make([]error, n)
	var parties sync.WaitGroup
	for i := range n {
		parties.Go(func() { errs[i] = f(i) })
	}
	parties.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkExamples measures both phases of the example networks with all
// parties in this process: what is left when the network costs nothing.
func BenchmarkExamples(b *testing.B) {
	const n = 3
	for _, name := range examples.Names() {
		e, err := examples.Find(name)
		if err != nil {
			b.Fatal(err)
		}
		g, err := model.Load(e.Model)
		if err != nil {
			b.Fatal(err)
		}
		m, err := model.Compile(g, model.Options{Calibration: e.Inputs})
		if err != nil {
			b.Fatal(err)
		}
		for _, batch := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/batch=%d", name, batch), func(b *testing.B) { benchmark(b, m, e.Inputs[:batch], n) })
		}
	}
}

func benchmark(b *testing.B, m *model.Model, rows [][]float32, n int) {
	program, batch := &m.Manifest.Program, len(rows)
	weights := make([]*infer.Weights, n)
	params := make([][]share.Share, n)
	for i, p := range program.Params {
		s, err := share.Split(rand.Reader, m.Params[i], p.Width, n)
		if err != nil {
			b.Fatal(err)
		}
		for j := range params {
			params[j] = append(params[j], s[j])
		}
	}
	deal, otMesh, heMesh, online := transport.Pipe(b.Context(), n), transport.Pipe(b.Context(), n), transport.Pipe(b.Context(), n), transport.Pipe(b.Context(), n)
	preps := make([]*prep.Preparer, n)
	err := together(n, func(i int) (err error) {
		if weights[i], err = infer.Deal(deal[i], rand.Reader, program, params[i]); err != nil {
			return err
		}
		preps[i], err = prep.NewPreparer(otMesh[i], heMesh[i], rand.Reader, program, weights[i].Linear, batch)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	x, err := m.Manifest.Encode(slices.Concat(rows...))
	if err != nil {
		b.Fatal(err)
	}
	mats := make([][]*prep.Inference, n)
	round := 0
	generate := func() {
		round++
		err := together(n, func(i int) (err error) {
			mats[i], err = preps[i].Generate([32]byte{byte(round), byte(round >> 8)}, batch)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	predict := func() {
		xs, err := share.Split(rand.Reader, x, program.Values[0].Width, n)
		if err != nil {
			b.Fatal(err)
		}
		err = together(n, func(i int) error {
			_, err := infer.Run(online[i], program, weights[i], mats[i], xs[i])
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.Run("offline", func(b *testing.B) {
		for b.Loop() {
			generate()
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N*batch)*1e3, "ms/row")
	})
	b.Run("online", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			generate()
			b.StartTimer()
			predict()
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N*batch)*1e3, "ms/row")
	})
}

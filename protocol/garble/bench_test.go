package garble

import (
	"fmt"
	"testing"

	"github.com/tacit-mpc/tacit/circuits"
	"github.com/tacit-mpc/tacit/internal/prg"
)

func BenchmarkEval(b *testing.B) {
	const m, elements = 20, 1024
	for _, n := range []int{2, 3, 5} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			batch := Batch{Circuit: circuits.Comparison(m), Parties: n, Len: elements}
			values := make([][]uint8, m)
			for k := range values {
				values[k] = make([]uint8, elements)
			}
			labels := make([][]prg.Block, n)
			for j := range labels {
				labels[j] = make([]prg.Block, batch.LabelLen())
				prg.NewStream([32]byte{byte(j)}, "bench").Blocks(labels[j])
			}
			tables := newTables(batch)
			prg.NewStream([32]byte{9}, "bench").Blocks(tables.rows)
			out := make([]uint8, elements)
			b.ReportAllocs()
			for b.Loop() {
				tables.evaluate(out, labels, values)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/elements/(m-1), "ns/gate")
		})
	}
}

func BenchmarkLabels(b *testing.B) {
	const m, elements = 20, 1024
	batch := Batch{Circuit: circuits.Comparison(m), Parties: 3, Len: elements}
	values := make([][]uint8, m)
	for k := range values {
		values[k] = make([]uint8, elements)
	}
	labels := make([]prg.Block, batch.LabelLen())
	for b.Loop() {
		batch.Labels(labels, [32]byte{1}, prg.Block{1, 2}, values)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(labels)), "ns/label")
}

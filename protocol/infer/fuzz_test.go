package infer_test

import (
	"bytes"
	"testing"

	"github.com/tacit-mpc/tacit/protocol/infer"
	"github.com/tacit-mpc/tacit/protocol/prep"
)

// FuzzParseWeights feeds a daemon broken files of model shares.
func FuzzParseWeights(f *testing.F) {
	program := everything()
	f.Add([]byte{})
	f.Add(make([]byte, 2000))
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := infer.ParseWeights(0, program, b)
		if err != nil {
			return
		}
		again, err := w.AppendBinary(program, nil)
		if err != nil || len(again) != len(b) {
			t.Errorf("accepted %d bytes, which are %d again: %v", len(b), len(again), err)
		}
	})
}

// FuzzParseMaterial feeds the store broken files of material.
func FuzzParseMaterial(f *testing.F) {
	demand := prep.Count(everything())
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{1}, demand.Len(3, 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := demand.Parse(3, 1, b)
		if err != nil {
			return
		}
		if again, err := demand.Append(nil, x); err != nil || !bytes.Equal(again, b) {
			t.Errorf("accepted what is not the encoding of anything: %v", err)
		}
	})
}

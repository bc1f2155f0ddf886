package ot

import (
	"fmt"
	"testing"

	"github.com/tacit-mpc/tacit/internal/prg"
)

func TestSecretsDoNotPrint(t *testing.T) {
	for want, secret := range map[string]any{
		"Session[party 1 of 3]": &Session{self: 1, n: 3, delta: prg.Block{12345, 67890}},
		"Base[party 1 of 3]":    &Base{self: 1, n: 3},
		"Request[2]":            Request{X: []uint8{1, 0}},
		"MulRequest[1]":         MulRequest{Beta: Bits{X: []uint8{1}}, V: [][]uint64{{12345}}},
		"OwnRequest[1]":         OwnRequest{OwnShape: OwnShape{N: 1}, V: []uint64{12345}, Z: []uint64{67890}},
		"EachRequest[1]":        EachRequest{A: Bits{X: []uint8{1}}, B: [][]uint64{{12345}}},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			if got := fmt.Sprintf(verb, secret); got != want {
				t.Errorf("Sprintf(%q) = %q, want %q", verb, got, want)
			}
		}
	}
}

// Package ottest runs the parties of a test with sessions of package ot.
//
// Security: none, it is for tests: the parties share a process, and all that they
// draw but for the scalars of base OTs comes from public seeds.
//
// Reference: package ot.
//
// Deviations: base OTs run once for every number of parties, and serve all tests of a
// binary.
package ottest

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/testnet"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

// Tape is the randomness of one party.
func Tape(seed uint64, party int) *rand.ChaCha8 {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	binary.LittleEndian.PutUint64(key[8:], uint64(party))
	return rand.NewChaCha8(key)
}

// A TB is a test that can fail: a [testing.TB], or one like it.
type TB interface {
	Helper()
	Fatal(args ...any)
}

var bases = struct {
	sync.Mutex
	of map[int][]*ot.Base
}{of: map[int][]*ot.Base{}}

// Bases returns the bases of n parties. They are made once for all tests, as they
// take most of the time of a small test, and are not to be erased.
func Bases(t TB, n int) []*ot.Base {
	t.Helper()
	bases.Lock()
	defer bases.Unlock()
	if bases.of[n] != nil {
		return bases.of[n]
	}
	made, errs := make([]*ot.Base, n), make([]error, n)
	var parties sync.WaitGroup
	for p, m := range transport.Pipe(context.Background(), n) {
		parties.Go(func() { made[p], errs[p] = ot.Setup(m, Tape(1, p)) })
	}
	parties.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	bases.of[n] = made
	return made
}

// A Party is what one party does in a test.
type Party func(m *transport.Mesh, s *ot.Session, rng io.Reader) error

// with runs f with a session forked from the party's base.
func (f Party) with(m *transport.Mesh, base *ot.Base) error {
	rng := Tape(2, m.Self())
	s, err := base.Fork(m, rng, make([]byte, ot.KeyLen))
	if err != nil {
		return err
	}
	return f(m, s, rng)
}

// Run runs f at n parties with a session each, in a bubble of testing/synctest.
func Run(t *testing.T, n int, f Party) {
	t.Helper()
	made := Bases(t, n)
	prg.ForgetTweaks()
	testnet.Run(t, n, func(m *transport.Mesh) error { return f.with(m, made[m.Self()]) })
}

// Together is Run outside of a bubble, for benchmarks and for tests that are no
// [testing.T].
func Together(t TB, n int, f Party) {
	t.Helper()
	made := Bases(t, n)
	prg.ForgetTweaks()
	errs := make([]error, n)
	var parties sync.WaitGroup
	for p, m := range transport.Pipe(context.Background(), n) {
		parties.Go(func() {
			if errs[p] = f.with(m, made[p]); errs[p] != nil {
				m.Close()
			}
		})
	}
	parties.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

package client

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tacit-mpc/tacit/configs"
	"github.com/tacit-mpc/tacit/internal/wire"
)

func threeParties() *Client {
	return &Client{parties: []configs.Member{{Name: "a"}, {Name: "b"}, {Name: "c"}}}
}

// blamed is what party i reports about party j.
func blamed(j int) error {
	return &wire.Error{Code: wire.CodeSession, Party: j, Step: "relu", Message: "connection closed"}
}

// TestEachReportsTheBestCause has parties fail in different ways at different
// times.
func TestEachReportsTheBestCause(t *testing.T) {
	type failure struct {
		after time.Duration // never, if err is nil
		err   error
	}
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		fails [3]failure
		party int
		code  Code
		after time.Duration
	}{
		"a broken connection is reported at once": {
			[3]failure{1: {10 * ms, io.ErrUnexpectedEOF}}, 1, CodeUnreachable, 10 * ms},
		"a broken connection outranks blame that came first": {
			[3]failure{0: {10 * ms, blamed(1)}, 2: {300 * ms, io.ErrUnexpectedEOF}}, 2, CodeUnreachable, 300 * ms},
		"blame alone is reported after a while": {
			[3]failure{0: {10 * ms, blamed(2)}, 1: {20 * ms, blamed(2)}}, 2, CodeSession, 10*ms + settleTime},
		"what a party says of itself outranks what others say": {
			[3]failure{0: {10 * ms, blamed(2)}, 2: {30 * ms, &wire.Error{Code: wire.CodeStopping, Party: 2}}}, 2, CodeStopping, 30 * ms},
		"an error of the request is reported at once": {
			[3]failure{0: {10 * ms, &wire.Error{Code: wire.CodePool, Party: wire.Nobody}}}, Nobody, CodePool, 10 * ms},
		"a party that does not answer is named": {
			[3]failure{}, 0, CodeUnreachable, 2 * time.Second},
		"nonsense is named": {
			[3]failure{1: {10 * ms, wire.ErrMalformed}}, 1, CodeSuite, 10 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				err := threeParties().each(t.Context(), "step", 2*time.Second, func(ctx context.Context, i int) error {
					f := c.fails[i]
					if f.err == nil {
						<-ctx.Done()
						return ctx.Err()
					}
					select {
					case <-time.After(f.after):
						return f.err
					case <-ctx.Done():
						return ctx.Err()
					}
				})
				e, ok := errors.AsType[*Error](err)
				if !ok || e.Party != c.party || e.Code != c.code {
					t.Errorf("got %v, want %s of party %d", err, c.code, c.party)
				}
				if d := time.Since(start); d != c.after {
					t.Errorf("after %v, want %v", d, c.after)
				}
			})
		})
	}
}

func TestEachObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := threeParties().each(ctx, "step", 0, func(ctx context.Context, i int) error {
			<-ctx.Done()
			return io.ErrUnexpectedEOF
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestErrorNamesPartyStepAndName(t *testing.T) {
	c := threeParties()
	e := c.named(wire.Error{Code: wire.CodeVersion, Party: 1, Step: "hello", Message: "differs", Hint: "deploy"})
	if want := "hello: party 1 (b): differs"; e.Error() != want {
		t.Errorf("got %q, want %q", e.Error(), want)
	}
	if e := c.named(wire.Error{Party: 200}); e.Name != "" {
		t.Errorf("a party that is none has the name %q", e.Name)
	}
}

func TestRepeatable(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&Error{Code: CodeMaterial, unshared: true}, true},
		{&Error{Code: CodeProgram, unshared: true}, true},
		{&Error{Code: CodeVersion, unshared: true}, true},
		{&Error{Code: CodeMaterial}, false}, // shares have been sent
		{&Error{Code: CodeUnreachable, unshared: true}, false},
		{io.EOF, false},
	} {
		if got := repeatable(c.err); got != c.want {
			t.Errorf("%+v: got %v", c.err, got)
		}
	}
}

package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// What parties report.
type (
	// Status is the state of one party.
	Status = wire.Status
	// ModelStatus is what a party says about one model.
	ModelStatus = wire.ModelStatus
	// BatchStats says what one batch of material cost one party.
	BatchStats = wire.BatchStats
	// SessionStats says what one session cost one party.
	SessionStats = wire.SessionStats
	// StepStats is the cost of one step.
	StepStats = wire.StepStats
	// A Code says what kind of failure an [Error] is.
	Code = wire.Code
	// An ID names a session or a version.
	ID = wire.ID
)

// The codes of an [Error].
const (
	CodeRequest     = wire.CodeRequest
	CodeInput       = wire.CodeInput
	CodeModel       = wire.CodeModel
	CodeNotAllowed  = wire.CodeNotAllowed
	CodeReplay      = wire.CodeReplay
	CodeVersion     = wire.CodeVersion
	CodeProgram     = wire.CodeProgram
	CodeSuite       = wire.CodeSuite
	CodeMaterial    = wire.CodeMaterial
	CodePool        = wire.CodePool
	CodeBusy        = wire.CodeBusy
	CodeUnreachable = wire.CodeUnreachable
	CodeSession     = wire.CodeSession
	CodeStorage     = wire.CodeStorage
	CodeStopping    = wire.CodeStopping
	CodeInternal    = wire.CodeInternal
)

// Nobody is the Party of an error that no party is responsible for.
const Nobody = wire.Nobody

// An Error says which party failed, at which step, and what to do about it.
type Error struct {
	Code    Code
	Party   int    // index of the party, or Nobody
	Name    string // of the party
	Step    string
	Message string
	Hint    string
	Err     error // what happened on the way to that party, or nil

	unshared bool // no share of an input had been sent
	rank     int  // see the function
}

func (e *Error) Error() string {
	var s strings.Builder
	if e.Step != "" {
		s.WriteString(e.Step + ": ")
	}
	if e.Party != Nobody {
		fmt.Fprintf(&s, "party %d (%s): ", e.Party, e.Name)
	}
	s.WriteString(e.Message)
	return s.String()
}

// Unwrap returns what happened on the way to the party, or nil.
func (e *Error) Unwrap() error { return e.Err }

// named turns what a party reported into an Error.
func (c *Client) named(e wire.Error) *Error {
	out := &Error{Code: e.Code, Party: e.Party, Step: e.Step, Message: e.Message, Hint: e.Hint}
	if e.Party >= 0 && e.Party < len(c.parties) {
		out.Name = c.parties[e.Party].Name
	}
	return out
}

// invalid is an error of the caller's own making.
func (c *Client) invalid(code Code, step, message string) *Error {
	return c.named(wire.Error{Code: code, Party: Nobody, Step: step, Message: message})
}

// blame turns the failure of a call to party i into an Error: what the party
// reported, or that it cannot be reached.
func (c *Client) blame(i int, step string, err error) *Error {
	if sent, ok := errors.AsType[*wire.Error](err); ok {
		return c.named(*sent)
	}
	if made, ok := errors.AsType[*Error](err); ok {
		return made
	}
	e := c.named(wire.Error{
		Code: CodeUnreachable, Party: i, Step: step, Message: "connection failed: " + err.Error(),
		Hint: "check that the party runs, that its address is right, and that it lists this client",
	})
	switch {
	case errors.Is(err, wire.ErrMalformed):
		e.Code, e.Message, e.Hint = CodeSuite, err.Error(), "run the same release of tacit everywhere"
	case errors.Is(err, p2p.ErrNotAllowed):
		e.Code, e.Message, e.Hint = CodeNotAllowed, "does not list this client", "add the client's identity to the deployment file"
	case errors.Is(err, p2p.ErrBusy):
		e.Code, e.Message, e.Hint = CodeBusy, "serves too many requests of this client", "retry later"
	}
	e.Err = err
	return e
}

// direct reports whether e is about this client's own connection to a party,
// and not hearsay.
func (e *Error) direct() bool { return e.Err != nil }

// settleTime is how long a client, told by one party that another has failed,
// waits for better knowledge: its own connection to that one, or what that one
// has to say for itself.
const settleTime = time.Second / 2

// errNoAnswer means that a party did not answer in time.
var errNoAnswer = errors.New("no answer")

// each runs f for every party at the same time, for at most limit unless that
// is 0. If one fails, the contexts of all end, and the error is the one that
// says most about the cause.
func (c *Client) each(ctx context.Context, step string, limit time.Duration, f func(ctx context.Context, i int) error) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	ends, failed := make(chan int), make([]error, len(c.parties))
	running := map[int]bool{}
	for i := range c.parties {
		running[i] = true
		go func() {
			failed[i] = f(inner, i)
			ends <- i
		}()
	}
	var late, settled <-chan time.Time
	if limit > 0 {
		late = time.After(limit)
	}
	var best *Error
	for len(running) > 0 {
		select {
		case i := <-ends:
			delete(running, i)
			if failed[i] == nil || inner.Err() != nil { // after cancel, failures are our own doing
				continue
			}
			if best = better(best, c.blame(i, step, failed[i]), i); best.rank < hearsay {
				cancel()
			} else if settled == nil {
				settled = time.After(settleTime)
			}
		case <-late:
			if best == nil {
				best = c.blame(slices.Min(slices.Collect(maps.Keys(running))), step, fmt.Errorf("%w within %v", errNoAnswer, limit))
			}
			cancel()
		case <-settled:
			cancel()
		}
	}
	if best != nil {
		return best
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", step, context.Cause(ctx))
	}
	return nil
}

// better returns the one of two failures that says more about the cause; e
// comes from a call to party from.
func better(best, e *Error, from int) *Error {
	if e.rank = rank(e, from); best == nil || e.rank < best.rank {
		return e
	}
	return best
}

// hearsay is the rank of what one party says about another.
const hearsay = 2

// rank orders failures of calls to a party by how much they say about the
// cause: a connection of our own that broke, then what a party says about
// itself or the request, then what it says about others.
func rank(e *Error, from int) int {
	switch {
	case e.direct():
		return 0
	case e.Party == from || e.Party == Nobody:
		return 1
	}
	return hearsay
}

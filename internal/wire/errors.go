package wire

import (
	"fmt"
	"strings"
	"unicode"
)

// KindError is the kind of an [Error].
const KindError Kind = "error"

// Nobody is the Party of an error that no party is responsible for.
const Nobody = -1

// A Code says what kind of failure an [Error] is, for programs.
type Code string

const (
	// CodeRequest: the request makes no sense, whoever serves it.
	CodeRequest Code = "bad-request"
	// CodeInput: the input does not fit the model.
	CodeInput Code = "bad-input"
	// CodeModel: no model of this name is deployed.
	CodeModel Code = "unknown-model"
	// CodeNotAllowed: the peer does not have the role for this.
	CodeNotAllowed Code = "not-allowed"
	// CodeReplay: a request with this id was seen before.
	CodeReplay Code = "replayed"
	// CodeVersion: model versions differ.
	CodeVersion Code = "version-mismatch"
	// CodeProgram: manifests or programs differ.
	CodeProgram Code = "program-mismatch"
	// CodeSuite: protocols, message versions or identities differ.
	CodeSuite Code = "suite-mismatch"
	// CodeMaterial: a party does not hold the proposed material.
	CodeMaterial Code = "material-mismatch"
	// CodePool: no preprocessed inference became ready in time.
	CodePool Code = "pool-empty"
	// CodeBusy: a limit of concurrent work is reached.
	CodeBusy Code = "busy"
	// CodeUnreachable: no connection to a party, or it broke.
	CodeUnreachable Code = "unreachable"
	// CodeSession: a party failed while the session ran.
	CodeSession Code = "session-failed"
	// CodeStorage: a disk failed or is full.
	CodeStorage Code = "storage"
	// CodeStopping: the party shuts down.
	CodeStopping Code = "stopping"
	// CodeInternal: a bug.
	CodeInternal Code = "internal"
)

// An Error is a failure that crosses the wire. It never holds a secret.
type Error struct {
	// Code is for programs, the rest for people.
	Code Code `json:"code"`
	// Party is the index of the party that is responsible, or [Nobody].
	Party int `json:"party"`
	// Step is what was going on.
	Step string `json:"step,omitempty"`
	// Message says what went wrong.
	Message string `json:"message"`
	// Hint says what may be done about it.
	Hint string `json:"hint,omitempty"`
}

// Kind implements [Message].
func (Error) Kind() Kind { return KindError }

// Error implements error.
func (e Error) Error() string {
	var s strings.Builder
	if e.Step != "" {
		s.WriteString(e.Step + ": ")
	}
	if e.Party != Nobody {
		fmt.Fprintf(&s, "party %d: ", e.Party)
	}
	s.WriteString(e.Message)
	return s.String()
}

// Validate implements [Message].
func (e Error) Validate() error {
	return check(map[string]bool{
		"error code":  e.Code != "" && len(e.Code) <= 64,
		"error party": e.Party >= Nobody && e.Party < 256,
	})
}

// received returns the error a peer sent, safe to print on a terminal.
func (e Error) received() *Error {
	e.Step, e.Message, e.Hint = printable(e.Step), printable(e.Message), printable(e.Hint)
	return &e
}

func printable(s string) string {
	const limit = 1000
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}

// Package transport connects the parties of one session.
//
// It moves opaque messages of agreed length and counts them. It knows nothing
// of shares, circuits or models. A [Mesh] is one party's end of a session; its
// links are made by [NewLink] over any ordered, encrypted byte stream, such as
// those of package p2p, or by [Pipe] in memory.
//
// # Wire format
//
// A [Link] carries frames in both directions. Integers are little endian.
//
//	offset  size  field
//	0       4     length of the payload, at most MaxMessage
//	4       4     sequence number: 0, 1, 2, ... in each direction
//	8       8     first 8 bytes of SHA-256 of the step name
//	16      1     type: 0 data, 1 abort
//	17            payload
//
// The receiver knows length, sequence number and step of the frame that comes
// next and compares them before it reads the payload, so that a replayed,
// reordered or desynchronised message is an error that sizes no allocation.
//
// The payload of an abort frame is the index of the party held responsible, 2
// bytes, and the name of the step that failed, at most MaxStep bytes of UTF-8.
// It may come in place of any data frame, and is the last frame of its
// direction.
package transport

import (
	"errors"
	"fmt"
)

var (
	// ErrDesync means that a peer ran a different step than we did, or the
	// same step on operands of another size.
	ErrDesync = errors.New("parties are out of step")
	// ErrGone means that a peer closed the link, or that it died.
	ErrGone = errors.New("connection closed")
	// ErrClosed means that this party closed the session itself.
	ErrClosed = errors.New("session closed")
	// ErrTimeout means that a peer did not do its part of a step in time.
	ErrTimeout = errors.New("timed out")
)

// A PeerError says with which party, and at which step, a session failed.
type PeerError struct {
	Party int
	Step  string
	Err   error
}

func (e *PeerError) Error() string { return fmt.Sprintf("%s: party %d: %v", e.Step, e.Party, e.Err) }
func (e *PeerError) Unwrap() error { return e.Err }

// An AbortError is what [Link.Recv] returns when the peer ended the session.
// Party is the one that the peer holds responsible, which may be itself.
type AbortError struct {
	Party int
	Step  string
}

func (e *AbortError) Error() string {
	return fmt.Sprintf("ended the session: party %d failed at %q", e.Party, e.Step)
}

// A Link is an ordered, authenticated and confidential channel to one party.
// One call of Send and one of Recv may run at the same time.
type Link interface {
	// Send sends msg, which the caller may change once Send returns.
	Send(step string, msg []byte) error
	// Recv fills msg. The receiver knows how much it expects, so that no
	// length chosen by a peer ever sizes an allocation.
	Recv(step string, msg []byte) error
	// Abort tells the peer, as far as the link still works, which party made
	// the session fail, and closes the link.
	Abort(party int, step string)
	// Close makes pending and later calls fail, here and at the peer. What
	// was sent before still arrives.
	Close() error
}

// Stats counts the traffic of one step, or of all steps, of a [Mesh]. A round
// is one exchange: all parties send, then all receive. Bytes are payload; see
// [Mesh.Frames] for what comes on top.
type Stats struct {
	Step           string
	Rounds         int
	Sent, Received int64
}

func (s *Stats) add(o Stats) {
	s.Rounds += o.Rounds
	s.Sent += o.Sent
	s.Received += o.Received
}

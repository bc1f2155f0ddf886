// Package wire is the language of clients and parties: who asks what of whom,
// and how the answer looks. The protocols themselves speak through
// [github.com/tacit-mpc/tacit/transport] and do not come here.
//
// A message is a header and, for some kinds, a payload:
//
//	length of the header, 4 bytes, little endian
//	header: {"v": 1, "kind": "...", "body": {...}}, JSON
//	payload: binary, of a length that the receiver knows from what came before
//
// Headers are strict: an unknown field, a second value, another version, or
// more than [MaxHeader] bytes is an error. A length that a peer declares bounds
// what is read; memory grows only with what has arrived.
//
// The first message of a stream travels in the header of the stream itself,
// without the length, as [Encode] returns it.
package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// Version is the version of this language. Parties and clients of different
// versions do not talk.
const Version = 1

// Suite names the protocols and their parameters. All parties of a session run
// the same; see docs/protocols.md.
const Suite = "tacit-2 passive n-1: resident Beaver (RLWE), SoftSpoken OT, masked comparison, OT triples"

const (
	// MaxHeader bounds the header of a message, in bytes.
	MaxHeader = 64 << 10
	// MaxManifest bounds the manifest of a model, in bytes.
	MaxManifest = 256 << 20
	// MaxReport bounds statistics and status reports, in bytes.
	MaxReport = 4 << 20
)

// ErrMalformed means that a peer sent what this language does not know.
var ErrMalformed = errors.New("malformed message")

// A Kind names a message.
type Kind string

// A Message is the body of a header.
type Message interface {
	// Kind names the message.
	Kind() Kind
	// Validate refuses values that no honest peer sends.
	Validate() error
}

type envelope struct {
	V    int             `json:"v"`
	Kind Kind            `json:"kind"`
	Body json.RawMessage `json:"body"`
}

// Encode returns the header that carries m.
func Encode(m Message) ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("%s message: %w", m.Kind(), err)
	}
	header, err := json.Marshal(envelope{Version, m.Kind(), body})
	if err != nil {
		return nil, fmt.Errorf("%s message: %w", m.Kind(), err)
	}
	if len(header) > MaxHeader {
		return nil, fmt.Errorf("%s message: header of %d bytes, at most %d", m.Kind(), len(header), MaxHeader)
	}
	return header, nil
}

// KindOf returns the kind of the message in header.
func KindOf(header []byte) (Kind, error) {
	e, err := open(header)
	return e.Kind, err
}

// Decode returns the message of type T in header. When the peer sent an
// [*Error] instead, that is the error.
func Decode[T Message](header []byte) (T, error) {
	var m T
	e, err := open(header)
	if err != nil {
		return m, err
	}
	if e.Kind == KindError && m.Kind() != KindError {
		var sent Error
		if err := body(e, &sent); err != nil {
			return m, err
		}
		return m, sent.received()
	}
	if e.Kind != m.Kind() {
		return m, fmt.Errorf("%w: %q, want %q", ErrMalformed, e.Kind, m.Kind())
	}
	err = body(e, &m)
	return m, err
}

func open(header []byte) (envelope, error) {
	var e envelope
	if len(header) > MaxHeader {
		return e, fmt.Errorf("%w: header of %d bytes, at most %d", ErrMalformed, len(header), MaxHeader)
	}
	if err := strict(header, &e); err != nil {
		return e, err
	}
	if e.V != Version {
		return e, &Error{
			Code: CodeSuite, Party: Nobody, Step: "read message",
			Message: fmt.Sprintf("peer speaks version %d of the control messages, we speak %d", e.V, Version),
			Hint:    "run the same release of tacit everywhere",
		}
	}
	return e, nil
}

func body[T Message](e envelope, m *T) error {
	if err := strict(e.Body, m); err != nil {
		return fmt.Errorf("%s: %w", e.Kind, err)
	}
	if err := (*m).Validate(); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrMalformed, e.Kind, err)
	}
	return nil
}

// strict decodes the one JSON value in b and refuses unknown fields.
func strict[T any](b []byte, v *T) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: more than one value", ErrMalformed)
	}
	return nil
}

// Write sends m and its payload, if any, in one call of w.Write.
func Write(w io.Writer, m Message, payload ...[]byte) error {
	header, err := Encode(m)
	if err != nil {
		return err
	}
	size := 4 + len(header)
	for _, p := range payload {
		size += len(p)
	}
	b := make([]byte, 4, size)
	binary.LittleEndian.PutUint32(b, uint32(len(header)))
	b = append(b, header...)
	for _, p := range payload {
		b = append(b, p...)
	}
	_, err = w.Write(b)
	return err
}

// Read receives a message of type T; see [Decode]. Its payload, if any, is next
// in r.
func Read[T Message](r io.Reader) (T, error) {
	var m T
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return m, err
	}
	n := binary.LittleEndian.Uint32(size[:])
	if n > MaxHeader {
		return m, fmt.Errorf("%w: header of %d bytes, at most %d", ErrMalformed, n, MaxHeader)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return m, midway(err)
	}
	return Decode[T](header)
}

// ReadPayload receives the n bytes that a peer declared, where n ≤ limit.
func ReadPayload(r io.Reader, n, limit int64) ([]byte, error) {
	if n < 0 || n > limit {
		return nil, fmt.Errorf("%w: payload of %d bytes, at most %d", ErrMalformed, n, limit)
	}
	var b bytes.Buffer
	if _, err := io.CopyN(&b, r, n); err != nil {
		return nil, midway(err)
	}
	return b.Bytes(), nil
}

// midway reports an end of the stream inside a message as the failure it is.
func midway(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// check is the body of a Validate method: it names what is wrong, if anything is.
func check(must map[string]bool) error {
	for _, what := range slices.Sorted(maps.Keys(must)) {
		if !must[what] {
			return errors.New(what)
		}
	}
	return nil
}

package transport

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// FrameHeader is the length in bytes of what precedes every message on
	// the wire.
	FrameHeader = 17
	// MaxMessage is the length in bytes of the longest message.
	MaxMessage = 1 << 30
	// MaxStep is the length in bytes of the longest step name that an abort
	// frame carries; longer ones are cut.
	MaxStep = 128
)

// A frameType says what the payload of a frame is.
type frameType uint8

const (
	dataFrame frameType = iota
	abortFrame
)

// A header is what precedes every payload. Two headers are comparable, which
// is how a receiver checks what it gets against what it expects.
type header struct {
	length, sequence uint32
	digest           [8]byte
	kind             frameType
}

// digest names a step on the wire.
func digest(step string) [8]byte {
	sum := sha256.Sum256([]byte(step))
	return [8]byte(sum[:8])
}

func appendHeader(b []byte, h header) []byte {
	b = binary.LittleEndian.AppendUint32(b, h.length)
	b = binary.LittleEndian.AppendUint32(b, h.sequence)
	b = append(b, h.digest[:]...)
	return append(b, byte(h.kind))
}

func parseHeader(b *[FrameHeader]byte) header {
	return header{
		length:   binary.LittleEndian.Uint32(b[0:]),
		sequence: binary.LittleEndian.Uint32(b[4:]),
		digest:   [8]byte(b[8:16]),
		kind:     frameType(b[16]),
	}
}

// mismatch explains how got differs from want, the frame of step.
func mismatch(got, want header, step string) error {
	var what string
	switch {
	case got.kind != want.kind:
		what = fmt.Sprintf("frame of type %d", got.kind)
	case got.sequence != want.sequence:
		what = fmt.Sprintf("message %d", got.sequence)
	case got.digest != want.digest:
		what = fmt.Sprintf("another step, %d bytes", got.length)
	default:
		what = fmt.Sprintf("%d bytes", got.length)
	}
	return fmt.Errorf("%w: want message %d, %q, %d bytes; got %s", ErrDesync, want.sequence, step, want.length, what)
}

// appendAbort appends the payload of an abort frame.
func appendAbort(b []byte, party int, step string) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(party))
	return append(b, step...)
}

// parseAbort decodes the payload of an abort frame.
func parseAbort(b []byte) (*AbortError, error) {
	if len(b) < 2 || len(b) > 2+MaxStep {
		return nil, fmt.Errorf("%w: abort frame of %d bytes", ErrDesync, len(b))
	}
	return &AbortError{int(binary.LittleEndian.Uint16(b)), printable(string(b[2:]))}, nil
}

// printable replaces what could upset a terminal or a log.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// cut shortens s to MaxStep bytes, between characters.
func cut(s string) string {
	if len(s) <= MaxStep {
		return s
	}
	n := MaxStep
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

package p2p

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// MaxHeader is the length in bytes of the longest header of a stream.
const MaxHeader = 64 << 10

var (
	// ErrNotAllowed means that the peer does not list our identity.
	ErrNotAllowed = errors.New("the peer does not allow our identity")
	// ErrBusy means that the peer has as many of our streams as it accepts.
	ErrBusy = errors.New("the peer accepts no further streams")
	// ErrClosed means that this node was closed.
	ErrClosed = errors.New("node closed")

	errHello = errors.New("malformed hello")
)

const helloVersion = 1

// appendHello appends what opens a stream: a version byte, the length of the
// header in 4 bytes, little endian, and the header.
func appendHello(b, header []byte) []byte {
	b = append(b, helloVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	return append(b, header...)
}

// readHello reads a hello and returns its header.
func readHello(r io.Reader) ([]byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("%w: %w", errHello, err)
	}
	n := binary.LittleEndian.Uint32(head[1:])
	if head[0] != helloVersion || n > MaxHeader {
		return nil, fmt.Errorf("%w: version %d, header of %d bytes", errHello, head[0], n)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, fmt.Errorf("%w: %w", errHello, err)
	}
	return header, nil
}

// An answer is the second of the two bytes that answer a hello. The first is
// the version.
type answer byte

// answerLen is the length of an answer with its version, in bytes.
const answerLen = 2

const (
	welcome answer = iota
	notAllowed
	busy
	malformed
)

func writeAnswer(w io.Writer, a answer) error {
	_, err := w.Write([]byte{helloVersion, byte(a)})
	return err
}

// readAnswer reads an answer and returns it as an error, or nil for welcome.
func readAnswer(r io.Reader) error {
	var b [answerLen]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return fmt.Errorf("no answer to the hello: %w", err)
	}
	if b[0] != helloVersion {
		return fmt.Errorf("answer to the hello has version %d, want %d", b[0], helloVersion)
	}
	switch answer(b[1]) {
	case welcome:
		return nil
	case notAllowed:
		return ErrNotAllowed
	case busy:
		return ErrBusy
	default:
		return fmt.Errorf("the peer refused the stream with code %d", b[1])
	}
}

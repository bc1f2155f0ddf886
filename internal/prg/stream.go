package prg

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// A Stream is an endless pseudorandom byte string, AES-128 in counter mode:
// block i is π(nonce ‖ i), the counter in the last 8 bytes, big-endian. It is
// the same string whatever the processor and the sizes of the reads. A Stream
// serves one goroutine.
type Stream struct {
	key
	std   cipher.Stream // counter mode of the standard library, or nil for the kernel
	nonce uint64        // the first 8 bytes of the counter block
	next  uint64        // counter, in the kernel's case
	buf   [64]byte      // drawn and not yet read: the last have bytes
	have  int
}

// Format implements [fmt.Formatter] and hides the stream from every verb.
func (s *Stream) Format(f fmt.State, _ rune) { fmt.Fprint(f, "Stream") }

// NewStream returns the stream of a secret seed for one use of it, named by the
// label and the numbers in index. Different names give independent streams.
func NewStream(seed [32]byte, label string, index ...uint64) *Stream {
	d := derive(seed[:], "stream", label, index)
	return newStream(Block{le64(d[0:]), le64(d[8:])}, le64(d[16:]))
}

// NewKeyStream returns the stream under k itself, which is uniform and used for
// nothing else, such as a leaf of a tree of [GGM] steps. It is much cheaper to
// set up than [NewStream].
func NewKeyStream(k Block) *Stream { return newStream(k, 0) }

func newStream(k Block, nonce uint64) *Stream {
	s := &Stream{key: newKey(k, use < vaes512), nonce: nonce}
	if use < vaes512 {
		var iv [16]byte
		binary.LittleEndian.PutUint64(iv[:], nonce)
		s.std = cipher.NewCTR(s.key.std, iv[:])
	}
	return s
}

// Read fills p with the next bytes of the stream. It never fails.
func (s *Stream) Read(p []byte) (int, error) {
	n := len(p)
	done := copy(p, s.buf[len(s.buf)-s.have:])
	s.have -= done
	p = p[done:]
	if whole := len(p) &^ (len(s.buf) - 1); whole > 0 {
		s.fill(p[:whole])
		p = p[whole:]
	}
	if len(p) > 0 {
		s.fill(s.buf[:])
		s.have = len(s.buf) - copy(p, s.buf[:])
	}
	return n, nil
}

// fill draws whole multiples of 64 bytes.
func (s *Stream) fill(p []byte) {
	if s.std == nil {
		ctrKernel(p, &s.rk, s.nonce, s.next)
		s.next += uint64(len(p) / 16)
		return
	}
	clear(p)
	s.std.XORKeyStream(p, p)
}

// Blocks fills dst with the next 16·len(dst) bytes of the stream.
func (s *Stream) Blocks(dst []Block) { s.Read(Bytes(dst)) }

// DeriveBlock returns a block for one use of a seed of any length, named by the
// label and the numbers in index. With a public seed it makes the public keys of
// hashes, with a secret one secret keys.
func DeriveBlock(seed []byte, label string, index ...uint64) Block {
	d := derive(seed, "block", label, index)
	return Block{le64(d[0:]), le64(d[8:])}
}

// derive is HKDF-SHA256 without salt, with an injective encoding of the domain,
// the label and the index as its info.
func derive(seed []byte, domain, label string, index []uint64) []byte {
	var info []byte
	for _, s := range []string{"tacit", domain, label} {
		info = binary.LittleEndian.AppendUint64(info, uint64(len(s)))
		info = append(info, s...)
	}
	for _, i := range index { // to the end, so their number needs no encoding
		info = binary.LittleEndian.AppendUint64(info, i)
	}
	d, err := hkdf.Key(sha256.New, seed, nil, string(info), 24)
	if err != nil {
		panic(err) // only for an absurd length
	}
	return d
}

func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

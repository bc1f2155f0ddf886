package ot

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cloudflare/circl/group"
)

// The base OTs run in ristretto255: unlike circl's P-256 it adds a point and
// the identity in the same time as two points, and which of the two the
// receiver adds is the choice.
var suite = group.Ristretto255

// elementLen is the length of an encoded element.
const elementLen = 32

// ErrElement means that a peer sent something else than the canonical encoding
// of an element of the group other than the identity.
var ErrElement = errors.New("not a group element")

// encodeElement appends the encoding of e to dst.
func encodeElement(dst []byte, e group.Element) ([]byte, error) {
	b, err := e.MarshalBinaryCompress()
	if err == nil && len(b) != elementLen {
		err = ErrElement
	}
	return append(dst, b...), err
}

// decodeElement is the inverse of [encodeElement], for bytes from a peer.
func decodeElement(b []byte) (e group.Element, err error) {
	if len(b) != elementLen {
		return nil, ErrElement
	}
	err = guard(func() error {
		e = suite.NewElement()
		if e.UnmarshalBinary(b) != nil || e.IsIdentity() {
			return ErrElement
		}
		again, err := e.MarshalBinaryCompress()
		if err != nil || !bytes.Equal(again, b) {
			return ErrElement
		}
		return nil
	})
	return e, err
}

// guard calls f, which works on what a peer sent, and turns a panic of the
// group library into an error.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("group operation: %v", r)
		}
	}()
	return f()
}

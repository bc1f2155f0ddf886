package ot

import "github.com/tacit-mpc/tacit/internal/prg"

// packBits packs bytes of value 0 or 1, the first in the lowest bit, and pads
// with zeros to the length of dst.
func packBits(dst []byte, x []uint8) { prg.PackBits(dst, x) }

// unpackBits is the inverse of [packBits].
func unpackBits(x []uint8, src []byte) { prg.UnpackBits(x, src) }

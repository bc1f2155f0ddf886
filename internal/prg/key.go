package prg

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"sync"
)

// A level is an implementation of AES and of the operations on blocks.
type level int

const (
	portable level = iota // crypto/aes
	aesNI                 // 8 blocks side by side
	vaes256               // VAES and AVX2
	vaes512               // VAES, GFNI and AVX-512
)

func (l level) String() string { return [...]string{"portable", "aesni", "vaes256", "vaes512"}[l] }

// use is the level in force. Only tests change it.
var use = best()

// roundKeys is an expanded AES-128 key in memory order.
type roundKeys = [176]byte

// A key is AES-128 under one key, in the form that the level in force needs.
type key struct {
	rk  roundKeys    // above portable
	std cipher.Block // at portable, or if asked for
}

func newKey(k Block, std bool) key {
	var e key
	if use > portable {
		expandKey(&e.rk, &k)
	}
	if std || use == portable {
		var b [16]byte
		binary.LittleEndian.PutUint64(b[:], k[0])
		binary.LittleEndian.PutUint64(b[8:], k[1])
		c, err := aes.NewCipher(b[:])
		if err != nil {
			panic(err) // the length is right
		}
		e.std = c
	}
	return e
}

// states are the blocks that crypto/aes works on. Its Encrypt is an interface
// call, so what it is given escapes to the heap: with buffers from a pool that
// is not the caller's memory.
type states [64]Block

var statePool = sync.Pool{New: func() any { return new(states) }}

// portableBlocks sets dst[i] = π(s) ⊕ s for the states s = s(i), a run at a
// time. fill writes the states from s(i) on; it reads what dst may overlap only
// at i or later.
func (e *key) portableBlocks(dst []Block, fill func(st []Block, i int)) {
	st := statePool.Get().(*states)
	for i := 0; i < len(dst); i += len(st) {
		run := dst[i:min(i+len(st), len(dst))]
		fill(st[:len(run)], i)
		copy(run, st[:])
		b := Bytes(st[:len(run)])
		for j := 0; j < len(b); j += 16 {
			e.std.Encrypt(b[j:j+16], b[j:j+16])
		}
		XorInto(run, st[:len(run)])
	}
	clear(st[:min(len(st), len(dst))])
	statePool.Put(st)
}

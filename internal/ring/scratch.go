package ring

import "sync"

// zeros is memory that was used and is zero again: what passes through it may be
// secret, and padding need not be written.
type zeros struct{ words []uint64 }

var unused = sync.Pool{New: func() any { return new(zeros) }}

// takeZeros returns n words that are zero.
func takeZeros(n int) *zeros {
	b := unused.Get().(*zeros)
	if cap(b.words) < n {
		b.words = make([]uint64, n)
	}
	b.words = b.words[:n]
	return b
}

func (b *zeros) giveBack() {
	clear(b.words)
	unused.Put(b)
}

package ot

import "github.com/tacit-mpc/tacit/internal/prg"

// spread repeats every block n times, in the buffer that the hashes go to.
func (s *Session) spread(src []prg.Block, n int) []prg.Block {
	if n == 1 {
		return src
	}
	dst := s.buf.h[:len(src)*n]
	for i, b := range src {
		for j := range dst[i*n : (i+1)*n] {
			dst[i*n+j] = b
		}
	}
	return dst
}

// hashWords cuts the words of the columns, of the given width and of any higher
// bits, out of the hash outputs of every element.
func hashWords(dst []uint64, h []prg.Block, cols, width int) {
	if cols == 1 {
		for e := range dst {
			dst[e] = h[e][0]
		}
		return
	}
	per, shift := wordsPerHalf(width), uint(width)&63
	for ; len(dst) > 0; dst = dst[cols:] {
		row := dst[:cols]
		if per == 1 {
			h = wholeWords(row, h)
			continue
		}
		for len(row) > 0 {
			for _, half := range h[0] {
				n := min(per, len(row))
				for c := range row[:n] {
					row[c] = half
					half >>= shift
				}
				row = row[n:]
			}
			h = h[1:]
		}
	}
}

// wholeWords fills the row with halves of hash outputs and returns the rest of them.
func wholeWords(row []uint64, h []prg.Block) []prg.Block {
	whole := len(row) / 2
	for b, x := range h[:whole] {
		pair := row[2*b:][:2]
		pair[0], pair[1] = x[0], x[1]
	}
	if len(row)%2 == 1 {
		row[2*whole] = h[whole][0]
		whole++
	}
	return h[whole:]
}

// addScaled adds bit·d to w, where a bit is for cols words, in constant time.
func addScaled(w, d []uint64, bit []uint8, cols int) {
	if cols == 1 {
		addMasked(w, d, bit)
		return
	}
	for e, b := range bit {
		mask := -uint64(b)
		row, from := w[e*cols:][:cols], d[e*cols:][:cols]
		for c := range row {
			row[c] += from[c] & mask
		}
	}
}

// fill sets d to the rows of V that meet the elements.
func (r OwnRequest) fill(d []uint64) {
	for e := r.First; len(d) > 0; {
		row, k := e/r.Inner, e%r.Inner
		n := min(r.Inner-k, len(d)/r.Cols) // to the end of the row
		if r.Rows == 1 {
			n = len(d) / r.Cols // rows of V follow one another
		}
		copy(d[:n*r.Cols], r.V[(row/r.Rows*r.Inner+k)*r.Cols:])
		d, e = d[n*r.Cols:], e+n
	}
}

// add adds 2ᵏ times the words w of a piece to Z.
func (r OwnRequest) add(w []uint64, p ownPiece) {
	cols, e := p.c1-p.c0, r.First+p.lo
	if r.Inner == 1 {
		z := r.Z[e*r.Cols+p.c0:][:len(w)]
		for i, x := range w {
			z[i] += x << p.k
		}
		return
	}
	for ; len(w) > 0; w, e = w[cols:], e+1 {
		z := r.Z[e/r.Inner*r.Cols+p.c0:][:cols]
		for c, x := range w[:cols] {
			z[c] += x << p.k
		}
	}
}

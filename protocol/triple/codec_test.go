package triple

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/tacit-mpc/tacit/internal/ring"
)

func TestPolynomialsOnTheWire(t *testing.T) {
	every(t, func(t *testing.T, s *scheme) {
		p, q := s.r.NewPoly(), s.r.NewPoly()
		s.sampler([32]byte{1}, "test").uniform(p)
		b := s.appendPoly(nil, p)
		if len(b) != s.polyBytes() {
			t.Fatalf("%d bytes, want %d", len(b), s.polyBytes())
		}
		if err := s.parsePoly(q, b); err != nil || !q.Equals(p) {
			t.Fatalf("read back another polynomial, error %v", err)
		}
		for i, prime := range s.primes { // the largest residue, and one more
			c := slices.Clone(p.Coeffs[i])
			for _, v := range []uint64{prime - 1, prime} {
				p.Coeffs[i][degree-1] = v
				if err := s.parsePoly(q, s.appendPoly(nil, p)); (err != nil) != (v == prime) || err != nil && !errors.Is(err, ErrResidue) {
					t.Errorf("%d modulo %d: error %v", v, prime, err)
				}
			}
			copy(p.Coeffs[i], c)
		}
	})
}

func FuzzParsePoly(f *testing.F) {
	var all []*scheme
	for i := range suites {
		s, err := schemes[i]()
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, s)
	}
	f.Add([]byte{})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, pattern []byte) {
		for _, s := range all {
			b := filled(s.polyBytes(), pattern)
			p := s.r.NewPoly()
			if err := s.parsePoly(p, b); err != nil {
				if !errors.Is(err, ErrResidue) {
					t.Fatal(err)
				}
				continue
			}
			for i, q := range s.primes {
				if slices.Max(p.Coeffs[i]) >= q {
					t.Fatalf("a residue is not below %d", q)
				}
			}
			if !bytes.Equal(s.appendPoly(nil, p), b) {
				t.Fatal("two encodings of one polynomial")
			}
		}
	})
}

func FuzzOpenReply(f *testing.F) {
	s, err := schemes[0]()
	if err != nil {
		f.Fatal(err)
	}
	k := &keys{scheme: s}
	k.generate([32]byte{1}, [32]byte{2})
	d := s.decryptor(k.secret)
	f.Add([]byte{1}, uint8(33), uint8(3))
	f.Add([]byte{0xff}, uint8(0), uint8(200))
	f.Fuzz(func(t *testing.T, pattern []byte, width, useful uint8) {
		w, index := 1+int(width)%s.width, make([]int32, int(useful)+1)
		for i := range index {
			index[i] = int32(i * 31)
		}
		share := make([]uint64, len(index))
		b := filled(replyLen(len(index), w), pattern)
		if err := d.open(b, index, w, share); err != nil {
			if !errors.Is(err, ErrPadding) {
				t.Fatal(err)
			}
			return
		}
		if slices.Max(share) > ring.Mask(w) {
			t.Fatal("a share is not below its modulus")
		}
		n := makeNumbers(len(index))
		c0 := b[numbersLen(degree, w, extra1):]
		if err := n.parse(c0, w, extra0); err != nil || !bytes.Equal(n.append(nil, w, extra0), c0) {
			t.Fatalf("two encodings of one reply, error %v", err)
		}
	})
}

// filled returns n bytes that repeat a pattern.
func filled(n int, pattern []byte) []byte {
	b := make([]byte, n)
	if len(pattern) > 0 {
		for i := 0; i < n; i += copy(b[i:], pattern) {
		}
	}
	return b
}

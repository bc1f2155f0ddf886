package ring

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"testing/iotest"
)

func TestPackingIsBitByBit(t *testing.T) {
	atPackings(t, func(t *testing.T) {
		for k := 1; k <= 64; k++ {
			for _, n := range []int{0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 63, 64, 65, 200} {
				v := random(n)
				if n%2 == 1 {
					v = extreme(n)
				}
				checkPacking(t, v, k)
			}
		}
	})
}

// checkPacking compares with a definition by bits. Every operand ends with its
// array.
func checkPacking(t *testing.T, v []uint64, k int) {
	t.Helper()
	n := len(v)
	const prefix = "before"
	b := AppendPacked([]byte(prefix), v, k)
	if string(b[:len(prefix)]) != prefix || len(b) != len(prefix)+PackedLen(n, k) {
		t.Fatalf("k %d n %d: %d bytes", k, n, len(b))
	}
	b = b[len(prefix):]
	want := make([]byte, len(b)) // the padding is zero
	for i, x := range v {
		for j := range k {
			at := i*k + j
			want[at/8] |= byte(x>>j&1) << (at % 8)
		}
	}
	if !bytes.Equal(b, want) {
		t.Fatalf("k %d n %d: differs", k, n)
	}
	reduced := slices.Clone(v)
	Reduce(reduced, k)
	for _, src := range [][]byte{slices.Clip(slices.Clone(b)), append(b, 0xff)} {
		room := random(n + 16) // whatever is around stays
		got, before := room[8:8+n:8+n], slices.Clone(room)
		Unpack(got, src, k)
		if !slices.Equal(got, reduced) {
			t.Fatalf("k %d n %d: unpacked differs", k, n)
		}
		AddPacked(got, src, k)
		for i := range got {
			if got[i] != 2*reduced[i] {
				t.Fatalf("k %d n %d: element %d added is %x, want %x", k, n, i, got[i], 2*reduced[i])
			}
		}
		if !slices.Equal(room[:8], before[:8]) || !slices.Equal(room[8+n:], before[8+n:]) {
			t.Fatalf("k %d n %d: wrote outside", k, n)
		}
	}
}

func TestPackingOverwritesOldBytes(t *testing.T) {
	atPackings(t, func(t *testing.T) {
		for k := 1; k <= 64; k++ {
			dirty := bytes.Repeat([]byte{0xff}, 200)
			if got, want := AppendPacked(dirty[:0], make([]uint64, 19), k), make([]byte, PackedLen(19, k)); !bytes.Equal(got, want) {
				t.Fatalf("k %d: %x", k, got)
			}
			if after := dirty[PackedLen(19, k):]; !bytes.Equal(after, bytes.Repeat([]byte{0xff}, len(after))) {
				t.Fatalf("k %d: wrote outside", k)
			}
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, uint8(13))
	f.Fuzz(func(t *testing.T, b []byte, width uint8) {
		k := 1 + int(width)%64
		v := make([]uint64, len(b)*8/k)
		Unpack(v, b, k)
		again := AppendPacked(nil, v, k)
		want := slices.Clone(b[:len(again)])
		if spare := len(want)*8 - len(v)*k; spare > 0 {
			want[len(want)-1] &= 0xff >> spare
		}
		if !bytes.Equal(again, want) {
			t.Fatalf("k %d: %x packs to %x", k, b, again)
		}
	})
}

func TestElements(t *testing.T) {
	for k := 1; k <= 64; k++ {
		m := new(big.Int).Lsh(big.NewInt(1), uint(k))
		if got := new(big.Int).SetUint64(Mask(k)); got.Cmp(new(big.Int).Sub(m, big.NewInt(1))) != 0 {
			t.Fatalf("mask of %d: %v", k, got)
		}
		for _, x := range append(extreme(20), random(5)...) {
			s := Signed(x, k)
			if uint64(s)&Mask(k) != x&Mask(k) || (s < 0) != (x>>(k-1)&1 == 1) || k < 64 && (s < -1<<(k-1) || s >= 1<<(k-1)) {
				t.Fatalf("signed %#x mod 2^%d: %d", x, k, s)
			}
		}
	}
}

func TestAddAndSub(t *testing.T) {
	x, y := extreme(33), extreme(33)
	z := slices.Clone(x)
	AddTo(z, y)
	for i := range z {
		if z[i] != x[i]+y[i] {
			t.Fatal("sum", i)
		}
	}
	SubFrom(z, y)
	if !slices.Equal(z, x) {
		t.Fatal("difference")
	}
	Sub(z, y, x)
	for i := range z {
		if z[i] != y[i]-x[i] {
			t.Fatal("difference", i)
		}
	}
	Sub(x, y, x)
	if !slices.Equal(z, x) {
		t.Fatal("difference in place")
	}
}

func TestRandomIsReducedAndReportsErrors(t *testing.T) {
	source := bytes.Repeat([]byte{0xff}, 80)
	v := make([]uint64, 10)
	if err := Random(bytes.NewReader(source), v, 13); err != nil {
		t.Fatal(err)
	}
	for _, x := range v {
		if x != Mask(13) {
			t.Fatalf("%#x", x)
		}
	}
	broken := errors.New("broken")
	if err := Random(iotest.ErrReader(broken), v, 13); !errors.Is(err, broken) {
		t.Fatalf("error %v", err)
	}
}

func BenchmarkPacking(b *testing.B) {
	const n = 10000
	v, sum := random(n), random(n)
	for _, k := range []int{8, 20, 32, 40, 57, 60, 64} {
		packed := AppendPacked(nil, v, k)
		for _, op := range []struct {
			name string
			f    func()
		}{
			{"pack", func() { AppendPacked(packed[:0], v, k) }},
			{"unpack", func() { Unpack(v, packed, k) }},
			{"add", func() { AddPacked(sum, packed, k) }},
		} {
			b.Run(fmt.Sprintf("%s/%d", op.name, k), func(b *testing.B) {
				atPackings(b, func(b *testing.B) {
					for b.Loop() {
						op.f()
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
				})
			})
		}
	}
}

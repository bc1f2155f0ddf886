//go:build !purego

package ring

import "golang.org/x/sys/cpu"

// A layout says where the bits of 8 elements of k bits are, which fill k bytes.
// The assembly knows the order of its fields.
type layout struct {
	gather    [64]byte  // for each byte of the 8 words of k+7 bits that hold an element, the byte of the group
	even, odd [64]byte  // for each byte of the group, the byte of the even or odd word that has its bits
	shift     [8]uint64 // of the element in its word
	mask      uint64    // of an element
	evens     uint64    // bytes of the group that an even element reaches
	odds      uint64
	bytes     uint64 // bytes of the group
}

// layouts are indexed by k. Words of 64 bits hold elements of up to 57.
var layouts = func() (all [58]layout) {
	for k := 1; k < len(all); k++ {
		all[k] = newLayout(k)
	}
	return all
}()

func newLayout(k int) layout {
	l := layout{mask: Mask(k), bytes: Mask(k)}
	for i := range 8 {
		first := i * k / 8
		l.shift[i] = uint64(i * k % 8)
		for j := range 8 {
			l.gather[8*i+j] = byte(min(first+j, 63))
			if at := first + j; 8*at < (i+1)*k {
				if i%2 == 0 {
					l.even[at], l.evens = byte(8*i+j), l.evens|1<<at
				} else {
					l.odd[at], l.odds = byte(8*i+j), l.odds|1<<at
				}
			}
		}
	}
	return l
}

// vbmi is whether bytes can be permuted in registers. Only tests change it.
var vbmi = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VBMI

// packGroups packs the first elements and returns how many, a multiple of 8.
func packGroups(dst []byte, v []uint64, k int) int {
	if n := len(v) / 8; vbmi && n > 0 && 8 <= k && k < len(layouts) {
		_ = dst[n*k-1]
		packVBMI(&dst[0], &v[0], uintptr(n), uintptr(k), &layouts[k].gather[0])
		return 8 * n
	}
	return 0
}

// unpackGroups reads the first elements and returns how many, a multiple of 8.
func unpackGroups(v []uint64, src []byte, k int) int {
	if n := len(v) / 8; vbmi && n > 0 && k < len(layouts) {
		_ = src[n*k-1]
		unpackVBMI(&v[0], &src[0], uintptr(n), uintptr(k), &layouts[k].gather[0])
		return 8 * n
	}
	return 0
}

// addGroups adds the first elements and returns how many, a multiple of 8.
func addGroups(v []uint64, src []byte, k int) int {
	if n := len(v) / 8; vbmi && n > 0 && k < len(layouts) {
		_ = src[n*k-1]
		addPackedVBMI(&v[0], &src[0], uintptr(n), uintptr(k), &layouts[k].gather[0])
		return 8 * n
	}
	return 0
}

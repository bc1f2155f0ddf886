package wire

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
)

// An ID is a digest, a nonce or a random name of 32 bytes.
type ID [32]byte

// String returns the ID in hexadecimal.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Short returns the first 8 hexadecimal digits, for messages to people.
func (id ID) Short() string { return hex.EncodeToString(id[:4]) }

// Compare orders IDs by their bytes.
func (id ID) Compare(other ID) int { return bytes.Compare(id[:], other[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. It accepts what
// MarshalText returns and nothing else.
func (id *ID) UnmarshalText(b []byte) error {
	if len(b) != 2*len(id) || !bytes.Equal(b, bytes.ToLower(b)) {
		return fmt.Errorf("%w: an id has %d lower-case hexadecimal digits", ErrMalformed, 2*len(id))
	}
	if _, err := hex.Decode(id[:], b); err != nil {
		return fmt.Errorf("%w: id: %w", ErrMalformed, err)
	}
	return nil
}

var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ValidName reports whether s can name a model: up to 64 letters, digits, dots,
// dashes and underscores, the first one a letter or a digit. Such a name is
// also a safe file name.
func ValidName(s string) bool { return name.MatchString(s) }

// A Run is material of one batch: the inferences Batch[i] for i in Index.
type Run struct {
	Batch ID       `json:"batch"`
	Index []uint32 `json:"index"`
}

// A Material names the correlated randomness of one inference.
type Material struct {
	Batch ID
	Index uint32
}

// String returns the name of the material as the parties store it.
func (m Material) String() string { return fmt.Sprintf("%s-%06d", m.Batch, m.Index) }

// Compare orders materials by age: batches are numbered in their first bytes.
func (m Material) Compare(o Material) int {
	if c := m.Batch.Compare(o.Batch); c != 0 {
		return c
	}
	return int(m.Index) - int(o.Index)
}

// MaxIndex bounds the number of inferences of a batch.
const MaxIndex = 1 << 20

// Pack groups materials into runs and keeps their order.
func Pack(ms []Material) []Run {
	var runs []Run
	for _, m := range ms {
		if k := len(runs); k == 0 || runs[k-1].Batch != m.Batch {
			runs = append(runs, Run{Batch: m.Batch})
		}
		r := &runs[len(runs)-1]
		r.Index = append(r.Index, m.Index)
	}
	return runs
}

// Unpack is the inverse of [Pack]. It refuses to name a material twice.
func Unpack(runs []Run) ([]Material, error) {
	var ms []Material
	for _, r := range runs {
		for _, i := range r.Index {
			if i >= MaxIndex {
				return nil, fmt.Errorf("%w: material %d of a batch", ErrMalformed, i)
			}
			ms = append(ms, Material{r.Batch, i})
		}
	}
	sorted := slices.SortedFunc(slices.Values(ms), Material.Compare)
	if len(slices.Compact(sorted)) != len(ms) {
		return nil, fmt.Errorf("%w: a material is named twice", ErrMalformed)
	}
	return ms, nil
}

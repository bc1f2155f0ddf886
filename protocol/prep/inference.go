package prep

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/tacit-mpc/tacit/protocol/compare"
	"github.com/tacit-mpc/tacit/protocol/linear"
	"github.com/tacit-mpc/tacit/protocol/product"
	"github.com/tacit-mpc/tacit/protocol/share"
)

// An Inference is one party's material for one inference. It hides the values
// of one input and can hide no others: a second use is a bug and panics.
type Inference struct {
	_        noCopy
	masks    []*linear.Mask
	products []*product.Material
	mats     []*compare.Material
	zero     []share.Seed
}

// noCopy makes go vet reject copies of the structs that contain it.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// Format implements [fmt.Formatter] and hides the material from every verb.
func (x *Inference) Format(f fmt.State, _ rune) { fmt.Fprint(f, "Inference") }

// A Content is what an [Inference] hands out: a mask for every linear layer, a
// triple for every product of secrets and material for every comparison class,
// in the order of [Count], and the seeds that this party shares with each other
// for the sharing of zero at the end.
type Content struct {
	Masks    []*linear.Mask
	Products []*product.Material
	Mats     []*compare.Material
	Zero     []share.Seed
}

// Format implements [fmt.Formatter] and hides the material from every verb.
func (Content) Format(f fmt.State, _ rune) { fmt.Fprint(f, "Content") }

// Spend hands out the material.
func (x *Inference) Spend() Content {
	if x.zero == nil {
		panic("prep: inference material used twice")
	}
	c := Content{x.masks, x.products, x.mats, x.zero}
	x.masks, x.products, x.mats, x.zero = nil, nil, nil, nil
	return c
}

// ErrCorrupt means that stored material is not what was written.
var ErrCorrupt = errors.New("stored material is corrupt")

const magic = "tacit material 2\n"

// castagnoli is the checksum's: it is against bad disks, not against people, who
// could not use what they change anyway, and takes no time on the way online.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Append appends x, which the program with demand d needs, for [Parse].
func (d Demand) Append(b []byte, x *Inference) ([]byte, error) {
	if x.zero == nil {
		panic("prep: storing spent material")
	}
	start := len(b)
	b = append(b, magic...)
	for _, s := range x.zero {
		b = append(b, s[:]...)
	}
	for i, l := range d.Layers {
		b = l.AppendMask(b, x.masks[i])
	}
	for _, m := range x.products {
		var err error
		if b, err = m.AppendBinary(b); err != nil {
			return nil, err
		}
	}
	for _, m := range x.mats {
		var err error
		if b, err = m.AppendBinary(b); err != nil {
			return nil, err
		}
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli)), nil
}

// Len returns the number of bytes that Append writes at party self of n.
func (d Demand) Len(n, self int) int {
	size := len(magic) + n*len(share.Seed{}) + crc32.Size
	for _, l := range d.Layers {
		size += l.MaskLen()
	}
	for _, c := range d.Products {
		size += c.EncodedLen(n, self)
	}
	for _, c := range d.Classes {
		size += c.EncodedLen(n, self)
	}
	return size
}

// Parse reads what Append wrote at party self of n.
func (d Demand) Parse(n, self int, b []byte) (*Inference, error) {
	if len(b) < crc32.Size {
		return nil, fmt.Errorf("%w: truncated", ErrCorrupt)
	}
	body, sum := b[:len(b)-crc32.Size], binary.LittleEndian.Uint32(b[len(b)-crc32.Size:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, fmt.Errorf("%w: checksum", ErrCorrupt)
	}
	body, ok := bytes.CutPrefix(body, []byte(magic))
	if !ok || len(body) < n*len(share.Seed{}) {
		return nil, fmt.Errorf("%w: not material of this version", ErrCorrupt)
	}
	x := &Inference{zero: make([]share.Seed, n)}
	for j := range x.zero {
		body = body[copy(x.zero[j][:], body):]
	}
	for _, l := range d.Layers {
		mask, rest, err := l.ParseMask(body)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		x.masks, body = append(x.masks, mask), rest
	}
	for _, c := range d.Products {
		size := c.EncodedLen(n, self)
		if len(body) < size {
			return nil, fmt.Errorf("%w: truncated", ErrCorrupt)
		}
		m, err := product.ParseMaterial(c, n, self, body[:size])
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		x.products, body = append(x.products, m), body[size:]
	}
	for _, c := range d.Classes {
		size := c.EncodedLen(n, self)
		if len(body) < size {
			return nil, fmt.Errorf("%w: truncated", ErrCorrupt)
		}
		m, err := compare.ParseMaterial(c, n, self, body[:size])
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		x.mats, body = append(x.mats, m), body[size:]
	}
	if len(body) != 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", ErrCorrupt, len(body))
	}
	return x, nil
}

package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// MaxParties is the largest number of parties a program is planned for: the
// ranges leave room for the error of that many shares.
const MaxParties = 7

// A Model is a compiled network. Params are the values of Manifest.Program.Params
// in the clear: the model owner's secret.
type Model struct {
	Manifest Manifest
	Params   [][]uint64

	floatBound float64
	graph      *Graph // what was compiled, folded
	points     []Point
}

// Format implements [fmt.Formatter] and hides the weights from every verb.
func (m Model) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Model[%s]", m.Manifest.Name) }

// A Tensor is the format of the input or output of a program, for one row.
type Tensor struct {
	Name  string  `json:"name"`
	Shape []int   `json:"shape"` // without the batch axis
	Frac  int     `json:"frac"`  // fraction bits
	Width int     `json:"width"` // ring width, bits
	Lo    float64 `json:"lo"`    // declared range, enforced on inputs
	Hi    float64 `json:"hi"`
}

// Len is the number of elements of one row.
func (t Tensor) Len() int { return size(t.Shape) }

// Ulp bounds the difference between a private and a plaintext evaluation of
// the same program, in units of the last place of the output: PerParty·n + Const.
type Ulp struct {
	PerParty float64 `json:"perParty"`
	Const    float64 `json:"const"`
}

// A Manifest is all that is public about a model: what a client needs to
// encode inputs and decode outputs, and what the parties run.
type Manifest struct {
	Format       int     `json:"format"`
	Name         string  `json:"name"`
	Program      Program `json:"program"`
	Input        Tensor  `json:"input"`
	Parts        []Part  `json:"parts,omitempty"` // of the input; none if it is one tensor of numbers
	Edge         *Edge   `json:"edge,omitempty"`  // what the client computes of its rows to get those of the input
	Image        *Image  `json:"image,omitempty"` // how pictures become rows of the client
	Output       Tensor  `json:"output"`          // what the parties return
	Post         []Post  `json:"post,omitempty"`
	Result       []int   `json:"result"` // shape of a row after Post
	Policy       Policy  `json:"policy"` // what of the output the program reveals
	Ulp          Ulp     `json:"ulp"`
	Comparison   string  `json:"comparison"`   // how the parties compare: Garbled or Carry
	Depth        int     `json:"depth"`        // of OT extension, 2, 4 or 8: more is fewer bytes and more work
	FractionBits int     `json:"fractionBits"` // of activations and of the output
	Calibrated   bool    `json:"calibrated"`   // ranges come from sample rows
	Assumed      bool    `json:"assumed"`      // nobody declared the input range
	Margin       float64 `json:"margin"`       // times the largest value seen; 0 if not calibrated
	Widening     float64 `json:"widening"`     // of the span of the inputs seen, added to both ends of their range
}

// The ways to compare secret numbers. Both are exact, with the same adversary:
// packages protocol/garble and protocol/carry.
const (
	Garbled = "garbled" // 3 rounds at any width
	Carry   = "carry"   // 3 rounds up to 25 bits, else 4; few bytes
)

// ManifestFormat is the version of the encoding of a [Manifest].
const ManifestFormat = 2

// Limits of what is accepted from files and peers.
const (
	maxManifest = 256 << 20 // bytes of JSON
	maxName     = 1 << 10   // bytes of a name
	maxRank     = 16
	maxTensor   = 1 << 26 // elements
)

// ParseManifest decodes a manifest from a peer or a file: strict JSON, no
// unknown fields, validated.
func ParseManifest(b []byte) (*Manifest, error) {
	if len(b) > maxManifest {
		return nil, fmt.Errorf("manifest: %d bytes are more than the %d allowed", len(b), maxManifest)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	m := new(Manifest)
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("manifest: data after the JSON object")
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return m, nil
}

// JSON returns the manifest as JSON for [ParseManifest].
func (m *Manifest) JSON() ([]byte, error) { return json.Marshal(m) }

// Digest identifies the manifest: all parties and the client compare it.
func (m *Manifest) Digest() [32]byte {
	b, err := json.Marshal(m)
	if err != nil { // only NaN or an infinity, which Validate refuses
		panic("model: digest of an invalid manifest: " + err.Error())
	}
	return sha256.Sum256(append([]byte("tacit manifest\n"), b...))
}

// UlpBound is the largest difference, in units of the last place of the
// output, between what parties parties compute and [Model.Eval].
func (m *Manifest) UlpBound(parties int) int64 {
	// The difference is an integer, so rounding a bound down keeps it one.
	return int64(m.Ulp.PerParty*float64(parties) + m.Ulp.Const)
}

// Validate checks everything that the use of a manifest relies on.
func (m *Manifest) Validate() error {
	if err := m.validate(); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	return nil
}

func (m *Manifest) validate() error {
	if m.Format != ManifestFormat {
		return fmt.Errorf("format %d is not the supported format %d; compile the model again", m.Format, ManifestFormat)
	}
	if len(m.Name) > maxName {
		return fmt.Errorf("the name has more than %d bytes", maxName)
	}
	if err := m.Program.Validate(); err != nil {
		return err
	}
	if err := m.Input.validate(m.Program.Values[0]); err != nil {
		return fmt.Errorf("input: %w", err)
	}
	if err := m.validateParts(); err != nil {
		return err
	}
	if err := m.Edge.validate(); err != nil {
		return fmt.Errorf("edge: %w", err)
	}
	if err := m.Image.validate(m.RowParts()); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	if err := m.Output.validate(m.Program.Output()); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	for _, x := range []float64{m.Ulp.PerParty, m.Ulp.Const, m.Margin, m.Widening} {
		if !(x >= 0 && x < 1<<62/MaxParties/2) {
			return fmt.Errorf("the bound or margin %v is not a finite, small, positive number", x)
		}
	}
	if m.Comparison != Garbled && m.Comparison != Carry {
		return fmt.Errorf("comparison %q is neither %s nor %s", m.Comparison, Garbled, Carry)
	}
	if m.Depth != 2 && m.Depth != 4 && m.Depth != 8 {
		return fmt.Errorf("a depth of OT extension of %d is not 2, 4 or 8", m.Depth)
	}
	if m.FractionBits < 0 || m.FractionBits > 62 {
		return fmt.Errorf("%d fraction bits are outside 0..62", m.FractionBits)
	}
	if err := m.Policy.Validate(); err != nil {
		return err
	}
	if whole := m.Policy.Reveal != RevealScores && m.Policy.Reveal != RevealProbabilities; len(m.Post) > 0 && m.Policy.Reveal != RevealScores || whole && m.Output.Frac != 0 {
		return fmt.Errorf("policy %s with steps at the client or fraction bits of the output", m.Policy.Reveal)
	}
	return m.validatePost()
}

func (t Tensor) validate(v Value) error {
	if len(t.Name) > maxName {
		return fmt.Errorf("the name has more than %d bytes", maxName)
	}
	if err := checkShape(t.Shape); err != nil {
		return err
	}
	switch {
	case t.Len() != v.Len:
		return fmt.Errorf("shape %v has %d elements, its value in the program %d", t.Shape, t.Len(), v.Len)
	case t.Frac != v.Frac || t.Width != v.Width:
		return fmt.Errorf("format %d.%d differs from %d.%d in the program", t.Width, t.Frac, v.Width, v.Frac)
	case math.IsNaN(t.Lo) || math.IsNaN(t.Hi) || math.IsInf(t.Lo, 0) || math.IsInf(t.Hi, 0) || t.Lo > t.Hi:
		return fmt.Errorf("the range %v..%v is not one", t.Lo, t.Hi)
	}
	return nil
}

// checkShape accepts up to maxRank positive dimensions of maxTensor elements.
func checkShape(shape []int) error {
	if len(shape) > maxRank {
		return fmt.Errorf("a tensor of %d dimensions has more than %d", len(shape), maxRank)
	}
	n := 1
	for _, d := range shape {
		if d < 1 || d > maxTensor {
			return fmt.Errorf("shape %v: dimension %d is outside 1..%d", shape, d, maxTensor)
		}
		if n *= d; n > maxTensor {
			return fmt.Errorf("shape %v has more than %d elements", shape, maxTensor)
		}
	}
	return nil
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

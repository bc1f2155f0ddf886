// Package datasheet describes a compiled model to those who have to decide about
// it: what every role learns, against whom it is protected and how, how exact it
// is, and what it costs.
package datasheet

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"

	"github.com/tacit-mpc/tacit/internal/rehearse"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/transport"
)

// A Sheet is the datasheet of a model.
type Sheet struct {
	Model        string      `json:"model"`
	Digest       string      `json:"manifest"` // SHA-256, in hexadecimal
	Parties      int         `json:"parties"`
	Input        string      `json:"input"`
	Edge         string      `json:"edge,omitempty"` // what is public and computed by the client before
	Output       string      `json:"output"`
	Reveals      string      `json:"reveals"`
	Client       []string    `json:"client_steps"` // what the client computes of the output itself
	Operations   []Operation `json:"operations"`
	Comparison   string      `json:"comparison"`
	Weights      int         `json:"secret_numbers"`
	FractionBits int         `json:"fraction_bits"`
	UlpBound     int64       `json:"ulp_bound"`
	PrivateBound float64     `json:"private_bound"` // the same in real numbers
	FloatBound   float64     `json:"float_bound"`
	Calibrated   bool        `json:"calibrated"`
	Assumed      bool        `json:"input_range_assumed"`
	Margin       float64     `json:"margin"`
	Seen         *Seen       `json:"seen,omitempty"`
	Costs        []Cost      `json:"costs,omitempty"`
	Parameters   []Parameter `json:"parameters"`
}

// An Operation counts operations of one kind.
type Operation struct {
	Kind  string `json:"kind"`
	Count int    `json:"count"`
}

// Seen is what came out on given inputs.
type Seen struct {
	Rows            int     `json:"rows"`
	Largest         float64 `json:"largest_output"`
	Difference      float64 `json:"largest_difference"` // from floating point, before a final Softmax or Sigmoid
	Labelled        int     `json:"labelled"`
	FloatAccuracy   float64 `json:"float_accuracy"`
	PrivateAccuracy float64 `json:"private_accuracy"`
}

// A Cost is a prediction for a network.
type Cost struct {
	Network string          `json:"network"`
	Link    string          `json:"link"`
	Result  rehearse.Result `json:"prediction"`
	Offline int             `json:"offline_batch"`
}

// OfflineEach is the time of preparing one inference.
func (c Cost) OfflineEach() float64 { return c.Result.Offline.Seconds / float64(c.Offline) }

// OfflineBytes is what a party sends to prepare one inference.
func (c Cost) OfflineBytes() int64 { return c.Result.Offline.Sent / int64(c.Offline) }

// A Parameter is a choice of the protocols with its value.
type Parameter struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// parameters are those of the protocols, which no model changes.
func parameters(m *model.Manifest) []Parameter {
	return []Parameter{
		{"linear layers", "matrix Beaver triples with resident weights; triples by RLWE with ring degree 8192, moduli of 168 to 212 bits, at the 128-bit level; noise flooded to 2^-40 over the life of a key"},
		{"comparisons", map[string]string{
			model.Carry:   "masked comparison with carry look-ahead on XOR shares",
			model.Garbled: "masked comparison in n-party half gates, one evaluator for each element",
		}[m.Comparison]},
		{"products of secrets", "Beaver triples by correlated oblivious transfer"},
		{"oblivious transfer", fmt.Sprintf("base OTs on ristretto255, SoftSpoken extension with trees of depth %d, 128-bit keys", m.Depth)},
		{"links", "TLS 1.3 with X25519MLKEM768 alone, Ed25519 identities on an allow-list"},
		{"shares", "additive, modulo 2^k for each tensor; outputs are re-randomised by a sharing of zero"},
	}
}

// New describes m for a number of parties.
func New(m *model.Model, parties int) *Sheet {
	mf := &m.Manifest
	digest := mf.Digest()
	s := &Sheet{
		Model: mf.Name, Digest: fmt.Sprintf("%x", digest), Parties: parties,
		Input:   fmt.Sprintf("%s %v, from %.4g to %.4g", mf.Input.Name, mf.Input.Shape, mf.Input.Lo, mf.Input.Hi),
		Output:  fmt.Sprintf("%s %v", mf.Output.Name, mf.Result),
		Reveals: mf.Policy.String(), Comparison: mf.Comparison, FractionBits: mf.FractionBits,
		UlpBound: mf.UlpBound(parties), FloatBound: m.FloatBound(), Calibrated: mf.Calibrated, Assumed: mf.Assumed, Margin: mf.Margin,
		Parameters: parameters(mf),
	}
	s.PrivateBound = float64(s.UlpBound) / float64(uint64(1)<<uint(mf.Output.Frac))
	if mf.Edge != nil {
		s.Edge = fmt.Sprintf("the client makes %s of %s, by %d bytes of ONNX in the manifest", s.Input, partsText(mf.RowParts()), len(mf.Edge.Model))
		s.Input = partsText(mf.RowParts())
	}
	for _, p := range mf.Post {
		s.Client = append(s.Client, p.Op)
	}
	for _, op := range mf.Program.Ops {
		i := slices.IndexFunc(s.Operations, func(o Operation) bool { return o.Kind == string(op.Kind) })
		if i < 0 {
			i, s.Operations = len(s.Operations), append(s.Operations, Operation{Kind: string(op.Kind)})
		}
		s.Operations[i].Count++
	}
	for _, p := range mf.Program.Params {
		s.Weights += p.Len
	}
	return s
}

func partsText(parts []model.Part) string {
	var s []string
	for _, p := range parts {
		s = append(s, fmt.Sprintf("%s %v", p.Name, p.Shape))
	}
	return strings.Join(s, ", ")
}

// Price adds what a request of one row costs on a network.
func (s *Sheet) Price(ctx context.Context, m *model.Model, x []uint64, network, link string, p transport.Profile, offline int) error {
	r, err := rehearse.Run(ctx, m, x, rehearse.Scene{
		Parties: s.Parties, Batch: 1, Offline: offline, Backend: m.Manifest.Comparison, Link: p, Repeat: 3,
	})
	if err != nil {
		return err
	}
	s.Costs = append(s.Costs, Cost{network, link, *r, offline})
	return nil
}

//go:embed datasheet.md
var text string

// Markdown writes the sheet for people.
func (s *Sheet) Markdown(w io.Writer) error {
	t := template.Must(template.New("datasheet").Funcs(template.FuncMap{
		"join": strings.Join,
		"ms":   func(seconds float64) string { return fmt.Sprintf("%.1f ms", seconds*1e3) },
		"kb":   func(bytes int64) string { return fmt.Sprintf("%.1f kB", float64(bytes)/1e3) },
		"num":  func(x float64) string { return fmt.Sprintf("%.3g", x) },
		"pct":  func(x float64) string { return fmt.Sprintf("%.2f %%", 100*x) },
	}).Parse(text))
	return t.Execute(w, s)
}

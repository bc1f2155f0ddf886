package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/model"
)

// A report is what a trial found out. Bytes are payload sent, averaged over the
// parties; seconds are wall-clock time on this machine.
type report struct {
	Rows                    int     `json:"rows"`
	Parties                 int     `json:"parties"`
	Batch                   int     `json:"batch"`
	SetupSeconds            float64 `json:"setup_seconds"`
	SetupBytesPerParty      int64   `json:"setup_bytes_per_party"`
	OfflineSecondsPerRow    float64 `json:"offline_seconds_per_row"`
	OnlineSecondsPerRequest float64 `json:"online_seconds_per_request"`
	OfflineBytesPerPartyRow float64 `json:"offline_bytes_per_party_per_row"`
	OnlineBytesPerPartyRow  float64 `json:"online_bytes_per_party_per_row"`
	OfflineRounds           int     `json:"offline_rounds"`
	OnlineRounds            int     `json:"online_rounds"`
	MaxUlp                  int64   `json:"max_ulp"`
	UlpBound                int64   `json:"ulp_bound"`
	FractionBits            int     `json:"fraction_bits"`
	Comparison              string  `json:"comparison"`
	ComparisonsPerRow       int     `json:"comparisons_per_row"`
	OfflineBatch            int     `json:"offline_batch"`
	Layers                  []layer `json:"layers"`
	offline                 []wire.StepStats
}

// A layer is the online cost of the operations of one node of the network, for
// one request. Operations that cost no communication count to the next.
type layer struct {
	Name    string  `json:"name"`
	Kind    string  `json:"kind"`
	Seconds float64 `json:"seconds"`
	Bytes   int64   `json:"bytes"`
	Rounds  int     `json:"rounds"`
}

// layersOf sums the steps of a session by operation, averaged over the parties.
func layersOf(p *model.Program, parties []wire.SessionStats) []layer {
	var layers []layer
	index := map[string]int{}
	for _, op := range p.Ops {
		index[stepOf(op)] = len(layers)
		layers = append(layers, layer{Name: op.Name, Kind: string(op.Kind)})
	}
	for i, s := range parties {
		for _, st := range s.Steps {
			prefix, _, _ := strings.Cut(st.Step, ":")
			k, ok := index[prefix]
			if !ok {
				continue
			}
			layers[k].Bytes += st.Sent
			layers[k].Seconds += st.Time.Seconds()
			if i == 0 {
				layers[k].Rounds += st.Rounds
			}
		}
	}
	for i := range layers {
		layers[i].Bytes /= int64(len(parties))
		layers[i].Seconds /= float64(len(parties))
	}
	return slices.DeleteFunc(layers, func(l layer) bool { return l.Rounds == 0 })
}

// stepOf is the prefix of the steps of an operation, as package infer names them.
func stepOf(op model.Op) string { return fmt.Sprintf("op %d %s", op.Out, op.Kind) }

func (r *report) json(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// print writes the cost of the phases and of the layers as tables.
func (r *report) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "phase\ttime\tsent per party\trounds\t")
	fmt.Fprintf(t, "setup, once\t%s\t%s\t\t\n", seconds(r.SetupSeconds), size(float64(r.SetupBytesPerParty)))
	fmt.Fprintf(t, "offline, per row (%d at once)\t%s\t%s\t%d\t\n", r.OfflineBatch, seconds(r.OfflineSecondsPerRow), size(r.OfflineBytesPerPartyRow), r.OfflineRounds)
	fmt.Fprintf(t, "online, per request of %d\t%s\t%s\t%d\t\n", r.Batch, seconds(r.OnlineSecondsPerRequest), size(r.OnlineBytesPerPartyRow*float64(r.Batch)), r.OnlineRounds)
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "online, layer\toperation\ttime\tsent per party\trounds\t")
	for _, l := range r.Layers {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t\n", l.Name, l.Kind, seconds(l.Seconds), size(float64(l.Bytes)), l.Rounds)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "offline, step\ttime for all rows\tsent per party\trounds\t")
	for _, s := range r.offline {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t\n", s.Step, seconds(s.Time.Seconds()), size(float64(s.Sent)), s.Rounds)
	}
	return t.Flush()
}

func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

func size(b float64) string {
	switch {
	case b < 1e3:
		return fmt.Sprintf("%.0f B", b)
	case b < 1e6:
		return fmt.Sprintf("%.1f kB", b/1e3)
	}
	return fmt.Sprintf("%.2f MB", b/1e6)
}

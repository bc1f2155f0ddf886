package bench

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/tacit-mpc/tacit/model"
)

// A Macro is what a network cost a cluster of processes. Bytes are payload
// sent, averaged over the parties.
type Macro struct {
	Net     string
	Parties int
	Link    string
	Garbled bool // the parties compare by garbled circuits

	SetupSeconds float64 // once for a preparation session
	SetupBytes   float64

	OfflineBatch   int     // inferences prepared at once
	OfflineSeconds float64 // per inference
	OfflineBytes   float64 // per inference
	OfflineRounds  int     // per batch

	Memory float64 // the most that a party held, in bytes; 0 if the system does not tell

	Online []Online
	Steps  []Step // of the last batch, and of a request of the first size
}

// An Online is what requests of one size cost. Samples are of requests, and in
// seconds.
type Online struct {
	Batch   int
	Latency []float64 // as the client sees it, without waiting for material
	Run     []float64 // from the input to the output at the slowest party
	Plain   []float64 // the plaintext engine on the same rows, in one process
	CPU     float64   // that one party computed, 0 if the system does not tell
	Bytes   float64
	Rounds  int
	Alone   []float64 // latencies, nothing else running
	Bulk    []float64 // latencies while material of another model is made
}

// A Step is a part of a phase. Offline, it is for all inferences of a batch.
type Step struct {
	Phase, Name string
	Seconds     float64
	Bytes       float64
	Rounds      int
}

// MacroName is the prefix of the results of a network. Garbled circuits, which
// the planner does not choose by itself, are part of the name.
func MacroName(net string, parties int, link, comparison string) string {
	if comparison == model.Garbled {
		net += "," + model.Garbled
	}
	return fmt.Sprintf("macro/%s/n=%d/%s", net, parties, strings.ReplaceAll(link, "/", ","))
}

func (m *Macro) comparison() string {
	if m.Garbled {
		return model.Garbled
	}
	return model.Carry
}

// Results returns the figures with stable names.
func (m *Macro) Results() []Result {
	p := MacroName(m.Net, m.Parties, m.Link, m.comparison())
	off := fmt.Sprintf("%s/offline/batch=%d", p, m.OfflineBatch)
	all := []Result{
		{Name: p + "/setup/time", Value: m.SetupSeconds, Unit: "s", Samples: 1},
		{Name: p + "/setup/bytes", Value: m.SetupBytes, Unit: "B"},
		{Name: off + "/time", Value: m.OfflineSeconds, Unit: "s", Samples: 1},
		{Name: off + "/bytes", Value: m.OfflineBytes, Unit: "B"},
		{Name: off + "/rounds", Value: float64(m.OfflineRounds)},
	}
	if m.Memory > 0 {
		all = append(all, Result{Name: p + "/memory", Value: m.Memory, Unit: "B", Samples: 1})
	}
	for _, o := range m.Online {
		on := fmt.Sprintf("%s/online/batch=%d", p, o.Batch)
		run, plain := Summarise(on+"/run", "s", o.Run), Summarise(on+"/plain", "s", o.Plain)
		all = append(all, Summarise(on+"/time", "s", o.Latency), run, plain,
			Result{Name: on + "/ratio", Value: run.Value / max(plain.Value, 1e-9), Samples: len(o.Run), Spread: run.Spread + plain.Spread},
			Result{Name: on + "/bytes", Value: o.Bytes, Unit: "B"},
			Result{Name: on + "/rounds", Value: float64(o.Rounds)})
		if o.CPU > 0 {
			all = append(all, Result{Name: on + "/cpu", Value: o.CPU, Unit: "s", Samples: len(o.Run)},
				Result{Name: on + "/cpu-ratio", Value: o.CPU / max(plain.Value, 1e-9), Samples: len(o.Run)})
		}
		for _, t := range []struct {
			name    string
			samples []float64
		}{{"alone", o.Alone}, {"bulk", o.Bulk}} {
			if len(t.samples) > 0 {
				all = append(all, Summarise(on+"/"+t.name+"/time", "s", t.samples), Quantile(on+"/"+t.name+"/p99", "s", t.samples, 0.99))
			}
		}
	}
	seen := map[string]int{}
	for _, s := range m.Steps {
		name := fmt.Sprintf("%s/%s/step/%s", p, s.Phase, s.Name)
		if seen[name]++; seen[name] > 1 {
			name = fmt.Sprintf("%s (%d)", name, seen[name])
		}
		all = append(all, Result{Name: name + "/time", Value: s.Seconds, Unit: "s", Samples: 1}, Result{Name: name + "/bytes", Value: s.Bytes, Unit: "B"})
	}
	return all
}

// WriteMacros writes a table of networks.
func WriteMacros(w io.Writer, all []*Macro) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "network\tparties\tlink\tcomparison\tsetup\toffline, per inference\tof a batch of\tsent\trequest of\tonline\tat parties\trounds\tsent\tplaintext\tratio\tmemory of a party\t")
	for _, m := range all {
		for _, o := range m.Online {
			run, plain := Summarise("", "s", o.Run), Summarise("", "s", o.Plain)
			fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%d\t%s\t%d\t%s\t%s\t%d\t%s\t%s\t%.1f\t%s\t\n", m.Net, m.Parties, m.Link, m.comparison(),
				FormatValue(m.SetupSeconds, "s"), FormatValue(m.OfflineSeconds, "s"), m.OfflineBatch, FormatValue(m.OfflineBytes, "B"),
				o.Batch, Summarise("", "s", o.Latency).Format(), run.Format(), o.Rounds, FormatValue(o.Bytes, "B"),
				plain.Format(), run.Value/max(plain.Value, 1e-9), FormatValue(m.Memory, "B"))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, m := range all {
		for _, o := range m.Online {
			if len(o.Bulk) > 0 {
				fmt.Fprintf(w, "\n%s, requests of %d while material is made for another model: median %s, p99 %s; alone: median %s, p99 %s (%d and %d requests)\n",
					m.Net, o.Batch, Summarise("", "s", o.Bulk).Format(), Quantile("", "s", o.Bulk, 0.99).Format(),
					Summarise("", "s", o.Alone).Format(), Quantile("", "s", o.Alone, 0.99).Format(), len(o.Bulk), len(o.Alone))
			}
		}
	}
	return nil
}

// WriteSteps writes where time and bytes of both phases go.
func (m *Macro) WriteSteps(w io.Writer) error {
	fmt.Fprintf(w, "\n%s, n = %d, %s: online by layer, for a request of %d; offline by step, for %d inferences\n",
		m.Net, m.Parties, m.Link, m.Online[0].Batch, m.OfflineBatch)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "phase\twhat\ttime\tsent\trounds\t")
	for _, s := range m.Steps {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t\n", s.Phase, s.Name, FormatValue(s.Seconds, "s"), FormatValue(s.Bytes, "B"), s.Rounds)
	}
	return t.Flush()
}

package bench

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/tacit-mpc/tacit/model"
)

// A Run is a cluster to measure.
type Run struct {
	Net        string
	Parties    int
	Link       string
	Batches    []int // rows of a request
	Offline    int   // inferences prepared at once
	Requests   int
	Comparison string // how the parties compare; empty for what the planner chooses
}

// TargetRuns are the measurements that the targets need. All material of a run
// is made at once, before its requests.
var TargetRuns = []Run{
	{Net: "mlp", Parties: 3, Link: "none", Batches: []int{1, 32}, Offline: 160, Requests: 15},
	{Net: "mlp", Parties: 5, Link: "none", Batches: []int{1}, Offline: 32, Requests: 15},
	{Net: "mlp", Parties: 3, Link: "40ms/100Mbit", Batches: []int{1}, Offline: 32, Requests: 9},
	{Net: "cnn-b", Parties: 3, Link: "none", Batches: []int{1}, Offline: 32, Requests: 9},
	{Net: "lenet5", Parties: 3, Link: "none", Batches: []int{1, 32}, Offline: 144, Requests: 9},
	{Net: "lenet", Parties: 3, Link: "none", Batches: []int{1}, Offline: 32, Requests: 9},
	{Net: "resnet", Parties: 3, Link: "none", Batches: []int{1}, Offline: 32, Requests: 9},
	{Net: "relu10k", Parties: 3, Link: "none", Batches: []int{1}, Offline: 32, Requests: 9},
	{Net: "relu10k", Parties: 3, Link: "none", Batches: []int{1}, Offline: 32, Requests: 9, Comparison: model.Garbled},
	{Net: "gemm", Parties: 3, Link: "none", Batches: []int{128}, Offline: 640, Requests: 3},
}

// A Target is one figure that the project promises.
type Target struct {
	Work, What string
	Limit      float64
	Unit       string
	AtLeast    bool // the limit is one from below
	measure    figure
	client     figure // of online times, with what opening a session takes; or nil
}

// A figure is taken from a report, if it is there.
type figure func(r *Report) (value float64, ok bool)

// A Verdict says whether a target is met.
type Verdict string

// Online times are those at the parties, from input to output, as those of
// peers are. A target that is met there only is not met for a client.
const (
	Met        Verdict = "yes"
	MetInside  Verdict = "at the parties"
	Missed     Verdict = "NO"
	Unmeasured Verdict = "not measured"
)

// result takes a figure as it is measured, divided.
func result(name string, divide float64) figure {
	return func(r *Report) (float64, bool) {
		v, ok := r.Find(name)
		return v / divide, ok
	}
}

// comparisons is how many are prepared and evaluated per second.
func comparisons(r *Report) (float64, bool) {
	const p = "macro/relu10k,garbled/n=3/none/"
	offline, ok1 := r.Find(p + "offline/batch=32/time")
	online, ok2 := r.Find(p + "online/batch=1/time")
	return 10_000 / max(offline+online, 1e-9), ok1 && ok2
}

// eachComparison is what one sends, both phases together.
func eachComparison(r *Report) (float64, bool) {
	const p = "macro/relu10k,garbled/n=3/none/"
	offline, ok1 := r.Find(p + "offline/batch=32/bytes")
	online, ok2 := r.Find(p + "online/batch=1/bytes")
	return (offline + online) / 10_000, ok1 && ok2
}

const ms, mb = 1e-3, 1e6

// Targets are all of them.
var Targets = func() []Target {
	var all []Target
	add := func(work, what string, limit float64, unit string, measure figure) {
		all = append(all, Target{Work: work, What: what, Limit: limit, Unit: unit, measure: measure})
	}
	online := func(work, what string, limit float64, prefix string, batch int, divide float64) {
		p := fmt.Sprintf("%s/online/batch=%d/", prefix, batch)
		all = append(all, Target{Work: work, What: what, Limit: limit, Unit: "s", measure: result(p+"run", divide), client: result(p+"time", divide)})
	}
	network := func(work, net, comparison string, offlineBatch int, onlineTime, offline, onlineMB, offlineMB float64) {
		p := MacroName(net, 3, "none", comparison)
		off := fmt.Sprintf("%s/offline/batch=%d", p, offlineBatch)
		online(work, "online", onlineTime, p, 1, 1)
		add(work, "offline", offline, "s", result(off+"/time", 1))
		if onlineMB > 0 {
			add(work, "online, sent", onlineMB*mb, "B", result(p+"/online/batch=1/bytes", 1))
			add(work, "offline, sent", offlineMB*mb, "B", result(off+"/bytes", 1))
		}
	}
	network("MLP 784-128-128-10", "mlp", "", 160, 4*ms, 30*ms, 0.1, 1)
	online("MLP, batch 32", "online, per input", 0.8*ms, MacroName("mlp", 3, "none", ""), 32, 32)
	network(`CNN "B"`, "cnn-b", "", 32, 30*ms, 400*ms, 3, 16)
	network("LeNet-5", "lenet5", "", 144, 20*ms, 250*ms, 2, 10)
	online("LeNet-5, batch 32", "online, per input", 6*ms, MacroName("lenet5", 3, "none", ""), 32, 32)
	network("LeNet (20/50/500)", "lenet", "", 32, 50*ms, 700*ms, 5, 28)
	network("mini-ResNet", "resnet", "", 32, 30*ms, 400*ms, 0, 0)
	network("10,000 ReLU, garbled", "relu10k", model.Garbled, 32, 40*ms, 250*ms, 2.5, 14)
	network("10,000 ReLU, carry tree", "relu10k", "", 32, 8*ms, 120*ms, 0.3, 3)
	all = append(all, Target{Work: "garbled comparisons, both phases", What: "per second", Limit: 40_000, AtLeast: true, measure: comparisons})
	add("garbled comparisons, both phases", "sent, each", 1500, "B", eachComparison)
	online("matrix product 128x784x128", "online", 50*ms, MacroName("gemm", 3, "none", ""), 128, 1)
	add("matrix product 128x784x128", "offline", 400*ms, "s", result("macro/gemm/n=3/none/offline/batch=640/time", 1.0/128))
	online("MLP, n = 5", "online", 8*ms, MacroName("mlp", 5, "none", ""), 1, 1)
	add("MLP, n = 5", "offline", 100*ms, "s", result("macro/mlp/n=5/none/offline/batch=32/time", 1))
	online("MLP over 40 ms, 100 Mbit/s", "online", 250*ms, MacroName("mlp", 3, "40ms/100Mbit", ""), 1, 1)
	for _, net := range []string{"mlp", "cnn-b", "lenet5"} {
		add(net+", computing of a party", "over plaintext", 4, "", result(MacroName(net, 3, "none", "")+"/online/batch=1/cpu-ratio", 1))
	}
	add("linear layer, computing of a party", "over plaintext", 1.5, "", result("macro/gemm/n=3/none/online/batch=128/cpu-ratio", 1))
	return all
}()

// Measure returns the figure, that at the client if it is another one, and
// whether the target is met.
func (t Target) Measure(r *Report) (value, client float64, v Verdict) {
	value, ok := t.measure(r)
	if !ok {
		return 0, 0, Unmeasured
	}
	if (value <= t.Limit) == t.AtLeast {
		v = Missed
	} else {
		v = Met
	}
	if t.client != nil {
		client, _ = t.client(r)
		if v == Met && client > t.Limit {
			v = MetInside
		}
	}
	return value, client, v
}

// WriteTargets writes every target beside what was measured.
func WriteTargets(w io.Writer, r *Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "work\twhat\ttarget\tmeasured\tat the client\tmet\t")
	count := map[Verdict]int{}
	for _, target := range Targets {
		value, client, v := target.Measure(r)
		text, seen := FormatValue(value, target.Unit), ""
		if v == Unmeasured {
			text = "-"
		} else if target.client != nil {
			seen = FormatValue(client, target.Unit)
		}
		count[v]++
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t\n", target.Work, target.What, FormatValue(target.Limit, target.Unit), text, seen, v)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d targets: %d met, %d met at the parties but not at the client, %d missed, %d not measured\n",
		len(Targets), count[Met], count[MetInside], count[Missed], count[Unmeasured])
	return err
}

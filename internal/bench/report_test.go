package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tacit-mpc/tacit/model"
)

func example() *Report {
	r := NewReport("micro", map[string]string{"samples": "7"})
	r.Add(
		Summarise("same", "ns", []float64{10, 11, 9, 10, 10}),
		Result{Name: "noisy", Value: 10, Unit: "ns", Spread: 0.2, Samples: 7},
		Result{Name: "slower", Value: 10, Unit: "ns", Spread: 0.01, Samples: 7},
		Result{Name: "faster", Value: 10, Unit: "s", Samples: 7},
		Result{Name: "bytes", Value: 1000, Unit: "B"},
		Result{Name: "gone", Value: 1, Unit: "B"},
	)
	return r
}

func TestReportsSurviveTheirFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.json")
	r := example()
	if err := r.Save(file); err != nil {
		t.Fatal(err)
	}
	got, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, r) {
		t.Errorf("read %+v, wrote %+v", got, r)
	}
	if v, ok := got.Find("bytes"); !ok || v != 1000 {
		t.Errorf("bytes = %v, %v", v, ok)
	}
}

func TestWhatIsNoReportIsRefused(t *testing.T) {
	for want, text := range map[string]string{
		"not a report":      `{"results": 3}`,
		"unknown field":     `{"format": 1, "extra": 1}`,
		"format 2":          `{"format": 2}`,
		"without results":   `{"format": 1}`,
		"there twice":       `{"format": 1, "results": [{"name": "a"}, {"name": "a"}]}`,
		"result a is -1 ± ": `{"format": 1, "results": [{"name": "a", "value": -1}]}`,
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one about %q", text, err, want)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); !os.IsNotExist(err) {
		t.Errorf("error %v", err)
	}
}

func TestCompareMarksWhatIsBeyondNoise(t *testing.T) {
	a, b := example(), NewReport("micro", nil)
	b.Add(
		Result{Name: "same", Value: 10.2, Unit: "ns", Samples: 7},
		Result{Name: "noisy", Value: 12, Unit: "ns", Spread: 0.1, Samples: 7},
		Result{Name: "slower", Value: 12, Unit: "ns", Spread: 0.01, Samples: 7},
		Result{Name: "faster", Value: 5, Unit: "s", Samples: 7},
		Result{Name: "bytes", Value: 1001, Unit: "B"},
		Result{Name: "new", Value: 1, Unit: "B"},
	)
	changes, onlyA, onlyB := Compare(a, b)
	var beyond []string
	for _, c := range changes {
		if c.Beyond {
			beyond = append(beyond, c.Name)
		}
	}
	if want := []string{"slower", "faster", "bytes"}; !slices.Equal(beyond, want) {
		t.Errorf("beyond noise: %v, want %v", beyond, want)
	}
	if !slices.Equal(onlyA, []string{"gone"}) || !slices.Equal(onlyB, []string{"new"}) {
		t.Errorf("only in one: %v and %v", onlyA, onlyB)
	}
	var table bytes.Buffer
	if err := WriteComparison(&table, a, b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"0.500", "better", "WORSE", "only in B: new", a.Machine.Go} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, table.String())
		}
	}
}

func TestStatistics(t *testing.T) {
	s := []float64{4, 1, 3, 2, 100}
	if r := Summarise("x", "s", s); r.Value != 3 || r.Samples != 5 || r.Spread != (4.-2)/2/3 {
		t.Errorf("%+v", r)
	}
	for q, want := range map[float64]float64{0: 1, 0.5: 3, 0.6: 3, 0.99: 100, 1: 100} {
		if r := Quantile("x", "s", s, q); r.Value != want {
			t.Errorf("quantile %v is %v, want %v", q, r.Value, want)
		}
	}
	for v, want := range map[float64]string{0.0123456: "12.3ms", 1.5: "1.5s", 2e-7: "200ns", 123.456: "2m3s"} {
		if got := FormatValue(v, "s"); got != want {
			t.Errorf("%v s is written %s, want %s", v, got, want)
		}
	}
	for v, want := range map[float64]string{12: "12 B", 1234: "1.2 kB", 5e6: "5.00 MB"} {
		if got := FormatValue(v, "B"); got != want {
			t.Errorf("%v B is written %s, want %s", v, got, want)
		}
	}
}

// measured is a macro measurement with every kind of figure.
func measured() *Macro {
	return &Macro{
		Net: "relu10k", Parties: 3, Link: "none", SetupSeconds: 1, OfflineBatch: 32, OfflineSeconds: 0.2, OfflineBytes: 14e6, OfflineRounds: 30, Memory: 3e8,
		Online: []Online{{
			Batch: 1, Latency: []float64{0.045}, Run: []float64{0.03}, Plain: []float64{0.01}, CPU: 0.02, Bytes: 2e6, Rounds: 5,
			Alone: []float64{0.04, 0.05}, Bulk: []float64{0.06, 0.09},
		}},
		Steps: []Step{{Phase: "online", Name: "pool max"}, {Phase: "online", Name: "pool max"}},
	}
}

func TestMacroResultsHaveNames(t *testing.T) {
	m := measured()
	r := NewReport("macro", nil)
	r.Add(m.Results()...)
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(b.Bytes()); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]float64{
		"offline/batch=32/time": 0.2, "memory": 3e8, "online/batch=1/time": 0.045, "online/batch=1/run": 0.03, "online/batch=1/ratio": 3,
		"online/batch=1/cpu-ratio": 2, "online/batch=1/bulk/p99": 0.09,
	} {
		if v, ok := r.Find(MacroName("relu10k", 3, "none", "") + "/" + name); !ok || v < want*0.999 || v > want*1.001 {
			t.Errorf("%s = %v, want %v", name, v, want)
		}
	}
	b.Reset()
	if err := WriteMacros(&b, []*Macro{m}); err != nil {
		t.Fatal(err)
	}
	if err := m.WriteSteps(&b); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); !strings.Contains(text, "p99 90ms") || !strings.Contains(text, "pool max") {
		t.Error(text)
	}
}

func TestTargetsAreJudged(t *testing.T) {
	r := NewReport("targets", nil)
	m := measured()
	m.Garbled = true
	r.Add(m.Results()...)
	verdicts := map[string]Verdict{}
	for _, target := range Targets {
		if _, _, v := target.Measure(r); v != Unmeasured {
			verdicts[target.Work+", "+target.What] = v
		}
	}
	want := map[string]Verdict{
		"10,000 ReLU, garbled, online":                 MetInside,
		"10,000 ReLU, garbled, offline":                Met,
		"10,000 ReLU, garbled, online, sent":           Met,
		"10,000 ReLU, garbled, offline, sent":          Met,
		"garbled comparisons, both phases, per second": Met,
		"garbled comparisons, both phases, sent, each": Missed,
	}
	if !reflect.DeepEqual(verdicts, want) {
		t.Errorf("verdicts %v, want %v", verdicts, want)
	}
	var b bytes.Buffer
	if err := WriteTargets(&b, r); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); !strings.Contains(text, "4 met, 1 met at the parties but not at the client, 1 missed") {
		t.Error(text)
	}
}

// TestTargetsCanBeMeasured checks that the runs yield every result that a
// target looks for.
func TestTargetsCanBeMeasured(t *testing.T) {
	r := NewReport("targets", nil)
	for _, run := range TargetRuns {
		if _, err := FindNet(run.Net); err != nil {
			t.Error(err)
		}
		m := &Macro{Net: run.Net, Parties: run.Parties, Link: run.Link, OfflineBatch: run.Offline, Garbled: run.Comparison == model.Garbled}
		for _, b := range run.Batches {
			m.Online = append(m.Online, Online{Batch: b, Latency: []float64{1}, Run: []float64{1}, Plain: []float64{1}, CPU: 1})
		}
		r.Add(m.Results()...)
	}
	for _, target := range Targets {
		if _, _, v := target.Measure(r); v == Unmeasured {
			t.Errorf("%s, %s is not measured", target.Work, target.What)
		}
	}
}

func TestPlotDrawsEverySweep(t *testing.T) {
	r := NewReport("scale", nil)
	if _, err := Plot(r, t.TempDir()); err == nil {
		t.Error("a report without a sweep is plotted")
	}
	for _, s := range Sweeps {
		for _, x := range []int{4, 2, 16} {
			m := measured()
			r.Add(ScaleResults(s.Kind, x, m)...)
		}
	}
	dir := t.TempDir()
	files, err := Plot(r, dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2*len(Sweeps) {
		t.Errorf("files %v", files)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if text := string(b); !strings.Contains(text, "<svg") || !strings.Contains(text, "per inference") || !strings.Contains(text, "offline") {
			t.Errorf("%s is not such a plot", f)
		}
	}
}

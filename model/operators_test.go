package model

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// documented reads the table of docs/operators.md: its columns by operator.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	b, err := os.ReadFile("../docs/operators.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	last := ""
	for line := range strings.Lines(string(b)) {
		name, rest, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "` | ")
		if !strings.HasPrefix(line, "| `") || !ok {
			continue
		}
		columns := strings.Split(strings.ReplaceAll(rest, `\|`, "¦"), " | ")
		if len(columns) != 5 {
			t.Errorf("%s: %d columns, want 5", name, len(columns))
			continue
		}
		if name <= last {
			t.Errorf("%s does not follow %s in order", name, last)
		}
		last, rows[name] = name, columns
	}
	return rows
}

// TestOperatorsAreDocumented keeps docs/operators.md equal to the registry.
func TestOperatorsAreDocumented(t *testing.T) {
	rows := documented(t)
	names, known := slices.Sorted(maps.Keys(rows)), slices.Sorted(maps.Keys(operators))
	if !slices.Equal(names, known) {
		t.Errorf("documented are %v,\nsupported %v", names, known)
	}
	for name, columns := range rows {
		if from := fmt.Sprint(max(since[name], 1)); columns[0] != from {
			t.Errorf("%s is documented from opset %s on, not %s", name, columns[0], from)
		}
		if hints[name] != "" {
			t.Errorf("%s has a hint in place of it, but is supported", name)
		}
	}
	for name := range since {
		if operators[name] == nil {
			t.Errorf("%s has an opset, but is not supported", name)
		}
	}
	for name := range classical {
		if operators[name] == nil {
			t.Errorf("%s of ai.onnx.ml is not supported", name)
		}
	}
}

// TestDocumentedCosts counts the comparisons of one element, and compares the
// error bound of every rectifier, behind a linear layer, with the documented one:
// factor times the error of one shift, and one more if the result is shifted again.
func TestDocumentedCosts(t *testing.T) {
	rows := documented(t)
	const f = 12
	for _, c := range []struct {
		op      string
		operand []float32 // constant operands
		a       attrs
		factor  float64
		again   bool
	}{
		{"Relu", nil, nil, 1, false},
		{"Clip", []float32{-1, 1}, nil, 1, false},
		{"HardSigmoid", nil, nil, 1, false},
		{"Abs", nil, nil, 2, true},
		{"LeakyRelu", nil, attrs{"alpha": 0.3}, 1, true},
		{"LeakyRelu", nil, attrs{"alpha": 3.0}, 3, true},
		{"PRelu", []float32{-2}, nil, 2, true},
		{"Max", []float32{0.5}, nil, 1, false},
		{"Min", []float32{0.5}, nil, 1, false},
	} {
		b := newNet(13, 0, 4).floats("w", []int64{4, 4}, randoms(rand.New(rand.NewPCG(5, 6)), 16, 0.5)...).node("MatMul", "a", []string{"x", "w"}, nil)
		in := []string{"a"}
		for i, v := range c.operand {
			name := fmt.Sprint("c", i)
			b.floats(name, nil, v)
			in = append(in, name)
		}
		m, err := Compile(b.node(c.op, "y", in, c.a).load(t), Options{FractionBits: f})
		if err != nil {
			t.Fatal(err)
		}
		if want, err := strconv.Atoi(rows[c.op][3]); err != nil || 4*want != m.Manifest.Program.Comparisons() {
			t.Errorf("%s: %d comparisons of 4 elements, documented are %s of one", c.op, m.Manifest.Program.Comparisons(), rows[c.op][3])
		}
		per, con := c.factor/2, c.factor
		if c.again {
			per, con = per+0.5, con+1
		}
		if u := m.Manifest.Ulp; u.PerParty > coarseUp(per) || u.Const > coarseUp(con) {
			t.Errorf("%s %v: the bound is %+v, more than %v and %v", c.op, c.a, u, per, con)
		}
	}
}

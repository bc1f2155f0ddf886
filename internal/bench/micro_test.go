package bench

import (
	"testing"
	"time"

	"github.com/tacit-mpc/tacit/transport"
)

func TestMicroMeasuresAll(t *testing.T) {
	var names []string
	results, err := Micro(t.Context(), Effort{Samples: 1}, func(name string) { names = append(names, name) })
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != len(names) || len(results) < 20 {
		t.Errorf("%d results of %d measurements", len(results), len(names))
	}
	for i, r := range results {
		if r.Name != names[i] || r.Value <= 0 || r.Samples != 1 {
			t.Errorf("%+v", r)
		}
		t.Logf("%s: %s", r.Name, r.Format())
	}
}

func TestFailuresAreToldWithTheName(t *testing.T) {
	meshes := transport.Pipe(t.Context(), 2)
	meshes[0].Close()
	work := timer{ctx: t.Context(), effort: Effort{Samples: 1}, say: func(string) {}}
	err := work.time("x", 1, func() (time.Duration, error) {
		return together(meshes, func(m *transport.Mesh) error {
			_, err := m.Broadcast("step", []byte{1})
			return err
		})
	})
	if err == nil || err.Error()[:3] != "x: " {
		t.Errorf("error %v", err)
	}
}

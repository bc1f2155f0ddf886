package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tacit-mpc/tacit/client"
	"github.com/tacit-mpc/tacit/configs"
	"github.com/tacit-mpc/tacit/examples"
)

// errorTime is how soon a client must hear of a party that died.
const errorTime = 5 * time.Second

// TestKillAnyParty kills each party at many moments of preparation and
// prediction. The client gets an error that names the party, soon; the other
// daemons stay up; once the party is back, predictions work; and no party ever
// spends the same material twice.
func TestKillAnyParty(t *testing.T) {
	t.Setenv(asTacit, "1")
	e, err := examples.Find("digits")
	if err != nil {
		t.Fatal(err)
	}
	m, err := loadExample(e)
	if err != nil {
		t.Fatal(err)
	}
	l, err := prepareLocal(t.TempDir(), 3, configs.Model{Name: e.Name, Pool: 4, Batch: 4, MaxBatch: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.stop(); err != nil {
			t.Error(err)
		}
		checkSpentOnce(t, l)
	}()
	owner := reach(t, l, "owner")
	if _, err := owner.Deploy(t.Context(), e.Name, m); err != nil {
		t.Fatal(err)
	}
	user := reach(t, l, "client")
	row := e.Inputs[0]
	want := predictOnce(t, user, e.Name, row)

	// The moments are spread over a prediction that starts at once, so that the
	// death falls into the request, the agreement, each of the rounds, and, as the
	// pool is then refilled, into the preparation.
	for i, delay := range []time.Duration{0, 1, 3, 6, 10, 15, 25, 40, 80, 160, 320, 640} {
		victim := i % 3
		t.Run(fmt.Sprintf("party %d after %d ms", victim, delay), func(t *testing.T) {
			died := make(chan time.Time, 1)
			time.AfterFunc(delay*time.Millisecond, func() {
				_ = l.parties[victim].Process.Kill()
				died <- time.Now()
			})
			for { // until the death shows
				_, err := user.Predict(t.Context(), e.Name, row, 1)
				if err == nil {
					continue
				}
				if took := time.Since(<-died); took > errorTime {
					t.Errorf("the error came after %v: %v", took, err)
				}
				if failure, ok := errors.AsType[*client.Error](err); !ok || failure.Party != victim {
					t.Errorf("the error does not name party %d: %v", victim, err)
				}
				break
			}
			for i, c := range l.parties {
				if i != victim && c.ProcessState != nil {
					t.Errorf("party %d went down too", i)
				}
			}
			_ = l.parties[victim].Wait() // it was killed
			if err := l.startParty(victim); err != nil {
				t.Fatal(err)
			}
			reach(t, l, "client")
			if got := predictOnce(t, user, e.Name, row); !slices.Equal(classes(got), classes(want)) {
				t.Errorf("predicted %v, before %v", got, want)
			}
		})
	}
}

func reach(t *testing.T, l *localCluster, name string) *client.Client {
	t.Helper()
	c, err := l.dial(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func predictOnce(t *testing.T, c *client.Client, name string, row []float32) []float32 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p, err := c.Predict(ctx, name, row, 1)
	if err != nil {
		t.Fatal(err)
	}
	return p.Output
}

func classes(y []float32) []int { return []int{class(y)} }

// checkSpentOnce reads the logs of all parties, which name the material of every
// request, and fails if one spent some twice or two spent it for different
// requests.
func checkSpentOnce(t *testing.T, l *localCluster) {
	t.Helper()
	request := map[string]string{} // by material
	for i := range l.parties {
		b, err := os.ReadFile(filepath.Join(l.dir, fmt.Sprintf("party%d", i), "log.json"))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for line := range strings.Lines(string(b)) {
			var entry struct {
				Request  string   `json:"request"`
				Material []string `json:"material"`
			}
			if json.Unmarshal([]byte(line), &entry) != nil || len(entry.Material) == 0 {
				continue
			}
			for _, id := range entry.Material {
				if seen[id] {
					t.Errorf("party %d spent %s twice", i, id)
				}
				seen[id] = true
				if other, ok := request[id]; ok && other != entry.Request {
					t.Errorf("material %s served requests %s and %s", id, other, entry.Request)
				}
				request[id] = entry.Request
			}
		}
		if len(seen) == 0 {
			t.Errorf("the log of party %d names no material", i)
		}
	}
}

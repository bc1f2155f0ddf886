package rehearse_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tacit-mpc/tacit/examples"
	"github.com/tacit-mpc/tacit/internal/rehearse"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/transport"
)

// TestRehearsal runs both back ends in virtual time, in which computing takes
// none, so that what remains is the network: half a round trip for each round.
func TestRehearsal(t *testing.T) {
	e, err := examples.Find("tumour")
	if err != nil {
		t.Fatal(err)
	}
	g, err := model.Load(e.Model)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Compile(g, model.Options{Calibration: e.Inputs})
	if err != nil {
		t.Fatal(err)
	}
	x, err := m.Manifest.Encode(slices.Concat(e.Inputs[:2]...))
	if err != nil {
		t.Fatal(err)
	}
	for _, backend := range rehearse.Backends() {
		t.Run(backend, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				link := transport.Profile{RTT: 40 * time.Millisecond}
				r, err := rehearse.Run(t.Context(), m, x, rehearse.Scene{
					Parties: 3, Batch: 2, Offline: 4, Backend: backend, Link: link, Repeat: 2,
				})
				if err != nil {
					t.Fatal(err)
				}
				least := float64(r.Online.Rounds) * link.RTT.Seconds() / 2
				if r.Online.Rounds == 0 || r.Online.Seconds < least || r.Online.Seconds > 1.1*least {
					t.Errorf("online: %d rounds in %.3f s, want about %.3f s", r.Online.Rounds, r.Online.Seconds, least)
				}
				if r.Setup.Sent == 0 || r.Offline.Sent == 0 || r.Online.Sent == 0 || r.Material == 0 {
					t.Errorf("something costs nothing: %+v", r)
				}
			})
		})
	}
}

func TestUnknownBackend(t *testing.T) {
	if _, err := rehearse.Run(t.Context(), &model.Model{}, nil, rehearse.Scene{Backend: "magic"}); err == nil {
		t.Error("an unknown back end was accepted")
	}
}

func TestChoose(t *testing.T) {
	e, err := examples.Find("lenet")
	if err != nil {
		t.Fatal(err)
	}
	g, err := model.Load(e.Model)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Compile(g, model.Options{Calibration: e.Inputs})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"auto": "carry", "garbled": "garbled", "carry": "carry"} {
		got, err := rehearse.Choose(name, &m.Manifest, 3, transport.Profile{RTT: time.Millisecond, BitsPerSecond: 1e9})
		if err != nil || got != want {
			t.Errorf("%s: chose %q, %v", name, got, err)
		}
	}
	if _, err := rehearse.Choose("magic", &m.Manifest, 3, transport.Profile{}); err == nil {
		t.Error("an unknown name was accepted")
	}
}

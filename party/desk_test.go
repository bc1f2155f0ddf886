package party

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

func TestDeskMatchesRequestAndJobInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk[string]()
		first, second := ticket{wire.ID{1}, "a"}, ticket{wire.ID{2}, "a"}
		d.put(first, "first")
		if v, ok := d.claim(t.Context(), first); !ok || v != "first" {
			t.Errorf("got %q, %v", v, ok)
		}
		go func() {
			time.Sleep(time.Second)
			d.put(second, "second")
		}()
		if v, ok := d.claim(t.Context(), second); !ok || v != "second" {
			t.Errorf("got %q, %v", v, ok)
		}
	})
}

func TestDeskGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk[string]()
		d.put(ticket{wire.ID{1}, "a"}, "of another client")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if v, ok := d.claim(ctx, ticket{wire.ID{1}, "b"}); ok {
			t.Errorf("got %q", v)
		}
		if !d.remove(ticket{wire.ID{1}, "a"}) || d.remove(ticket{wire.ID{1}, "a"}) {
			t.Error("a request is removed once")
		}
	})
}

func TestDeskRefusesReplays(t *testing.T) {
	d := newDesk[string]()
	if err := d.enter(ticket{wire.ID{1}, "a"}); err != nil {
		t.Fatal(err)
	}
	for _, client := range []p2p.PeerID{"a", "b"} {
		err := d.enter(ticket{wire.ID{1}, client})
		if e, ok := errors.AsType[*wire.Error](err); !ok || e.Code != wire.CodeReplay {
			t.Errorf("client %s: got %v", client, err)
		}
	}
	for i := range seenSize + 10 { // the memory is bounded
		d.enter(ticket{wire.ID{byte(i), byte(i >> 8), byte(i >> 16), 1}, "a"})
	}
	if len(d.seen) > seenSize || len(d.order) > seenSize {
		t.Errorf("%d ids are remembered, want at most %d", len(d.seen), seenSize)
	}
}

func TestPacerPausesWhileSessionsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer()
		start := time.Now()
		p.pause()
		if d := time.Since(start); d != 0 {
			t.Errorf("paused for %v without a session", d)
		}
		p.enter()
		p.enter()
		go func() {
			time.Sleep(10 * time.Millisecond)
			p.leave()
			time.Sleep(10 * time.Millisecond)
			p.leave()
		}()
		p.pause()
		if d := time.Since(start); d != 20*time.Millisecond+lull {
			t.Errorf("paused for %v, want until both sessions are over and answered", d)
		}
		p.enter()
		start = time.Now()
		p.pause()
		if d := time.Since(start); d != maxPause {
			t.Errorf("paused for %v, want at most %v", d, maxPause)
		}
	})
}

func TestPacerPausesForArrivals(t *testing.T) {
	for name, c := range map[string]struct{ served, want time.Duration }{
		"served at once":     {10 * time.Millisecond, 10*time.Millisecond + lull},
		"waits for material": {time.Second, arrivalTime + lull},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPacer()
			done := p.arrive()
			go func() {
				time.Sleep(c.served)
				done()
			}()
			start := time.Now()
			p.pause()
			if d := time.Since(start); d != c.want {
				t.Errorf("%s: paused for %v, want %v", name, d, c.want)
			}
			time.Sleep(time.Second)
			if p.sessions != 0 {
				t.Errorf("%s: %d sessions are left", name, p.sessions)
			}
		})
	}
}

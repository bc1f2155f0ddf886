package party

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tacit-mpc/tacit/client"
	"github.com/tacit-mpc/tacit/configs"
	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/transport"
)

// noticeTime is how soon a client must know which party died.
const noticeTime = 5 * time.Second

// A tappedLink tells a test about every message before it is sent.
type tappedLink struct {
	transport.Link
	sending func(step string, msg []byte)
}

func (l *tappedLink) Send(step string, msg []byte) error {
	l.sending(step, msg)
	return l.Link.Send(step, msg)
}

func TestKilledPartyIsNamedAndPoolSurvives(t *testing.T) {
	c := newCluster(t, 3, nil)
	m := testNet(1)
	c.deploy(m)
	for victim := range 3 {
		c.awaitFull()
		before := c.parties[victim].models.get(testModel).pool.ids()
		c.kill(victim)
		start := time.Now()
		_, err := c.tryPredict(m, source(1), 1)
		wantError(t, err, client.CodeUnreachable, victim)
		if d := time.Since(start); d > noticeTime {
			t.Errorf("party %d: noticed after %v", victim, d)
		}
		c.start(victim)
		c.predict(m, source(1), 1)
		after := c.parties[victim].models.get(testModel).pool.ids()
		kept := 0
		for _, id := range after {
			if slices.Contains(before, id) {
				kept++
			}
		}
		// A crash may lose what is staged, at the victim and at party 0, and
		// the predictions have used up to two.
		if lost := len(before) - kept; lost > 2*c.parties[victim].staged(c.parties[victim].models.get(testModel))+2 {
			t.Errorf("party %d: %d of %d materials were lost", victim, lost, len(before))
		}
	}
}

func TestKillBetweenAgreementAndShares(t *testing.T) {
	c := newCluster(t, 3, nil)
	m := testNet(1)
	c.deploy(m)
	for victim := range 3 {
		raw := c.raw("user")
		streams := raw.send(raw.request(byte(1 + victim)))
		var session wire.ID
		for _, s := range streams {
			a, err := wire.Read[wire.Accept](s)
			if err != nil {
				t.Fatal(err)
			}
			session = a.Session
		}
		c.kill(victim)
		start := time.Now()
		for j, s := range streams {
			if j == victim {
				continue
			}
			wire.Write(s, wire.Shares{Session: session, Seed: true}, make([]byte, wire.SeedLen))
			_, err := wire.Read[wire.Result](s)
			if e, ok := errors.AsType[*wire.Error](err); !ok || e.Party != victim {
				t.Errorf("party %d says %v, want that party %d failed", j, err, victim)
			}
		}
		if d := time.Since(start); d > noticeTime {
			t.Errorf("party %d: noticed after %v", victim, d)
		}
		c.start(victim)
		c.predict(m, source(1), 1)
	}
}

// steps returns the names of all steps of a deployment, a preparation and a
// prediction, as party i sends them.
func steps(t *testing.T, i int) (all []string) {
	c := newCluster(t, 3, nil)
	var mu sync.Mutex
	c.tap(i, func(step string) {
		mu.Lock()
		defer mu.Unlock()
		if !slices.Contains(all, step) {
			all = append(all, step)
		}
	})
	m := testNet(1)
	c.deploy(m)
	c.predict(m, source(1), 1)
	mu.Lock()
	defer mu.Unlock()
	return slices.Clone(all)
}

// tap has f called before party i sends anything. It restarts the party.
func (c *cluster) tap(i int, f func(step string)) {
	c.stop(i)
	c.taps[i] = f
	c.start(i)
}

// TestKillAtEveryStep kills each party in turn when it is about to send each
// message of the life of a model. The client learns which party it was, and all
// goes on when it is back. Each party dies at a seventh of the steps, and at
// fewer under the race detector, unless TACIT_TEST_ALL_STEPS is set.
func TestKillAtEveryStep(t *testing.T) {
	stride := 7
	if slow {
		stride = 63
	}
	for victim := range 3 {
		all := steps(t, victim)
		if len(all) < 20 {
			t.Fatalf("only %d steps: %q", len(all), all)
		}
		for k, step := range all {
			if os.Getenv("TACIT_TEST_ALL_STEPS") == "" && k%stride != victim {
				continue
			}
			t.Run(fmt.Sprintf("party %d at %s", victim, step), func(t *testing.T) {
				if !slow { // peers that starve look dead
					t.Parallel()
				}
				killAt(t, victim, step)
			})
		}
	}
}

func killAt(t *testing.T, victim int, step string) {
	c := newCluster(t, 3, nil)
	var once sync.Once
	killed := make(chan time.Time, 1)
	down := make(chan struct{})
	c.tap(victim, func(s string) {
		if s == step {
			once.Do(func() {
				killed <- time.Now()
				go func() {
					c.kill(victim)
					close(down)
				}()
			})
		}
	})
	m := testNet(1)
	_, err := c.owner.Deploy(c.Context(), testModel, m)
	if err == nil {
		_, err = c.tryPredict(m, source(1), 1)
	}
	if err != nil {
		if d := time.Since(<-killed); d > noticeTime {
			t.Errorf("noticed after %v", d)
		}
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Party != victim {
			t.Errorf("got %v, want that party %d failed", err, victim)
		}
	} else {
		<-killed
	}
	<-down
	c.taps[victim] = nil
	c.start(victim)
	if _, err := c.user.Manifest(c.Context(), testModel); err != nil {
		c.deploy(m) // the first attempt has not succeeded everywhere
	}
	c.predict(m, source(1), 2)
}

func TestFullDiskStopsPreparationAndNothingElse(t *testing.T) {
	c := newCluster(t, 3, func(i int, cfg *configs.Party) { cfg.Timeouts.Material = 2 * time.Second })
	m := testNet(1)
	c.deploy(m)
	c.awaitFull()
	d := c.disks[1]
	d.set(func() { d.full = true })
	var err error
	for range 10 { // until the pool is empty
		if _, err = c.tryPredict(m, source(1), 3); err != nil {
			break
		}
	}
	wantError(t, err, client.CodeStorage, 1)
	d.set(func() { d.full = false })
	c.await(0, "recovery", func(v *version, s *stock) bool { return v.pool.level() > 3 })
	c.predict(m, source(1), 3)
}

func TestFailedDeployLeavesOldVersion(t *testing.T) {
	for victim := range 3 {
		c := newCluster(t, 3, nil)
		first, second := testNet(1), testNet(2)
		c.deploy(first)
		c.awaitFull()
		d := c.disks[victim]
		d.set(func() { d.full = true })
		_, err := c.owner.Deploy(c.Context(), testModel, second)
		wantError(t, err, client.CodeStorage, victim)
		d.set(func() { d.full = false })
		c.predict(first, source(1), 1)
		for i := range c.cfgs { // which ends what they still do
			c.stop(i)
		}
		for i := range c.cfgs {
			entries, err := os.ReadDir(filepath.Join(c.cfgs[i].DataDir, "models", testModel))
			if err != nil || len(entries) != 2 { // one version, and the file that names it
				t.Errorf("party %d has %v (%v)", i, entries, err)
			}
		}
		for i := range c.cfgs {
			c.start(i)
		}
		c.deploy(second)
		c.predict(second, source(1), 1)
	}
}

func TestBadMaterialFileCostsOneSession(t *testing.T) {
	c := newCluster(t, 3, nil)
	m := testNet(1)
	c.deploy(m)
	c.awaitFull()
	v := c.parties[1].models.get(testModel)
	ids := v.pool.ids()
	last := filepath.Join(c.parties[1].models.materialDir(v.id), ids[len(ids)-1].String())
	if err := os.WriteFile(last, []byte("not material"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		c.predict(m, source(1), 3)
	}
}

func TestRestartServesWhatWasDeployed(t *testing.T) {
	c := newCluster(t, 3, nil)
	m := testNet(1)
	d := c.deploy(m)
	c.awaitFull()
	for i := range 3 {
		c.stop(i)
	}
	for i := range 3 {
		c.start(i)
	}
	if p := c.predict(m, source(1), 1); p != nil && p.Version != d.Version {
		t.Errorf("version %v, want %v", p.Version, d.Version)
	}
}

func TestCorruptModelIsLeftOutAndDeployedAgain(t *testing.T) {
	c := newCluster(t, 2, nil)
	m := testNet(1)
	d := c.deploy(m)
	c.stop(1)
	file := filepath.Join(c.cfgs[1].DataDir, "models", testModel, d.Version.String(), "weights")
	if err := os.WriteFile(file, []byte("zeroes"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.start(1)
	_, err := c.tryPredict(m, source(1), 1)
	wantError(t, err, client.CodeModel, 1)
	c.deploy(m)
	c.predict(m, source(1), 1)
}

package party

import (
	crand "crypto/rand"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/tacit-mpc/tacit/client"
	"github.com/tacit-mpc/tacit/configs"
	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

var testTimeouts = configs.Timeouts{Session: time.Minute, Step: 20 * time.Second, Prepare: time.Minute, Material: time.Minute, Liveness: liveness}

func makeIdentity(t *testing.T, file string) p2p.Identity {
	t.Helper()
	id, err := p2p.NewIdentity(crand.Reader)
	if err == nil {
		err = id.Save(file)
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }

func TestPredictionMatchesPlaintext(t *testing.T) {
	parties := []int{2, 3, 5}
	if slow {
		parties = parties[:2]
	}
	for _, n := range parties {
		c := newCluster(t, n, nil)
		m := testNet(1)
		c.deploy(m)
		r := source(2)
		for rows := 1; rows <= 3; rows++ {
			p := c.predict(m, r, rows)
			if p != nil && len(p.Stats) != n {
				t.Errorf("statistics of %d parties, want %d", len(p.Stats), n)
			}
		}
		for _, cfg := range c.cfgs {
			if got := c.logs.total(cfg.Name); got != 6 {
				t.Errorf("party %s has spent %d materials on 6 rows", cfg.Name, got)
			}
		}
	}
}

func TestConcurrentPredictions(t *testing.T) {
	c := newCluster(t, 3, nil)
	m := testNet(1)
	c.deploy(m)
	var users sync.WaitGroup
	for i := range 6 {
		users.Go(func() { c.predict(m, source(uint64(i)), 1+i%3) })
	}
	users.Wait()
	if got := c.sessions(done); got != 6 {
		t.Errorf("%d sessions for 6 requests that are not to be merged", got)
	}
}

// wantError checks the code and the party of an error of the client.
func wantError(t *testing.T, err error, code client.Code, party int) *client.Error {
	t.Helper()
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Code != code || e.Party != party {
		t.Errorf("got %v (%+v), want code %s of party %d", err, e, code, party)
	}
	return e
}

func TestBadRequestsAreClearErrors(t *testing.T) {
	c := newCluster(t, 3, nil)
	_, err := c.user.Predict(c.Context(), testModel, make([]float32, 4), 1)
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != client.CodeModel || !strings.Contains(e.Message, testModel) {
		t.Errorf("nothing deployed: got %v", err)
	}
	m := testNet(1)
	c.deploy(m)
	nan := float32(0)
	nan /= nan
	for name, bad := range map[string]struct {
		rows  []float32
		batch int
	}{
		"too short":    {make([]float32, 3), 1},
		"too long":     {make([]float32, 5), 1},
		"other batch":  {make([]float32, 4), 2},
		"no row":       {nil, 0},
		"not a number": {[]float32{0, nan, 0, 0}, 1},
		"out of range": {[]float32{0, 0, 0, 1000}, 1},
	} {
		_, err := c.user.Predict(c.Context(), testModel, bad.rows, bad.batch)
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != client.CodeInput {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err = c.user.Predict(c.Context(), testModel, make([]float32, 16), 4)
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != client.CodeRequest {
		t.Errorf("more rows than allowed: got %v", err)
	}
	if _, err = c.user.Predict(c.Context(), "../x", nil, 1); err == nil {
		t.Error("a path is taken for a name")
	}
	if got := c.logs.total("a"); got != 0 {
		t.Errorf("%d materials were spent on bad requests", got)
	}
	c.predict(m, source(1), 1)
}

func TestClientsNeedTheRole(t *testing.T) {
	c := newCluster(t, 3, nil)
	_, err := c.user.Deploy(c.Context(), testModel, testNet(1))
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != client.CodeNotAllowed {
		t.Errorf("user deploys: got %v", err)
	}
	_, err = c.owner.Deploy(c.Context(), "another", testNet(1))
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != client.CodeNotAllowed {
		t.Errorf("owner deploys another model: got %v", err)
	}
	stranger := c.dial(makeIdentity(t, filepath.Join(t.TempDir(), "stranger.key")))
	_, err = stranger.Predict(c.Context(), testModel, make([]float32, 4), 1)
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != client.CodeNotAllowed {
		t.Errorf("stranger: got %v", err)
	}
	for _, st := range stranger.Status(c.Context()) {
		if st.Err == nil {
			t.Errorf("party %d tells a stranger its status", st.Party)
		}
	}
}

func TestStatus(t *testing.T) {
	c := newCluster(t, 3, nil)
	d := c.deploy(testNet(1))
	c.awaitFull()
	for i, st := range c.user.Status(c.Context()) {
		if st.Err != nil {
			t.Fatal(st.Err)
		}
		if st.Status.Party != i || len(st.Status.Models) != 1 || len(st.Status.Peers) != 3 {
			t.Fatalf("party %d: got %+v", i, st.Status)
		}
		m := st.Status.Models[0]
		if m.Version != d.Version || m.Seq != 1 || m.Pool != 6 || m.Target != 6 || m.Batches != 2 || m.Last.Bytes == 0 || len(m.Last.Steps) == 0 || m.Setup.Bytes == 0 {
			t.Errorf("party %d: got %+v", i, m)
		}
		for _, p := range st.Status.Peers {
			if !p.Reachable {
				t.Errorf("party %d does not reach party %d", i, p.Party)
			}
		}
	}
	c.stop(2)
	st := c.user.Status(c.Context())
	wantError(t, st[2].Err, client.CodeUnreachable, 2)
	if st[0].Err != nil || st[0].Status.Peers[2].Reachable {
		t.Errorf("party 0 reaches a party that is down: %+v, %v", st[0].Status.Peers, st[0].Err)
	}
}

func TestRedeployReplacesModelAndPool(t *testing.T) {
	c := newCluster(t, 3, nil)
	first, second := testNet(1), testNet(2)
	d1 := c.deploy(first)
	c.awaitFull()
	c.predict(first, source(1), 2)
	old := c.parties[1].models.get(testModel).pool.ids()
	d2 := c.deploy(second)
	if d1.Version == d2.Version || d2.Number != d1.Number+1 {
		t.Errorf("versions %v, then %v", d1, d2)
	}
	c.predict(second, source(1), 3)
	for _, id := range c.parties[1].models.get(testModel).pool.ids() {
		for _, o := range old {
			if id == o {
				t.Errorf("material %v of the old version is still there", id)
			}
		}
	}
	for i := range c.cfgs {
		names, err := os.ReadDir(filepath.Join(c.cfgs[i].DataDir, "material"))
		if err != nil || len(names) != 1 || names[0].Name() != d2.Version.String() {
			t.Errorf("party %d has material of %v (%v)", i, names, err)
		}
	}
}

func TestStoredFilesArePrivate(t *testing.T) {
	c := newCluster(t, 2, nil)
	c.deploy(testNet(1))
	c.awaitFull()
	files := 0
	err := filepath.WalkDir(c.cfgs[0].DataDir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		want := os.FileMode(fileMode)
		if e.IsDir() {
			want = os.ModeDir | dirMode
		} else {
			files++
		}
		if info.Mode() != want {
			t.Errorf("%s: mode %v, want %v", path, info.Mode(), want)
		}
		return nil
	})
	if err != nil || files < 5 {
		t.Errorf("%d files, %v", files, err)
	}
}

func TestSecondDaemonOnOneDirectoryIsRefused(t *testing.T) {
	c := newCluster(t, 2, nil)
	p, err := New(c.cfgs[0], zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v", err)
	}
}

func TestMetrics(t *testing.T) {
	address := freePort(t)
	c := newCluster(t, 2, func(i int, cfg *configs.Party) {
		if i == 0 {
			cfg.Metrics = address
		}
	})
	m := testNet(1)
	c.deploy(m)
	c.predict(m, source(1), 1)
	c.awaitFull()
	r, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"tacit_pool_target_inferences{model=\"small\"} 6\n", "tacit_sessions_total{state=\"done\"} 1\n"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%q is missing in\n%s", want, b)
		}
	}
}

func TestStoppingPartySaysSo(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.deploy(testNet(1))
	raw := c.raw("user")
	streams := raw.send(raw.request(1))
	var session wire.ID
	for _, s := range streams {
		a, err := wire.Read[wire.Accept](s)
		if err != nil {
			t.Fatal(err)
		}
		session = a.Session
	}
	stopped := make(chan struct{})
	go func() {
		c.stop(1)
		close(stopped)
	}()
	_, err := wire.Read[wire.Result](streams[1])
	wantWireError(t, err, wire.CodeStopping)
	for _, j := range []int{0, 2} {
		if err := wire.Write(streams[j], wire.Shares{Session: session, Seed: true}, make([]byte, wire.SeedLen)); err != nil {
			t.Fatal(err)
		}
		_, err := wire.Read[wire.Result](streams[j])
		if e, ok := errors.AsType[*wire.Error](err); !ok || e.Party != 1 {
			t.Errorf("party %d says %v, want that party 1 stopped", j, err)
		}
	}
	for _, s := range streams {
		s.Close()
	}
	<-stopped
}

func TestEmptyPoolIsAClearError(t *testing.T) {
	c := newCluster(t, 2, func(i int, cfg *configs.Party) { cfg.Timeouts.Material = time.Millisecond })
	m := testNet(1)
	c.deploy(m)
	_, err := c.tryPredict(m, source(1), 3)
	e := wantError(t, err, client.CodePool, client.Nobody)
	if e != nil && (!strings.Contains(e.Message, "3 inferences") || e.Hint == "") {
		t.Errorf("got %q, hint %q", e.Message, e.Hint)
	}
	c.awaitFull()
	c.predict(m, source(1), 3)
}

func TestSessionLimit(t *testing.T) {
	c := newCluster(t, 2, func(i int, cfg *configs.Party) {
		cfg.Limits.MaxSessions = 1
		cfg.Timeouts.Material = 100 * time.Millisecond
	})
	m := testNet(1)
	c.deploy(m)
	c.awaitFull()
	raw := c.raw("user")
	streams := raw.send(raw.request(1))
	for _, s := range streams { // takes its time
		if _, err := wire.Read[wire.Accept](s); err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.tryPredict(m, source(1), 1)
	wantError(t, err, client.CodeBusy, 0)
	for _, s := range streams {
		s.Close()
	}
	for _, p := range c.parties { // until the session has ended
		p.slots <- struct{}{}
		<-p.slots
	}
	c.predict(m, source(1), 1)
}

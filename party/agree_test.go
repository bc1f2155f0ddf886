package party

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tacit-mpc/tacit/client"
	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// change alters the version that party i serves.
func (c *cluster) change(i int, f func(*version)) {
	p := c.parties[i]
	v := p.models.get(testModel)
	p.models.mu.Lock()
	defer p.models.mu.Unlock()
	f(v)
}

func TestPartiesWithDifferentVersions(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.deploy(testNet(1))
	c.awaitFull()
	c.change(1, func(v *version) { v.id[0] ^= 1 })
	_, err := c.user.Predict(c.Context(), testModel, make([]float32, 4), 1)
	wantError(t, err, client.CodeVersion, 1)
	if got := c.logs.total("a"); got != 0 {
		t.Errorf("%d materials were spent", got)
	}
}

// TestDisagreementIsNamed makes parties disagree that a client cannot tell
// apart: they find out themselves.
func TestDisagreementIsNamed(t *testing.T) {
	c := newCluster(t, 3, nil)
	m := testNet(1)
	c.deploy(m)
	c.predict(m, source(1), 1)
	c.awaitFull()
	c.change(2, func(v *version) { v.program[0] ^= 1 })
	_, err := c.tryPredict(m, source(1), 1)
	wantError(t, err, client.CodeProgram, 2)
	c.change(2, func(v *version) { v.program[0] ^= 1 })
	c.predict(m, source(1), 1)

	p := c.parties[2]
	p.models.mu.Lock()
	v := p.models.versions[testModel][p.models.current[testModel]]
	delete(p.models.versions[testModel], v.id)
	p.models.mu.Unlock()
	_, err = c.tryPredict(m, source(1), 1)
	wantError(t, err, client.CodeModel, 2)
	p.models.mu.Lock()
	p.models.versions[testModel][v.id] = v
	p.models.mu.Unlock()
	c.predict(m, source(1), 1)
}

func TestMaterialThatOnePartyLacksIsBurntByAll(t *testing.T) {
	c := newCluster(t, 3, nil)
	m := testNet(1)
	c.deploy(m)
	c.awaitFull()
	pool := c.parties[1].models.get(testModel).pool
	ids := pool.ids()
	if err := pool.discard(ids[:5]); err != nil {
		t.Fatal(err)
	}
	raw := c.raw("user")
	for _, s := range raw.send(raw.request(1)) {
		_, err := wire.Read[wire.Accept](s)
		if e, ok := errors.AsType[*wire.Error](err); !ok || e.Code != wire.CodeMaterial || e.Party != 1 {
			t.Errorf("got %v, want that party 1 lacks the material", err)
		}
	}
	c.predict(m, source(1), 1)
	for i := range c.parties {
		for _, id := range c.parties[i].models.get(testModel).pool.ids() {
			if slices.Contains(ids, id) {
				t.Errorf("party %d still has %v", i, id)
			}
		}
	}
}

// TestClientTriesAgainAfterLostMaterial lets the client run into it.
func TestClientTriesAgainAfterLostMaterial(t *testing.T) {
	c := newCluster(t, 3, nil)
	m := testNet(1)
	c.deploy(m)
	c.awaitFull()
	pool := c.parties[2].models.get(testModel).pool
	if err := pool.discard(pool.ids()); err != nil {
		t.Fatal(err)
	}
	c.predict(m, source(1), 3)
}

// A rawClient is a client without scruples.
type rawClient struct {
	*cluster
	node *p2p.Node
}

func (c *cluster) raw(name string) *rawClient {
	c.Helper()
	id, err := p2p.LoadIdentity(filepath.Join(filepath.Dir(c.cfgs[0].IdentityFile), name+".key"))
	if err != nil {
		c.Fatal(err)
	}
	node, err := p2p.Listen(c.Context(), id, nil, p2p.Options{Allow: func(p2p.PeerID) bool { return false }})
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { node.Close() })
	return &rawClient{c, node}
}

// send opens a stream to every party with one message.
func (c *rawClient) send(m wire.Message) []p2p.Stream {
	c.Helper()
	header, err := wire.Encode(m)
	if err != nil {
		c.Fatal(err)
	}
	return c.sendHeader(header)
}

func (c *rawClient) sendHeader(header []byte) []p2p.Stream {
	c.Helper()
	var streams []p2p.Stream
	for j := range c.client.Parties {
		streams = append(streams, c.open(j, header))
	}
	return streams
}

// open opens a stream to party j.
func (c *rawClient) open(j int, header []byte) p2p.Stream {
	c.Helper()
	m := c.client.Parties[j]
	s, err := c.node.Open(c.Context(), p2p.PeerID(m.Identity), []string{m.Address}, p2p.Online, header)
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { s.Close() })
	return s
}

// request asks for a prediction of one row.
func (c *rawClient) request(id byte) wire.PredictRequest {
	return wire.PredictRequest{Model: testModel, Manifest: c.parties[0].models.get(testModel).digest, Request: wire.ID{id}, Batch: 1}
}

func wantWireError(t *testing.T, err error, code wire.Code) {
	t.Helper()
	if e, ok := errors.AsType[*wire.Error](err); !ok || e.Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestReplayedRequestIsRefused(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.deploy(testNet(1))
	raw := c.raw("user")
	first := raw.send(raw.request(1))
	for _, s := range first {
		if _, err := wire.Read[wire.Accept](s); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range raw.send(raw.request(1)) {
		_, err := wire.Read[wire.Accept](s)
		wantWireError(t, err, wire.CodeReplay)
	}
}

func TestSharesForAnotherSessionAreRefused(t *testing.T) {
	c := newCluster(t, 3, nil)
	m := testNet(1)
	c.deploy(m)
	raw := c.raw("user")
	streams := raw.send(raw.request(1))
	for _, s := range streams {
		if _, err := wire.Read[wire.Accept](s); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range streams {
		if err := wire.Write(s, wire.Shares{Session: wire.ID{9}, Seed: true}, make([]byte, wire.SeedLen)); err != nil {
			t.Fatal(err)
		}
	}
	refused := 0
	for _, s := range streams {
		if _, err := wire.Read[wire.Result](s); err != nil {
			if e, ok := errors.AsType[*wire.Error](err); ok && e.Code == wire.CodeReplay {
				refused++
			}
		} else {
			t.Error("a result for a session that was not agreed on")
		}
	}
	if refused == 0 {
		t.Error("nobody says why")
	}
	c.predict(m, source(1), 1)
}

func TestGarbageFromClientsIsRefused(t *testing.T) {
	c := newCluster(t, 2, nil)
	m := testNet(1)
	c.deploy(m)
	raw := c.raw("user")
	for _, header := range []string{"", "x", `{"v":1,"kind":"session","body":{}}`, `{"v":1,"kind":"predict","body":{"model":"small","more":1}}`} {
		for _, s := range raw.sendHeader([]byte(header)) {
			_, err := wire.Read[wire.Accept](s)
			wantWireError(t, err, wire.CodeRequest)
		}
	}
	for _, s := range raw.sendHeader([]byte(`{"v":2,"kind":"status","body":{}}`)) {
		_, err := wire.Read[wire.Report](s)
		wantWireError(t, err, wire.CodeSuite)
	}
	streams := raw.send(raw.request(1))
	for _, s := range streams { // too early, and no message at all
		s.Write([]byte("\xff\xff\xff\xff"))
	}
	c.predict(m, source(1), 1)
}

package party

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/tacit-mpc/tacit/client"
	"github.com/tacit-mpc/tacit/configs"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/transport"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// A cluster is a number of parties in this process, on the loopback network,
// with an owner and a user as clients.
type cluster struct {
	*testing.T
	cfgs    []configs.Party
	parties []*Party
	stops   []func()
	disks   []*fakeDisk
	taps    []func(step string)
	logs    *audit
	client  configs.Cluster
	owner   *client.Client
	user    *client.Client
}

const testModel = "small"

// newCluster starts n parties. change, if not nil, may alter the configuration
// of each.
func newCluster(t *testing.T, n int, change func(i int, c *configs.Party)) *cluster {
	t.Helper()
	c := &cluster{T: t, logs: &audit{spent: map[string]int{}, sent: map[sentMessage]int{}}}
	dir := t.TempDir()
	var members []configs.Member
	for i := range n {
		name := string(rune('a' + i))
		members = append(members, configs.Member{
			Name: name, Address: freePort(t), Identity: string(makeIdentity(t, filepath.Join(dir, name+".key")).PeerID()),
		})
	}
	owner, user := makeIdentity(t, filepath.Join(dir, "owner.key")), makeIdentity(t, filepath.Join(dir, "user.key"))
	c.client = configs.Cluster{Parties: members}
	d := configs.Deployment{
		Parties: members,
		Clients: []configs.Client{
			{Name: "owner", Identity: string(owner.PeerID()), Roles: []configs.Role{configs.RoleDeploy, configs.RolePredict}, Models: []string{testModel}},
			{Name: "user", Identity: string(user.PeerID()), Roles: []configs.Role{configs.RolePredict}, Models: []string{testModel}},
		},
		Models: []configs.Model{{Name: testModel, Pool: 6, Batch: 3, MaxBatch: 3}},
	}
	for i := range n {
		cfg, err := d.PartyConfig(i)
		if err != nil {
			t.Fatal(err)
		}
		cfg.IdentityFile = filepath.Join(dir, cfg.Name+".key")
		cfg.DataDir = filepath.Join(dir, cfg.Name)
		cfg.Timeouts = testTimeouts
		cfg.Limits = configs.Limits{MaxBatch: 3, MaxSessions: 4}
		if change != nil {
			change(i, cfg)
		}
		c.cfgs = append(c.cfgs, *cfg)
	}
	c.parties, c.stops, c.disks, c.taps = make([]*Party, n), make([]func(), n), make([]*fakeDisk, n), make([]func(string), n)
	for i := range n {
		c.start(i)
	}
	t.Cleanup(func() {
		for i := range n {
			c.stop(i)
		}
		c.logs.check(t)
	})
	c.owner, c.user = c.dial(owner), c.dial(user)
	return c
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// dial returns a client of the cluster.
func (c *cluster) dial(id p2p.Identity) *client.Client {
	c.Helper()
	cl, err := client.Dial(c.Context(), c.client, id)
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { cl.Close() })
	return cl
}

// start runs party i until stop.
func (c *cluster) start(i int) {
	c.Helper()
	p, err := New(c.cfgs[i], zerolog.New(c.logs))
	if err != nil {
		c.Fatal(err)
	}
	if c.disks[i] == nil {
		c.disks[i] = &fakeDisk{files: disk{}}
	}
	p.files = c.disks[i]
	tap := c.taps[i]
	p.roster.tap = func(l transport.Link) transport.Link {
		return &tappedLink{l, func(step string, msg []byte) {
			if tap != nil {
				tap(step)
			}
			c.logs.message(i, len(c.cfgs), step, msg)
		}}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.Run(ctx); err != nil && !errors.Is(err, p2p.ErrClosed) { // see kill
			c.Errorf("party %d: %v", i, err)
		}
	}()
	c.stops[i] = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	c.parties[i] = p
	select {
	case <-p.Listening():
	case <-done:
		c.Fatalf("party %d did not start", i)
	}
}

func (c *cluster) stop(i int) { c.stops[i]() }

// kill ends party i without a goodbye to anybody.
func (c *cluster) kill(i int) {
	c.parties[i].roster.node.Close()
	c.stop(i)
}

// await blocks until cond holds at party i, which is looked at whenever the
// stock of the model changes there.
func (c *cluster) await(i int, what string, cond func(*version, *stock) bool) {
	c.Helper()
	p := c.parties[i]
	v := p.models.get(testModel)
	if v == nil {
		c.Fatalf("party %d serves no model", i)
	}
	s := p.stock(v)
	for {
		change := s.change()
		if cond(v, s) {
			return
		}
		select {
		case <-change:
		case <-c.Context().Done():
			c.Fatalf("party %d: %s never happened", i, what)
		}
	}
}

func (c *cluster) awaitFull() {
	c.Helper()
	c.await(0, "full pool", func(v *version, s *stock) bool {
		return s.isSynced() && !s.low() && v.pool.level() > 0
	})
}

// testNet returns a small network with random weights: 4 inputs, 5 hidden units
// with ReLU, 3 outputs.
func testNet(seed uint64) *model.Model {
	r := rand.New(rand.NewPCG(seed, 1))
	weights := func(n, width int, limit int64) []uint64 {
		w := make([]uint64, n)
		for i := range w {
			w[i] = uint64(r.Int64N(2*limit+1)-limit) & ring.Mask(width)
		}
		return w
	}
	first, second := ring.MatMul(1, 4, 5), ring.MatMul(1, 5, 3)
	return &model.Model{
		Manifest: model.Manifest{
			Format: model.ManifestFormat, Name: "test", Comparison: model.Carry, Depth: 4, Policy: model.Policy{Reveal: model.RevealScores},
			Program: model.Program{
				Values: []model.Value{value(4, 24, 6), value(5, 24, 12), value(5, 18, 6), value(5, 24, 6), value(3, 24, 12), value(3, 18, 6)},
				Ops: []model.Op{
					{Kind: model.Linear, Name: "hidden", In: []int{0}, Out: 1, Weights: 0, Bias: 1, Conv: &first},
					{Kind: model.Shift, Name: "hidden", In: []int{1}, Out: 2, Bits: 6},
					{Kind: model.ReLU, Name: "relu", In: []int{2}, Out: 3, Bits: 18},
					{Kind: model.Linear, Name: "output", In: []int{3}, Out: 4, Weights: 2, Bias: 3, Conv: &second},
					{Kind: model.Shift, Name: "output", In: []int{4}, Out: 5, Bits: 6},
				},
				Params: []model.Param{param("w1", 20), param("b1", 5), param("w2", 15), param("b2", 3)},
			},
			Input:  model.Tensor{Name: "x", Shape: []int{4}, Frac: 6, Width: 24, Lo: -2, Hi: 2},
			Output: model.Tensor{Name: "y", Shape: []int{3}, Frac: 6, Width: 18, Lo: -100, Hi: 100},
			Result: []int{3}, Ulp: model.Ulp{PerParty: 4, Const: 2}, FractionBits: 6,
		},
		Params: [][]uint64{weights(20, 24, 64), weights(5, 24, 4096), weights(15, 24, 64), weights(3, 24, 4096)},
	}
}

func value(n, width, frac int) model.Value { return model.Value{Len: n, Width: width, Frac: frac} }

func param(name string, n int) model.Param { return model.Param{Name: name, Len: n, Width: 24} }

func randomRows(r *rand.Rand, rows int) []float32 {
	x := make([]float32, 4*rows)
	for i := range x {
		x[i] = float32(r.Float64()*4 - 2)
	}
	return x
}

// deploy deploys a network or fails the test.
func (c *cluster) deploy(m *model.Model) client.Deployment {
	c.Helper()
	d, err := c.owner.Deploy(c.Context(), testModel, m)
	if err != nil {
		c.Fatalf("deploy: %v", err)
	}
	return d
}

// predict predicts random rows and compares the result with the plaintext.
func (c *cluster) predict(m *model.Model, r *rand.Rand, rows int) *client.Prediction {
	c.Helper()
	p, err := c.tryPredict(m, r, rows)
	if err != nil {
		c.Errorf("predict: %v", err)
	}
	return p
}

func (c *cluster) tryPredict(m *model.Model, r *rand.Rand, rows int) (*client.Prediction, error) {
	c.Helper()
	return c.tryPredictAs(c.user, m, r, rows)
}

func (c *cluster) tryPredictAs(who *client.Client, m *model.Model, r *rand.Rand, rows int) (*client.Prediction, error) {
	c.Helper()
	x := randomRows(r, rows)
	p, err := who.Predict(c.Context(), testModel, x, rows)
	if err != nil {
		return nil, err
	}
	encoded, err := m.Manifest.Encode(x)
	if err != nil {
		c.Fatal(err)
	}
	want, err := m.Eval(encoded, rows)
	if err != nil {
		c.Fatal(err)
	}
	bound, width := m.Manifest.UlpBound(len(c.cfgs)), m.Manifest.Output.Width
	for i := range want {
		if d := ring.Signed(p.Raw[i]-want[i], width); d > bound || -d > bound {
			c.Errorf("output %d: %d ulp from the plaintext, at most %d", i, d, bound)
		}
	}
	if len(p.Output) != 3*rows {
		c.Errorf("%d outputs, want %d", len(p.Output), 3*rows)
	}
	return p, nil
}

// An audit reads the logs and the messages of all parties: nothing is used
// twice, and nothing is logged that is not on the list.
type audit struct {
	mu     sync.Mutex
	lines  bytes.Buffer
	spent  map[string]int // by party and material
	sent   map[sentMessage]int
	twice  []string
	fields map[string]bool
}

// logged are the fields that may be logged: all of them are public.
var logged = strings.Fields(`level message error party peer kind listen identity model version number pool retry
	requests batch rows state event wait agree run session material burnt inferences time bytes`)

func (a *audit) Write(line []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lines.Write(line)
	var e struct {
		Party    string   `json:"party"`
		Material []string `json:"material"`
	}
	json.Unmarshal(line, &e)
	for _, m := range e.Material {
		if a.spent[e.Party+" "+m]++; a.spent[e.Party+" "+m] == 2 {
			a.twice = append(a.twice, e.Party+" "+m)
		}
	}
	var all map[string]any
	json.Unmarshal(line, &all)
	for k := range all {
		if a.fields == nil {
			a.fields = map[string]bool{}
		}
		a.fields[k] = true
	}
	return len(line), nil
}

// A sentMessage is what a party has sent to each other party at one step.
type sentMessage struct {
	party  int
	step   string
	digest [32]byte
}

// message notes a message. Every message of a protocol that is long enough not
// to repeat by chance depends on material, keys or nonces that are used once:
// the same message again, other than to each peer, means that one was not. What
// the parties tell each other about their pools may repeat.
func (a *audit) message(party, n int, step string, msg []byte) {
	if len(msg) < 16 || strings.HasPrefix(step, "prep: ") {
		return
	}
	key := sentMessage{party, step, sha256.Sum256(msg)}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sent[key]++; a.sent[key] == n {
		a.twice = append(a.twice, fmt.Sprintf("a message of party %d at %q", party, step))
	}
}

// total returns how many materials party name has spent.
func (a *audit) total(name string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for k := range a.spent {
		if strings.HasPrefix(k, name+" ") {
			n++
		}
	}
	return n
}

func (a *audit) check(t *testing.T) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.twice) > 0 {
		t.Errorf("used twice: %v", a.twice)
	}
	for k := range a.fields {
		if !slices.Contains(logged, k) {
			t.Errorf("the field %q is logged", k)
		}
	}
	if t.Failed() || os.Getenv("TACIT_TEST_LOG") != "" {
		t.Logf("logs of the parties:\n%s", a.lines.String())
	}
}

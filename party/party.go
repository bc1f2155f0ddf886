// Package party is the daemon that one organisation runs: it holds a share of
// every model, prepares material with the other parties in the background, and
// computes predictions with them.
//
// Party 0 leads: it numbers model versions, decides when a batch is prepared,
// and names the material of a session. It learns nothing more than the others,
// who check what it proposes and refuse what they do not hold.
//
// What is secret here: shares of weights (on disk, mode 0600), material (on
// disk until it is used, once), shares of inputs and outputs (in memory). None
// of it is ever logged.
package party

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/tacit-mpc/tacit/configs"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// Up to maxStaged inferences, or those of the largest request or of two merged
// sessions, are staged, and at most one in stagedPart of the pool. More than
// maxStaged take at most stagedMemory.
const (
	maxStaged    = 8
	stagedPart   = 4
	stagedMemory = 64 << 20
)

// A peer may have this many streams open towards this party: its link and a
// client's request that waits, for every session, and those of preparation.
const (
	streamsPerSession = 4
	otherStreams      = 64
)

// A Party is one party of a cluster. Make it with [New] and start it with
// [Party.Run].
type Party struct {
	cfg    configs.Party
	log    zerolog.Logger
	files  files
	self   int
	roster *roster
	start  time.Time
	listen chan struct{} // closed once the party can be reached
	// workers is how many goroutines at a time compute material for one model,
	// as many as there are processors if it is 0.
	workers int

	// The rest is set by Run.
	ctx     context.Context
	work    sync.WaitGroup
	models  *registry
	pacer   *pacer
	asked   *desk[*request]
	offered *desk[*offer]
	slots   chan struct{} // one for each session that may run
	factory chan struct{} // one token: who has it generates

	mu       sync.Mutex
	fillers  map[string]*task         // by model
	deploys  map[string]chan struct{} // by model
	open     map[*version]*company    // which requests may still join
	sessions map[state]int            // statistics
}

// A task is work in the background that can be stopped.
type task struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
}

func (t *task) stop(why error) {
	t.cancel(why)
	<-t.done
}

var (
	errStopping = errors.New("the party shuts down")
	errReplaced = errors.New("replaced by a newer one")
)

// New returns the party that cfg describes. It touches neither disk nor network.
func New(cfg configs.Party, log zerolog.Logger) (*Party, error) {
	self := cfg.Self()
	if self < 0 {
		return nil, fmt.Errorf("party %q is none of the parties", cfg.Name)
	}
	return &Party{
		cfg: cfg, files: disk{}, self: self, listen: make(chan struct{}),
		log:      log.With().Str("party", cfg.Name).Logger(),
		pacer:    newPacer(),
		asked:    newDesk[*request](),
		offered:  newDesk[*offer](),
		roster:   &roster{self: self, lobby: newLobby()},
		slots:    make(chan struct{}, cfg.Limits.MaxSessions),
		factory:  make(chan struct{}, 1),
		fillers:  map[string]*task{},
		deploys:  map[string]chan struct{}{},
		open:     map[*version]*company{},
		sessions: map[state]int{},
	}, nil
}

// Listening is closed once the party can be reached.
func (p *Party) Listening() <-chan struct{} { return p.listen }

// Run serves until ctx is done. It then tells all peers, waits for what runs to
// end, and returns nil. It fails only if it cannot start.
func (p *Party) Run(ctx context.Context) error {
	p.start = time.Now()
	if err := os.MkdirAll(p.cfg.DataDir, dirMode); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	unlock, err := lock(p.cfg.DataDir)
	if err != nil {
		return err
	}
	defer unlock()
	inner, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(errStopping)
	p.ctx = inner
	stop := context.AfterFunc(ctx, func() { cancel(errStopping) })
	defer stop()

	if err := p.up(); err != nil {
		return err
	}
	defer p.roster.node.Close()
	if err := p.serveMetrics(); err != nil {
		cancel(errStopping)
		p.work.Wait()
		return err
	}
	close(p.listen)
	p.log.Info().Str("listen", p.cfg.Listen).Str("identity", string(p.roster.peers[p.self].id)).Msg("party is up")

	err = p.accept()
	cancel(errStopping)
	p.work.Wait()
	p.log.Info().Msg("party is down")
	return err
}

// up loads the models, starts the node and, at party 0, the preparation.
func (p *Party) up() error {
	id, err := p2p.LoadIdentity(p.cfg.IdentityFile)
	if err != nil {
		return err
	}
	r := p.roster
	for _, m := range p.cfg.Parties {
		r.peers = append(r.peers, peer{m.Name, p2p.PeerID(m.Identity), []string{m.Address}})
	}
	if r.peers[p.self].id != id.PeerID() {
		return fmt.Errorf("the identity file is of %s, the configuration gives %s to party %s",
			id.PeerID(), r.peers[p.self].id, p.cfg.Name)
	}
	p.models, err = openRegistry(p.files, p.cfg.DataDir, p.self, len(r.peers), p.staged)
	if p.models == nil {
		return err
	}
	if err != nil { // some models are unusable; the rest is served
		p.log.Error().Err(err).Msg("models that cannot be served")
	}
	if p.self == 0 {
		if err := p.models.abandon(); err != nil {
			return err
		}
	}
	// The node outlives what p.ctx ends, so that peers are told.
	ctx := context.WithoutCancel(p.ctx)
	if r.node, err = p2p.Listen(ctx, id, []string{p.cfg.Listen}, p2p.Options{
		Allow: p.known, Liveness: p.cfg.Timeouts.Liveness,
		MaxStreams: streamsPerSession*p.cfg.Limits.MaxSessions + otherStreams,
	}); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for _, v := range p.models.all() {
		p.log.Info().Str("model", v.name).Stringer("version", v.id).Int("pool", v.pool.level()).Msg("model is served")
		p.begin(v)
	}
	return nil
}

// staged returns how much material of a model is held in memory ahead of use:
// enough that the next requests need no disk, and a small part of the pool, as
// a crash loses it.
func (p *Party) staged(v *version) int {
	m, _ := p.cfg.Model(v.name)
	next := m.MaxBatch
	if m.MergeDelay > 0 {
		next = max(next, 2*m.MergeRows) // one session runs, the next one gathers
	}
	room := stagedMemory / v.demand.Len(len(p.cfg.Parties), p.self)
	next = max(maxStaged, min(next, room))
	return min(next, (m.Pool+stagedPart-1)/stagedPart)
}

// known reports whether a peer may connect at all.
func (p *Party) known(id p2p.PeerID) bool {
	for _, m := range p.cfg.Parties {
		if m.Identity == string(id) {
			return true
		}
	}
	_, ok := p.cfg.Client(string(id))
	return ok
}

// begin starts what a version that is served needs: its stock, and at party 0
// the preparation. It stops that of an older version of the model, and does
// nothing the second time.
func (p *Party) begin(v *version) {
	m, ok := p.cfg.Model(v.name)
	if !ok {
		p.log.Warn().Str("model", v.name).Msg("model is not in the configuration: nothing is prepared for it")
		return
	}
	p.mu.Lock()
	if v.stock != nil {
		p.mu.Unlock()
		return
	}
	s := newStock(v.pool, m.Pool, m.Batch)
	v.stock = s
	old := p.fillers[v.name]
	p.mu.Unlock()
	if old != nil {
		old.stop(errReplaced)
	}
	if p.self == 0 {
		p.background(v.name, func(ctx context.Context) { p.fill(ctx, v, s) })
	}
	p.work.Go(func() { p.stage(v, s) })
}

// background runs f as the filler of a model, after the one before has ended.
func (p *Party) background(model string, f func(ctx context.Context)) {
	ctx, cancel := context.WithCancelCause(p.ctx)
	t := &task{cancel, make(chan struct{})}
	for {
		p.mu.Lock()
		old := p.fillers[model]
		if old == nil {
			p.fillers[model] = t
			p.mu.Unlock()
			break
		}
		p.mu.Unlock()
		old.stop(errReplaced)
	}
	p.work.Go(func() {
		defer func() {
			cancel(nil)
			p.mu.Lock()
			if p.fillers[model] == t {
				delete(p.fillers, model)
			}
			p.mu.Unlock()
			close(t.done)
		}()
		f(ctx)
	})
}

// stage keeps the oldest material of v in memory as long as v is served. It
// gives way to sessions while there is enough for the next ones.
func (p *Party) stage(v *version, s *stock) {
	for p.ctx.Err() == nil && p.models.get(v.name) == v {
		change := s.change()
		for v.pool.plenty() && !p.pacer.wait(change) {
			change = s.change()
		}
		if err := v.pool.stage(); err != nil {
			p.log.Error().Err(err).Str("model", v.name).Msg("material is unusable and was discarded")
		}
		select {
		case <-change:
		case <-p.ctx.Done():
		}
	}
}

// stock returns the stock of a version, nil if it is not served here.
func (p *Party) stock(v *version) *stock {
	p.mu.Lock()
	defer p.mu.Unlock()
	return v.stock
}

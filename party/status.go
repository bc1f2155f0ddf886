package party

import (
	"context"
	"maps"
	"runtime/debug"
	"sync"
	"time"

	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// reachTime limits how long a status request looks for another party.
const reachTime = 2 * time.Second

// answerStatus serves a status request.
func (p *Party) answerStatus(s p2p.Stream) error {
	b, err := wire.EncodeStatus(p.status(p.reach()))
	if err != nil {
		return err
	}
	s.SetWriteDeadline(time.Now().Add(answerTime))
	return wire.Write(s, wire.Report{Len: int64(len(b))}, b)
}

// status returns the state of this party, with what is known of its peers.
func (p *Party) status(peers []wire.PeerStatus) wire.Status {
	st := wire.Status{
		Party: p.self, Name: p.cfg.Name, Release: release(), Suite: wire.Suite,
		Uptime: time.Since(p.start), Sessions: map[string]int{}, Peers: peers,
	}
	p.mu.Lock()
	for s, n := range maps.All(p.sessions) {
		st.Sessions[string(s)] = n
	}
	p.mu.Unlock()
	for _, v := range p.models.all() {
		m := wire.ModelStatus{Prep: prepOffline, Pool: v.pool.level()}
		if s := p.stock(v); s != nil {
			m = s.report()
		}
		m.Name, m.Version, m.Seq, m.Manifest = v.name, v.id, v.seq, v.digest
		st.Models = append(st.Models, m)
	}
	return st
}

// reach finds out which parties can be connected.
func (p *Party) reach() []wire.PeerStatus {
	ctx, cancel := context.WithTimeout(p.ctx, reachTime)
	defer cancel()
	peers := make([]wire.PeerStatus, len(p.roster.peers))
	var calls sync.WaitGroup
	for j, peer := range p.roster.peers {
		peers[j] = wire.PeerStatus{Party: j, Name: peer.name, Reachable: j == p.self}
		if j == p.self {
			continue
		}
		calls.Go(func() {
			peers[j].Reachable = p.ping(ctx, j, p2p.Control) == nil
		})
	}
	calls.Wait()
	return peers
}

// warm connects to the parties to which this one will open the streams of
// sessions, so that the first session does not have to.
func (p *Party) warm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	for j := p.self + 1; j < len(p.roster.peers); j++ {
		if err := p.ping(ctx, j, p2p.Online); err != nil {
			p.log.Warn().Err(err).Str("peer", p.roster.peers[j].name).Msg("party cannot be reached")
		}
	}
}

// ping has another party answer.
func (p *Party) ping(ctx context.Context, j int, class p2p.Class) error {
	s, err := p.roster.open(ctx, j, class, wire.Ping{})
	if err != nil {
		return err
	}
	defer s.Close()
	s.SetReadDeadline(time.Now().Add(reachTime))
	_, err = wire.Read[wire.Ping](s)
	return err
}

// release returns the version of the binary.
func release() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}

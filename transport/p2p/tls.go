package p2p

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
)

// hybrid is the only key exchange that is offered and accepted. Who records
// the links of all parties today and breaks X25519 with a quantum computer
// later would have all shares; ML-KEM-768 is in the way of that.
const hybrid = tls.X25519MLKEM768

// security is the TLS 1.3 of libp2p, with both certificates signed by the
// peers' identities, restricted to the hybrid key exchange. The class of the
// connection is negotiated as its application protocol, in the handshake.
type security struct {
	identity *libp2ptls.Identity
	local    peer.ID
	classes  []string // application protocols
}

func newSecurity(id Identity, classes ...Class) (*security, error) {
	local, err := peer.IDFromPrivateKey(id.key)
	if err != nil {
		return nil, err
	}
	identity, err := libp2ptls.NewIdentity(id.key)
	if err != nil {
		return nil, err
	}
	s := &security{identity: identity, local: local}
	for _, c := range classes {
		s.classes = append(s.classes, string(c.protocol()))
	}
	return s, nil
}

func (s *security) ID() protocol.ID { return libp2ptls.ID }

func (s *security) SecureInbound(ctx context.Context, c net.Conn, p peer.ID) (sec.SecureConn, error) {
	return s.handshake(ctx, c, p, tls.Server)
}

func (s *security) SecureOutbound(ctx context.Context, c net.Conn, p peer.ID) (sec.SecureConn, error) {
	return s.handshake(ctx, c, p, tls.Client)
}

func (s *security) handshake(ctx context.Context, c net.Conn, p peer.ID, side func(net.Conn, *tls.Config) *tls.Conn) (sec.SecureConn, error) {
	config, keys := s.identity.ConfigForPeer(p)
	config.MinVersion = tls.VersionTLS13
	config.CurvePreferences = []tls.CurveID{hybrid}
	config.NextProtos = s.classes

	secured := side(c, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	remote, err := s.verify(secured.ConnectionState(), keys)
	if err != nil {
		c.Close()
		return nil, err
	}
	remote.Conn, remote.local = secured, s.local
	return remote, nil
}

// verify checks what the handshake agreed on.
func (s *security) verify(state tls.ConnectionState, keys <-chan crypto.PubKey) (*secureConn, error) {
	if state.Version != tls.VersionTLS13 || state.CurveID != hybrid {
		return nil, fmt.Errorf("handshake agreed on %s and %v, want TLS 1.3 and %v",
			tls.VersionName(state.Version), state.CurveID, hybrid)
	}
	if !slices.Contains(s.classes, state.NegotiatedProtocol) {
		return nil, fmt.Errorf("handshake agreed on protocol %q", state.NegotiatedProtocol)
	}
	var key crypto.PubKey
	select {
	case key = <-keys:
	default:
	}
	if key == nil {
		return nil, errors.New("handshake gave no key of the peer")
	}
	id, err := peer.IDFromPublicKey(key)
	if err != nil {
		return nil, err
	}
	return &secureConn{remote: id, key: key, class: protocol.ID(state.NegotiatedProtocol)}, nil
}

type secureConn struct {
	*tls.Conn
	local, remote peer.ID
	key           crypto.PubKey
	class         protocol.ID
}

func (c *secureConn) LocalPeer() peer.ID             { return c.local }
func (c *secureConn) RemotePeer() peer.ID            { return c.remote }
func (c *secureConn) RemotePublicKey() crypto.PubKey { return c.key }
func (c *secureConn) ConnState() network.ConnectionState {
	return network.ConnectionState{StreamMultiplexer: c.class, UsedEarlyMuxerNegotiation: true}
}

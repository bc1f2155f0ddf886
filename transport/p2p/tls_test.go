package p2p

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"net"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
)

// tcpPair returns the two ends of a connection over loopback.
func tcpPair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", loopback)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func identityAndSecurity(t *testing.T) (Identity, *security) {
	t.Helper()
	id, err := NewIdentity(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSecurity(id, Online)
	if err != nil {
		t.Fatal(err)
	}
	return id, s
}

func TestTheKeyExchangeIsHybrid(t *testing.T) {
	_, a := identityAndSecurity(t)
	_, b := identityAndSecurity(t)
	ca, cb := tcpPair(t)
	inbound := make(chan sec.SecureConn, 1)
	go func() {
		c, err := b.SecureInbound(context.Background(), cb, "")
		if err != nil {
			t.Error(err)
		}
		inbound <- c
	}()
	out, err := a.SecureOutbound(t.Context(), ca, b.local)
	if err != nil {
		t.Fatal(err)
	}
	in := <-inbound
	if in.RemotePeer() != a.local || out.RemotePeer() != b.local {
		t.Errorf("peers = %v, %v", in.RemotePeer(), out.RemotePeer())
	}
	for _, c := range []sec.SecureConn{in, out} {
		state := c.(*secureConn).ConnectionState()
		if state.CurveID != tls.X25519MLKEM768 || state.Version != tls.VersionTLS13 {
			t.Errorf("handshake agreed on %v, %v", state.CurveID, tls.VersionName(state.Version))
		}
	}
}

// classical returns the configuration of a libp2p peer without ML-KEM.
func classical(t *testing.T, remote peer.ID) *tls.Config {
	t.Helper()
	id, _ := identityAndSecurity(t)
	identity, err := libp2ptls.NewIdentity(id.key)
	if err != nil {
		t.Fatal(err)
	}
	config, _ := identity.ConfigForPeer(remote)
	config.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256}
	config.NextProtos = []string{string(Online.protocol())}
	return config
}

func TestAClassicalPeerIsRefused(t *testing.T) {
	_, s := identityAndSecurity(t)
	for name, try := range map[string]func(ours, theirs net.Conn) error{
		"that dials": func(ours, theirs net.Conn) error {
			go tls.Client(theirs, classical(t, s.local)).Handshake()
			_, err := s.SecureInbound(t.Context(), ours, "")
			return err
		},
		"that listens": func(ours, theirs net.Conn) error {
			config := classical(t, "")
			go tls.Server(theirs, config).Handshake()
			leaf, err := peer.IDFromPrivateKey(mustIdentity(t).key)
			if err != nil {
				return err
			}
			_, err = s.SecureOutbound(t.Context(), ours, leaf)
			return err
		},
	} {
		ours, theirs := tcpPair(t)
		if err := try(ours, theirs); err == nil {
			t.Errorf("a classical peer %s was accepted", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}

func mustIdentity(t *testing.T) Identity {
	id, _ := identityAndSecurity(t)
	return id
}

func TestWhatTheHandshakeAgreedOnIsVerified(t *testing.T) {
	_, s := identityAndSecurity(t)
	good := tls.ConnectionState{Version: tls.VersionTLS13, CurveID: hybrid, NegotiatedProtocol: s.classes[0]}
	for name, spoil := range map[string]func(*tls.ConnectionState){
		"group":    func(c *tls.ConnectionState) { c.CurveID = tls.X25519 },
		"version":  func(c *tls.ConnectionState) { c.Version = tls.VersionTLS12 },
		"protocol": func(c *tls.ConnectionState) { c.NegotiatedProtocol = "" },
		"key":      func(*tls.ConnectionState) {},
	} {
		state := good
		spoil(&state)
		if _, err := s.verify(state, nil); err == nil {
			t.Errorf("a wrong %s was accepted", name)
		}
	}
}

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

// stock returns the TLS configuration of a libp2p peer that offers the given
// groups, and its identity.
func stock(t *testing.T, remote peer.ID, groups ...tls.CurveID) (*tls.Config, peer.ID) {
	t.Helper()
	id, s := identityAndSecurity(t)
	identity, err := libp2ptls.NewIdentity(id.key)
	if err != nil {
		t.Fatal(err)
	}
	config, _ := identity.ConfigForPeer(remote)
	config.CurvePreferences = groups
	config.NextProtos = s.classes
	return config, s.local
}

func TestAClassicalPeerIsRefused(t *testing.T) {
	_, s := identityAndSecurity(t)
	for _, c := range []struct {
		groups []tls.CurveID
		ok     bool
	}{
		{[]tls.CurveID{tls.X25519, tls.CurveP256}, false},
		{[]tls.CurveID{tls.X25519, tls.X25519MLKEM768}, true},
	} {
		ours, theirs := tcpPair(t)
		config, _ := stock(t, s.local, c.groups...)
		go tls.Client(theirs, config).Handshake()
		if _, err := s.SecureInbound(t.Context(), ours, ""); (err == nil) != c.ok {
			t.Errorf("a peer that dials with %v: err = %v", c.groups, err)
		}

		ours, theirs = tcpPair(t)
		config, id := stock(t, "", c.groups...)
		go tls.Server(theirs, config).Handshake()
		if _, err := s.SecureOutbound(t.Context(), ours, id); (err == nil) != c.ok {
			t.Errorf("a peer that listens with %v: err = %v", c.groups, err)
		}
	}
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

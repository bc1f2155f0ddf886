package p2p

import (
	"crypto/rand"
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tacit-mpc/tacit/transport"
)

func openEarly(t testing.TB, from, to *Node, c Class, header string) Stream {
	t.Helper()
	s, err := from.OpenEarly(t.Context(), to.PeerID(), to.Addrs(), c, []byte(header))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAnEarlyStreamCarriesWhatFollowsItsHeader(t *testing.T) {
	a, b := newNode(t, everybody), newNode(t, everybody, loopback)
	for i := range 3 { // the first one connects, and waits
		s := openEarly(t, a, b, Online, "header")
		if waits := s.(*stream).early != nil; waits != (i > 0) {
			t.Errorf("stream %d: early is %v", i, waits)
		}
		if _, err := io.WriteString(s, "first"); err != nil {
			t.Fatal(err)
		}
		in := accept(t, b)
		if string(in.Header) != "header" {
			t.Errorf("header %q", in.Header)
		}
		for _, pair := range [][2]Stream{{nil, in.Stream}, {in.Stream, s}, {s, in.Stream}} {
			if pair[0] != nil {
				io.WriteString(pair[0], "first")
			}
			if got, err := io.ReadAll(io.LimitReader(pair[1], 5)); string(got) != "first" {
				t.Errorf("got %q, %v", got, err)
			}
		}
		s.Close()
		in.Stream.Close()
	}
}

func TestADeadlineDoesNotLoseTheAnswerToAnEarlyStream(t *testing.T) {
	a, b := newNode(t, everybody), newNode(t, everybody, loopback)
	open(t, a, b, Online, "")
	accept(t, b)
	s := openEarly(t, a, b, Online, "")
	s.SetReadDeadline(time.Unix(1, 0))
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("err = %v, want os.ErrDeadlineExceeded", err)
	}
	s.SetReadDeadline(time.Time{})
	in := accept(t, b)
	io.WriteString(in.Stream, "x")
	if got, err := io.ReadAll(io.LimitReader(s, 1)); string(got) != "x" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAnEarlyStreamThatIsTurnedAwaySaysSo(t *testing.T) {
	var shut atomic.Bool
	id, _ := NewIdentity(rand.Reader)
	a := newNode(t, everybody)
	b := start(t, id, Options{Allow: func(PeerID) bool { return !shut.Load() }, MaxStreams: 2, Liveness: patient}, loopback)
	for range 2 {
		open(t, a, b, Online, "")
		accept(t, b)
	}
	for _, want := range []error{ErrBusy, ErrNotAllowed} {
		shut.Store(want == ErrNotAllowed)
		s := openEarly(t, a, b, Online, "")
		for range 2 { // the answer is final
			if _, err := s.Read(make([]byte, 1)); !errors.Is(err, want) || !strings.Contains(err.Error(), string(b.PeerID())) {
				t.Errorf("err = %v, want %v", err, want)
			}
		}
		s.Close()
	}
	if a.connections(b.PeerID()) != 0 {
		t.Error("the connection to a peer who does not allow us is kept")
	}
}

func TestAnEarlyStreamToAPeerThatIsGoneFails(t *testing.T) {
	a, b := newNode(t, everybody), newNode(t, everybody, loopback)
	addr := b.Addrs()
	open(t, a, b, Online, "")
	b.Close()
	s, err := a.OpenEarly(t.Context(), b.PeerID(), addr, Online, nil)
	if err == nil {
		_, err = s.Read(make([]byte, 1))
		if !errors.Is(err, transport.ErrGone) {
			t.Errorf("err = %v, want ErrGone", err)
		}
	}
	if err == nil {
		t.Error("opened a stream to a peer that is down")
	}
}

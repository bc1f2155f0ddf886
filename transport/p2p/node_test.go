package p2p

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tacit-mpc/tacit/transport"
)

func everybody(PeerID) bool { return true }

func newNode(t testing.TB, allow func(PeerID) bool, addrs ...string) *Node {
	t.Helper()
	id, err := NewIdentity(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, id, Options{Allow: allow, Liveness: patient}, addrs...)
}

// patient is a liveness that does not fail a test on a machine that is busy
// with others.
const patient = 10 * time.Minute

func start(t testing.TB, id Identity, o Options, addrs ...string) *Node {
	t.Helper()
	n, err := Listen(t.Context(), id, addrs, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

const loopback = "127.0.0.1:0"

func open(t testing.TB, from, to *Node, c Class, header string) Stream {
	t.Helper()
	s, err := from.Open(t.Context(), to.PeerID(), to.Addrs(), c, []byte(header))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func accept(t testing.TB, n *Node) *Incoming {
	t.Helper()
	in, err := n.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestAStreamCarriesItsHeaderAndBothDirections(t *testing.T) {
	a, b := newNode(t, everybody), newNode(t, everybody, loopback)
	for c := range classes {
		header := strings.Repeat(c.String(), 1000)
		s := open(t, a, b, c, header)
		in := accept(t, b)
		if in.Peer != a.PeerID() || in.Class != c || string(in.Header) != header {
			t.Errorf("incoming = %s, %v, %d bytes", in.Peer, in.Class, len(in.Header))
		}
		for _, pair := range [][2]Stream{{s, in.Stream}, {in.Stream, s}} {
			fmt.Fprint(pair[0], "hello")
			if got, err := io.ReadAll(io.LimitReader(pair[1], 5)); string(got) != "hello" {
				t.Errorf("got %q, %v", got, err)
			}
		}
	}
	if _, err := a.Open(t.Context(), b.PeerID(), b.Addrs(), Online, make([]byte, MaxHeader+1)); err == nil {
		t.Error("a header above the limit was sent")
	}
}

func TestClassesHaveConnectionsOfTheirOwn(t *testing.T) {
	a, b := newNode(t, everybody), newNode(t, everybody, loopback)
	for c := range classes {
		for range 3 {
			open(t, a, b, c, "")
			accept(t, b)
		}
		if got := a.connections(b.PeerID()); got != int(c)+1 {
			t.Errorf("%d connections after class %v", got, c)
		}
	}
	// The other side uses the same connections, though a has no address.
	if _, err := b.Open(t.Context(), a.PeerID(), nil, Bulk, nil); err != nil {
		t.Error(err)
	}
}

func TestAPeerThatIsNotListedIsToldSo(t *testing.T) {
	stranger := newNode(t, everybody)
	b := newNode(t, func(id PeerID) bool { return id != stranger.PeerID() }, loopback)
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() {
			_, err := stranger.Open(t.Context(), b.PeerID(), b.Addrs(), Control, nil)
			if !errors.Is(err, ErrNotAllowed) {
				t.Errorf("err = %v, want ErrNotAllowed", err)
			}
		})
	}
	calls.Wait()
	friend := newNode(t, nil)
	open(t, friend, b, Control, "")
	accept(t, b)
	// Nor may a server open streams to a client that lists nobody.
	if _, err := b.Open(t.Context(), friend.PeerID(), nil, Control, nil); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("err = %v, want ErrNotAllowed", err)
	}
}

func TestAnotherIdentityAtTheAddressIsAnError(t *testing.T) {
	a, b, c := newNode(t, everybody), newNode(t, everybody, loopback), newNode(t, everybody)
	_, err := a.Open(t.Context(), c.PeerID(), b.Addrs(), Online, nil)
	if err == nil || !strings.Contains(err.Error(), "is another peer, "+string(b.PeerID())) {
		t.Errorf("err = %v", err)
	}
}

func TestAPeerCannotOpenStreamsWithoutLimit(t *testing.T) {
	id, _ := NewIdentity(rand.Reader)
	a, b := newNode(t, everybody), start(t, id, Options{Allow: everybody, MaxStreams: 3, Liveness: patient}, loopback)
	var streams []Stream
	for range 3 {
		streams = append(streams, open(t, a, b, Control, ""))
	}
	if _, err := a.Open(t.Context(), b.PeerID(), nil, Control, nil); !errors.Is(err, ErrBusy) {
		t.Errorf("err = %v, want ErrBusy", err)
	}
	streams[0].Close()
	in := accept(t, b)
	in.Stream.Close()
	b.parts.Wait()
	open(t, a, b, Control, "")
}

func TestLargeTransfersOnManyStreamsInBothDirections(t *testing.T) {
	const streams, size = 24, 1 << 20
	a, b := newNode(t, everybody), newNode(t, everybody, loopback)
	var calls sync.WaitGroup
	exchange := func(s Stream, mine byte) {
		var write sync.WaitGroup
		write.Go(func() { s.Write(bytes.Repeat([]byte{mine}, size)); s.CloseWrite() })
		got, err := io.ReadAll(s)
		write.Wait()
		s.Close()
		if err != nil || len(got) != size || bytes.Count(got, []byte{mine ^ 1}) != size {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
	}
	for i := range streams {
		calls.Go(func() { exchange(open(t, a, b, Class(i%int(classes)), ""), 0) })
		calls.Go(func() { exchange(accept(t, b).Stream, 1) })
	}
	calls.Wait()
}

func TestCloseDeliversWhatWasWritten(t *testing.T) {
	b := newNode(t, everybody, loopback)
	for _, size := range []int{1, 100_000, 5 << 20} {
		a := newNode(t, everybody)
		s := open(t, a, b, Online, "")
		in := accept(t, b)
		var calls sync.WaitGroup
		calls.Go(func() {
			s.Write(make([]byte, size))
			s.Close()
			a.Close()
		})
		got, err := io.ReadAll(in.Stream)
		if len(got) != size || err != nil {
			t.Errorf("read %d of %d bytes, %v", len(got), size, err)
		}
		in.Stream.Close()
		calls.Wait()
	}
}

func TestAnInterruptedWriteDoesNotLookLikeTheEnd(t *testing.T) {
	a, b := newNode(t, everybody), newNode(t, everybody, loopback)
	s := open(t, a, b, Online, "")
	in := accept(t, b)
	var write sync.WaitGroup
	write.Go(func() {
		if n, err := s.Write(make([]byte, 64<<20)); err == nil {
			t.Errorf("wrote %d bytes that nobody reads", n)
		}
	})
	if _, err := io.ReadFull(in.Stream, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	write.Wait()
	if n, err := io.Copy(io.Discard, in.Stream); !errors.Is(err, transport.ErrGone) {
		t.Errorf("read %d bytes, err = %v, want ErrGone", n, err)
	}
}

func TestARestartedPeerIsReachedAtOnce(t *testing.T) {
	id, _ := NewIdentity(rand.Reader)
	a, b := newNode(t, everybody), start(t, id, Options{Allow: everybody, Liveness: patient}, loopback)
	addr := b.Addrs()
	open(t, a, b, Online, "")
	for range 3 {
		b.Close()
		if _, err := a.Open(t.Context(), b.PeerID(), addr, Online, nil); err == nil {
			t.Fatal("opened a stream to a peer that is down")
		}
		b = start(t, id, Options{Allow: everybody, Liveness: patient}, addr...)
		if _, err := a.Open(t.Context(), b.PeerID(), addr, Online, nil); err != nil {
			t.Fatal(err)
		}
		accept(t, b)
	}
}

func TestClosedNodesAndContextsSaySo(t *testing.T) {
	a, b := newNode(t, everybody), newNode(t, everybody, loopback)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if _, err := a.Open(ctx, b.PeerID(), b.Addrs(), Online, nil); !errors.Is(err, why) {
		t.Errorf("Open: %v", err)
	}
	if _, err := a.Accept(ctx); !errors.Is(err, why) {
		t.Errorf("Accept: %v", err)
	}
	a.Close()
	if _, err := a.Open(t.Context(), b.PeerID(), b.Addrs(), Online, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Open: %v", err)
	}
	if _, err := a.Accept(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
}

func TestDeadlinesAreThoseOfNet(t *testing.T) {
	a, b := newNode(t, everybody), newNode(t, everybody, loopback)
	s := open(t, a, b, Online, "")
	s.SetReadDeadline(time.Unix(1, 0))
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("err = %v, want os.ErrDeadlineExceeded", err)
	}
}

// TestMain runs the other process of the tests that kill or freeze one.
func TestMain(m *testing.M) {
	if os.Getenv("TACIT_TEST_PEER") != "" {
		id, _ := NewIdentity(rand.Reader)
		n, err := Listen(context.Background(), id, []string{loopback}, Options{Allow: everybody})
		if err != nil {
			panic(err)
		}
		fmt.Println(n.PeerID(), n.Addrs()[0])
		io.Copy(io.Discard, os.Stdin) // until the test ends
		return
	}
	os.Exit(m.Run())
}

func TestADeadOrFrozenPeerIsNoticed(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGKILL, syscall.SIGSTOP} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "TACIT_TEST_PEER=1")
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, _ := cmd.StdoutPipe()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(stdout).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		peer, addr, _ := strings.Cut(strings.TrimSpace(line), " ")

		id, _ := NewIdentity(rand.Reader)
		a := start(t, id, Options{Liveness: 2 * time.Second})
		s, err := a.Open(t.Context(), PeerID(peer), []string{addr}, Online, nil)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Process.Signal(signal)
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, transport.ErrGone) {
			t.Errorf("%v: err = %v, want ErrGone", signal, err)
		}
		cmd.Process.Kill()
		stdin.Close()
		cmd.Wait()
	}
}

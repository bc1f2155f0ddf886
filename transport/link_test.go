package transport

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// A tape is a Conn that plays one stream of bytes and records another.
type tape struct {
	play   io.Reader
	record bytes.Buffer
	writes int
}

func (c *tape) Read(b []byte) (int, error)       { return c.play.Read(b) }
func (c *tape) Write(b []byte) (int, error)      { c.writes++; return c.record.Write(b) }
func (c *tape) Close() error                     { return nil }
func (c *tape) SetReadDeadline(time.Time) error  { return nil }
func (c *tape) SetWriteDeadline(time.Time) error { return nil }

func playing(b ...[]byte) Link {
	return NewLink(&tape{play: bytes.NewReader(bytes.Join(b, nil))}, LinkOptions{})
}

// frames returns the frames of the given messages of step "s".
func frames(msgs ...string) (frames [][]byte) {
	c := &tape{}
	l := NewLink(c, LinkOptions{})
	for _, msg := range msgs {
		c.record.Reset()
		l.Send("s", []byte(msg))
		frames = append(frames, bytes.Clone(c.record.Bytes()))
	}
	return frames
}

func abortBytes(party int, step string) []byte {
	c := &tape{}
	NewLink(c, LinkOptions{}).Abort(party, step)
	return c.record.Bytes()
}

func TestAMessageIsOneWrite(t *testing.T) {
	for _, n := range []int{1, 64, writeBuffer - FrameHeader} {
		c := &tape{}
		NewLink(c, LinkOptions{}).Send("s", make([]byte, n))
		if c.writes != 1 || c.record.Len() != n+FrameHeader {
			t.Errorf("%d bytes: %d writes of %d bytes", n, c.writes, c.record.Len())
		}
	}
}

func TestTheWireFormatIsPinned(t *testing.T) {
	got := frames("", "ab")[1]
	want := "\x02\x00\x00\x00\x01\x00\x00\x00\x04\x3a\x71\x8e\xa9\xbb\x92\x5c\x00ab"
	sum := digest("s")
	want = want[:8] + string(sum[:]) + want[16:]
	if string(got) != want {
		t.Errorf("frame = %q, want %q", got, want)
	}
	abort := abortBytes(258, "s")
	want = "\x03\x00\x00\x00\x00\x00\x00\x00" + string(sum[:]) + "\x01\x02\x01s"
	if string(abort) != want {
		t.Errorf("abort frame = %q, want %q", abort, want)
	}
}

func TestManipulatedFramesAreErrors(t *testing.T) {
	f := frames("one", "two")
	other := bytes.Clone(f[0])
	other[16] = 2
	for name, stream := range map[string][]byte{
		"replayed":     bytes.Join([][]byte{f[0], f[0]}, nil),
		"reordered":    bytes.Join([][]byte{f[1], f[0]}, nil),
		"missing":      f[1],
		"unknown type": other,
		"longer":       frames("ones")[0],
		"shorter":      frames("on")[0],
	} {
		l := playing(stream)
		err := l.Recv("s", make([]byte, 3))
		if err == nil {
			err = l.Recv("s", make([]byte, 3))
		}
		if !errors.Is(err, ErrDesync) {
			t.Errorf("%s: err = %v, want ErrDesync", name, err)
		}
		if err := l.Recv("s", make([]byte, 3)); !errors.Is(err, ErrDesync) {
			t.Errorf("%s: the error did not stay: %v", name, err)
		}
	}
	for cut := range f[0] {
		if err := playing(f[0][:cut]).Recv("s", make([]byte, 3)); !errors.Is(err, ErrGone) {
			t.Errorf("cut after %d bytes: err = %v, want ErrGone", cut, err)
		}
	}
}

func TestAbortCarriesWhoAndWhere(t *testing.T) {
	for step, want := range map[string]string{
		"relu: open c":                     "relu: open c",
		"bad\x1b[2J\xff\n":                 "bad?[2J??",
		strings.Repeat("é", 100):           strings.Repeat("é", MaxStep/2),
		"x" + strings.Repeat("é", MaxStep): "x" + strings.Repeat("é", (MaxStep-1)/2),
	} {
		err := playing(frames("one")[0][:0], abortBytes(3, step)).Recv("s", make([]byte, 3))
		if e, ok := errors.AsType[*AbortError](err); !ok || *e != (AbortError{3, want}) {
			t.Errorf("step %q: err = %#v, want step %q", step, err, want)
		}
	}
}

func TestAnAbortThatNamesNoPartyBlamesItsSender(t *testing.T) {
	m := New(t.Context(), 0, []Link{nil, playing(abortBytes(9, "s")), playing()})
	err := m.Await("s", 1, make([]byte, 3))
	if e, ok := errors.AsType[*PeerError](err); !ok || e.Party != 1 {
		t.Errorf("err = %v, want blame on party 1", err)
	}
}

// FuzzRecv checks that a link accepts the one frame that is due and no other,
// whatever a peer sends.
func FuzzRecv(f *testing.F) {
	one := frames("one")[0]
	f.Add(one)
	f.Add(frames("longer")[0])
	f.Add(abortBytes(1, "s"))
	f.Add(append(abortBytes(1, "s"), one...))
	f.Add([]byte("\xff\xff\xff\xff\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		msg := make([]byte, 3)
		err := playing(b).Recv("s", msg)
		valid := len(b) >= len(one) && bytes.Equal(b[:FrameHeader], one[:FrameHeader])
		if (err == nil) != valid {
			t.Fatalf("%q: err = %v", b, err)
		}
		if err == nil && !bytes.Equal(msg, b[FrameHeader:len(one)]) {
			t.Fatalf("%q: got %q", b, msg)
		}
		if e, ok := errors.AsType[*AbortError](err); ok && (len(e.Step) > 3*MaxStep || printable(e.Step) != e.Step) {
			t.Fatalf("%q: unclean step %q", b, e.Step)
		}
	})
}

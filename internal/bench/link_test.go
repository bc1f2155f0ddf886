package bench

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/tacit-mpc/tacit/transport"
)

func TestParseLink(t *testing.T) {
	for text, want := range map[string]transport.Profile{
		"none":         {},
		"40ms/100Mbit": {RTT: 40 * time.Millisecond, BitsPerSecond: 1e8},
		"0.1ms/10Gbit": {RTT: 100 * time.Microsecond, BitsPerSecond: 1e10},
	} {
		if l, err := ParseLink(text); err != nil || l.Profile != want || l.Name != text || l.None() != (text == "none") {
			t.Errorf("%s: %+v, %v", text, l, err)
		}
	}
	for _, text := range []string{"", "40ms", "40/100Mbit", "40ms/100", "40ms/xMbit", "-1ms/1Gbit", "1ms/-1Gbit", "1ms/0Gbit", "1h/1Gbit", "1ms/NaNMbit"} {
		if _, err := ParseLink(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

// TestRelayDelaysAndDelivers sends through a relay and back. It is at most as
// fast as the network that is emulated, and changes nothing.
func TestRelayDelaysAndDelivers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	const rtt, rate, size = 30 * time.Millisecond, 80e6, 100_000 // 10 ms to send
	r := NewRelay(transport.Profile{RTT: rtt, BitsPerSecond: rate})
	defer r.Close()
	address, err := r.Between("a", "b", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	start := time.Now()
	for i, n := range []int{1, size} {
		msg := bytes.Repeat([]byte{byte(i + 1)}, n)
		if _, err := c.Write(msg); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, n)
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, msg) {
			t.Fatalf("message %d is not what was sent: %v", i, err)
		}
	}
	if took, least := time.Since(start), 2*rtt+10*time.Millisecond; took < least {
		t.Errorf("took %v, at least %v are emulated", took, least)
	}
	r.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection outlives the relay")
	}
	if _, err := r.Between("a", "b", l.Addr().String()); err == nil {
		t.Error("a closed relay accepts hosts")
	}
}

package bench

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tacit-mpc/tacit/transport"
)

// A Link is a network to emulate between the processes of a cluster.
type Link struct {
	Name string
	transport.Profile
}

// None reports whether nothing is emulated: processes talk over loopback.
func (l Link) None() bool { return l.Profile == transport.Profile{} }

// ParseLink reads "none", or a round-trip time and a bandwidth such as
// 40ms/100Mbit.
func ParseLink(s string) (Link, error) {
	if s == "none" {
		return Link{Name: s}, nil
	}
	rtt, bandwidth, ok := strings.Cut(s, "/")
	d, err := time.ParseDuration(rtt)
	if !ok || err != nil || d < 0 || d > 10*time.Second {
		return Link{}, linkError(s)
	}
	unit := 0.0
	for suffix, u := range map[string]float64{"Mbit": 1e6, "Gbit": 1e9} {
		if number, found := strings.CutSuffix(bandwidth, suffix); found {
			bandwidth, unit = number, u
		}
	}
	v, err := strconv.ParseFloat(bandwidth, 64)
	if err != nil || unit == 0 || !(v > 0) || v > 1e6 {
		return Link{}, linkError(s)
	}
	return Link{s, transport.Profile{RTT: d, BitsPerSecond: v * unit}}, nil
}

func linkError(s string) error {
	return fmt.Errorf("%q is not a link: write none, or round trip and bandwidth as in 40ms/100Mbit or 0.1ms/10Gbit", s)
}

// A Relay emulates a network in front of processes: it stands between hosts
// that believe to talk to each other, and delays what passes. The hosts need no
// part of it. What one host sends, to all others together, shares its bandwidth.
type Relay struct {
	profile transport.Profile

	mu      sync.Mutex
	shapers map[string]*transport.Shaper // by name of the sender
	open    map[io.Closer]bool
	closed  bool
	tasks   sync.WaitGroup
}

// NewRelay returns a relay of the given profile.
func NewRelay(p transport.Profile) *Relay {
	return &Relay{profile: p, shapers: map[string]*transport.Shaper{}, open: map[io.Closer]bool{}}
}

// Between returns a loopback address at which host from reaches host to, which
// listens at address.
func (r *Relay) Between(from, to, address string) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("relay: %w", err)
	}
	if !r.own(l) {
		return "", errors.New("relay: closed")
	}
	r.tasks.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.join(from, to, c, address)
		}
	})
	return l.Addr().String(), nil
}

// join connects c, which host from has dialled, to host to.
func (r *Relay) join(from, to string, c net.Conn, address string) {
	d, err := net.Dial("tcp", address)
	if err != nil {
		c.Close()
		return
	}
	if !r.own(c) || !r.own(d) {
		return
	}
	there, back := r.shaper(from).Conn(d), r.shaper(to).Conn(c)
	r.tasks.Go(func() { pump(there, c); r.release(d) })
	r.tasks.Go(func() { pump(back, d); r.release(c) })
}

// pump moves all from src to dst and then closes dst.
func pump(dst transport.Conn, src net.Conn) {
	defer dst.Close()
	io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, make([]byte, 256<<10)) // its end is all that matters
}

// shaper returns that of a host.
func (r *Relay) shaper(host string) *transport.Shaper {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shapers[host] == nil {
		r.shapers[host] = transport.NewShaper(r.profile)
	}
	return r.shapers[host]
}

// own has Close close c, or does it at once.
func (r *Relay) own(c io.Closer) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		c.Close()
		return false
	}
	r.open[c] = true
	return true
}

func (r *Relay) release(c io.Closer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, c)
}

// Close ends all connections.
func (r *Relay) Close() {
	r.mu.Lock()
	r.closed = true
	for c := range r.open {
		c.Close()
	}
	r.mu.Unlock()
	r.tasks.Wait()
}

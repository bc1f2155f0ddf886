package ot

import (
	"fmt"
	"slices"

	"github.com/tacit-mpc/tacit/internal/ring"
)

// Counts says what ran in a session at this party.
type Counts struct {
	COTs int64 // correlated OTs of which this party got the MAC
	Keys int64 // correlated OTs of which this party got the key
	Ands int64 // products of two bits
	Muls int64 // products of a bit and a ring element
}

// Add adds d to c.
func (c *Counts) Add(d Counts) {
	c.COTs += d.COTs
	c.Keys += d.Keys
	c.Ands += d.Ands
	c.Muls += d.Muls
}

// Counts returns what this party has run so far.
func (s *Session) Counts() Counts { return s.counts }

// A Cost is what a call costs one party: exactly what [Session.Counts] and the
// mesh's statistics of the step will show.
type Cost struct {
	Counts
	Rounds         int
	Sent, Received int64 // bytes
}

// Add adds the cost d of a later call to c.
func (c *Cost) Add(d Cost) {
	c.Counts.Add(d.Counts)
	c.Rounds += d.Rounds
	c.Sent += d.Sent
	c.Received += d.Received
}

// PlanSetup returns the cost of [Setup] for one of n parties.
func PlanSetup(n int) Cost {
	bytes := int64(n-1) * (2*kappa*elementLen + answerLen)
	return Cost{Rounds: 3, Sent: bytes, Received: bytes}
}

// PlanFork returns the cost of [Base.Fork] for one of n parties, whatever the
// depth.
func PlanFork(n int) Cost {
	bytes := int64(n-1) * int64(extendLen(baseDepth, kappa)+coverLen)
	return Cost{Rounds: 2, Sent: bytes, Received: bytes}
}

// An AuthShape is the public part of a [Request].
type AuthShape struct {
	N             int // bits
	Holders, Keys Set
}

// cots returns the number of correlated OTs in which party i gets MACs and
// party j keys.
func (s AuthShape) cots(i, j int) int {
	if i == j || !s.Holders.Has(i) || !s.Keys.Has(j) {
		return 0
	}
	return s.N
}

// PlanAuthenticate returns the cost of [Session.Authenticate] for party self of
// n, with trees of the given depth.
func PlanAuthenticate(n, self, depth int, shapes []AuthShape) Cost {
	if len(shapes) == 0 {
		return Cost{}
	}
	c := Cost{Rounds: 1}
	for j := range peers(self, n) {
		got, given := between(shapes, self, j), between(shapes, j, self)
		c.COTs += int64(got)
		c.Keys += int64(given)
		c.Sent += int64(extendLen(depth, got))
		c.Received += int64(extendLen(depth, given))
	}
	return c
}

// An AndShape is the public part of an [AndRequest].
type AndShape struct {
	N    int // products
	Eval int
}

// PlanAnd returns the cost of [Session.And] for party self of n.
func PlanAnd(n, self int, shapes []AndShape) Cost {
	if len(shapes) == 0 {
		return Cost{}
	}
	c := Cost{Rounds: 1}
	sent, got := make([]int, n), make([]int, n)
	for _, s := range shapes {
		c.Ands += int64(s.N)
		for _, x := range crosses(n, s.Eval) {
			if x.send == self {
				sent[x.recv] += s.N
			}
			if x.recv == self {
				got[x.send] += s.N
			}
		}
	}
	for j := range n {
		c.Sent += int64(sent[j]+7) / 8
		c.Received += int64(got[j]+7) / 8
	}
	return c
}

// A MulShape is the public part of a [MulRequest].
type MulShape struct {
	N             int // bits
	Widths, Order []int
	One           bool
}

// PlanMul returns the cost of [Session.Mul] for party self of n.
func PlanMul(n, self int, shapes []MulShape) Cost {
	var c Cost
	for _, s := range shapes {
		s.check(n)
		c.Muls += int64(s.N * len(s.Widths))
		c.Rounds = max(c.Rounds, s.rounds())
		for t := range s.rounds() {
			for j := range n {
				if !s.sends(t, j) {
					continue
				}
				if j == self {
					c.Sent += int64(s.bytes())
				}
				if s.receiver(t) == self {
					c.Received += int64(s.bytes())
				}
			}
		}
	}
	return c
}

func (s MulShape) check(n int) {
	order := slices.Clone(s.Order)
	slices.Sort(order)
	for i, p := range order {
		if len(order) != n || p != i {
			panic(fmt.Sprintf("ot: mul: order %v of %d parties", s.Order, n))
		}
	}
	for _, w := range s.Widths {
		if w < 1 || w > 64 {
			panic(fmt.Sprintf("ot: mul: width %d", w))
		}
	}
}

// rounds returns the number of steps in which messages are sent.
func (s MulShape) rounds() int {
	if s.One {
		return len(s.Order) - 1
	}
	return len(s.Order)
}

// receiver returns the party that receives in round t, or −1 if it is over.
func (s MulShape) receiver(t int) int {
	if t >= s.rounds() {
		return -1
	}
	if s.One { // the first party's step is local
		t++
	}
	return s.Order[t]
}

// sends reports whether party j sends in round t.
func (s MulShape) sends(t, j int) bool {
	if t >= s.rounds() || s.receiver(t) == j {
		return false
	}
	return !s.One || slices.Contains(s.Order[:t+1], j)
}

// bytes returns the length of the message of one sender in one round.
func (s MulShape) bytes() int {
	b := 0
	for _, w := range s.Widths {
		b += ring.PackedLen(s.N, w)
	}
	return b
}

// mulBytes returns the number of bytes that party i sends to party j in round t.
func mulBytes(jobs []*mulJob, t, i, j int) int {
	b := 0
	for _, job := range jobs {
		if job.shape.receiver(t) == j && job.shape.sends(t, i) {
			b += job.shape.bytes()
		}
	}
	return b
}

package ot

// Counts says what ran in a session at this party.
type Counts struct {
	COTs int64 // correlated OTs of which this party got the MAC
	Keys int64 // correlated OTs of which this party got the key
	Ands int64 // products of two bits
	Muls int64 // products of a bit and a ring element
}

// Counts returns what this party has run so far.
func (s *Session) Counts() Counts { return s.counts }

// A Cost is what a call costs one party.
type Cost struct {
	Counts
	Rounds         int
	Sent, Received int64 // bytes
}

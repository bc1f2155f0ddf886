package ot

import "fmt"

// What holds secrets has Format hide them from every verb.

// Format implements [fmt.Formatter].
func (s *Session) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Session[party %d of %d]", s.self, s.n) }

// Format implements [fmt.Formatter].
func (b *Base) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Base[party %d of %d]", b.self, b.n) }

// Format implements [fmt.Formatter].
func (r Request) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Request[%d]", len(r.X)) }

// Format implements [fmt.Formatter].
func (r MulRequest) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "MulRequest[%d]", r.Beta.Len()) }

// Format implements [fmt.Formatter].
func (r EachRequest) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "EachRequest[%d]", r.A.Len()) }

// Format implements [fmt.Formatter].
func (r OwnRequest) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "OwnRequest[%d]", r.N) }

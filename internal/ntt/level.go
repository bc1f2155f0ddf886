package ntt

// A level is an implementation.
type level int

const (
	portable level = iota
	ifma
)

func (l level) String() string { return [...]string{"portable", "ifma"}[l] }

package party

// A state is where a session stands. What happens inside a state is a
// straight-line function; what may follow is [next].
type state string

const (
	proposed  state = "proposed"  // the material is named, nothing is spent
	preparing state = "preparing" // the material is spent, the parties compare what they are about to do
	ready     state = "ready"     // all agree; the clients are told and send their shares
	running   state = "running"   // the protocol runs
	done      state = "done"      // the output shares are on their way to the clients
	aborted   state = "aborted"   // it failed; the material stays spent
)

// An event moves a session on.
type event string

const (
	materialSpent event = "material spent"
	partiesAgree  event = "parties agree"
	sharesArrived event = "shares arrived"
	outputSent    event = "output sent"
	failed        event = "failed"
)

// next returns the state after an event. ok is false where the event cannot
// happen in the state: a bug, after which the session is aborted.
func next(s state, e event) (_ state, ok bool) {
	if s == done || s == aborted {
		return s, false
	}
	if e == failed {
		return aborted, true
	}
	switch {
	case s == proposed && e == materialSpent:
		return preparing, true
	case s == preparing && e == partiesAgree:
		return ready, true
	case s == ready && e == sharesArrived:
		return running, true
	case s == running && e == outputSent:
		return done, true
	}
	return aborted, false
}

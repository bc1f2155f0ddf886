package party

import "testing"

func TestNext(t *testing.T) {
	states := []state{proposed, preparing, ready, running, done, aborted}
	events := []event{materialSpent, partiesAgree, sharesArrived, outputSent, failed}
	legal := map[state]map[event]state{
		proposed:  {materialSpent: preparing, failed: aborted},
		preparing: {partiesAgree: ready, failed: aborted},
		ready:     {sharesArrived: running, failed: aborted},
		running:   {outputSent: done, failed: aborted},
		done:      {},
		aborted:   {},
	}
	for _, s := range states {
		for _, e := range events {
			got, ok := next(s, e)
			want, legal := legal[s][e]
			if ok != legal {
				t.Errorf("%s, %s: legal = %v, want %v", s, e, ok, legal)
			}
			if !legal { // a final state stays, any other is aborted
				want = aborted
				if s == done {
					want = done
				}
			}
			if got != want {
				t.Errorf("%s, %s: got %s, want %s", s, e, got, want)
			}
		}
	}
}

func TestLow(t *testing.T) {
	for name, c := range map[string]struct {
		level, wanted, target, batch int
		want                         bool
	}{
		"empty":                        {0, 0, 8, 4, true},
		"room for a batch":             {4, 0, 8, 4, true},
		"no room for a batch":          {5, 0, 8, 4, false},
		"full":                         {8, 0, 8, 4, false},
		"a session waits":              {5, 6, 8, 4, true},
		"as much as sessions wait for": {6, 6, 8, 4, false},
		"batch as large as the pool":   {0, 0, 4, 4, true},
		"one left of such a pool":      {1, 0, 4, 4, false},
		"nothing is wanted":            {0, 0, 0, 4, false},
	} {
		if got := low(c.level, c.wanted, c.target, c.batch); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

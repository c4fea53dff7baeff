package pool

import "testing"

// TestEveryCell walks the whole table against a list written the other way round: by what may happen
// in each state. A cell that is in neither list, or in both, fails.
func TestEveryCell(t *testing.T) {
	legal := map[State]map[Event]State{
		Starting:  {Ready: Idle, Retire: Retiring, Lost: Retiring, Exited: Dead},
		Idle:      {Assign: Busy, Retire: Retiring, Lost: Retiring, Exited: Dead},
		Busy:      {Responded: Finishing, Done: Idle, Lost: Retiring, Exited: Dead},
		Finishing: {Done: Idle, Lost: Retiring, Exited: Dead},
		Retiring:  {Ready: Retiring, Retire: Retiring, Lost: Retiring, Exited: Dead},
		Dead:      {Ready: Dead, Retire: Dead, Lost: Dead},
	}
	for s := State(0); s < numStates; s++ {
		for e := Event(0); e < numEvents; e++ {
			got, err := next(s, e)
			want, ok := legal[s][e]
			switch {
			case ok && (err != nil || got != want):
				t.Errorf("%v + %v = %v, %v; want %v", s, e, got, err, want)
			case !ok && err == nil:
				t.Errorf("%v + %v = %v; want an error", s, e, got)
			case !ok && got != s:
				t.Errorf("%v + %v: an illegal event moved the worker to %v", s, e, got)
			}
		}
	}
}

func TestNoTransitionOutsideTheTable(t *testing.T) {
	if _, err := next(numStates, Ready); err == nil {
		t.Error("a state that does not exist was accepted")
	}
	if _, err := next(Idle, numEvents); err == nil {
		t.Error("an event that does not exist was accepted")
	}
}

func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for s := State(0); s <= numStates; s++ {
		seen[s.String()] = true
	}
	for e := Event(0); e <= numEvents; e++ {
		seen[e.String()] = true
	}
	if want := int(numStates) + int(numEvents) + 2; len(seen) != want {
		t.Errorf("%d different names, want %d: %v", len(seen), want, seen)
	}
}

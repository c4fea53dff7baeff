package pool

import "fmt"

// State is what a worker is doing now. What is wanted of it, whether it is
// ready, and why it is to go are kept apart (Worker.reason, Worker.replace).
type State uint8

// The states of a worker's life, in the order in which a worker passes through them.
const (
	Starting  State = iota // forked or about to be; has not said READY
	Idle                   // waits for a request
	Busy                   // serves a request; its response has not ended
	Finishing              // its response has ended, its request has not (fastcgi_finish_request)
	Retiring               // takes no more requests; its process has not been reaped
	Dead                   // reaped
	numStates
)

var stateNames = [numStates]string{"starting", "idle", "busy", "finishing", "retiring", "dead"}

// String returns the name operators see in status and logs.
func (s State) String() string {
	if s < numStates {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Event is what happens to a worker.
type Event uint8

// The events of a worker's life.
const (
	Ready     Event = iota // it said READY
	Assign                 // it was given a request
	Responded              // END_REQUEST was seen without IDLE behind it
	Done                   // IDLE was seen
	Retire                 // the pool has no more use for it
	Lost                   // its socket ended, broke, or carried garbage
	Exited                 // its process was reaped
	numEvents
)

var eventNames = [numEvents]string{"ready", "assign", "responded", "done", "retire", "lost", "exited"}

func (e Event) String() string {
	if e < numEvents {
		return eventNames[e]
	}
	return fmt.Sprintf("event(%d)", uint8(e))
}

// illegal marks the cells of the table that must not happen.
const illegal = numStates

// transitions holds the state that follows each (state, event).
//
// A busy worker that is wanted no more is not retired but marked: it retires when it is done. The
// process may be reaped before its socket's end is seen, so Lost is legal, and without effect, on the dead.
var transitions = [numStates][numEvents]State{
	//          Ready    Assign   Responded  Done     Retire    Lost      Exited
	Starting:  {Idle, illegal, illegal, illegal, Retiring, Retiring, Dead},
	Idle:      {illegal, Busy, illegal, illegal, Retiring, Retiring, Dead},
	Busy:      {illegal, illegal, Finishing, Idle, illegal, Retiring, Dead},
	Finishing: {illegal, illegal, illegal, Idle, illegal, Retiring, Dead},
	Retiring:  {Retiring, illegal, illegal, illegal, Retiring, Retiring, Dead},
	Dead:      {Dead, illegal, illegal, illegal, Dead, Dead, illegal},
}

// next is the one transition function: the state that follows e in s, or an error that says why there is none.
func next(s State, e Event) (State, error) {
	if s >= numStates || e >= numEvents {
		return s, fmt.Errorf("no such transition: %v in state %v", e, s)
	}
	to := transitions[s][e]
	if to == illegal {
		return s, fmt.Errorf("illegal transition: %v in state %v", e, s)
	}
	return to, nil
}

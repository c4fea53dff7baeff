package pool

import (
	"syscall"
	"time"
)

// action is one way to make a worker leave.
type action uint8

const (
	actQuit action = iota // close its socket: it finishes what it does and leaves, as a php-fpm child does on QUIT
	actTerm
	actKill
)

// step is an action and how long after the one before it is taken.
type step struct {
	after time.Duration
	act   action
}

// The ways to end a worker, from kind to unkind. This is the only place that knows an order or a time.
//
// stopGrace is how long PHP gets for its module shutdown, or for dying of SIGTERM, before it is killed.
const stopGrace = 2 * time.Second

// leave is for a worker that serves nothing: recycled, surplus, of an old generation.
var leave = []step{{0, actQuit}, {10 * time.Second, actTerm}, {stopGrace, actKill}}

// terminate is for a request that has run too long.
var terminate = []step{{0, actTerm}, {stopGrace, actKill}}

// destroy is for a worker whose socket broke: it is dying already, or it is not to be trusted.
var destroy = []step{{200 * time.Millisecond, actKill}}

// drain is for a worker that still serves a request of an old generation, or of a stopping pool. Without a timeout there
// is no deadline, as with php-fpm's process_control_timeout = 0.
func drain(timeout time.Duration) []step {
	if timeout <= 0 {
		return []step{{0, actQuit}}
	}
	return []step{{0, actQuit}, {timeout, actTerm}, {timeout, actKill}}
}

// escalation is a worker's way through one of the lists above.
type escalation struct {
	steps []step
	due   time.Time // when steps[0] is taken
}

func escalate(steps []step, now time.Time) escalation {
	return escalation{steps: steps, due: now.Add(steps[0].after)}
}

// take returns the actions that are due now, and moves on.
func (e *escalation) take(now time.Time) (acts []action) {
	for len(e.steps) > 0 && !now.Before(e.due) {
		acts = append(acts, e.steps[0].act)
		e.steps = e.steps[1:]
		if len(e.steps) > 0 {
			e.due = now.Add(e.steps[0].after)
		}
	}
	return acts
}

func (a action) signal() syscall.Signal {
	if a == actKill {
		return syscall.SIGKILL
	}
	return syscall.SIGTERM
}

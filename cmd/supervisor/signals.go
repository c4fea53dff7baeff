package main

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// action is what a signal asks for.
type action int

const (
	stopGracefully action = iota + 1 // requests may end
	stopFast                         // they may not
	reload
	reopenLogs
)

// signalActions are php-fpm's signals; HUP is Debian's. A container's runtime sends TERM to what runs as PID 1 and means
// stopGracefully; if that is ever told apart, then here.
func signalActions() map[os.Signal]action {
	return map[os.Signal]action{
		unix.SIGQUIT: stopGracefully,
		unix.SIGTERM: stopFast,
		unix.SIGINT:  stopFast,
		unix.SIGUSR1: reopenLogs,
		unix.SIGUSR2: reload,
		unix.SIGHUP:  reload,
	}
}

// signals delivers what signals ask for. They may come faster than they are dealt with: signals of one kind that wait are one.
type signals struct {
	raw     chan os.Signal // of the runtime
	pipe    chan os.Signal
	actions map[os.Signal]action
}

// catchSignals has all signals delivered here from now on.
func catchSignals(actions map[os.Signal]action) *signals {
	s := &signals{raw: make(chan os.Signal, 64), pipe: make(chan os.Signal, 1), actions: actions}
	for sig := range actions {
		signal.Notify(s.raw, sig)
	}
	// A reader of our standard output or error that has gone must not end the program: its write fails with EPIPE, as
	// on any other descriptor. Caught rather than ignored, because children would inherit the ignoring.
	signal.Notify(s.pipe, unix.SIGPIPE)
	return s
}

// release gives the signals back.
func (s *signals) release() {
	signal.Stop(s.raw)
	signal.Stop(s.pipe)
}

// during runs f and ends its context when a signal to stop comes in the meantime. Signals are kept for later.
func (s *signals) during(f func(interrupted <-chan struct{})) {
	interrupted := make(chan struct{}) // closed here
	finished := make(chan struct{})    // closed by the goroutine
	go func() {
		defer close(finished)
		f(interrupted)
	}()
	kept := map[os.Signal]bool{}
	stopping := false
	for {
		select {
		case sig := <-s.raw:
			kept[sig] = true
			if a := s.actions[sig]; (a == stopGracefully || a == stopFast) && !stopping {
				stopping = true
				close(interrupted)
			}
		case <-finished:
			for sig := range kept {
				select {
				case s.raw <- sig:
				default: // so many others wait
				}
			}
			return
		}
	}
}

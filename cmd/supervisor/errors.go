package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"php-supervisor/internal/config"
	"php-supervisor/internal/daemon"
	"php-supervisor/internal/logging"
	"php-supervisor/internal/phpext"
)

// Exit statuses, those of php-fpm where it has one (sysexits.h).
const (
	statusFailed   = 1  // the command worked, and its answer is no
	statusUsage    = 64 // EX_USAGE
	statusSoftware = 70 // EX_SOFTWARE: something does not come up, or broke
	statusConfig   = 78 // EX_CONFIG
)

// exit is an error that says which status the program ends with. Without err nothing more is to be said.
type exit struct {
	status int
	err    error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error   { return e.err }
func (e *exit) ExitStatus() int { return e.status }

func exitf(status int, format string, args ...any) error {
	return &exit{status, fmt.Errorf(format, args...)}
}

// exitStatus is the status that goes with an error.
func exitStatus(err error) int {
	if err == nil {
		return 0
	}
	var says interface{ ExitStatus() int }
	if errors.As(err, &says) {
		return says.ExitStatus()
	}
	var p *phpext.Problem
	if errors.As(err, &p) {
		return statusConfig
	}
	return statusSoftware
}

// complain says on w what is wrong, each line behind the program's name.
func complain(w io.Writer, err error) {
	if silent(err) {
		return
	}
	var ce *config.Error
	if errors.As(err, &ce) {
		for _, m := range ce.Reason() {
			fmt.Fprintf(w, "supervisor: %s\n", m.Text)
		}
		return
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(w, "supervisor: %s\n", strings.TrimRight(line, "\n"))
	}
}

// complainFPM says it in php-fpm's lines.
func complainFPM(l *logging.Logger, err error) {
	if silent(err) {
		return
	}
	var ce *config.Error
	if errors.As(err, &ce) {
		for _, m := range ce.Lines {
			l.Log(daemon.Level(m.Level), m.Text)
		}
		return
	}
	complainTo(l, "", err)
	if exitStatus(err) == statusConfig {
		l.Error("FPM initialization failed")
	}
}

// complainTo logs what is wrong, each line as a record, and prefix in front of the first.
func complainTo(l *logging.Logger, prefix string, err error) {
	if silent(err) {
		return
	}
	var ce *config.Error
	if errors.As(err, &ce) {
		for _, m := range ce.Reason() {
			l.Log(daemon.Level(m.Level), prefix+m.Text)
			prefix = ""
		}
		return
	}
	for line := range strings.Lines(err.Error()) {
		l.Error(prefix + strings.TrimRight(line, "\n"))
		prefix = ""
	}
}

func silent(err error) bool {
	var e *exit
	return err == nil || errors.As(err, &e) && e.err == nil
}

package logging

import (
	"fmt"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// Streams a worker speaks through.
const (
	Stdout = "stdout"
	Stderr = "stderr"

	// streamPHP marks messages of PHP's error log that came as LOG records, not through a pipe.
	streamPHP = "php"
	streamKey = "stream"
)

// said is where php-fpm would have read it.
func said(stream any) any {
	if stream == streamPHP {
		return Stderr
	}
	return stream
}

// Said logs a line that process pid of the pool of l wrote to stream (Stdout or Stderr). Continued says that the rest of
// the same line follows. In text and JSON the message is the text itself.
func Said(l hclog.Logger, pid int, stream string, text []byte, continued bool) {
	if !l.IsWarn() || len(text) == 0 && !continued {
		return
	}
	if continued {
		l.Warn(string(text), "pid", pid, streamKey, stream, "continued", true)
		return
	}
	l.Warn(string(text), "pid", pid, streamKey, stream)
}

// SaidBare passes on a line with no decoration at all (decorate_workers_output = no).
func SaidBare(l hclog.Logger, text []byte) {
	if b, ok := l.(interface{ WriteLine([]byte) }); ok {
		if len(text) > 0 {
			b.WriteLine(text)
		}
		return
	}
	l.Info(string(text))
}

// PHPMessage logs one whole message of PHP's error log. Severity is syslog's, 0 to 7. In the fpm format it appears as
// php-fpm writes it, at WARNING; text and JSON use the severity.
func PHPMessage(l hclog.Logger, pid int, severity uint8, text []byte) {
	level := hclog.Warn
	if own, ok := l.(*Logger); !ok || own.Format() != FPM {
		level = syslogLevel(severity)
	}
	l.Log(level, string(text), "pid", pid, streamKey, streamPHP)
}

func syslogLevel(severity uint8) hclog.Level {
	switch {
	case severity < 2: // emergency, alert
		return LevelAlert
	case severity <= 3: // critical, error
		return hclog.Error
	case severity == 4:
		return hclog.Warn
	case severity <= 6: // notice, info
		return hclog.Info
	}
	return hclog.Debug
}

// ChildStarted logs the birth of a worker.
func ChildStarted(l hclog.Logger, pid int) {
	l.Info(fmt.Sprintf("child %d started", pid), "pid", pid)
}

// Exit is how a worker left.
type Exit struct {
	PID    int
	Status syscall.WaitStatus
	After  time.Duration // lifetime
	Reason string        // why it was retired; empty if it was not asked to leave

	// Idle says that process management took it because it was not needed. Debug is the level then, as in php-fpm.
	Idle bool
}

// Words is how the process ended, as php-fpm says it: "with code 0", "on signal 9 (SIGKILL)".
func (e Exit) Words() string {
	if !e.Status.Signaled() {
		return fmt.Sprintf("with code %d", e.Status.ExitStatus())
	}
	core := ""
	if e.Status.CoreDump() {
		core = " - core dumped"
	}
	return fmt.Sprintf("on signal %d (%s%s)", int(e.Status.Signal()), unix.SignalName(e.Status.Signal()), core)
}

// ChildExited logs the death of a worker: a notice if it left in order, a warning if a request may have been lost.
func ChildExited(l hclog.Logger, e Exit) {
	after := fmt.Sprintf("after %d.%06d seconds from start", int(e.After/time.Second), int(e.After%time.Second/time.Microsecond))
	level := hclog.Info
	switch {
	case e.Idle:
		level = hclog.Debug
	case e.Status.Signaled() && e.Status.Signal() != syscall.SIGQUIT, e.Status.Exited() && e.Status.ExitStatus() != 0:
		level = hclog.Warn
	}
	msg := fmt.Sprintf("child %d exited %s %s", e.PID, e.Words(), after)
	if e.Idle {
		msg = fmt.Sprintf("child %d has been killed by the process management %s", e.PID, after)
	}
	reason := e.Reason
	if reason == "" {
		reason = "exited " + e.Words()
	}
	l.Log(level, msg, "pid", e.PID, "reason", Worded(reason))
}

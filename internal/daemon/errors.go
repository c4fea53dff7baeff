package daemon

import "fmt"

// Exit statuses of a start that failed, php-fpm's (sysexits.h).
const (
	exitSoftware = 70 // EX_SOFTWARE: PHP or a script does not come up
	exitConfig   = 78 // EX_CONFIG
)

// Failure is what keeps the daemon from starting, or a reload from changing anything.
type Failure struct {
	status int
	err    error
}

func failure(status int, format string, args ...any) *Failure {
	return &Failure{status, fmt.Errorf(format, args...)}
}

func (f *Failure) Error() string { return f.err.Error() }
func (f *Failure) Unwrap() error { return f.err }

// ExitStatus is the status the program should end with if it cannot go on.
func (f *Failure) ExitStatus() int { return f.status }

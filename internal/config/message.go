package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
)

// Message is a line for the log: a notice that came up while loading, or one
// line of an [Error].
type Message struct {
	Level Level
	Text  string // without level, date or final newline
}

// ExitStatus is the exit status of a program whose configuration is wrong
// (EX_CONFIG of <sysexits.h>, which php-fpm uses as well).
const ExitStatus = 78

// Error is a configuration that cannot be used. Its lines come in the order in
// which php-fpm prints them: the reason first, then what failed because of it,
// "FPM initialization failed" last.
type Error struct {
	Lines []Message // never empty

	consequences int // how many of the last lines say nothing new
}

// Error joins all lines.
func (e *Error) Error() string { return joinTexts(e.Lines) }

// Reason has the lines that say what is wrong, without those about what failed
// because of it. It is never empty.
func (e *Error) Reason() []Message { return e.Lines[:len(e.Lines)-e.consequences] }

// ExitStatus is always 78.
func (e *Error) ExitStatus() int { return ExitStatus }

func joinTexts(lines []Message) string {
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = l.Text
	}
	return strings.Join(texts, "\n")
}

// fail makes an Error of one line.
func fail(level Level, text string) *Error {
	return &Error{Lines: []Message{{level, text}}}
}

// because adds a line about what failed as a consequence.
func (e *Error) because(format string, args ...any) *Error {
	e.Lines = append(e.Lines, Message{LevelError, fmt.Sprintf(format, args...)})
	e.consequences++
	return e
}

// asError gives the *Error that all errors of this package are.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return fail(LevelError, err.Error())
}

// reason shows an error of the system as php-fpm does: text and number.
func reason(err error) string {
	var number syscall.Errno
	if errors.As(err, &number) {
		text := number.Error()
		return fmt.Sprintf("%s%s (%d)", strings.ToUpper(text[:1]), text[1:], int(number))
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

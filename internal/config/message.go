package config

import "strings"

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
// which php-fpm prints them: the reason first, then what failed because of it.
type Error struct {
	Lines []Message // never empty
}

// Error joins all lines.
func (e *Error) Error() string {
	texts := make([]string, len(e.Lines))
	for i, l := range e.Lines {
		texts[i] = l.Text
	}
	return strings.Join(texts, "\n")
}

// ExitStatus is always 78.
func (e *Error) ExitStatus() int { return ExitStatus }

// fail makes an Error of one line.
func fail(level Level, text string) *Error {
	return &Error{Lines: []Message{{level, text}}}
}

// because adds a line that says what failed as a consequence.
func (e *Error) because(text string) *Error {
	e.Lines = append(e.Lines, Message{LevelError, text})
	return e
}

// Package logging writes the supervisor's log and the access log.
//
// Guarantees:
//   - One record is one write of whole bytes: lines of different goroutines never mix, and a message is never cut
//     unless a limit was asked for (log_limit, in php-fpm's format only).
//   - A log file that cannot be written (a full disk, say) costs lines, never a request: the failure is said once on
//     standard error, the number of lost lines is said when writing works again.
//   - Re-opening a file loses nothing: a line goes either to the old file or to the new one.
//   - What a worker says reaches JSON as one field with no prefix in it; bytes that are not UTF-8 appear as \xNN.
//
// All records pass through an hclog.Logger, so other packages depend on hclog alone. Three formats exist: text (hclog's
// own, coloured on a terminal), JSON (hclog's own) and fpm, which is php-fpm's line for line:
//
//	[23-Nov-2026 18:01:03] WARNING: [pool www] child 312 said into stderr: "text"
//
// In that format the fields that say who speaks (pool, pid, slot, generation) are part of the wording or left out, an
// error field follows after a colon, and other fields follow in brackets. A field that the message has in words
// already is wrapped with Worded and appears only in text and JSON.
//
// The package does not open the pipes of workers, does not handle signals, and does not rotate files.
package logging

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// LevelAlert is php-fpm's highest severity, which hclog does not have. Text and JSON say "error" with severity=alert.
const LevelAlert hclog.Level = hclog.Off + 1

// Format is how records are written.
type Format int

const (
	Auto Format = iota // text on a terminal, fpm when called as php-fpm*, text otherwise
	Text
	JSON
	FPM
)

func (f Format) String() string {
	return [...]string{"auto", "text", "json", "fpm"}[f]
}

// ParseFormat reads the value of the directive log_format.
func ParseFormat(s string) (Format, error) {
	for _, f := range []Format{Auto, Text, JSON, FPM} {
		if s == f.String() {
			return f, nil
		}
	}
	return Auto, fmt.Errorf("invalid log format '%s' (auto, text, json or fpm)", s)
}

// ParseLevel reads the value of the directive log_level, in php-fpm's words.
func ParseLevel(s string) (hclog.Level, error) {
	switch strings.ToLower(s) {
	case "debug":
		return hclog.Debug, nil
	case "notice":
		return hclog.Info, nil
	case "warning", "warn":
		return hclog.Warn, nil
	case "error":
		return hclog.Error, nil
	case "alert":
		return LevelAlert, nil
	}
	return hclog.NoLevel, fmt.Errorf("invalid value for 'log_level': '%s' (debug, notice, warning, error or alert)", s)
}

// LevelName is the php-fpm name of a level, as in the line.
func LevelName(l hclog.Level) string {
	switch {
	case l >= LevelAlert:
		return "ALERT"
	case l == hclog.Error:
		return "ERROR"
	case l == hclog.Warn:
		return "WARNING"
	case l == hclog.Info:
		return "NOTICE"
	}
	return "DEBUG"
}

// Options are the settings of New. The zero value logs notices and above to standard error.
type Options struct {
	Format   Format
	Level    hclog.Level // threshold; NoLevel means Info (notice)
	Output   io.Writer   // nil means standard error
	CalledAs string      // argv[0], for Auto

	// Limit is php-fpm's log_limit in bytes, newline included: what a worker said is wrapped to it in the fpm format.
	// 0 means no limit. Text and JSON know no limit.
	Limit int

	Now func() time.Time // nil means time.Now
}

// Resolve turns Auto into the format to use for out and a program called as argv0.
func (f Format) Resolve(argv0 string, out io.Writer) Format {
	switch {
	case f != Auto:
		return f
	case isTerminal(out):
		return Text
	case strings.HasPrefix(filepath.Base(argv0), "php-fpm"):
		return FPM
	}
	return Text
}

func isTerminal(w io.Writer) bool {
	var f *os.File
	switch w := w.(type) {
	case *os.File:
		f = w
	case *File:
		return w.isTerminal()
	}
	return f != nil && fdIsTerminal(int(f.Fd()))
}

func fdIsTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// ForPool is the logger of one pool.
func ForPool(l hclog.Logger, pool string) hclog.Logger { return l.With("pool", pool) }

// Alert logs at php-fpm's level alert.
func Alert(l hclog.Logger, msg string, args ...any) { l.Log(LevelAlert, msg, args...) }

// Worded marks the value of a field that the message says in words: the fpm format leaves the field out.
func Worded(v any) any { return worded{v} }

type worded struct{ value any }

// String lets loggers of other make print the value.
func (w worded) String() string { return fmt.Sprint(w.value) }

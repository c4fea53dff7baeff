package logging

import (
	"bytes"
	"io"
	"log"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"
)

// Logger implements hclog.Logger. Loggers made from it (With, Named) share its level and output.
type Logger struct {
	core    *core
	name    string
	implied []any
}

var _ hclog.Logger = (*Logger)(nil)

type core struct {
	level  atomic.Int32
	format Format
	now    func() time.Time
	limit  int

	// mu serialises writes to out and guards it; hclog's formatter takes it by itself.
	mu  sync.Mutex
	out io.Writer

	hc  hclog.SinkAdapter // text and JSON; nil for fpm
	buf []byte            // fpm: the line being made, under mu
}

// Write is called by hclog's formatter with mu held and a whole record.
func (c *core) Write(p []byte) (int, error) { return c.out.Write(p) }

// New makes a logger.
func New(o Options) *Logger {
	c := &core{now: o.Now, limit: o.Limit, out: o.Output}
	if c.now == nil {
		c.now = time.Now
	}
	if c.out == nil {
		c.out = os.Stderr
	}
	c.format = o.Format.Resolve(o.CalledAs, c.out)
	if o.Level == hclog.NoLevel {
		o.Level = hclog.Info
	}
	c.level.Store(int32(o.Level))
	if c.format != FPM {
		ho := &hclog.LoggerOptions{
			Level:              hclog.Trace, // the threshold is ours
			Output:             c,
			Mutex:              &c.mu,
			JSONFormat:         c.format == JSON,
			JSONEscapeDisabled: true,
			TimeFn:             c.now,
		}
		if c.format == Text && isTerminal(c.out) && os.Getenv("NO_COLOR") == "" {
			ho.Color, ho.ColorHeaderAndFields = hclog.ForceColor, true
		}
		c.hc = hclog.NewSinkAdapter(ho)
	}
	return &Logger{core: c}
}

// Format is the format in use, never Auto.
func (l *Logger) Format() Format { return l.core.format }

// SetOutput makes this logger and all its kin write to w from the next record on.
func (l *Logger) SetOutput(w io.Writer) {
	l.core.mu.Lock()
	defer l.core.mu.Unlock()
	l.core.out = w
}

// WriteLine writes one line as it is, in turn with the records: no level, no time, no format.
func (l *Logger) WriteLine(line []byte) {
	c := l.core
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buf = c.appendWrapped(c.buf[:0], nil, line, "")
	c.flush()
}

func (c *core) flush() {
	// The output reports its own failures (File); there is nowhere else to say them.
	_, _ = c.out.Write(c.buf)
	if cap(c.buf) > 64<<10 {
		c.buf = nil
	}
}

func (l *Logger) enabled(level hclog.Level) bool {
	t := hclog.Level(l.core.level.Load())
	return t != hclog.Off && level >= t
}

// Log writes one record.
func (l *Logger) Log(level hclog.Level, msg string, args ...any) {
	if !l.enabled(level) {
		return
	}
	if len(args)%2 != 0 {
		args = slices.Insert(slices.Clone(args), len(args)-1, any(hclog.MissingKey))
	}
	all := args
	if len(l.implied) > 0 {
		all = slices.Concat(l.implied, args)
	}
	if l.core.hc == nil {
		l.core.logFPM(level, msg, all)
		return
	}
	fields := make([]any, 0, len(all)+2)
	for i := 0; i < len(all); i += 2 {
		v := all[i+1]
		if w, ok := v.(worded); ok {
			v = w.value
		}
		if l.core.format == JSON {
			v = jsonValue(v)
		}
		fields = append(fields, all[i], v)
	}
	if level >= LevelAlert {
		level, fields = hclog.Error, append(fields, "severity", "alert")
	}
	if l.core.format == JSON {
		msg = validUTF8(msg)
	} else {
		msg = printable(msg)
	}
	l.core.hc.Accept(l.name, level, msg, fields...)
}

func (l *Logger) Trace(msg string, args ...any) { l.Log(hclog.Trace, msg, args...) }
func (l *Logger) Debug(msg string, args ...any) { l.Log(hclog.Debug, msg, args...) }
func (l *Logger) Info(msg string, args ...any)  { l.Log(hclog.Info, msg, args...) }
func (l *Logger) Warn(msg string, args ...any)  { l.Log(hclog.Warn, msg, args...) }
func (l *Logger) Error(msg string, args ...any) { l.Log(hclog.Error, msg, args...) }

func (l *Logger) IsTrace() bool { return l.enabled(hclog.Trace) }
func (l *Logger) IsDebug() bool { return l.enabled(hclog.Debug) }
func (l *Logger) IsInfo() bool  { return l.enabled(hclog.Info) }
func (l *Logger) IsWarn() bool  { return l.enabled(hclog.Warn) }
func (l *Logger) IsError() bool { return l.enabled(hclog.Error) }

func (l *Logger) ImpliedArgs() []any         { return l.implied }
func (l *Logger) Name() string               { return l.name }
func (l *Logger) GetLevel() hclog.Level      { return hclog.Level(l.core.level.Load()) }
func (l *Logger) SetLevel(level hclog.Level) { l.core.level.Store(int32(level)) }

// With keeps the order in which the fields were given; a key given again takes its new value.
func (l *Logger) With(args ...any) hclog.Logger {
	sub := *l
	sub.implied = slices.Clone(l.implied)
	if len(args)%2 != 0 {
		args = slices.Insert(slices.Clone(args), len(args)-1, any(hclog.MissingKey))
	}
next:
	for i := 0; i < len(args); i += 2 {
		for j := 0; j < len(sub.implied); j += 2 {
			if sub.implied[j] == args[i] {
				sub.implied[j+1] = args[i+1]
				continue next
			}
		}
		sub.implied = append(sub.implied, args[i], args[i+1])
	}
	return &sub
}

func (l *Logger) Named(name string) hclog.Logger {
	if l.name != "" {
		name = l.name + "." + name
	}
	return l.ResetNamed(name)
}

func (l *Logger) ResetNamed(name string) hclog.Logger {
	sub := *l
	sub.name = name
	return &sub
}

func (l *Logger) StandardLogger(opts *hclog.StandardLoggerOptions) *log.Logger {
	return log.New(l.StandardWriter(opts), "", 0)
}

func (l *Logger) StandardWriter(opts *hclog.StandardLoggerOptions) io.Writer {
	level := hclog.Info
	if opts != nil && opts.ForceLevel != hclog.NoLevel {
		level = opts.ForceLevel
	}
	return standardWriter{l, level}
}

type standardWriter struct {
	log   *Logger
	level hclog.Level
}

func (w standardWriter) Write(p []byte) (int, error) {
	w.log.Log(w.level, string(bytes.TrimRight(p, "\n")))
	return len(p), nil
}

func jsonValue(v any) any {
	switch v := v.(type) {
	case string:
		return validUTF8(v)
	case []byte:
		return validUTF8(string(v))
	case error:
		return validUTF8(v.Error())
	case time.Duration:
		return v.Seconds()
	}
	return v
}

// validUTF8 writes the bytes that are not UTF-8 as \xNN: what was said stays readable, and recoverable.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return escape(s, func(r rune) bool { return false })
}

// printable keeps a message from driving the terminal: control characters other than newline and tab as \xNN.
func printable(s string) string {
	unsafe := func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 }
	if utf8.ValidString(s) && strings.IndexFunc(s, unsafe) < 0 {
		return s
	}
	return escape(s, unsafe)
}

func escape(s string, unsafe func(rune) bool) string {
	b := make([]byte, 0, len(s)+16)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || unsafe(r) {
			for _, c := range []byte(s[i : i+n]) {
				b = appendHexEscape(b, c)
			}
		} else {
			b = append(b, s[i:i+n]...)
		}
		i += n
	}
	return string(b)
}

func appendHexEscape(b []byte, c byte) []byte {
	b = append(b, '\\', 'x')
	if c < 0x10 {
		b = append(b, '0')
	}
	return strconv.AppendUint(b, uint64(c), 16)
}

package logging

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// logFPM writes one record as php-fpm would (zlog.c).
func (c *core) logFPM(level hclog.Level, msg string, args []any) {
	now := c.now()
	debug := hclog.Level(c.level.Load()) <= hclog.Debug
	where := ""
	if debug {
		where = callerWords()
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	var stamp [96]byte
	head := now.AppendFormat(append(stamp[:0], '['), "02-Jan-2006 15:04:05")
	if debug {
		head = now.AppendFormat(head, ".000000")
	}
	head = append(head, "] "...)
	head = append(head, LevelName(level)...)
	head = append(head, ": "...)
	head = append(head, where...)

	var pid, stream any
	for i := 0; i < len(args); i += 2 {
		switch args[i] {
		case "pool":
			head = fmt.Appendf(head, "[pool %v] ", args[i+1])
		case "pid":
			pid = args[i+1]
		case streamKey:
			stream = args[i+1]
		}
	}

	c.buf = c.buf[:0]
	if stream != nil {
		head = fmt.Appendf(head, `child %v said into %v: "`, pid, said(stream))
		text := []byte(msg)
		if stream == streamPHP {
			text = append([]byte("NOTICE: PHP message: "), text...)
		}
		// php-fpm reads its children line by line, and says nothing about empty lines.
		for line := range bytes.SplitSeq(text, []byte("\n")) {
			if len(line) > 0 {
				c.buf = c.appendWrapped(c.buf, head, line, `"`)
			}
		}
	} else {
		c.buf = append(c.buf, head...)
		c.buf = append(c.buf, msg...)
		c.buf = appendFields(c.buf, args)
		c.buf = append(c.buf, '\n')
	}
	c.flush()
}

// appendWrapped appends head, text, tail and a newline, as often as it takes to keep every line within the limit.
func (c *core) appendWrapped(b, head, text []byte, tail string) []byte {
	room := len(text)
	if c.limit > 0 {
		room = max(c.limit-len(head)-len(tail)-1, 1)
	}
	for {
		n := min(room, len(text))
		b = append(b, head...)
		b = append(b, text[:n]...)
		b = append(b, tail...)
		b = append(b, '\n')
		if text = text[n:]; len(text) == 0 {
			return b
		}
	}
}

// appendFields appends what the wording does not say: ": error", then " (key=value key=value)".
func appendFields(b []byte, args []any) []byte {
	for i := 0; i < len(args); i += 2 {
		if k := args[i]; (k == "error" || k == "err") && !isNil(args[i+1]) {
			if _, quiet := args[i+1].(worded); !quiet {
				b = fmt.Appendf(b, ": %v", args[i+1])
			}
		}
	}
	open := false
	for i := 0; i < len(args); i += 2 {
		switch args[i] {
		case "pool", "pid", "slot", "generation", "error", "err":
			continue
		}
		if _, quiet := args[i+1].(worded); quiet {
			continue
		}
		if open {
			b = append(b, ' ')
		} else {
			b = append(b, " ("...)
			open = true
		}
		b = fmt.Appendf(b, "%v=", args[i])
		v := fmt.Sprint(args[i+1])
		if f, ok := args[i+1].(hclog.Format); ok && len(f) > 0 {
			v = fmt.Sprintf(fmt.Sprint(f[0]), f[1:]...)
		}
		if v == "" || strings.ContainsAny(v, " \"\n()=") {
			v = strconv.Quote(v)
		}
		b = append(b, v...)
	}
	if open {
		b = append(b, ')')
	}
	return b
}

func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
		return rv.IsNil()
	}
	return false
}

// callerWords is what php-fpm adds to each line at debug level: process, function, line of the source.
func callerWords() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		pkg := f.Function[:strings.LastIndexByte(f.Function, '/')+1]
		fn := f.Function[len(pkg):]
		if !strings.HasPrefix(f.Function, "php-supervisor/internal/logging.") || strings.HasSuffix(f.File, "_test.go") {
			fn = fn[strings.IndexByte(fn, '.')+1:]
			return fmt.Sprintf("pid %d, %s(), line %d: ", os.Getpid(), fn, f.Line)
		}
		if !more {
			return ""
		}
	}
}

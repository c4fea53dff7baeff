package logging

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DefaultAccessFormat is the format php-fpm 8.2 really uses when access.format is not set (its documentation names
// another one, with the query string).
const DefaultAccessFormat = `%R - %u %t "%m %r" %s`

// Entry is what one line of the access log can say about a request. Whoever serves the request fills it; the slices are
// read during the call only.
type Entry struct {
	Pool      string
	PID       int // the worker's
	ParentPID int // the supervisor's

	Method []byte     // REQUEST_METHOD
	URI    []byte     // SCRIPT_NAME as PHP sees it, without the query string (php-fpm's %r)
	Script []byte     // SCRIPT_FILENAME
	Query  []byte     // QUERY_STRING
	User   []byte     // the user PHP has seen (basic authentication)
	Peer   netip.Addr // the web server; zero for unix sockets

	Status        int   // HTTP status
	ContentLength int64 // of the request's body, bytes

	Accepted  time.Time     // in the time zone to print
	Ended     time.Time     // in the time zone to print
	Duration  time.Duration // from accepted to the end of the request
	CPUUser   time.Duration // CPU time in user mode
	CPUSystem time.Duration // CPU time in the kernel
	Memory    uint64        // peak of the request, bytes

	Params  ParamLookup  // FastCGI parameters for %{NAME}e; may be nil
	Headers HeaderLookup // response headers for %{Name}o; may be nil
}

// ParamLookup is implemented by fcgi.Request.
type ParamLookup interface {
	Param(name string) ([]byte, bool)
}

// HeaderLookup finds a response header; php-fpm compares names exactly, upper and lower case included.
type HeaderLookup interface {
	Header(name string) ([]byte, bool)
}

// AccessFormat is a compiled access.format.
type AccessFormat struct{ ops []accessOp }

// NeedsHead says whether the format reads Entry.Headers.
func (f *AccessFormat) NeedsHead() bool {
	return slices.ContainsFunc(f.ops, func(op accessOp) bool { return op.token == 'o' })
}

type accessOp struct {
	token byte // 0 for literal text
	arg   string
	unit  float64 // of %d: units in a second; of %M: bytes in a unit
}

// CompileAccessFormat checks and compiles the value of access.format; the errors are php-fpm's words.
func CompileAccessFormat(s string) (*AccessFormat, error) {
	f := &AccessFormat{}
	for len(s) > 0 {
		if s[0] != '%' {
			n := strings.IndexByte(s, '%')
			if n < 0 {
				n = len(s)
			}
			f.literal(s[:n])
			s = s[n:]
			continue
		}
		s = s[1:]
		arg := ""
		for strings.HasPrefix(s, "{") {
			end := strings.IndexByte(s, '}')
			if end < 0 || end == len(s)-1 {
				return nil, fmt.Errorf("missing closing embrace in the access.format")
			}
			arg, s = s[1:end], s[end+1:]
		}
		if s == "" {
			break // php-fpm ignores a single % at the end
		}
		op, err := compileToken(s[0], arg)
		if err != nil {
			return nil, err
		}
		if op.token == '%' {
			f.literal("%")
		} else {
			f.ops = append(f.ops, op)
		}
		s = s[1:]
	}
	return f, nil
}

func (f *AccessFormat) literal(s string) {
	if n := len(f.ops); n > 0 && f.ops[n-1].token == 0 {
		f.ops[n-1].arg += s
		return
	}
	f.ops = append(f.ops, accessOp{arg: s})
}

func compileToken(token byte, arg string) (accessOp, error) {
	op := accessOp{token: token, arg: arg}
	modifier := strings.ToLower(arg)
	bad := func(allowed string) (accessOp, error) {
		return op, fmt.Errorf("only %s are allowed as a modifier for %%%c ('%s')", allowed, token, arg)
	}
	switch token {
	case 'C':
		switch modifier {
		case "", "total", "user", "system":
			op.arg = modifier
		default:
			return bad("'total', 'user' or 'system'")
		}
	case 'd':
		switch modifier {
		case "", "seconds":
			op.unit = 1
		case "milliseconds", "milli", "miliseconds", "mili":
			op.unit = 1e3
		case "microseconds", "micro":
			op.unit = 1e6
		default:
			return bad("'seconds', 'milli', 'milliseconds', 'micro' or 'microseconds'")
		}
	case 'M':
		switch modifier {
		case "", "bytes":
			op.unit = 1
		case "kilobytes", "kilo":
			op.unit = 1 << 10
		case "megabytes", "mega":
			op.unit = 1 << 20
		default:
			return bad("'bytes', 'kilo', 'kilobytes', 'mega' or 'megabytes'")
		}
	case 'e':
		if arg == "" {
			return op, fmt.Errorf("the name of the environment variable must be set between embraces for %%%c", token)
		}
	case 'o':
		if arg == "" {
			return op, fmt.Errorf("the name of the header must be set between embraces for %%%c", token)
		}
	case 't', 'T':
		if arg == "" {
			op.arg = "%d/%b/%Y:%H:%M:%S %z"
		}
	case '%', 'f', 'l', 'm', 'n', 'p', 'P', 'q', 'Q', 'r', 'R', 's', 'u':
		if arg != "" {
			return op, fmt.Errorf("embrace is not allowed for modifier %%%c", token)
		}
	default:
		//lint:ignore ST1005 php-fpm's words
		return op, fmt.Errorf("Invalid token in the access.format (%%%c)", token)
	}
	return op, nil
}

// Append appends the line for e, without a newline. It allocates only if dst is too small. Control characters in values
// that come from outside are written as \xNN, where php-fpm writes them as they are and lets a request forge lines.
func (f *AccessFormat) Append(dst []byte, e *Entry) []byte {
	for i := range f.ops {
		op := &f.ops[i]
		switch op.token {
		case 0:
			dst = append(dst, op.arg...)
		case 'C':
			dst = appendCPU(dst, op.arg, e)
		case 'd':
			if op.unit == 1e6 {
				dst = strconv.AppendInt(dst, e.Duration.Microseconds(), 10)
			} else {
				us := float64(e.Duration.Microseconds())
				dst = strconv.AppendFloat(dst, us*op.unit/1e6, 'f', 3, 64)
			}
		case 'e':
			var v []byte
			found := false
			if e.Params != nil {
				v, found = e.Params.Param(op.arg)
			}
			if found {
				dst = appendSafe(dst, v)
			} else {
				dst = append(dst, '-')
			}
		case 'f':
			dst = appendOrDash(dst, e.Script)
		case 'l':
			dst = strconv.AppendInt(dst, max(e.ContentLength, 0), 10)
		case 'm':
			dst = appendOrDash(dst, e.Method)
		case 'M':
			dst = strconv.AppendUint(dst, e.Memory/uint64(op.unit), 10)
		case 'n':
			if e.Pool == "" {
				dst = append(dst, '-')
			}
			dst = append(dst, e.Pool...)
		case 'o':
			var v []byte
			if e.Headers != nil {
				v, _ = e.Headers.Header(op.arg)
			}
			dst = appendOrDash(dst, v)
		case 'p':
			dst = strconv.AppendInt(dst, int64(e.PID), 10)
		case 'P':
			dst = strconv.AppendInt(dst, int64(e.ParentPID), 10)
		case 'q':
			dst = appendSafe(dst, e.Query)
		case 'Q':
			if len(e.Query) > 0 {
				dst = append(dst, '?')
			}
		case 'r':
			dst = appendSafe(dst, e.URI)
		case 'R':
			if e.Peer.IsValid() {
				dst = e.Peer.Unmap().AppendTo(dst)
			} else {
				dst = append(dst, '-')
			}
		case 's':
			dst = strconv.AppendInt(dst, int64(e.Status), 10)
		case 't':
			dst = appendStrftime(dst, op.arg, e.Accepted)
		case 'T':
			dst = appendStrftime(dst, op.arg, e.Ended)
		case 'u':
			dst = appendSafe(dst, e.User)
		}
	}
	return dst
}

func appendCPU(dst []byte, which string, e *Entry) []byte {
	used := e.CPUUser + e.CPUSystem
	switch which {
	case "user":
		used = e.CPUUser
	case "system":
		used = e.CPUSystem
	}
	percent := 100 * used.Seconds() / e.Duration.Seconds()
	if math.IsNaN(percent) || math.IsInf(percent, 0) {
		percent = 0
	}
	return strconv.AppendFloat(dst, percent, 'f', 2, 64)
}

func appendOrDash(dst, v []byte) []byte {
	if len(v) == 0 {
		return append(dst, '-')
	}
	return appendSafe(dst, v)
}

func appendSafe(dst, v []byte) []byte {
	for {
		n := 0
		for n < len(v) && v[n] >= ' ' && v[n] != 0x7f {
			n++
		}
		dst = append(dst, v[:n]...)
		if n == len(v) {
			return dst
		}
		dst = appendHexEscape(dst, v[n])
		v = v[n+1:]
	}
}

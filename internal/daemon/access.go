package daemon

import (
	"bytes"
	"os"
	"strconv"
	"sync"

	"php-supervisor/fcgi"
	"php-supervisor/internal/config"
	"php-supervisor/internal/logging"
)

func openAccess(p *config.Pool) (*logging.AccessLog, error) {
	if p.AccessLog == "" {
		return nil, nil
	}
	a, err := logging.OpenAccessLog(logging.AccessOptions{Path: p.AccessLog, Format: p.AccessFormat, SuppressPaths: p.AccessSuppressPaths})
	if err != nil {
		return nil, failure(exitConfig, "[pool %s] access.log '%s': %w", p.Name, p.AccessLog, err)
	}
	return a, nil
}

// accessEntry is an entry with what it refers to, in one piece of memory.
type accessEntry struct {
	logging.Entry
	head responseHead
}

var entries = sync.Pool{New: func() any { return new(accessEntry) }}

// needsHead is fcgi.Server.KeepHead.
func (s *site) needsHead() bool {
	a := s.access.Load()
	return a != nil && a.NeedsHead()
}

// responseHead is fcgi.Result.Head.
type responseHead []byte

// Header implements logging.HeaderLookup: like php-fpm, it takes the first header of exactly that name that has a value. A
// line that was cut off is none.
func (h *responseHead) Header(name string) ([]byte, bool) {
	rest := []byte(*h)
	for {
		line, after, whole := bytes.Cut(rest, newline)
		if !whole {
			return nil, false
		}
		rest = after
		if len(line) <= len(name) || line[len(name)] != ':' || string(line[:len(name)]) != name {
			continue
		}
		if value := bytes.Trim(line[len(name)+1:], " \t\r"); len(value) > 0 {
			return value, true
		}
	}
}

var newline = []byte("\n")

// logAccess is pool.Hooks.Access.
func (s *site) logAccess(name string, pid int, r *fcgi.Request, res *fcgi.Result) {
	a := s.access.Load()
	if a == nil {
		return
	}
	e := entries.Get().(*accessEntry)
	defer entries.Put(e)
	param := func(name string) []byte {
		v, _ := r.Param(name)
		return v
	}
	e.head = res.Head
	e.Entry = logging.Entry{
		Pool: name, PID: pid, ParentPID: os.Getpid(),
		Method: param("REQUEST_METHOD"), URI: param("SCRIPT_NAME"), Script: param("SCRIPT_FILENAME"),
		Query: param("QUERY_STRING"), User: param("REMOTE_USER"), Peer: r.Peer(),
		Status:   res.Status,
		Accepted: r.Started(), Ended: res.Ended, Duration: res.Ended.Sub(r.Started()),
		CPUUser: res.Stats.User, CPUSystem: res.Stats.System, Memory: res.Stats.Peak,
		Params: r, Headers: &e.head,
	}
	if v := param("CONTENT_LENGTH"); len(v) > 0 { // an error is memory, and many requests have none
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			e.ContentLength = n
		}
	}
	a.Log(&e.Entry)
}

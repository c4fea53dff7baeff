package daemon

import (
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

var entries = sync.Pool{New: func() any { return new(logging.Entry) }}

// logAccess is pool.Hooks.Access.
func (s *site) logAccess(name string, pid int, r *fcgi.Request, res *fcgi.Result) {
	a := s.access.Load()
	if a == nil {
		return
	}
	e := entries.Get().(*logging.Entry)
	defer entries.Put(e)
	param := func(name string) []byte {
		v, _ := r.Param(name)
		return v
	}
	*e = logging.Entry{
		Pool: name, PID: pid, ParentPID: os.Getpid(),
		Method: param("REQUEST_METHOD"), URI: param("SCRIPT_NAME"), Script: param("SCRIPT_FILENAME"),
		Query: param("QUERY_STRING"), User: param("REMOTE_USER"), Peer: "",
		Status:   res.Status,
		Accepted: r.Started(), Ended: res.Ended, Duration: res.Ended.Sub(r.Started()),
		CPUUser: res.Stats.User, CPUSystem: res.Stats.System, Memory: res.Stats.Peak,
		Params: r,
	}
	if n, err := strconv.ParseInt(string(param("CONTENT_LENGTH")), 10, 64); err == nil {
		e.ContentLength = n
	}
	a.Log(e)
}

package config

import (
	"strings"
	"time"

	"php-supervisor/internal/logging"
)

// pool checks one pool in php-fpm's order. shared marks the invisible pool of
// pm.status_listen; the one that this pool asks for is returned.
func (c *checker) pool(p *Pool, shared bool) (status *Pool, err error) {
	bad := func(level Level, format string, args ...any) error {
		return failf(level, "[pool %s] "+format, append([]any{p.Name}, args...)...)
	}
	if p.Prefix != "" {
		p.Prefix = c.paths.full(p.Prefix, nil, defaultPrefix)
		if !isDir(p.Prefix) {
			return nil, bad(LevelError, "the prefix '%s' does not exist or is not a directory", p.Prefix)
		}
	}
	if !p.set.has("user") && c.sys.euid == 0 && !c.opts.AllowRoot {
		return nil, bad(LevelAlert, "user has not been defined")
	}
	if p.Listen == "" {
		return nil, bad(LevelAlert, "no listen address have been defined!")
	}
	p.Address.Network = "tcp"
	if !isTCP(p.Listen) {
		p.Address.Network = "unix"
		p.Listen = c.paths.full(p.Listen, p, defaultPrefix)
	}
	if badPriority(p.ProcessPriority) {
		return nil, bad(LevelError, "process.priority must be included into [-19,20]")
	}
	if err := c.processManager(p); err != nil {
		return nil, err
	}
	if p.set.has("pm.status_listen") && !shared {
		status = statusPool(p)
	}
	if err := checkURI(p, "status", p.StatusPath, status == nil && !shared); err != nil {
		return nil, err
	}
	if err := checkURI(p, "ping", p.PingPath, true); err != nil {
		return nil, err
	}
	switch {
	case p.PingPath == "":
		p.PingResponse = ""
		delete(p.set, "ping.response")
	case !p.set.has("ping.response"):
		p.PingResponse = "pong"
		p.set["ping.response"] = origin{}
	case p.PingResponse == "":
		return nil, bad(LevelError, "the ping response page '%s' is not long enough", p.PingResponse)
	}
	if p.AccessLog != "" {
		p.AccessLog = c.paths.full(p.AccessLog, p, defaultPrefix)
		if !p.set.has("access.format") {
			p.AccessFormat = logging.DefaultAccessFormat
			p.set["access.format"] = origin{}
		}
	}
	if err := c.slowlog(p); err != nil {
		return nil, err
	}
	if err := c.directories(p); err != nil {
		return nil, err
	}
	p.Extensions = strings.FieldsFunc(p.LimitExtensions, func(r rune) bool { return r == ' ' || r == '\t' })
	if p.Chroot == "" {
		for i := range p.entries {
			e := &p.entries[i]
			if !strings.HasPrefix(e.name, "php_") || !expanded[strings.ToLower(e.key)] || e.value == "" {
				continue
			}
			if strings.HasPrefix(e.name, "php_admin_") && strings.EqualFold(e.key, "error_log") && strings.EqualFold(e.value, "syslog") {
				continue
			}
			e.value = c.paths.full(e.value, p, defaultPrefix)
		}
	}
	return status, c.own(p)
}

func (c *checker) processManager(p *Pool) error {
	bad := func(format string, args ...any) error {
		return failf(LevelAlert, "[pool %s] "+format, append([]any{p.Name}, args...)...)
	}
	if p.PM == 0 {
		return bad("the process manager is missing (static, dynamic or ondemand)")
	}
	if p.MaxChildren < 1 {
		return bad("pm.max_children must be a positive value")
	}
	if p.PM == PMOndemand {
		if p.ProcessIdleTimeout < time.Second {
			return bad("pm.process_idle_timeout(%ds) must be greater than 0s", p.ProcessIdleTimeout/time.Second)
		}
		if p.ListenBacklog < -1 {
			c.note(LevelWarning, "[pool %s] listen.backlog(%d) was too low for the ondemand process manager. I updated it for you to %d.", p.Name, p.ListenBacklog, -1)
			p.ListenBacklog = -1
		}
		p.StartServers, p.MinSpareServers, p.MaxSpareServers = 0, 0, 0
		return nil
	}
	if p.PM != PMDynamic {
		return nil
	}
	least, most := p.MinSpareServers, p.MaxSpareServers
	switch {
	case least <= 0:
		return bad("pm.min_spare_servers(%d) must be a positive value", least)
	case most <= 0:
		return bad("pm.max_spare_servers(%d) must be a positive value", most)
	case least > p.MaxChildren || most > p.MaxChildren:
		return bad("pm.min_spare_servers(%d) and pm.max_spare_servers(%d) cannot be greater than pm.max_children(%d)", least, most, p.MaxChildren)
	case most < least:
		return bad("pm.max_spare_servers(%d) must not be less than pm.min_spare_servers(%d)", most, least)
	case p.StartServers <= 0:
		p.StartServers = least + (most-least)/2
		c.note(LevelNotice, "[pool %s] pm.start_servers is not set. It's been set to %d.", p.Name, p.StartServers)
	case p.StartServers < least || p.StartServers > most:
		return bad("pm.start_servers(%d) must not be less than pm.min_spare_servers(%d) and not greater than pm.max_spare_servers(%d)", p.StartServers, least, most)
	}
	if p.MaxSpawnRate < 1 {
		return bad("pm.max_spawn_rate must be a positive value")
	}
	return nil
}

// statusPool is the pool that php-fpm makes of pm.status_listen. Here it only
// takes part in the checks.
func statusPool(p *Pool) *Pool {
	if !p.set.has("pm.status_path") {
		p.StatusPath = "/"
		p.set["pm.status_path"] = origin{}
	}
	s := newPool(p.Name + "_status")
	s.Listen, s.User, s.Group = p.StatusListen, p.User, p.Group
	s.ListenOwner, s.ListenGroup, s.ListenMode = p.ListenOwner, p.ListenGroup, p.ListenMode
	s.StatusPath, s.PingPath, s.PingResponse = p.StatusPath, p.PingPath, p.PingResponse
	for _, name := range []string{"user", "ping.response"} {
		if o, ok := p.set[name]; ok {
			s.set[name] = o
		}
	}
	s.PM, s.MaxChildren = PMOndemand, 2
	return s
}

// checkURI checks the path of the status page or of ping.
func checkURI(p *Pool, what, path string, long bool) error {
	switch {
	case path == "":
		return nil
	case path[0] != '/':
		return failf(LevelError, "[pool %s] the %s path '%s' must start with a '/'", p.Name, what, path)
	case long && len(path) < 2:
		return failf(LevelError, "[pool %s] the %s path '%s' is not long enough", p.Name, what, path)
	}
	for i := 0; i < len(path); i++ {
		if c := path[i]; !isLetter(c) && !isDigit(c) && !strings.ContainsRune("/-.~", rune(c)) {
			return failf(LevelError, "[pool %s] the %s path '%s' must contain only the following characters '[alphanum]/_-.~'", p.Name, what, path)
		}
	}
	return nil
}

func (c *checker) slowlog(p *Pool) error {
	bad := func(format string, args ...any) error {
		return failf(LevelError, "[pool %s] "+format, append([]any{p.Name}, args...)...)
	}
	if p.Slowlog != "" {
		p.Slowlog = c.paths.full(p.Slowlog, p, defaultPrefix)
	}
	if slow, most := p.RequestSlowlogTimeout, p.RequestTerminateTimeout; slow != 0 {
		if p.Slowlog == "" {
			return bad("'slowlog' must be specified for use with 'request_slowlog_timeout'")
		}
		if most != 0 && slow > most {
			return bad("'request_slowlog_timeout' (%d) can't be greater than 'request_terminate_timeout' (%d)", slow/time.Second, most/time.Second)
		}
	}
	switch depth := p.RequestSlowlogTraceDepth; {
	case depth == 0:
		p.RequestSlowlogTraceDepth = 20
	case !p.set.has("request_slowlog_trace_depth"):
	case p.Slowlog == "":
		return bad("'slowlog' must be specified for use with 'request_slowlog_trace_depth'")
	case depth < 0:
		return bad("'request_slowlog_trace_depth' (%d) must be a positive value", depth)
	}
	return nil
}

func (c *checker) directories(p *Pool) error {
	bad := func(format string, args ...any) error {
		return failf(LevelError, "[pool %s] "+format, append([]any{p.Name}, args...)...)
	}
	if p.Chroot != "" {
		below, found := strings.CutPrefix(p.Chroot, "$prefix")
		switch {
		case found && below == "":
			p.Chroot = c.paths.prefixOf(p)
		case found:
			p.Chroot = c.paths.full(below, p, defaultPrefix)
			if strings.HasPrefix(below, "/") { // full leaves an absolute path alone
				p.Chroot = c.paths.prefixOf(p) + "/" + below
			}
		case strings.Contains(p.Chroot, "$prefix") && p.Chroot[0] != '/':
			err := asError(bad("the chroot path '%s' must start with a '/'", p.Chroot))
			err.Lines = append([]Message{{LevelError, "'$prefix' must be use at the beginning of the value"}}, err.Lines...)
			return err
		default:
			p.Chroot = c.paths.full(p.Chroot, p, defaultPrefix)
		}
		if !isDir(p.Chroot) {
			return bad("the chroot path '%s' does not exist or is not a directory", p.Chroot)
		}
	}
	if p.Chdir != "" {
		p.Chdir = c.paths.full(p.Chdir, p, defaultPrefix)
		if p.Chroot == "" {
			if !isDir(p.Chdir) {
				return bad("the chdir path '%s' does not exist or is not a directory", p.Chdir)
			}
		} else if path := p.Chroot + "/" + p.Chdir; !isDir(path) {
			return bad("the chdir path '%s' within the chroot path '%s' ('%s') does not exist or is not a directory", p.Chdir, p.Chroot, path)
		}
	}
	return nil
}

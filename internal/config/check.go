package config

import (
	"fmt"
	"os"
	"strings"

	"php-supervisor/internal/logging"
)

// checker does what php-fpm does after reading: it checks how directives fit
// together and with the machine, in php-fpm's order and words, and resolves names.
type checker struct {
	cfg      *Config
	opts     Options
	paths    paths
	sys      *system
	messages []Message
}

func (c *checker) note(level Level, format string, args ...any) {
	c.messages = append(c.messages, Message{level, fmt.Sprintf(format, args...)})
}

func failf(level Level, format string, args ...any) error {
	return fail(level, fmt.Sprintf(format, args...))
}

// run checks everything. Errors of the first part are php-fpm's "failed to post
// process the configuration".
func (c *checker) run() error {
	if err := c.postProcess(); err != nil {
		return asError(err).because("failed to post process the configuration")
	}
	for _, p := range c.cfg.Pools {
		if c.opts.TestOnly {
			if err := c.names(p); err != nil {
				return err
			}
			continue
		}
		if err := c.identity(p); err != nil {
			return err
		}
	}
	for _, p := range c.cfg.Pools {
		c.resolveArrays(p)
		if p.Address.Network == "unix" {
			if err := c.socket(p); err != nil {
				return err
			}
		}
		var err error
		if p.Address, err = address(p); err != nil {
			return err
		}
		c.allowedClients(p)
	}
	return nil
}

func (c *checker) postProcess() error {
	if err := c.global(&c.cfg.Global); err != nil {
		return err
	}
	if len(c.cfg.Pools) == 0 {
		return fail(LevelError, "No pool defined. at least one pool section must be specified in config file")
	}
	all := c.cfg.Pools
	for i := 0; i < len(all); i++ {
		status, err := c.pool(all[i], i >= len(c.cfg.Pools))
		if err != nil {
			return err
		}
		if status != nil {
			all = append(all, status)
		}
	}
	if err := c.addressesDiffer(all); err != nil {
		return err
	}
	for _, p := range c.cfg.Pools {
		if p.AccessLog == "" {
			continue
		}
		if _, err := logging.CompileAccessFormat(p.AccessFormat); err != nil {
			return &Error{Lines: []Message{
				{LevelWarning, err.Error()},
				{LevelError, fmt.Sprintf("[pool %s] wrong format for access.format '%s'", p.Name, p.AccessFormat)},
			}}
		}
	}
	return nil
}

func (c *checker) global(g *Global) error {
	if g.PID == "" && !g.set.has("pid") {
		g.PID = c.opts.PID
	}
	if g.PID != "" {
		g.PID = c.paths.full(g.PID, nil, defaultStateDir)
	}
	if c.opts.Daemonize != nil {
		g.Daemonize = *c.opts.Daemonize
	}
	switch {
	case g.LogLimit < 512:
		return fail(LevelError, "log_limit must be greater than 512")
	case g.ProcessMax < 0:
		return fail(LevelError, "process_max can't be negative")
	case badPriority(g.ProcessPriority):
		return fail(LevelError, "process.priority must be included into [-19,20]")
	}
	if g.ErrorLog != "" && !strings.EqualFold(g.ErrorLog, "syslog") {
		g.ErrorLog = c.paths.full(g.ErrorLog, nil, defaultStateDir)
	}
	if g.Control != "" {
		g.Control = c.paths.full(g.Control, nil, defaultStateDir)
		if len(g.Control) > maxUnixPath {
			return failf(LevelError, "the path of control '%s' is too long: %d bytes, and a unix socket's has at most %d", g.Control, len(g.Control), maxUnixPath)
		}
	}
	switch strings.ToLower(g.EventsMechanism) {
	case "epoll", "poll", "select":
	default:
		return failf(LevelError, "event mechanism '%s' is not available on this system", g.EventsMechanism)
	}
	return nil
}

func badPriority(n int) bool { return n != PriorityUnset && (n < -19 || n > 20) }

// addressesDiffer makes sure that no two pools listen on the same address.
func (c *checker) addressesDiffer(pools []*Pool) error {
	// Each pair is found by its first member, as in php-fpm, without comparing all
	// with all.
	by := make(map[string]*Pool, len(pools))
	var first, second *Pool
	rank := make(map[*Pool]int, len(pools))
	for i, p := range pools {
		rank[p] = i
		other, taken := by[p.Listen]
		if !taken {
			by[p.Listen] = p
		} else if first == nil || rank[other] < rank[first] {
			first, second = other, p
		}
	}
	if first == nil {
		return nil
	}
	return failf(LevelError, "[pool %s] unable to set listen address as it's already used in another pool '%s'", second.Name, first.Name)
}

// resolveArrays makes the effective env[] and php_*[] of what was written.
func (c *checker) resolveArrays(p *Pool) {
	for _, e := range p.entries {
		switch e.name {
		case "env":
			value := e.value
			if name, ok := strings.CutPrefix(value, "$"); ok {
				value, _ = c.sys.getenv(name)
			}
			switch e.key {
			case "USER":
				p.Identity.User = ""
			case "HOME":
				p.Identity.Home = ""
			}
			p.Env = addFirst(p.Env, e.key, value)
		case "php_value", "php_flag":
			p.PHPValues = addPHP(p.PHPValues, e.key, e.value)
		case "php_admin_value", "php_admin_flag":
			p.PHPAdminValues = addPHP(p.PHPAdminValues, e.key, e.value)
		}
	}
}

// addFirst adds a key unless it is there: php-fpm applies the last one first, so
// the first of a file is what stays.
func addFirst(list []KeyValue, key, value string) []KeyValue {
	for _, kv := range list {
		if kv.Key == key {
			return list
		}
	}
	return append(list, KeyValue{key, value})
}

func addPHP(list []KeyValue, key, value string) []KeyValue {
	switch key {
	case "extension":
		return append(list, KeyValue{key, value})
	case "disable_functions", "disable_classes":
		for i := range list {
			if list[i].Key == key {
				list[i].Value += "," + value
				return list
			}
		}
	}
	return addFirst(list, key, value)
}

// regularFile says what keeps a path from being read as a file, "" if nothing.
func regularFile(path string) string {
	fi, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return "does not exist"
	case err != nil:
		return "cannot be read: " + reason(err)
	case !fi.Mode().IsRegular():
		return "is not a file"
	}
	return ""
}

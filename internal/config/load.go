package config

import "cmp"

// Options is what the command line and the way the program was called say
// about loading a file. The zero value is right for a plain start.
type Options struct {
	Prefix    string // --prefix; "" = /usr as in Debian's php-fpm
	PID       string // --pid; counts when the file has no pid directive
	Daemonize *bool  // --daemonize, --nodaemonize; nil = as the file says
	AllowRoot bool   // --allow-to-run-as-root
	// TestOnly checks as php-fpm -t does: that the names of users and groups
	// exist, but not whether a pool would run as root. Pool.Identity stays empty.
	TestOnly bool
	// Variables are looked up for ${NAME} before the environment (-d NAME=VALUE).
	Variables map[string]string
	// Constants are PHP constants beyond those this package knows.
	Constants map[string]string

	sys *system // nil = the real one
}

// Load reads a configuration file and everything it includes. Without a path it
// is etc/php-fpm.conf below the prefix. The messages are returned also when there
// is an error, which is always an [*Error].
func Load(path string, opts Options) (*Config, []Message, error) {
	l := newLoader(opts)
	err := l.load(path)
	if err != nil {
		return nil, l.messages, asError(err).because("FPM initialization failed")
	}
	return l.cfg, l.messages, nil
}

func (l *loader) load(path string) error {
	if prefix := l.opts.Prefix; prefix != "" && !isDir(prefix) {
		return failf(LevelError, "the global prefix '%s' does not exist or is not a directory", prefix)
	}
	if path == "" {
		path = cmp.Or(l.opts.Prefix, defaultPrefix) + "/etc/php-fpm.conf"
	}
	l.cfg.File = path
	if err := l.file(path); err != nil {
		return asError(err).because("failed to load configuration file '%s'", path)
	}
	return l.check()
}

// check runs the checks that need the whole configuration.
func (l *loader) check() error {
	c := &checker{cfg: l.cfg, opts: l.opts, paths: l.paths, sys: l.sys}
	err := c.run()
	l.messages = append(l.messages, c.messages...)
	return err
}

// origin is where a directive was set.
type origin struct {
	file string
	line int
}

// origins has an element for every directive that was set, by its name in the
// table. Setting a directive to nothing is setting it, too.
type origins map[string]origin

func (o origins) has(name string) bool {
	_, ok := o[name]
	return ok
}

// entry is one element of env[] or php_*[] as written, but for $pool and paths.
type entry struct{ name, key, value string }

func newGlobal() Global {
	g := Global{ProcessPriority: PriorityUnset, set: origins{}}
	applyDefaults(globalSettings, &g, nil)
	return g
}

func newPool(name string) *Pool {
	p := &Pool{Name: name, ProcessPriority: PriorityUnset, set: origins{}}
	applyDefaults(poolSettings, nil, p)
	return p
}

func applyDefaults(table []Setting, g *Global, p *Pool) {
	for i := range table {
		s := &table[i]
		if s.Default == "" {
			continue
		}
		if problem, doubt := s.assign(s.field(g, p), s.Default); problem+doubt != "" {
			panic("config: the default of " + s.Name + " " + problem + doubt)
		}
	}
}

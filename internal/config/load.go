package config

import (
	"errors"
	"io"
)

// Options is what the command line and the way the program was called say
// about loading a file. The zero value is right for a plain start.
type Options struct {
	Prefix    string // --prefix; "" = /usr as in Debian's php-fpm
	PID       string // --pid; wins over nothing: the file's own pid directive wins
	Daemonize *bool  // --daemonize, --nodaemonize; nil = as the file says
	AllowRoot bool   // --allow-to-run-as-root
	// TestOnly checks as php-fpm -t does: names of users and groups, but not
	// whether a pool would run as root.
	TestOnly bool
	// Variables are looked up for ${NAME} before the environment (-d NAME=VALUE).
	Variables map[string]string
	// Constants are PHP constants beyond those this package knows.
	Constants map[string]string
}

// Load reads a configuration file and everything it includes. The messages are
// returned also when there is an error, which is always an [*Error].
func Load(path string, opts Options) (*Config, []Message, error) {
	return nil, nil, errors.New("not yet")
}

// Flags are the settings `supervisor run` takes without a file.
type Flags struct {
	Listen  string   // "" = 127.0.0.1:9000
	Root    string   // document root, "" = current directory
	Worker  string   // worker script, relative to Root; "" = classic mode
	Workers int      // 0 = by the number of CPUs; otherwise a static pool of so many
	Watch   []string // directories, relative to Root
	User    string   // only as root
	Group   string
	PHP     string // php binary
	Control string // admin socket
}

// FromFlags makes a configuration of one pool, www.
func FromFlags(f Flags, opts Options) (*Config, []Message, error) {
	return nil, nil, errors.New("not yet")
}

// Dump writes the configuration as php-fpm -tt does: the text of each NOTICE, a
// line each.
func (c *Config) Dump(w io.Writer) error { return errors.New("not yet") }

// NotYet has one warning for each directive that was set but has no effect in
// this version. The caller logs them once at start.
func (c *Config) NotYet() []Message { return nil }

// WriteReference writes docs/CONFIGURATION.md.
func WriteReference(w io.Writer) error { return errors.New("not yet") }

// origin is where a directive was set.
type origin struct {
	file string
	line int
}

// origins has an element for every directive that was set, by its name.
type origins map[string]origin

type entry struct{ name, key, value string }

package config

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// Flags are the settings `supervisor run` takes without a file.
type Flags struct {
	Listen  string   // as the directive, or :PORT, or a path relative to the current directory; "" = 127.0.0.1:9000
	Root    string   // document root, which becomes the workers' current directory; "" = the current directory
	Worker  string   // worker script, relative to Root; "" = classic mode
	Workers int      // 0 = by the number of CPUs and by need; otherwise a static pool of so many
	Watch   []string // directories, relative to Root
	User    string   // only as root
	Group   string
	PHP     string // php binary
	Control string // path of the admin socket, relative to the current directory
}

// FromFlags makes a configuration of one pool, www. It stays in the foreground,
// logs to stderr (Global.ErrorLog is empty), passes the environment on to the
// workers and shows their output. Errors are as Load's.
func FromFlags(f Flags, opts Options) (*Config, []Message, error) {
	l := newLoader(opts)
	err := l.fromFlags(f)
	if err == nil {
		err = l.check()
	}
	if err != nil {
		return nil, l.messages, asError(err)
	}
	return l.cfg, l.messages, nil
}

func (l *loader) fromFlags(f Flags) error {
	here, err := os.Getwd()
	if err != nil {
		return failf(LevelError, "the current directory is gone: %s", reason(err))
	}
	root := below(here, f.Root)
	if !isDir(root) {
		return failf(LevelError, "--root '%s' does not exist or is not a directory", root)
	}
	if f.Workers < 0 {
		return failf(LevelError, "--workers %d must be a positive number", f.Workers)
	}
	g := &l.cfg.Global
	g.Daemonize, g.ErrorLog = false, ""
	if f.Control != "" {
		g.Control = below(here, f.Control)
	}
	if err := l.section("www"); err != nil {
		return err
	}
	p := l.current
	p.Chdir, p.ClearEnv, p.CatchWorkersOutput = root, false, true
	p.Listen = listenFlag(here, f.Listen)
	p.PHPBinary = f.PHP
	if f.Worker != "" {
		p.WorkerScript = below(root, f.Worker)
	}
	for _, dir := range f.Watch {
		p.Watch = append(p.Watch, below(root, dir))
	}
	if p.User, p.Group = f.User, f.Group; f.User != "" {
		p.set["user"] = origin{}
	} else if l.sys.euid == 0 && !l.opts.AllowRoot {
		return fail(LevelError, "started as root: say who the workers are with --user NAME, or --allow-to-run-as-root")
	}
	if p.MaxChildren = f.Workers; f.Workers > 0 {
		p.PM = PMStatic
		return nil
	}
	// A worker that waits for a database leaves its processor to others, so there
	// may be several for each; started and kept is what the processors can run.
	cpus := min(runtime.NumCPU(), 256)
	p.PM, p.MaxChildren = PMDynamic, 4*cpus
	p.MinSpareServers, p.StartServers, p.MaxSpareServers = 1, cpus, 2*cpus
	return nil
}

func below(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

func listenFlag(here, listen string) string {
	switch port, bare := strings.CutPrefix(listen, ":"); {
	case listen == "":
		return "127.0.0.1:9000"
	case bare && isID(port) && port != "":
		return port
	case isTCP(listen):
		return listen
	}
	return below(here, listen)
}

// String says in a few words what a pool listens on, for messages.
func (a Address) String() string {
	switch {
	case a.Network == "unix":
		return a.Path
	case a.Host == "":
		return strconv.Itoa(a.Port)
	case strings.Contains(a.Host, ":"):
		return fmt.Sprintf("[%s]:%d", a.Host, a.Port)
	}
	return fmt.Sprintf("%s:%d", a.Host, a.Port)
}

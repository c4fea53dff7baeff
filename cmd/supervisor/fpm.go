package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"php-supervisor/internal/config"
	"php-supervisor/internal/daemon"
	"php-supervisor/internal/logging"
	"php-supervisor/internal/phpext"
)

// runFPM is the program when it is called as php-fpm.
func runFPM(args []string) int {
	log := logging.New(logging.Options{Format: logging.FPM})
	o, err := parseFPM(args[1:])
	switch {
	case errors.Is(err, errFPMUsage):
		fmt.Printf(fpmUsage, filepath.Base(args[0]))
		return statusUsage
	case o.act == 'h':
		fmt.Printf(fpmUsage, filepath.Base(args[0]))
		return 0
	case o.act == 'v' || o.act == 'm' || o.info:
		err = o.askPHP(args[0])
	case o.tests > 0:
		err = o.test(log, args[0])
	default:
		err = o.serve(args[0])
	}
	complainFPM(log, err)
	return exitStatus(err)
}

func (o *fpmOptions) test(log *logging.Logger, argv0 string) error {
	cfg, messages, err := o.load(argv0, true)
	for _, m := range messages {
		log.Log(daemon.Level(m.Level), m.Text)
	}
	if err != nil {
		return err
	}
	if o.tests > 1 {
		var dump strings.Builder
		if err := cfg.Dump(&dump); err != nil {
			return err
		}
		for line := range strings.Lines(dump.String()) {
			log.Info(strings.TrimSuffix(line, "\n"))
		}
	}
	log.Info(fmt.Sprintf("configuration file %s test is successful", cfg.File))
	log.WriteLine(nil)
	return nil
}

func (o *fpmOptions) serve(argv0 string) error {
	if err := o.chooseIni(argv0); err != nil {
		return err
	}
	return serve(daemon.Options{
		Load: func() (*config.Config, []config.Message, error) {
			cfg, messages, err := o.load(argv0, false)
			if err == nil && cfg.Global.Daemonize {
				return nil, messages, exitf(statusConfig, "running in the background is not possible yet: use --nodaemonize, or set daemonize = no")
			}
			return cfg, messages, err
		},
		CalledAs: argv0,
		Stderr:   o.stderr || isTerminal(os.Stderr),
	})
}

// load is the configuration with what the command line says about PHP.
func (o *fpmOptions) load(argv0 string, testOnly bool) (*config.Config, []config.Message, error) {
	file := o.config
	if file == "" && o.prefix == "" {
		file = defaultFPMConfig(argv0, "/")
	}
	variables := map[string]string{}
	defines := o.defined()
	for _, d := range defines {
		variables[d.Key] = d.Value
	}
	cfg, messages, err := config.Load(file, config.Options{
		Prefix: o.prefix, PID: o.pid, Daemonize: o.daemonize, AllowRoot: o.allowRoot, TestOnly: testOnly, Variables: variables,
	})
	if err != nil || testOnly {
		return cfg, messages, err
	}
	for _, p := range cfg.Pools {
		applyDefines(p, defines)
	}
	return cfg, messages, nil
}

// chooseIni says in the environment which ini files are read; a pool's php.ini_dir wins.
func (o *fpmOptions) chooseIni(argv0 string) error {
	rc, scan := "", ""
	switch {
	case o.noIni:
		rc, scan = os.DevNull, os.DevNull
	case o.ini != "":
		var err error
		if rc, err = filepath.Abs(o.ini); err != nil {
			return err
		}
		// -c is about php.ini alone. Without a word php-cli would read the directory of its own.
		dir := filepath.Join(filepath.Dir(defaultFPMConfig(argv0, "/")), "conf.d")
		if _, err := os.Stat(dir); err == nil {
			scan = dir
		}
	default:
		return nil
	}
	return errors.Join(os.Setenv("PHPRC", rc), os.Setenv("PHP_INI_SCAN_DIR", scan))
}

// applyDefines gives a pool the command line's settings for PHP. The pool's own win, as in php-fpm.
func applyDefines(p *config.Pool, defines []config.KeyValue) {
	for _, d := range defines {
		has := func(kv config.KeyValue) bool { return kv.Key == d.Key }
		switch {
		case d.Key == "extension": // which only administrators load
			p.PHPAdminValues = append(slices.Clip(p.PHPAdminValues), d)
		case !slices.ContainsFunc(p.PHPValues, has) && !slices.ContainsFunc(p.PHPAdminValues, has):
			p.PHPValues = append(slices.Clip(p.PHPValues), d)
		}
	}
}

// defined is -d; a key without a value is on.
func (o *fpmOptions) defined() []config.KeyValue {
	var kvs []config.KeyValue
	for _, d := range o.defines {
		key, value, ok := strings.Cut(d, "=")
		if !ok {
			value = "1"
		}
		if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
			value = value[1 : n-1]
		}
		kvs = append(kvs, config.KeyValue{Key: strings.TrimSpace(key), Value: value})
	}
	return kvs
}

var fpmVersion = regexp.MustCompile(`^php-fpm-?([0-9]+\.[0-9]+)`)

// defaultFPMConfig is where the php-fpm of that name has its configuration in Debian, in the official Docker images, and in
// Fedora; "" is what config takes without one.
func defaultFPMConfig(argv0, root string) string {
	version := "*"
	if m := fpmVersion.FindStringSubmatch(filepath.Base(argv0)); m != nil {
		version = m[1]
	}
	found, err := filepath.Glob(filepath.Join(root, "etc/php", version, "fpm/php-fpm.conf"))
	if err == nil && len(found) > 0 {
		return newest(found)
	}
	for _, file := range []string{"usr/local/etc/php-fpm.conf", "etc/php-fpm.conf"} {
		if _, err := os.Stat(filepath.Join(root, file)); err == nil {
			return filepath.Join(root, file)
		}
	}
	return ""
}

// newest is the path of the highest version; 8.10 is above 8.9.
func newest(paths []string) string {
	return slices.MaxFunc(paths, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
}

// askPHP answers -v, -m and -i with what php-cli says when it reads php-fpm's ini files. -m and -i describe php-cli, then;
// it is the program that serves.
func (o *fpmOptions) askPHP(argv0 string) error {
	ctx := context.Background()
	binaries := phpext.Candidates(argv0, os.Getenv("PATH"))
	if len(binaries) == 0 {
		_, _, err := phpext.Discover(ctx, phpext.Exec, "", argv0) // which says what is missing
		return err
	}
	php, err := phpext.Probe(ctx, phpext.Exec, binaries[0])
	if err != nil {
		return err
	}
	option := "-" + string(o.act)
	if o.act == 0 {
		option = "-i"
	}
	argv := []string{php.Binary}
	env := os.Environ()
	switch {
	case o.noIni:
		argv = append(argv, "-n")
	case o.ini != "":
		argv = append(argv, "-c", o.ini)
	default:
		ini, err := phpext.FindIni(php, "", os.Getenv)
		if err != nil {
			return err
		}
		env = append(env, ini.Env()...)
	}
	for _, d := range o.defines {
		argv = append(argv, "-d", d)
	}
	out, status, err := phpext.Exec(ctx, append(argv, option), env)
	if err != nil {
		return err
	}
	if o.act == 'v' {
		out = fpmVersionText(out)
	}
	if _, err := os.Stdout.Write(out); err != nil {
		return err
	}
	if status != 0 {
		return &exit{status: status}
	}
	return nil
}

// cliVersion is the first line of php -v.
var cliVersion = regexp.MustCompile(`^(PHP \S+) \(cli\) (\(built: [^)]*\)).*`)

// fpmVersionText turns what php -v says into what php-fpm -v says.
func fpmVersionText(out []byte) []byte {
	return cliVersion.ReplaceAll(out, []byte("$1 (fpm-fcgi) $2"))
}

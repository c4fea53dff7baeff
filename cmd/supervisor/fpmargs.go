package main

import (
	"errors"
	"strings"
)

// fpmOptions are php-fpm's.
type fpmOptions struct {
	ini       string   // -c
	noIni     bool     // -n
	defines   []string // -d, in order
	config    string   // -y
	prefix    string   // -p
	pid       string   // -g
	tests     int      // -t, how often
	info      bool     // -i
	allowRoot bool     // -R
	daemonize *bool    // -D, -F: the last one counts
	stderr    bool     // -O

	// act is h, m or v: an option that is carried out where it stands, whatever follows.
	act byte
}

var errFPMUsage = errors.New("usage")

// fpmFlag is one option: its letter, its name, and whether it takes a value.
type fpmFlag struct {
	letter byte
	name   string
	value  bool
}

var fpmFlags = []fpmFlag{
	{'c', "php-ini", true},
	{'d', "define", true},
	{'e', "profile-info", false},
	{'h', "help", false},
	{'i', "info", false},
	{'m', "modules", false},
	{'n', "no-php-ini", false},
	{'?', "usage", false},
	{'v', "version", false},
	{'y', "fpm-config", true},
	{'t', "test", false},
	{'p', "prefix", true},
	{'g', "pid", true},
	{'R', "allow-to-run-as-root", false},
	{'D', "daemonize", false},
	{'F', "nodaemonize", false},
	{'O', "force-stderr", false},
}

// parseFPM reads php-fpm's command line. Its rules (main/getopt.c) are not those of other programs: -dK=V, -d K=V and
// -d=K=V are the same, letters can be joined, a long name is never abbreviated, and nothing may follow the options.
func parseFPM(args []string) (fpmOptions, error) {
	var o fpmOptions
	for len(args) > 0 {
		arg := args[0]
		if len(arg) < 2 || arg[0] != '-' {
			break
		}
		args = args[1:]
		if arg == "--" {
			break
		}
		long, isLong := strings.CutPrefix(arg, "--")
		for rest := arg[1:]; rest != ""; {
			var f fpmFlag
			var ok bool
			if isLong {
				var name string
				if name, _, _ = strings.Cut(long, "="); name == "" {
					return o, errFPMUsage
				}
				f, ok = fpmFlagNamed(name)
				rest = long[len(name):]
			} else {
				f, ok = fpmFlagLettered(rest[0])
				rest = rest[1:]
			}
			if !ok {
				return o, errFPMUsage
			}
			value := ""
			if f.value {
				switch {
				case rest != "":
					value = strings.TrimPrefix(rest, "=")
				case len(args) > 0:
					value, args = args[0], args[1:]
				default:
					return o, errFPMUsage
				}
				rest = ""
			} else if isLong {
				rest = "" // php-fpm ignores the value of an option without one
			}
			o.set(f.letter, value)
			if o.act != 0 {
				return o, nil
			}
		}
	}
	if len(args) > 0 && !o.info {
		return o, errFPMUsage
	}
	return o, nil
}

func fpmFlagNamed(name string) (fpmFlag, bool) {
	for _, f := range fpmFlags {
		if f.name == name {
			return f, true
		}
	}
	return fpmFlag{}, false
}

func fpmFlagLettered(letter byte) (fpmFlag, bool) {
	for _, f := range fpmFlags {
		if f.letter == letter {
			return f, true
		}
	}
	return fpmFlag{}, false
}

func (o *fpmOptions) set(letter byte, value string) {
	yes, no := true, false
	switch letter {
	case 'c':
		o.ini = value
	case 'd':
		o.defines = append(o.defines, value)
	case 'h', '?':
		o.act = 'h'
	case 'm', 'v':
		o.act = letter
	case 'i':
		o.info = true
	case 'n':
		o.noIni = true
	case 'y':
		o.config = value
	case 't':
		o.tests++
	case 'p':
		o.prefix = value
	case 'g':
		o.pid = value
	case 'R':
		o.allowRoot = true
	case 'D':
		o.daemonize = &yes
	case 'F':
		o.daemonize = &no
	case 'O':
		o.stderr = true
	}
}

const fpmUsage = `Usage: %s [-n] [-e] [-h] [-i] [-m] [-v] [-t] [-p <prefix>] [-g <pid>] [-c <file>] [-d foo[=bar]] [-y <file>] [-D] [-F [-O]]
  -c, --php-ini <path>|<file>    php.ini, or the directory it is in
  -n, --no-php-ini               no php.ini at all
  -d, --define foo[=bar]         set foo in php.ini to bar
  -e, --profile-info             information for debuggers and profilers
  -h, --help                     this help
  -i, --info                     PHP information
  -m, --modules                  compiled in modules
  -v, --version                  version
  -p, --prefix <dir>             where relative paths begin
  -g, --pid <file>               PID file
  -y, --fpm-config <file>        configuration file
  -t, --test                     check the configuration; twice: show it, too
  -D, --daemonize                run in the background, whatever the configuration says
  -F, --nodaemonize              stay in the foreground, whatever the configuration says
  -O, --force-stderr             in the foreground, log to stderr even if that is no terminal
  -R, --allow-to-run-as-root     let pools run as root
This is php-supervisor; called as supervisor it has commands of its own.
`

package phpext

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// DoctorOptions say which PHP Doctor looks at.
type DoctorOptions struct {
	Run      Runner // nil means Exec
	Binary   string // php.binary; empty: find one
	IniDir   string // php.ini_dir; empty: find it
	CalledAs string // argv[0]
	Getenv   func(string) string
	Root     string // in front of /proc and /sys; for tests
}

// Verdict of one check.
type Verdict int

const (
	OK   Verdict = iota
	Warn         // works, but not as well as it could
	Fail         // does not work
)

func (v Verdict) String() string { return [...]string{"ok", "warn", "FAIL"}[v] }

// Check is one line of the doctor's report.
type Check struct {
	Verdict Verdict
	What    string
	Found   string
	Remedy  string
}

// Doctor looks at everything a pool needs, writes a line for each thing to w, and returns the exit status: 1 if something
// makes it impossible to serve, else 0.
func Doctor(ctx context.Context, w io.Writer, o DoctorOptions) int {
	status := 0
	count := map[Verdict]int{}
	for _, c := range Examine(ctx, o) {
		count[c.Verdict]++
		fmt.Fprintf(w, "%-4s  %-12s  %s\n", c.Verdict, c.What, c.Found)
		if c.Remedy != "" {
			fmt.Fprintf(w, "      %-12s  -> %s\n", "", c.Remedy)
		}
		if c.Verdict == Fail {
			status = 1
		}
	}
	switch {
	case status != 0:
		fmt.Fprintf(w, "\nThis machine cannot run the supervisor yet: failures: %d, warnings: %d.\n", count[Fail], count[Warn])
	case count[Warn] > 0:
		fmt.Fprintf(w, "\nReady, warnings: %d.\n", count[Warn])
	default:
		fmt.Fprintf(w, "\nReady.\n")
	}
	return status
}

// Examine makes all checks.
func Examine(ctx context.Context, o DoctorOptions) []Check {
	if o.Run == nil {
		o.Run = Exec
	}
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	var checks []Check
	php, ext, err := Discover(ctx, o.Run, o.Binary, o.CalledAs)
	if php == nil {
		checks = append(checks, failed("php", err))
	} else {
		checks = append(checks, Check{OK, "php", fmt.Sprintf("%s, PHP %s, %s", php.Binary, php.Version, php.SAPI), ""})
		checks = append(checks, extensionCheck(php, ext, err))
		checks = append(checks, settingsChecks(ctx, o, php)...)
	}
	checks = append(checks, systemChecks(o.Root)...)
	return checks
}

func failed(what string, err error) Check {
	var p *Problem
	if errors.As(err, &p) {
		return Check{Fail, what, p.Text, p.Remedy}
	}
	return Check{Fail, what, err.Error(), ""}
}

func extensionCheck(php *PHP, ext *Extension, err error) Check {
	if ext == nil {
		return failed("extension", err)
	}
	others := ""
	if keys := Carried(); len(keys) > 1 {
		others = " (carried: " + strings.Join(keys, ", ") + ")"
	}
	f, err := ext.Open()
	if err != nil {
		return failed("extension", err)
	}
	f.Close()
	return Check{OK, "extension", ext.Key + others, ""}
}

func settingsChecks(ctx context.Context, o DoctorOptions, php *PHP) []Check {
	ini, err := FindIni(php, o.IniDir, o.Getenv)
	if err != nil {
		return []Check{failed("ini files", err)}
	}
	s, err := ReadSettings(ctx, o.Run, php, ini)
	if err != nil {
		return []Check{failed("ini files", err)}
	}
	checks := []Check{iniCheck(php, ini, s)}

	_, opcache := s.Module("Zend OPcache")
	switch {
	case !opcache:
		return append(checks, Check{Warn, "opcache", "not loaded: each request compiles its files, and preloading and JIT are out of reach",
			"apt-get install php" + php.Short() + "-opcache, or zend_extension=opcache in php.ini"}, xdebugCheck(s))
	case !on(s.Values["opcache.enable"]):
		checks = append(checks, Check{Warn, "opcache", "loaded but off", "opcache.enable=1 in php.ini"})
	default:
		// In MiB; OPcache reads the number and no unit after it.
		mib := strings.TrimRight(s.Values["opcache.memory_consumption"], "kKmMgG ")
		checks = append(checks, Check{OK, "opcache", fmt.Sprintf("on, %s MiB shared by the workers of a pool", mib), ""})
	}
	return append(checks, jitCheck(s), preloadCheck(s), xdebugCheck(s))
}

func iniCheck(php *PHP, ini Ini, s *Settings) Check {
	where := s.Loaded
	if where == "" {
		where = "no php.ini"
	}
	c := Check{OK, "ini files", fmt.Sprintf("%s and %d more (%s)", where, len(s.Scanned), ini.Why), ""}
	if ini.RC == "" && strings.HasSuffix(php.ConfigPath, "/cli") {
		c.Verdict = Warn
		c.Found += ": php-cli's own, made for the command line"
		c.Remedy = "apt-get install php" + php.Short() + "-fpm, or set php.ini_dir"
	}
	return c
}

func jitCheck(s *Settings) Check {
	jit, buffer := strings.ToLower(s.Values["opcache.jit"]), size(s.Values["opcache.jit_buffer_size"])
	if buffer == 0 || jit == "disable" || jit == "off" || jit == "0" {
		return Check{OK, "jit", "off (opcache.jit and opcache.jit_buffer_size turn it on)", ""}
	}
	if v, ok := s.Module("xdebug"); ok {
		return Check{Warn, "jit", "configured, but Xdebug " + v + " turns it off", "do not load Xdebug here"}
	}
	return Check{OK, "jit", fmt.Sprintf("%s, buffer of %d KiB shared by the workers of a pool", jit, buffer>>10), ""}
}

func preloadCheck(s *Settings) Check {
	file := s.Values["opcache.preload"]
	if file == "" {
		return Check{OK, "preload", "none (opcache.preload)", ""}
	}
	if _, err := os.Stat(file); err != nil {
		return Check{Fail, "preload", fmt.Sprintf("opcache.preload names '%s', which cannot be read", file), "mend or remove the setting"}
	}
	return Check{OK, "preload", file, ""}
}

func xdebugCheck(s *Settings) Check {
	v, ok := s.Module("xdebug")
	if !ok {
		return Check{OK, "xdebug", "not loaded", ""}
	}
	return Check{Warn, "xdebug", fmt.Sprintf("%s loaded, mode %s: every request is slower", v, s.Values["xdebug.mode"]),
		"leave it out on servers"}
}

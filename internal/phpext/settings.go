package phpext

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strconv"
	"strings"
)

// Settings are what the ini files say, of the things that decide how a pool runs.
type Settings struct {
	Loaded  string   // php.ini; empty if there is none
	Scanned []string // the other files
	Values  map[string]string
	Modules map[string]string // loaded extensions and their versions
}

// The ini settings that are asked for.
var asked = []string{
	"display_errors", "error_log", "memory_limit", "opcache.enable", "opcache.jit", "opcache.jit_buffer_size",
	"opcache.memory_consumption", "opcache.preload", "opcache.preload_user", "xdebug.mode", "zend.assertions",
}

const settingsScript = `$v = []; foreach (%s as $k) { $x = ini_get($k); if ($x !== false) $v[$k] = $x; } ` +
	`$m = []; foreach (array_merge(get_loaded_extensions(), get_loaded_extensions(true)) as $e) $m[$e] = (string) phpversion($e); ` +
	`echo "\n", json_encode(["Loaded" => (string) php_ini_loaded_file(), ` +
	`"Scanned" => array_values(array_filter(array_map("trim", explode(",", (string) php_ini_scanned_files())))), ` +
	`"Values" => $v ?: new stdClass, "Modules" => $m], JSON_INVALID_UTF8_SUBSTITUTE), "\n";`

// ReadSettings runs PHP with its ini files and reports what they make of it. It loads all configured extensions, so it
// may fail where Probe does not.
func ReadSettings(ctx context.Context, run Runner, p *PHP, ini Ini) (*Settings, error) {
	ctx, cancel := context.WithTimeout(ctx, ProbeTimeout)
	defer cancel()
	names, err := json.Marshal(asked) // a JSON list of plain words is a PHP list too
	if err != nil {
		return nil, err
	}
	// A debugger must not hold us up; its configured mode can be read all the same.
	env := append(probeEnv(os.Environ()), "XDEBUG_MODE=off")
	env = append(env, ini.Env()...)
	out, status, err := run(ctx, []string{p.Binary, "-r", strings.Replace(settingsScript, "%s", string(names), 1)}, env)
	if err != nil {
		return nil, problem("", "cannot run '%s' with the ini files of %s: %v", p.Binary, ini.Why, err)
	}
	// Warnings of extensions that do not load may stand before it.
	var s Settings
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &s); err != nil {
		return nil, problem("run it by hand to see why", "'%s' does not work with the ini files of %s (status %d)", p.Binary, ini.Why, status)
	}
	return &s, nil
}

// on says whether an ini value is a true one.
func on(v string) bool {
	switch strings.ToLower(v) {
	case "on", "yes", "true":
		return true
	}
	n, err := strconv.ParseInt(v, 10, 64)
	return err == nil && n != 0
}

// Module finds a loaded extension, whatever the case of its name.
func (s *Settings) Module(name string) (version string, loaded bool) {
	for m, v := range s.Modules {
		if strings.EqualFold(m, name) {
			return v, true
		}
	}
	return "", false
}

// size reads PHP's shorthand for a number of bytes.
func size(v string) int64 {
	v = strings.TrimSpace(v)
	shift := 0
	if v != "" {
		switch v[len(v)-1] {
		case 'k', 'K':
			shift = 10
		case 'm', 'M':
			shift = 20
		case 'g', 'G':
			shift = 30
		}
	}
	if shift > 0 {
		v = v[:len(v)-1]
	}
	n, err := strconv.ParseInt(v, 0, 64)
	if err != nil {
		return 0
	}
	return n << shift
}

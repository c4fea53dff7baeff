package daemon

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"php-supervisor/internal/config"
	"php-supervisor/pool"
)

// TestIniQuote has PHP itself read back what was quoted.
func TestIniQuote(t *testing.T) {
	php, err := exec.LookPath("php")
	if err != nil {
		t.Skip("no php in PATH")
	}
	for _, v := range []string{
		"", "1", "plain", "two words", "a;b", "a=b&c|d", "(x)", "${HOME}", "$HOME", `back\slash`, `"double"`, "it's",
		"#hash", "~!^{}", "off", "null", "E_ALL", "/path with/blank:and/colon", "ünï", `c:\dir\`,
	} {
		q, err := iniQuote(v)
		if err != nil {
			t.Errorf("%q: %v", v, err)
			continue
		}
		out, err := exec.Command(php, "-n", "-d", "user_agent="+q, "-r", "echo ini_get('user_agent');").Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(out); got != v {
			t.Errorf("%q written as %s is read as %q", v, q, got)
		}
	}
	for _, v := range []string{`it's "both"`, "line\nbreak", "it's ${HOME}", "nul\x00"} {
		if q, err := iniQuote(v); err == nil {
			t.Errorf("%q was written as %s; PHP cannot read that back", v, q)
		}
	}
}

func TestDirectives(t *testing.T) {
	p := &config.Pool{
		Name: "shop", ClearEnv: true, Chdir: "/srv", WorkerScript: "/srv/worker.php",
		Extensions: []string{".php", ".phar"},
		Identity:   config.Identity{User: "www", Home: "/home/www"},
		Env:        []config.KeyValue{{Key: "HOME", Value: "/tmp"}},
		PHPValues:  []config.KeyValue{{Key: "memory_limit", Value: "64M"}},
	}
	want := []pool.Directive{
		{Key: "pool", Value: "shop"}, {Key: "title", Value: "php-fpm: pool shop"},
		{Key: "mode", Value: "worker"}, {Key: "security.limit_extensions", Value: ".php .phar"}, {Key: "clear_env", Value: "1"},
		{Key: "worker.script", Value: "/srv/worker.php"}, {Key: "chdir", Value: "/srv"},
		{Key: "env[HOME]", Value: "/tmp"}, // what the pool says wins over passwd
		{Key: "env[USER]", Value: "www"}, {Key: "php_value[memory_limit]", Value: "64M"},
	}
	if d := cmp.Diff(want, directives(p)); d != "" {
		t.Error(d)
	}
}

func TestDefinesLeaveExtensionsToPHP(t *testing.T) {
	args, err := defines(&config.Pool{PHPAdminValues: []config.KeyValue{
		{Key: "extension", Value: "x"}, {Key: "disable_functions", Value: "exec"}, {Key: "opcache.preload", Value: "/srv/p.php"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(args, " "), "-d opcache.preload='/srv/p.php'"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

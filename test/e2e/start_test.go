package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"php-supervisor/test/harness"
)

// What keeps the supervisor from starting is one clear line and exit status 78.
func TestCannotStart(t *testing.T) {
	ours(t)
	program := harness.Must[string](t)(harness.SupervisorProgram())
	wrongPHP := filepath.Join(scratch(t), "php")
	if err := os.WriteFile(wrongPHP, []byte("#!/bin/sh\necho I am no PHP\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	good := map[string]string{"listen": "SOCKET", "pm": "static", "pm.max_children": "1"}
	asRoot := map[string]string{"user": common.stage.User, "group": common.stage.Group}
	for _, c := range []struct {
		name string
		with map[string]string
		want []string
		root bool // only where we may become somebody else
	}{
		{"no-such-php", map[string]string{"php.binary": "/no/such/php"}, []string{"/no/such/php"}, false},
		{"php-that-is-none", map[string]string{"php.binary": wrongPHP}, []string{wrongPHP}, false},
		{"no-such-ini-directory", map[string]string{"php.ini_dir": "/no/such/ini"}, []string{"/no/such/ini"}, false},
		{"socket-path-not-there", map[string]string{"listen": "/no/such/directory/www.sock"}, []string{"/no/such/directory/www.sock", "No such file or directory"}, false},
		{"socket-path-is-a-file", map[string]string{"listen": "/etc/passwd/www.sock"}, []string{"/etc/passwd/www.sock"}, false},
		{"no-such-user", map[string]string{"user": "nosuchuser"}, []string{"[pool www] cannot get uid for user 'nosuchuser'"}, true},
		{"no-such-group", map[string]string{"group": "nosuchgroup"}, []string{"[pool www] cannot get gid for group 'nosuchgroup'"}, true},
		{"no-such-worker-script", map[string]string{"worker.script": "/no/such/worker.php"}, []string{"/no/such/worker.php"}, false},
		{"worker-script-not-absolute", map[string]string{"worker.script": "worker.php"}, []string{"worker.script"}, false},
		{"unknown-directive", map[string]string{"pm.max_childs": "1"}, []string{":", "unknown entry 'pm.max_childs'"}, false},
		{"bad-value", map[string]string{"pm": "sometimes"}, []string{"unable to parse value for entry 'pm'"}, false},
		{"isolation-that-is-not-there-yet", map[string]string{"worker.isolation": "request"}, []string{"worker.isolation"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.root && os.Geteuid() != 0 {
				t.Skip("only root can become another user")
			}
			s := harness.ForTest(t)
			values := map[string]string{}
			add := func(m map[string]string) {
				for k, v := range m {
					values[k] = strings.ReplaceAll(v, "SOCKET", s.Path("run", "www.sock"))
				}
			}
			add(good)
			if os.Geteuid() == 0 {
				add(asRoot)
			}
			add(c.with)
			conf := "[global]\nerror_log = /proc/self/fd/2\ndaemonize = no\n[www]\n"
			for k, v := range values {
				conf += k + " = " + v + "\n"
			}
			file := s.Path("test.conf")
			if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
				t.Fatal(err)
			}
			p := harness.Must[*harness.Process](t)(s.Start(harness.Command{Name: "supervisor", Args: []string{program, "run", "-y", file}}))
			if status, err := p.WaitExit(); status != 78 || err != nil {
				t.Errorf("exit status %d, %v, want 78", status, err)
			}
			for _, want := range c.want {
				if !strings.Contains(strings.ToLower(p.Log()), strings.ToLower(want)) {
					t.Errorf("no %q in:\n%s", want, p.Log())
				}
			}
			if strings.Contains(p.Log(), "goroutine ") {
				t.Errorf("it panicked:\n%s", p.Log())
			}
		})
	}
}

// An address somebody listens on is not taken from him.
func TestAddressInUse(t *testing.T) {
	ours(t)
	s := harness.ForTest(t)
	file := s.Path("test.conf")
	conf := harness.Must[[]byte](t)(os.ReadFile(common.classic.ConfigFile))
	if err := os.WriteFile(file, []byte(strings.Replace(string(conf), common.classic.ErrorLog, "/proc/self/fd/2", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	p := harness.Must[*harness.Process](t)(s.Start(harness.Command{Name: "second",
		Args: []string{harness.Must[string](t)(harness.SupervisorProgram()), "run", "-y", file}}))
	if status, err := p.WaitExit(); status != 78 || err != nil {
		t.Errorf("exit status %d, %v, want 78", status, err)
	}
	if want := common.classic.Socket; !strings.Contains(p.Log(), want) {
		t.Errorf("no %q in:\n%s", want, p.Log())
	}
	newClient(t, common.ourSite).get(t, "/hello.php")
}

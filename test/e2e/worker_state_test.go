package e2e

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"php-supervisor/test/harness"
)

// startState starts one worker of worker-state.php and returns a function that asks it to do a thing.
func startState(t *testing.T) (srv *harness.Server, do func(name string) *harness.Reply) {
	t.Helper()
	stage := harness.ForTest(t)
	srv = harness.Must[*harness.Server](t)(stage.StartSupervisor(harness.Pool{
		Name: "state", Children: 1, Worker: common.root + "/worker-state.php", Ready: common.root + "/index.php",
		Lines: []string{"catch_workers_output = yes", "php_flag[display_errors] = off", "php_flag[log_errors] = on"},
	}))
	return srv, func(name string) *harness.Reply {
		t.Helper()
		params := map[string]string{"QUERY_STRING": "do=" + name, "CONTENT_TYPE": "application/x-www-form-urlencoded"}
		return harness.Must[*harness.Reply](t)(harness.Ask(srv.Socket, common.root+"/index.php", "a=1&b=2", params))
	}
}

// What a handler does to the process is gone in the next request, and a handler that ends in
// whatever way ends its request only.
func TestWorkerModeKeepsRequestsApart(t *testing.T) {
	ours(t)
	_, do := startState(t)
	report := func() string { t.Helper(); return do("report").Body }
	pid := do("pid").Body
	want := report()
	for _, part := range []string{`"a":"1"`, `"worker_mode":true`, `"boot":"boot"`, `"ini":["5"`, `[boot's handler: noticed]`} {
		if !strings.Contains(want, part) {
			t.Fatalf("the report lacks %s: %s", part, want)
		}
	}
	for _, c := range []struct {
		do     string
		status int
		body   string
		stderr string // a part of it
	}{
		{"dirty", 202, "[SECOND]DIRTY[FIRST][OWN EXCEPTION HANDLER][NESTED]", ""},
		{"restore", 200, "restored 14", ""},
		{"session", 200, "count 1", ""},
		{"session", 200, "count 2", ""},
		{"exit", 200, "before exit[destroyed]", ""},
		{"generator", 200, "1[finally]", ""},
		{"exception", 500, "", "Uncaught RuntimeException: nobody catches it"},
		{"exception-handler", 418, "handled: first", "Uncaught LogicException: in the handler"},
		{"output-callback", 200, "text", "Uncaught RuntimeException: in an output callback"},
		{"nested", 200, `Error: Supervisor\handle_request() cannot be called while a request is handled`, ""},
		{"early", 200, "early", ""},
	} {
		r := do(c.do)
		if r.Status != c.status || r.Body != c.body || !strings.Contains(r.Stderr, c.stderr) {
			t.Errorf("%s: status %d, body %q, stderr %q; want %d, %q, %q", c.do, r.Status, r.Body, r.Stderr, c.status, c.body, c.stderr)
		}
		if d := cmp.Diff(want, report()); d != "" {
			t.Errorf("after %s (-before, +after):\n%s", c.do, d)
		}
	}
	if got := do("pid").Body; got != pid {
		t.Errorf("worker %s was replaced by %s", pid, got)
	}
}

// A fatal error ends the worker, but not before its response, with what the application's own
// shutdown functions say about it.
func TestWorkerModeFatalErrors(t *testing.T) {
	ours(t)
	_, do := startState(t)
	for _, c := range []struct{ do, body, stderr string }{
		{"fatal", "[boot's shutdown function][saw: on purpose]", "PHP Fatal error:  on purpose in "},
		{"memory", "[boot's shutdown function]", "PHP Fatal error:  Allowed memory size of "},
		{"time", "[boot's shutdown function]", "PHP Fatal error:  Maximum execution time of 1 second exceeded"},
	} {
		pid := do("pid").Body
		r := do(c.do)
		if r.Status != 500 || r.Body != c.body || !strings.Contains(r.Stderr, c.stderr) {
			t.Errorf("%s: status %d, body %q, stderr %q; want 500, %q, %q", c.do, r.Status, r.Body, r.Stderr, c.body, c.stderr)
		}
		if got := do("pid").Body; got == pid {
			t.Errorf("%s: the worker goes on", c.do)
		}
	}
}

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"php-supervisor/test/harness"
)

// started is one server of a test's own behind an nginx of its own.
type started struct {
	*harness.Server
	stage *harness.Stage
	site  *harness.Site
}

// start starts our supervisor with one pool on the common scripts.
func start(t *testing.T, pool harness.Pool) *started {
	t.Helper()
	ours(t)
	s := harness.ForTest(t)
	if pool.Name == "" {
		pool.Name = "www"
	}
	if pool.Ready == "" {
		pool.Ready = common.root + "/ready.php"
	}
	pool.Lines = append(settings(common.tmp), pool.Lines...)
	srv := harness.Must[*harness.Server](t)(s.StartSupervisor(pool))
	site := &harness.Site{Name: pool.Name, Root: common.root, Socket: srv.Socket, KeepConn: 8}
	harness.Must[*harness.Nginx](t)(s.StartNginx(site))
	return &started{srv, s, site}
}

// both runs a test for a pool in classic and in worker mode.
func both(t *testing.T, pool harness.Pool, test func(t *testing.T, s *started)) {
	t.Helper()
	ours(t)
	t.Run("classic", func(t *testing.T) { test(t, start(t, pool)) })
	pool.Worker = common.root + "/worker.php"
	t.Run("worker", func(t *testing.T) { test(t, start(t, pool)) })
}

// pid asks which worker answers.
func (s *started) pid(t *testing.T, c *client) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(c.get(t, "/pid.php")))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// says waits until the server's log has all of the words in one line.
func (s *started) says(t *testing.T, words ...string) {
	t.Helper()
	var log string
	err := harness.Wait("the log line", func() (bool, error) {
		log = s.Messages()
		for line := range strings.Lines(log) {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		t.Errorf("%v: %q in one line of:\n%s", err, words, log)
	}
}

// full waits until the pool has n workers, none of them among gone.
func (s *started) full(t *testing.T, n int, gone ...int) {
	t.Helper()
	harness.MustWait(t, fmt.Sprintf("%d workers", n), func() bool {
		w := s.Workers()
		return len(w) == n && !slices.ContainsFunc(gone, func(pid int) bool { return slices.Contains(w, pid) })
	})
}

func TestRecyclesByRequests(t *testing.T) {
	both(t, harness.Pool{Children: 1, Lines: []string{"pm.max_requests = 5", "pm.max_requests_jitter = 0"}}, func(t *testing.T, s *started) {
		c := newClient(t, s.site)
		served := map[int]int{}
		var order []int
		for range 40 {
			pid := s.pid(t, c)
			if served[pid] == 0 {
				order = append(order, pid)
			}
			served[pid]++
		}
		for pid, n := range served {
			if n > 5 {
				t.Errorf("worker %d served %d requests, want at most 5", pid, n)
			}
		}
		if len(order) < 40/5 {
			t.Errorf("%d workers served 40 requests, want at least 8", len(order))
		}
		s.says(t, strconv.Itoa(order[0]), "requests")
		// The replacement came first, and one worker is left of all.
		s.full(t, 1, order[0])
	})
}

func TestRecyclesByMemoryGrowth(t *testing.T) {
	both(t, harness.Pool{Children: 1, Env: withIni(t, "ffi.enable=1\n"), Lines: []string{"pm.max_memory_growth = 8M"}}, func(t *testing.T, s *started) {
		c := newClient(t, s.site)
		first := s.pid(t, c)
		for range 100 { // a healthy worker stays, and its baseline is found
			if pid := s.pid(t, c); pid != first {
				t.Fatalf("worker %d became %d without growing", first, pid)
			}
		}
		for range 20 {
			c.get(t, "/leak.php?kb=2048")
		}
		harness.MustWait(t, "another worker", func() bool { return s.pid(t, c) != first })
		s.says(t, strconv.Itoa(first), "gr") // "grew", "growth"
		s.full(t, 1, first)
	})
}

func TestRecyclesByMemoryLimit(t *testing.T) {
	both(t, harness.Pool{Children: 1, Env: withIni(t, "ffi.enable=1\n"), Lines: []string{"pm.max_memory = 48M"}}, func(t *testing.T, s *started) {
		c := newClient(t, s.site)
		first := s.pid(t, c)
		c.get(t, "/leak.php?kb=65536")
		harness.MustWait(t, "another worker", func() bool { return s.pid(t, c) != first })
		s.says(t, strconv.Itoa(first), "memory")
		s.full(t, 1, first)
	})
}

// withIni is an environment in which PHP reads one more ini file.
func withIni(t *testing.T, content string) []string {
	t.Helper()
	dir, err := os.MkdirTemp(common.stage.Path(), "conf.d-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/50-test.ini", []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return []string{"PHPRC=/etc/php/8.2/fpm", "PHP_INI_SCAN_DIR=/etc/php/8.2/fpm/conf.d:" + dir}
}

func TestDynamicPoolFollowsTheLoad(t *testing.T) {
	pool := harness.Pool{Lines: []string{"pm = dynamic", "pm.max_children = 5", "pm.start_servers = 1", "pm.min_spare_servers = 1", "pm.max_spare_servers = 1"}}
	both(t, pool, func(t *testing.T, s *started) {
		s.full(t, 1)
		h := hold(t, s.site, 5, "")
		s.full(t, 5)
		for _, a := range h.release() {
			if a.err != nil || a.resp.Status != "200 OK" {
				t.Errorf("%+v, %v", a.resp, a.err)
			}
		}
		s.full(t, 1)
	})
}

// What waits beyond the limit is told so at once.
func TestQueueHasALimit(t *testing.T) {
	both(t, harness.Pool{Children: 1, Lines: []string{"pm.queue_limit = 0"}}, func(t *testing.T, s *started) {
		h := hold(t, s.site, 1, "")
		if r := newClient(t, s.site).do(t, step{path: "/hello.php"}); r.Status != "503 Service Unavailable" {
			t.Errorf("a request too many: %+v", r)
		}
		for _, a := range h.release() {
			if a.err != nil || a.resp.Status != "200 OK" {
				t.Errorf("%+v, %v", a.resp, a.err)
			}
		}
	})
}

func TestQueueTimesOut(t *testing.T) {
	both(t, harness.Pool{Children: 1, Lines: []string{"pm.queue_timeout = 1s"}}, func(t *testing.T, s *started) {
		h := hold(t, s.site, 1, "")
		if r := newClient(t, s.site).do(t, step{path: "/hello.php"}); r.Status != "503 Service Unavailable" {
			t.Errorf("a request that waited too long: %+v", r)
		}
		h.release()
	})
}

// A request that takes too long is answered, and costs its worker and nobody else.
func TestTerminateTimeout(t *testing.T) {
	both(t, harness.Pool{Children: 2, Lines: []string{"request_terminate_timeout = 1s"}}, func(t *testing.T, s *started) {
		h := hold(t, s.site, 1, "&sleep")
		if a := h.wait()[0]; a.err != nil || !strings.HasPrefix(a.resp.Status, "504 ") {
			t.Errorf("%+v, %v", a.resp, a.err)
		}
		s.says(t, strconv.Itoa(h.pids[0]), "hold.php")
		s.full(t, 2, h.pids[0])
		newClient(t, s.site).get(t, "/hello.php")
	})
}

// Idle kept-alive connections of the web server take no worker away.
func TestKeptAliveConnectionsDoNotPinWorkers(t *testing.T) {
	ours(t)
	s := start(t, harness.Pool{Children: 1})
	clients := make([]*client, 12)
	for i := range clients {
		clients[i] = newClient(t, s.site)
	}
	for range 3 {
		for _, c := range clients {
			if got := c.get(t, "/hello.php"); got != "Hello World!\n" {
				t.Fatalf("answer %q", got)
			}
		}
	}
}

// The access log has php-fpm's lines.
func TestAccessLog(t *testing.T) {
	ours(t)
	s := harness.ForTest(t)
	lines := func(name string, begin func(harness.Pool) (*harness.Server, error)) []string {
		file := s.Path("logs", name+".access")
		srv := harness.Must[*harness.Server](t)(begin(harness.Pool{Name: name, Children: 1, Ready: common.root + "/ready.php", Lines: []string{
			"access.log = " + file,
			`access.format = "%R %u %m %r%Q%q %s %f %l %n %{REQUEST_METHOD}e %{Content-Type}o %{X-Powered-By}o %%"`,
		}}))
		site := &harness.Site{Name: name, Root: common.root, Socket: srv.Socket}
		nginx := harness.Must[*harness.Nginx](t)(s.StartNginx(site))
		defer nginx.Stop()
		c := newClient(t, site)
		want := 0
		for _, st := range []step{
			{path: "/hello.php"},
			{path: "/headers.php?case=status&code=404"},
			{method: "POST", path: "/sink.php?x=1", body: "12345", header: map[string]string{"Content-Type": "text/plain"}},
			{path: "/server.php/path/info?q"},
			{path: "/auth.php", header: map[string]string{"Authorization": "Basic dXNlcjpwYXNz"}},
			{path: "/fatal.php?case=undefined"},
		} {
			c.do(t, st)
			want++
		}
		var written []string
		harness.MustWait(t, "the access log", func() bool {
			content, _ := os.ReadFile(file)
			written = slices.DeleteFunc(slices.Collect(strings.Lines(string(content))), func(l string) bool {
				return strings.Contains(l, "ready.php") // asked until it answered
			})
			return len(written) == want
		})
		return strings.Split(strings.ReplaceAll(strings.Join(written, ""), name, "POOL"), "\n")
	}
	want := lines("yardstick", s.StartFPM)
	got := lines("classic", s.StartSupervisor)
	if !slices.Equal(want, got) {
		t.Errorf("php-fpm:\n%s\nours:\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
}

// A worker does not preempt who hands out requests.
func TestWorkersAreBatch(t *testing.T) {
	both(t, harness.Pool{Children: 1}, func(t *testing.T, s *started) {
		const batch = "3\n" // sched(7)
		if got := newClient(t, s.site).get(t, "/policy.php"); got != batch {
			t.Errorf("policy %q, want %q", got, batch)
		}
	})
}

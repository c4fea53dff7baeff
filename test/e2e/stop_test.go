package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"php-supervisor/test/harness"
)

func removeSockets(t *testing.T, s *started) {
	t.Helper()
	files, err := filepath.Glob(s.stage.Path("run", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
}

func signal(t *testing.T, s *started, sig syscall.Signal) {
	t.Helper()
	if err := s.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// ended waits for the supervisor's end and looks at what it leaves.
func ended(t *testing.T, s *started, pidFile string) {
	t.Helper()
	status, err := s.WaitExit()
	if status != 0 || err != nil {
		t.Errorf("exit status %d, %v", status, err)
	}
	harness.MustWait(t, "the last process", func() bool { return len(s.PIDs()) == 0 })
	for _, file := range []string{s.Socket, pidFile} {
		if _, err := os.Stat(file); !os.IsNotExist(err) {
			t.Errorf("%s was left behind", filepath.Base(file))
		}
	}
}

func withPIDFile(t *testing.T) (harness.Pool, string) {
	t.Helper()
	file := filepath.Join(scratch(t), "pid")
	return harness.Pool{Children: 2, Global: []string{"pid = " + file}}, file
}

func TestQuitFinishesRequests(t *testing.T) {
	pool, pidFile := withPIDFile(t)
	both(t, pool, func(t *testing.T, s *started) {
		if got := strings.TrimSpace(string(harness.Must[[]byte](t)(os.ReadFile(pidFile)))); got != strconv.Itoa(s.PID) {
			t.Errorf("pid file says %q, want %d", got, s.PID)
		}
		h := hold(t, s.site, 1, "")
		signal(t, s, syscall.SIGQUIT)
		s.says(t, "Finishing")
		if a := h.release()[0]; a.err != nil || a.resp.Status != "200 OK" || a.resp.Body != strconv.Itoa(h.pids[0])+"\n" {
			t.Errorf("the request in flight: %+v, %v", a.resp, a.err)
		}
		ended(t, s, pidFile)
		s.says(t, "bye-bye")
	})
}

// TestQuitAnswersWhatTakesTooLong: at the deadline a request gets an honest answer, not a cut connection.
func TestQuitAnswersWhatTakesTooLong(t *testing.T) {
	pool, pidFile := withPIDFile(t)
	pool.Global = append(pool.Global, "process_control_timeout = 1s")
	both(t, pool, func(t *testing.T, s *started) {
		h := hold(t, s.site, 1, "&sleep")
		signal(t, s, syscall.SIGQUIT)
		if a := h.wait()[0]; a.err != nil || a.resp.Status != "503 Service Unavailable" {
			t.Errorf("%+v, %v", a.resp, a.err)
		}
		ended(t, s, pidFile)
		s.says(t, "is terminated in its request", "hold.php", "the pool is stopping")
	})
}

func TestTermAndIntStopAtOnce(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(strings.ReplaceAll(sig.String(), " ", "-"), func(t *testing.T) {
			pool, pidFile := withPIDFile(t)
			both(t, pool, func(t *testing.T, s *started) {
				h := hold(t, s.site, 1, "&sleep") // nothing but force ends it
				signal(t, s, sig)
				if a := h.wait()[0]; a.err == nil && a.resp.Status == "200 OK" {
					t.Errorf("the request in flight was answered: %+v", a.resp)
				}
				ended(t, s, pidFile)
				s.says(t, "Terminating")
			})
		})
	}
}

// The log files can be moved away under a running supervisor.
func TestUSR1ReopensLogs(t *testing.T) {
	ours(t)
	access := filepath.Join(scratch(t), "access.log")
	s := start(t, harness.Pool{Children: 1, Lines: []string{"access.log = " + access}})
	c := newClient(t, s.site)
	c.get(t, "/hello.php?before")
	harness.MustWait(t, "the access log", func() bool {
		b, _ := os.ReadFile(access)
		return strings.Contains(string(b), "/hello.php")
	})
	for _, f := range []string{access, s.ErrorLog} {
		if err := os.Rename(f, f+".1"); err != nil {
			t.Fatal(err)
		}
	}
	signal(t, s, syscall.SIGUSR1)
	harness.MustWait(t, "new log files", func() bool {
		_, err1 := os.Stat(access)
		_, err2 := os.Stat(s.ErrorLog)
		return err1 == nil && err2 == nil
	})
	c.do(t, step{path: "/fatal.php?case=warning&mark=afterwards"})
	harness.MustWait(t, "lines in the new log files", func() bool {
		a, _ := os.ReadFile(access)
		e, _ := os.ReadFile(s.ErrorLog)
		return strings.Contains(string(a), "/fatal.php") && strings.Contains(string(e), "afterwards")
	})
}

// TestTermWhileARemovedPoolDrains: the requests of a pool that is no longer configured hold up neither a reload nor a stop.
func TestTermWhileARemovedPoolDrains(t *testing.T) {
	s, root := reloadable(t, false)
	s.full(t, 2)
	good := string(harness.Must[[]byte](t)(os.ReadFile(s.ConfigFile)))
	_, first, _ := strings.Cut(good, "[www]")
	second := "[second]" + strings.ReplaceAll(first, s.Socket, s.Socket+"2")
	reload := func(conf string) {
		t.Helper()
		old := s.Workers()
		write(t, s.ConfigFile, conf)
		signal(t, s, syscall.SIGUSR2)
		s.full(t, 2, old...)
	}
	reload(good + second)
	site := &harness.Site{Name: "second", Root: root, Socket: s.Socket + "2"}
	harness.Must[*harness.Nginx](t)(s.stage.StartNginx(site))
	h := hold(t, site, 1, "&sleep")
	reload(good)
	s.says(t, "is no longer configured")
	reload(good) // one more, while the removed pool still serves
	signal(t, s, syscall.SIGTERM)
	if a := h.wait()[0]; a.err == nil && a.resp.Status == "200 OK" {
		t.Errorf("%+v", a.resp)
	}
	if status, err := s.WaitExit(); status != 0 || err != nil {
		t.Errorf("exit status %d, %v", status, err)
	}
}

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"php-supervisor/test/apps"
	"php-supervisor/test/harness"
)

// load asks a site without a pause until it is stopped, and counts what went wrong.
type load struct {
	stop   chan struct{}
	done   sync.WaitGroup
	asked  atomic.Int64
	failed atomic.Int64
	first  atomic.Pointer[string]
}

func startLoad(t *testing.T, site *harness.Site, clients int) *load {
	l := &load{stop: make(chan struct{})}
	for range clients {
		c := newClient(t, site)
		l.done.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-l.stop:
					return
				default:
				}
				s := step{path: "/hello.php"}
				want := "Hello World!\n"
				if i%3 == 0 { // not to be tried again, so a lost one shows
					s = step{method: "POST", path: "/json.php", body: `{"a":1}`}
					want = `"count":1`
				}
				r, err := c.try(s)
				l.asked.Add(1)
				if err != nil || r.Status != "200 OK" || !strings.Contains(r.Body, want) {
					l.failed.Add(1)
					message := fmt.Sprintf("%+v, %v", r, err)
					l.first.CompareAndSwap(nil, &message)
				}
			}
		})
	}
	return l
}

// end stops the load and fails the test when a request failed.
func (l *load) end(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.done.Wait()
	if n := l.failed.Load(); n > 0 {
		t.Errorf("%d of %d requests failed, the first: %s", n, l.asked.Load(), *l.first.Load())
	}
	if l.asked.Load() < 20 {
		t.Errorf("only %d requests were made", l.asked.Load())
	}
}

// more waits until the load has made n more requests.
func (l *load) more(t *testing.T, n int64) {
	t.Helper()
	from := l.asked.Load()
	harness.MustWait(t, "requests", func() bool { return l.asked.Load() >= from+n })
}

// reloadable is a pool on a copy of the scripts that the test may change.
func reloadable(t *testing.T, worker bool, lines ...string) (*started, string) {
	t.Helper()
	ours(t)
	root := harness.Must[string](t)(apps.LayPHP(filepath.Join(harness.Must[string](t)(os.MkdirTemp(common.stage.Path(), "code-")), "php")))
	if err := os.Chmod(filepath.Dir(root), 0o755); err != nil {
		t.Fatal(err)
	}
	s := harness.ForTest(t)
	pool := harness.Pool{Name: "www", Children: 2, Ready: root + "/ready.php", Lines: append(settings(common.tmp), lines...)}
	for i, l := range pool.Lines {
		pool.Lines[i] = strings.ReplaceAll(l, "ROOT", root)
	}
	if worker {
		pool.Worker = root + "/worker.php"
	}
	srv := harness.Must[*harness.Server](t)(s.StartSupervisor(pool))
	site := &harness.Site{Name: "www", Root: root, Socket: srv.Socket, KeepConn: 8}
	harness.Must[*harness.Nginx](t)(s.StartNginx(site))
	return &started{srv, s, site}, root
}

// write replaces a file as editors and deployments do: a new one is renamed over it.
func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file+".new", []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

func eachMode(t *testing.T, test func(t *testing.T, worker bool)) {
	ours(t)
	t.Run("classic", func(t *testing.T) { test(t, false) })
	t.Run("worker", func(t *testing.T) { test(t, true) })
}

// A reload overlaps: the old workers finish what they have, the new ones have read the new code, and
// no request fails.
func TestReloadUnderLoad(t *testing.T) {
	eachMode(t, func(t *testing.T, worker bool) {
		s, root := reloadable(t, worker)
		l := startLoad(t, s.site, 3)
		l.more(t, 50)
		for i := range 3 {
			old := append(s.Workers(), s.Zygotes()...)
			version := fmt.Sprintf("version %d\n", i)
			write(t, root+"/version.php", "<?php\necho "+fmt.Sprintf("%q", version)+";\n")
			if err := s.Signal(syscall.SIGUSR2); err != nil {
				t.Fatal(err)
			}
			c := newClient(t, s.site)
			harness.MustWait(t, "the new version", func() bool { return c.do(t, step{path: "/version.php"}).Body == version })
			harness.MustWait(t, "the old generation's end", func() bool {
				now := append(s.Workers(), s.Zygotes()...)
				return !slices.ContainsFunc(old, func(pid int) bool { return slices.Contains(now, pid) })
			})
			l.more(t, 50)
		}
		l.end(t)
		if got := len(s.Zygotes()); got != 1 {
			t.Errorf("%d zygotes after reloads, want 1", got)
		}
	})
}

// A request that is in flight when the reload comes is finished by the worker that has it.
func TestReloadWaitsForRequestsInFlight(t *testing.T) {
	eachMode(t, func(t *testing.T, worker bool) {
		s, _ := reloadable(t, worker)
		h := hold(t, s.site, 1, "&flush")
		if err := s.Signal(syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		c := newClient(t, s.site)
		old := h.pids[0]
		harness.MustWait(t, "the new generation", func() bool {
			zygotes := s.Zygotes()
			return len(zygotes) == 1 && s.pid(t, c) != old
		})
		if !harness.Alive(old) {
			t.Error("the worker that is still busy was ended")
		}
		if a := h.release()[0]; a.err != nil || a.resp.Body != fmt.Sprintf("begun\n%d\n", old) {
			t.Errorf("the request in flight: %+v, %v", a.resp, a.err)
		}
		s.full(t, 2, old)
	})
}

// A changed file leads to a new generation by itself, and no request fails.
func TestWatchReloadsUnderLoad(t *testing.T) {
	eachMode(t, func(t *testing.T, worker bool) {
		s, root := reloadable(t, worker, "watch[] = ROOT", "watch.ignore[] = *.tmp", "watch.debounce = 50ms")
		l := startLoad(t, s.site, 2)
		l.more(t, 20)
		c := newClient(t, s.site)
		old := s.Zygotes()
		write(t, root+"/ignored.tmp", "nobody minds")
		for i := range 2 {
			version := fmt.Sprintf("version %d\n", i)
			write(t, root+"/version.php", "<?php\necho "+fmt.Sprintf("%q", version)+";\n")
			harness.MustWait(t, "the new version", func() bool { return c.do(t, step{path: "/version.php"}).Body == version })
			harness.MustWait(t, "a new zygote alone", func() bool {
				z := s.Zygotes()
				return len(z) == 1 && z[0] != old[0]
			})
			old = s.Zygotes()
			l.more(t, 20)
		}
		// In a directory that was not there when watching began.
		if err := os.Mkdir(root+"/later", 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, root+"/later/new.php", "<?php\necho 'new';\n")
		harness.MustWait(t, "a new zygote alone", func() bool {
			z := s.Zygotes()
			return len(z) == 1 && z[0] != old[0]
		})
		l.end(t)
		s.says(t, "version.php")
	})
}

// A generation that can't boot changes nothing and says why.
func TestReloadOfBrokenCodeChangesNothing(t *testing.T) {
	s, root := reloadable(t, true)
	c := newClient(t, s.site)
	l := startLoad(t, s.site, 2)
	s.full(t, 2)
	old := s.Workers()
	write(t, root+"/worker.php", "<?php\nthrow new RuntimeException('can not boot');\n")
	if err := s.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	s.says(t, "can not boot")
	l.more(t, 50)
	l.end(t)
	for _, pid := range old {
		if !harness.Alive(pid) {
			t.Errorf("worker %d of the old generation has gone", pid)
		}
	}
	// And once it is mended it comes up.
	write(t, root+"/worker.php", string(harness.Must[[]byte](t)(os.ReadFile(common.root+"/worker.php"))))
	if err := s.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	s.full(t, 2, old...)
	c.get(t, "/hello.php")
}

// A configuration that can't be read changes nothing either.
func TestReloadOfBrokenConfigurationChangesNothing(t *testing.T) {
	s, _ := reloadable(t, false)
	s.full(t, 2)
	old := s.Workers()
	good := harness.Must[[]byte](t)(os.ReadFile(s.ConfigFile))
	write(t, s.ConfigFile, string(good)+"no.such.directive = 1\n")
	if err := s.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	s.says(t, s.ConfigFile+":", "unknown entry 'no.such.directive'")
	if got := s.Workers(); !slices.Equal(got, old) {
		t.Errorf("workers %v became %v", old, got)
	}
	write(t, s.ConfigFile, strings.Replace(string(good), "pm.max_children = 2", "pm.max_children = 3", 1))
	if err := s.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	s.full(t, 3, old...)
}

// The settings of a socket whose address stays follow the configuration, too, and what does not follow it is said.
func TestReloadAppliesTheSocketsSettings(t *testing.T) {
	s, _ := reloadable(t, false)
	s.full(t, 2)
	old := s.Workers()
	good := string(harness.Must[[]byte](t)(os.ReadFile(s.ConfigFile)))
	changed := strings.Replace(good, "[global]\n", "[global]\nlog_format = json\n", 1)
	write(t, s.ConfigFile, changed+"listen.mode = 0604\nrequest_retry = never\n")
	if err := s.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	s.says(t, "log_format has changed", "restart")
	s.full(t, 2, old...)
	harness.MustWait(t, "the socket's new mode", func() bool {
		fi, err := os.Stat(s.Socket)
		return err == nil && fi.Mode().Perm() == 0o604
	})
	h := hold(t, s.site, 1, "")
	kill(t, h.pids[0])
	if a := h.wait()[0]; a.err != nil || a.resp.Status != "502 Bad Gateway" {
		t.Errorf("request_retry = never: %+v, %v", a.resp, a.err)
	}
}

package e2e

import (
	"strconv"
	"syscall"
	"testing"

	"php-supervisor/test/harness"
)

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func TestKilledIdleWorkerIsReplaced(t *testing.T) {
	both(t, harness.Pool{Children: 2}, func(t *testing.T, s *started) {
		c := newClient(t, s.site)
		s.full(t, 2)
		for range 5 {
			victim := s.pid(t, c)
			kill(t, victim)
			// The dead worker costs no request: whoever was sent to it is sent to another.
			for range 5 {
				c.get(t, "/hello.php")
			}
			s.says(t, strconv.Itoa(victim), "exited on signal 9")
			s.full(t, 2, victim)
		}
	})
}

// A request whose worker dies before it said anything is tried again, where that is safe.
func TestKilledBusyWorker(t *testing.T) {
	both(t, harness.Pool{Children: 2}, func(t *testing.T, s *started) {
		t.Run("GET-is-tried-again", func(t *testing.T) {
			h := hold(t, s.site, 1, "")
			kill(t, h.pids[0])
			for _, a := range h.release() {
				if a.err != nil || a.resp.Status != "200 OK" || a.resp.Body == strconv.Itoa(h.pids[0])+"\n" {
					t.Errorf("%+v, %v", a.resp, a.err)
				}
			}
			s.full(t, 2, h.pids[0])
		})
		t.Run("begun-response-is-not", func(t *testing.T) {
			h := hold(t, s.site, 1, "&flush")
			kill(t, h.pids[0])
			if a := h.wait()[0]; a.err == nil && a.resp.Status == "200 OK" && a.resp.Body != "begun\n" {
				t.Errorf("the response went on: %+v", a.resp)
			}
			s.full(t, 2, h.pids[0])
		})
		t.Run("POST-is-not", func(t *testing.T) {
			h := holdPost(t, s.site)
			kill(t, h.pids[0])
			if a := h.wait()[0]; a.err != nil || a.resp.Status != "502 Bad Gateway" {
				t.Errorf("%+v, %v", a.resp, a.err)
			}
			s.says(t, strconv.Itoa(h.pids[0]), "hold.php")
			s.full(t, 2, h.pids[0])
		})
		newClient(t, s.site).get(t, "/hello.php")
	})
}

// TestKilledWorkersLastWordsArrive: what it has logged does not wait for the end of its request.
func TestKilledWorkersLastWordsArrive(t *testing.T) {
	both(t, harness.Pool{Children: 1}, func(t *testing.T, s *started) {
		h := holdSteps(t, s.site, 1, step{method: "POST", path: "&say=last+words", body: "a=1"})
		kill(t, h.pids[0])
		if a := h.wait()[0]; a.err != nil || a.resp.Status != "502 Bad Gateway" { // what was logged is no part of a response
			t.Errorf("%+v, %v", a.resp, a.err)
		}
		s.says(t, "last words")
	})
}

// The zygote's death is noticed, costs no request, and another takes its place.
func TestKilledZygoteIsReplaced(t *testing.T) {
	both(t, harness.Pool{Children: 2}, func(t *testing.T, s *started) {
		c := newClient(t, s.site)
		s.full(t, 2)
		zygotes := s.Zygotes()
		if len(zygotes) != 1 {
			t.Fatalf("zygotes %v, want one", zygotes)
		}
		h := hold(t, s.site, 1, "")
		kill(t, zygotes[0])
		c.get(t, "/hello.php")
		s.says(t, strconv.Itoa(zygotes[0]), "zygote", "signal 9")
		if a := h.release()[0]; a.err != nil || a.resp.Status != "200 OK" || a.resp.Body != strconv.Itoa(h.pids[0])+"\n" {
			t.Errorf("the request in flight: %+v, %v", a.resp, a.err)
		}
		harness.MustWait(t, "another zygote", func() bool {
			z := s.Zygotes()
			return len(z) == 1 && z[0] != zygotes[0]
		})
		// Workers come from the new one.
		for range 2 {
			victim := s.pid(t, c)
			kill(t, victim)
			s.full(t, 2, victim)
			s.says(t, strconv.Itoa(victim), "exited on signal 9")
		}
		c.get(t, "/hello.php")
	})
}

// Without its supervisor everything leaves by itself.
func TestKilledSupervisorLeavesNothing(t *testing.T) {
	both(t, harness.Pool{Children: 2}, func(t *testing.T, s *started) {
		s.full(t, 2)
		h := hold(t, s.site, 1, "")
		if err := s.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		h.release()
		harness.MustWait(t, "the last process", func() bool { return len(s.PIDs()) == 0 })
		removeSockets(t, s) // nobody was left to do it
	})
}

// Worker mode's script dies in all ways, and the next request finds a worker.
func TestWorkerScriptThatDies(t *testing.T) {
	ours(t)
	s := start(t, harness.Pool{Children: 1, Worker: common.root + "/worker.php"})
	c := newClient(t, s.site)
	for range 3 {
		for _, path := range []string{"/exit.php", "/fatal.php?case=undefined", "/fatal.php?case=memory", "/fatal.php?case=exception", "/broken.php"} {
			c.do(t, step{path: path})
			if got := c.get(t, "/hello.php"); got != "Hello World!\n" {
				t.Errorf("after %s: %q", path, got)
			}
		}
	}
	s.full(t, 1)
}

// A zygote that lives but does not fork is replaced, too.
func TestStuckZygoteIsReplaced(t *testing.T) {
	both(t, harness.Pool{Children: 1}, func(t *testing.T, s *started) {
		s.full(t, 1)
		zygotes, worker := s.Zygotes(), s.Workers()
		if err := syscall.Kill(zygotes[0], syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		kill(t, worker[0])
		newClient(t, s.site).get(t, "/hello.php")
		s.says(t, "zygote does not fork")
		s.full(t, 1, worker...)
	})
}

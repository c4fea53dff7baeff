package harness

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"php-supervisor/test/apps"
)

func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := os.Stat(p); err != nil {
			t.Skipf("not installed: %s", p)
		}
	}
}

func TestNginxServesFPM(t *testing.T) {
	needs(t, "/usr/sbin/nginx", FPMProgram)
	s := ForTest(t)
	root := Must[string](t)(apps.LayPHP(s.Path("php")))
	fpm := Must[*Server](t)(s.StartFPM(Pool{Name: "www", Children: 2, Ready: root + "/ready.php"}))
	site := &Site{Name: "www", Root: root, Socket: fpm.Socket}
	nginx := Must[*Nginx](t)(s.StartNginx(site))

	resp := Must[*http.Response](t)(http.Get(site.URL("/hello.php")))
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if got, want := string(body), "Hello World!\n"; got != want || err != nil {
		t.Errorf("hello.php answers %q, %v, want %q", got, err, want)
	}
	if got, want := len(fpm.Workers()), 2; got != want {
		t.Errorf("php-fpm has %d workers, want %d", got, want)
	}
	u := Measure(append(fpm.PIDs(), nginx.PIDs()...)...)
	if u.Processes < 5 || u.PSS == 0 {
		t.Errorf("measured %+v, want at least 5 processes and their memory", u)
	}
}

func TestSessionFindsOrphans(t *testing.T) {
	s := Must[*Stage](t)(NewStage())
	defer s.Close()
	p := Must[*Process](t)(s.Start(Command{Name: "stray", Args: []string{"/bin/sh", "-c", "sleep 1000 & exec sleep 1000"}, Stop: syscall.SIGTERM}))
	MustWait(t, "both processes", func() bool { return len(p.PIDs()) == 2 })
	// The second sleep is nobody's child any more and hears of no signal: only the session names it.
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if status, err := p.WaitExit(); status != 128+9 || err != nil {
		t.Errorf("killed process: status %d, %v", status, err)
	}
	if got := p.PIDs(); len(got) != 1 {
		t.Errorf("left in the session: %v, want one process", got)
	}
	p.Kill()
	MustWait(t, "the session's end", func() bool { return len(p.PIDs()) == 0 })
}

func TestCloseReportsSockets(t *testing.T) {
	s := Must[*Stage](t)(NewStage())
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: s.Path("run", "left.sock")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "left.sock") {
		t.Errorf("Close says %v, want it to name the socket", err)
	}
}

func TestWaitPassesTheConditionsErrorOn(t *testing.T) {
	cause := errors.New("cause")
	err := Wait("nothing", func() (bool, error) { return false, cause })
	if !errors.Is(err, cause) {
		t.Errorf("Wait returns %v, want the condition's error", err)
	}
}

// The test binary stands in for a program that dies without cleaning up.
func TestKeeperKillsWhatADeadProcessStarted(t *testing.T) {
	const env = "HARNESS_DIES"
	if file := os.Getenv(env); file != "" {
		s := Must[*Stage](t)(NewStage())
		p := Must[*Process](t)(s.Start(Command{Name: "orphan", Args: []string{"/bin/sh", "-c", "sleep 1000; true"}}))
		MustWait(t, "both processes", func() bool { return len(p.PIDs()) == 2 })
		if err := os.WriteFile(file, []byte(strconv.Itoa(p.PID)+" "+s.Dir), 0o644); err != nil {
			t.Fatal(err)
		}
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	s := ForTest(t)
	said := s.Path("said")
	self := Must[*Process](t)(s.Start(Command{
		Name: "self", Args: []string{os.Args[0], "-test.run=^TestKeeperKillsWhatADeadProcessStarted$"}, Env: []string{env + "=" + said},
	}))
	if status, err := self.WaitExit(); status != 128+9 || err != nil {
		t.Fatalf("the dying process: status %d, %v\n%s", status, err, self.Log())
	}
	number, dir, _ := strings.Cut(string(Must[[]byte](t)(os.ReadFile(said))), " ")
	sid := Must[int](t)(strconv.Atoi(number))
	MustWait(t, "the keeper to kill the orphans", func() bool { return len(Session(sid)) == 0 })
	MustWait(t, "the keeper to remove their directory", func() bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err)
	})
}

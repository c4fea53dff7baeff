package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"php-supervisor/pool"
)

// fake is a Backend that notes what it is asked for.
type fake struct {
	mu        sync.Mutex
	asked     []string
	status    Status
	reloadErr error
	hold      chan struct{} // if set, Reload waits for it, or for its context
}

func (f *fake) note(s string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, s)
}

func (f *fake) Status() Status { return f.status }

func (f *fake) Reload(ctx context.Context) error {
	f.note("reload")
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return f.reloadErr
}

func (f *fake) ReopenLogs() error { f.note("reopen"); return nil }
func (f *fake) Stop(fast bool)    { f.note(fmt.Sprintf("stop fast=%v", fast)) }

func socketPath(t *testing.T) string { return filepath.Join(t.TempDir(), "c") }

// start serves on a fresh socket until the end of the test.
func start(t *testing.T, b Backend, change func(*Server)) string {
	t.Helper()
	l, err := Listen(socketPath(t))
	if err != nil {
		t.Fatal(err)
	}
	s := New(b)
	if change != nil {
		change(s)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if _, err := os.Lstat(l.Path()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is still there: %v", err)
		}
	})
	return l.Path()
}

func TestCommands(t *testing.T) {
	f := &fake{status: Status{Version: "1", PID: 7, Started: time.Unix(1, 0).UTC(), Config: "/etc/x.conf", Pools: []pool.Status{{Name: "www", Idle: 3}}}}
	c := Client{start(t, f, nil)}
	got, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f.status, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	for _, err := range []error{c.Reload(t.Context()), c.ReopenLogs(t.Context()), c.Stop(t.Context(), false), c.Stop(t.Context(), true)} {
		if err != nil {
			t.Error(err)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if diff := cmp.Diff([]string{"reload", "reopen", "stop fast=false", "stop fast=true"}, f.asked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReloadFails(t *testing.T) {
	c := Client{start(t, &fake{reloadErr: errors.New("[pool www] PHP Parse error: <b> in a.php")}, nil)}
	err := c.Reload(t.Context())
	var remote *RemoteError
	if !errors.As(err, &remote) || err.Error() != "[pool www] PHP Parse error: <b> in a.php" {
		t.Errorf("got %v", err)
	}
}

// A reload takes as long as an application needs to boot: longer than any other request may.
func TestReloadIsNotCutOff(t *testing.T) {
	f := &fake{hold: make(chan struct{})}
	c := Client{start(t, f, func(s *Server) {
		s.http.ReadTimeout, s.http.ReadHeaderTimeout = time.Millisecond*50, time.Millisecond*50
	})}
	time.AfterFunc(200*time.Millisecond, func() { close(f.hold) })
	if err := c.Reload(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestMode(t *testing.T) {
	fi, err := os.Stat(start(t, &fake{}, nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := fi.Mode(); got != os.ModeSocket|0o600 {
		t.Errorf("got mode %v", got)
	}
}

func TestForeignUserRefused(t *testing.T) {
	f := &fake{}
	c := Client{start(t, f, func(s *Server) { s.peer = func(net.Conn) (uint32, error) { return uint32(os.Getuid()) + 1, nil } })}
	err := c.Reload(t.Context())
	var remote *RemoteError
	if !errors.As(err, &remote) || !strings.Contains(err.Error(), "only root") {
		t.Errorf("got %v", err)
	}
	if len(f.asked) > 0 {
		t.Errorf("the backend was asked for %v", f.asked)
	}
}

func TestUnknownPeerRefused(t *testing.T) {
	c := Client{start(t, &fake{}, func(s *Server) { s.peer = func(net.Conn) (uint32, error) { return 0, errors.New("?") } })}
	if _, err := c.Status(t.Context()); err == nil {
		t.Error("let in")
	}
}

// The kernel's own word for who connects, where there is another user to be.
func TestForeignProcessRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to become somebody else")
	}
	f := &fake{}
	path := start(t, f, nil)
	for p := filepath.Dir(path); p != "/"; p = filepath.Dir(p) { // what protects the socket otherwise
		if err := os.Chmod(p, 0o777); err != nil || filepath.Dir(p) == os.TempDir() {
			break
		}
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	self, err := os.Open("/proc/self/exe") // its directory may be closed to others
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	cmd := exec.Command("/proc/self/fd/3")
	cmd.ExtraFiles = []*os.File{self}
	cmd.Dir = "/"
	cmd.Env = []string{"CONTROL_TEST_CLIENT=" + path}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "only root") || len(f.asked) > 0 {
		t.Errorf("got %q, backend asked for %v", out, f.asked)
	}
}

// askAndReport is the other process of TestForeignProcessRefused.
func askAndReport(path string) { fmt.Println(Client{path}.Reload(context.Background())) }

func rawExchange(t *testing.T, path, request string) string {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = c.Write([]byte(request)) }() // the server may answer before it has read everything
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.Status
}

func TestBadRequests(t *testing.T) {
	f := &fake{}
	path := start(t, f, nil)
	tests := []struct{ name, request, want string }{
		{"oversized body", "POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000), "413 Request Entity Too Large"},
		{"oversized chunked body", "POST /reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1000\r\n"+strings.Repeat("x", 0x1000)+"\r\n", 5) + "0\r\n\r\n", "413 Request Entity Too Large"},
		{"oversized header", "GET /status HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("x", 100000) + "\r\n\r\n", "431 Request Header Fields Too Large"},
		{"wrong method", "GET /reload HTTP/1.1\r\nHost: x\r\n\r\n", "405 Method Not Allowed"},
		{"unknown path", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "404 Not Found"},
		{"no HTTP", "\x01\x02\x03\r\n\r\n", "400 Bad Request"},
	}
	for _, tt := range tests {
		if got := rawExchange(t, path, tt.request); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if len(f.asked) > 0 {
		t.Errorf("the backend was asked for %v", f.asked)
	}
	if _, err := (Client{path}).Status(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	path := start(t, &fake{}, func(s *Server) {
		s.http.ReadTimeout, s.http.ReadHeaderTimeout = 200*time.Millisecond, 200*time.Millisecond
	})
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	for range 2 * maxConnections { // half-sent requests hold their places only so long
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
		_, _ = c.Write([]byte("GET /st"))
	}
	if _, err := (Client{path}).Status(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestListenReplacesStale(t *testing.T) {
	path := socketPath(t)
	ul, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ul.SetUnlinkOnClose(false)
	ul.Close()
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestListenRefuses(t *testing.T) {
	path := socketPath(t)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Listen(path); !errors.Is(err, ErrInUse) {
		t.Errorf("in use: got %v", err)
	}
	file := socketPath(t)
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(file); err == nil || err.Error() != "control socket "+file+": it exists and is no socket" {
		t.Errorf("file: got %v", err)
	}
	missing := filepath.Join(t.TempDir(), "no", "c")
	if _, err := Listen(missing); err == nil || err.Error() != "control socket "+missing+": no such file or directory" {
		t.Errorf("missing directory: got %v", err)
	}
	if _, err := Listen("/" + strings.Repeat("x", 200)); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("long path: got %v", err)
	}
	names, err := filepath.Glob(path + "*")
	if err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

func TestCloseLeavesForeignSocket(t *testing.T) {
	path := socketPath(t)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := os.Stat(path); err != nil {
		t.Error("removed what was not its own")
	}
}

func TestNotRunning(t *testing.T) {
	c := Client{socketPath(t)}
	err := c.Reload(t.Context())
	if !errors.Is(err, ErrNotRunning) || err.Error() != "no supervisor is running: nobody listens on "+c.Path {
		t.Errorf("got %v", err)
	}
}

func TestPath(t *testing.T) {
	tests := []struct {
		configured, pid string
		uid             int
		xdg, want       string
	}{
		{"/a/b", "/run/x.pid", 0, "", "/a/b"},
		{"", "/run/php/php8.2-fpm.pid", 0, "", "/run/php/php8.2-fpm.control"},
		{"", "/run/pid", 0, "", "/run/pid.control"},
		{"", "", 0, "/run/user/0", "/run/php-supervisor.control"},
		{"", "", 7, "/run/user/7", "/run/user/7/php-supervisor.control"},
		{"", "", 7, "relative", ""},
		{"", "", 7, "", ""},
	}
	for _, tt := range tests {
		if got := path(tt.configured, tt.pid, tt.uid, func(string) string { return tt.xdg }); got != tt.want {
			t.Errorf("%+v: got %q", tt, got)
		}
	}
}

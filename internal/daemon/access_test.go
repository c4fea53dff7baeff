package daemon

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"php-supervisor/fcgi"
	"php-supervisor/internal/logging"
)

func TestResponseHeaderIsFoundByItsExactName(t *testing.T) {
	h := responseHead("Status: 404 Not Found\r\nX-A: b\r\nX-A: c\r\nX-Empty:\r\nX-Empty: \r\nX-Empty: d\r\nX-None: \r\n" +
		"X-Bare:e\nX-Blanks: \t f g \r\nX-Colon: h: i\r\nno header\r\n\r\nX-Cut: of")
	for name, want := range map[string]string{
		"Status": "404 Not Found", "X-A": "b", "x-a": "", "X": "", "X-": "", "X-A:": "", "A": "", "": "", "X-Empty": "d", "X-None": "",
		"X-Bare": "e", "X-Blanks": "f g", "X-Colon": "h: i", "no header": "", "X-Cut": "", "X-Longer-Than-Any-Line-Of-All-Those": "",
	} {
		if got, found := h.Header(name); string(got) != want || found != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", name, got, found, want)
		}
	}
}

// oneWorker is a Backend that has one worker, at the other end of a socket pair.
type oneWorker struct {
	*fcgi.WorkerConn
	finish func(r *fcgi.Request, res *fcgi.Result)
	done   chan struct{}
}

func (b *oneWorker) Acquire(*fcgi.Request) (*fcgi.WorkerConn, error) { return b.WorkerConn, nil }
func (b *oneWorker) Responded(*fcgi.WorkerConn)                      {}
func (b *oneWorker) WorkerLog(*fcgi.WorkerConn, uint8, []byte)       {}
func (b *oneWorker) Finish(_ *fcgi.WorkerConn, r *fcgi.Request, res *fcgi.Result) {
	b.finish(r, res)
	close(b.done)
}

// answering returns a Backend whose worker answers one request.
func answering(t *testing.T, answer []byte, finish func(r *fcgi.Request, res *fcgi.Result)) *oneWorker {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	w, err := fcgi.NewWorkerConn(fds[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	f := os.NewFile(uintptr(fds[1]), "worker")
	ended := make(chan struct{})
	t.Cleanup(func() { <-ended })
	go func() {
		defer close(ended)
		defer f.Close()
		_, _ = f.Write(fcgi.AppendHello(nil, uint32(os.Getpid())))
		if _, err := f.Read(make([]byte, 4096)); err == nil {
			_, _ = f.Write(answer)
		}
	}()
	if _, err := w.Hello(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &oneWorker{w, finish, make(chan struct{})}
}

// A line says what only the engine knows: the web server's address and the headers of the response.
func TestAccessLineHasPeerAndResponseHeaders(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access")
	a, err := logging.OpenAccessLog(logging.AccessOptions{Path: file, Format: "%n %R %m %r %s %l %{X-Foo}o %{x-foo}o"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	quiet, err := logging.OpenAccessLog(logging.AccessOptions{Path: os.DevNull, Format: "%R %{X-Foo}e"})
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	s := &site{}
	if s.needsHead() {
		t.Error("the head is needed without an access log")
	}
	s.access.Store(quiet)
	if s.needsHead() {
		t.Error("the head is needed for a format that has no response header")
	}
	s.access.Store(a)

	var allocated float64
	b := answering(t, fcgi.AppendIdle(fcgi.AppendEndRequest(fcgi.AppendRecord(nil, fcgi.TypeStdout, 1,
		[]byte("Status: 404 Not Found\r\nX-Foo: bar\r\n\r\nbody")), 1, 0, fcgi.StatusRequestComplete), fcgi.Stats{}),
		func(r *fcgi.Request, res *fcgi.Result) {
			s.logAccess("www", 1, r, res)
			allocated = testing.AllocsPerRun(1000, func() { s.logAccess("www", 1, r, res) })
		})
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	lf, err := l.(*net.TCPListener).File()
	l.Close()
	if err != nil {
		t.Fatal(err)
	}
	fl, err := fcgi.NewListener(lf)
	if err != nil {
		t.Fatal(err)
	}
	srv := &fcgi.Server{Backend: b, KeepHead: s.needsHead}
	ended := make(chan error)
	go func() { ended <- srv.Serve(fl) }()
	defer func() {
		srv.Close()
		<-ended
	}()
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	request := fcgi.AppendBeginRequest(nil, 1, fcgi.RoleResponder, false)
	params := fcgi.AppendParam(fcgi.AppendParam(fcgi.AppendParam(nil, "REQUEST_METHOD", "GET"), "SCRIPT_NAME", "/x.php"), "CONTENT_LENGTH", "")
	request = fcgi.AppendRecord(request, fcgi.TypeParams, 1, params)
	request = fcgi.AppendRecord(fcgi.AppendRecord(request, fcgi.TypeParams, 1, nil), fcgi.TypeStdin, 1, nil)
	if _, err := c.Write(request); err != nil {
		t.Fatal(err)
	}
	select {
	case <-b.done:
	case <-time.After(10 * time.Second):
		t.Fatal("the request does not end")
	}
	const want = "www 127.0.0.2 GET /x.php 404 0 bar -\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(text[:min(len(text), len(want))]); got != want {
		t.Errorf("got %s, want %s", strconv.Quote(got), strconv.Quote(want))
	}
	if allocated != 0 {
		t.Errorf("%v allocations a line, want none", allocated)
	}
}

package devserver

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"php-supervisor/internal/request"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a development server in front of app, which stands for PHP, with some files in the document root.
func start(t *testing.T, app http.HandlerFunc) (*Server, *httptest.Server) {
	t.Helper()
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	for name, content := range map[string]string{
		"index.php": "<?php source", "style.css": "body{}", "sub/page.php": "<?php source", ".env": "secret", "old.php.bak": "<?php source",
		"doc/index.html": "<html>static</html>",
	} {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = fcgi.Serve(l, app) // ends when the listener is closed
	}()
	s := New(Options{Site: request.Site{Root: root}, Client: request.Client{Network: "unix", Address: socket}, Log: hclog.NewNullLogger()})
	front := httptest.NewServer(s)
	t.Cleanup(func() {
		s.Close()
		front.Close()
		l.Close()
		<-done
	})
	return s, front
}

func get(t *testing.T, url string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	c := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func browser(r *http.Request) { r.Header.Set("Sec-Fetch-Dest", "document") }

func htmlPage(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, body)
	}
}

func TestRouting(t *testing.T) {
	s, front := start(t, func(w http.ResponseWriter, r *http.Request) {
		env := fcgi.ProcessEnv(r)
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "PHP "+strings.TrimPrefix(env["SCRIPT_FILENAME"], env["DOCUMENT_ROOT"]))
	})
	s.Switched()
	tests := []struct {
		path   string
		status int
		body   string
	}{
		{"/", 200, "PHP /index.php"},
		{"/style.css", 200, "body{}"},
		{"/sub/page.php", 200, "PHP /sub/page.php"},
		{"/sub/page.php/info", 200, "PHP /sub/page.php"},
		{"/no/such", 200, "PHP /index.php"},
		{"/doc/", 200, "<html>static</html>"},
		{"/doc", 301, ""},
		{"/.env", 404, "404 page not found\n"},
		{"/old.php.bak", 404, "404 page not found\n"},
		{"/%2e%2e/%2e%2e/etc/passwd", 200, "PHP /index.php"},
		{"/sub/..%2f.env", 404, "404 page not found\n"},
	}
	for _, tt := range tests {
		resp, body := get(t, front.URL+tt.path, nil)
		if resp.StatusCode != tt.status || tt.status != 301 && body != tt.body {
			t.Errorf("%s: got %d %q, want %d %q", tt.path, resp.StatusCode, body, tt.status, tt.body)
		}
		if strings.Contains(body, "source") || strings.Contains(body, "secret") {
			t.Errorf("%s: sent a file that is not to be seen", tt.path)
		}
	}
	if resp, _ := get(t, front.URL+"/doc?q=1", nil); resp.Header.Get("Location") != "/doc/?q=1" {
		t.Errorf("redirect to %q", resp.Header.Get("Location"))
	}
}

func TestInjection(t *testing.T) {
	const script = `<script src="/.supervisor/live.js?g=`
	tests := []struct {
		name   string
		app    http.HandlerFunc
		change func(*http.Request)
		want   bool
	}{
		{"page", htmlPage("<html></html>"), browser, true},
		{"old browser", htmlPage("<html></html>"), func(r *http.Request) { r.Header.Set("Accept", "text/html,*/*") }, true},
		{"fetched by a script", htmlPage("<p>"), func(r *http.Request) { r.Header.Set("Sec-Fetch-Dest", "empty") }, false},
		{"no browser", htmlPage("<p>"), nil, false},
		{"text", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Type", "text/plain") }, browser, false},
		{"compressed", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Encoding", "gzip")
		}, browser, false},
		{"download", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Disposition", "attachment; filename=x.html")
		}, browser, false},
		{"length given", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "6")
			htmlPage("<html>")(w, r)
		}, browser, true},
		{"no content", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(204)
		}, browser, false},
		{"HEAD", htmlPage("<html>"), func(r *http.Request) { browser(r); r.Method = "HEAD" }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, front := start(t, tt.app)
			s.Switched()
			_, body := get(t, front.URL+"/", tt.change)
			if got := strings.Contains(body, script); got != tt.want {
				t.Errorf("got %q", body)
			}
		})
	}
}

// events opens the event stream for a page made in a state.
func events(t *testing.T, front *httptest.Server, state string) *bufio.Scanner {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", front.URL+eventsPath+"?g="+state, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return bufio.NewScanner(resp.Body)
}

func nextEvent(s *bufio.Scanner) string {
	for s.Scan() {
		if e, ok := strings.CutPrefix(s.Text(), "event: "); ok {
			return e
		}
	}
	return "end"
}

func TestReloadEvent(t *testing.T) {
	s, front := start(t, htmlPage("x"))
	s.Switched()
	page := s.live.token()
	stream := events(t, front, page)
	if !stream.Scan() { // open
		t.Fatal("no stream")
	}
	s.Switched()
	if got := nextEvent(stream); got != "reload" {
		t.Errorf("got %q", got)
	}
	// A page that was made before the switch, and asks only afterwards.
	if got := nextEvent(events(t, front, page)); got != "reload" {
		t.Errorf("late: got %q", got)
	}
	// The end of the server is none.
	stream = events(t, front, s.live.token())
	if !stream.Scan() {
		t.Fatal("no stream")
	}
	s.Close()
	if got := nextEvent(stream); got != "end" {
		t.Errorf("closed: got %q", got)
	}
}

func TestBroken(t *testing.T) {
	s, front := start(t, htmlPage("old code"))
	s.Switched()
	page := s.live.token()
	s.Broken("PHP Parse error: <b> in a.php")
	resp, body := get(t, front.URL+"/", browser)
	if resp.StatusCode != 500 || !strings.Contains(body, "PHP Parse error: &lt;b&gt; in a.php") || !strings.Contains(body, scriptPath) || strings.Contains(body, "old code") {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
	if got := nextEvent(events(t, front, page)); got != "reload" {
		t.Errorf("the browser is not told: %q", got)
	}
	if resp, body := get(t, front.URL+"/", nil); resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.Contains(body, "<b> in a.php") {
		t.Errorf("to a program: got %q", body)
	}
	if _, body := get(t, front.URL+"/style.css", nil); body != "body{}" {
		t.Errorf("file: got %q", body)
	}
	s.Switched()
	if _, body := get(t, front.URL+"/", browser); !strings.HasPrefix(body, "old code") {
		t.Errorf("mended: got %q", body)
	}
}

func TestWaitsForFirstGeneration(t *testing.T) {
	s, front := start(t, htmlPage("there"))
	got := make(chan string, 1)
	go func() {
		_, body := get(t, front.URL+"/", nil)
		got <- body
	}()
	if _, body := get(t, front.URL+"/style.css", nil); body != "body{}" { // files do not wait
		t.Errorf("got %q", body)
	}
	s.Switched()
	if body := <-got; body != "there" {
		t.Errorf("got %q", body)
	}
}

func TestNoPHP(t *testing.T) {
	s, front := start(t, htmlPage(""))
	s.o.Client.Address += "-gone"
	s.Switched()
	resp, body := get(t, front.URL+"/", browser)
	if resp.StatusCode != 502 || !strings.Contains(body, "no server listens") {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
}

func TestUploadOfUnknownLength(t *testing.T) {
	s, front := start(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		n, err := io.Copy(io.Discard, r.Body)
		if n != 100_000 || err != nil {
			t.Errorf("got %d bytes, %v", n, err)
		}
	})
	s.Switched()
	_, _ = get(t, front.URL+"/", func(r *http.Request) {
		r.Method = "POST"
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat("x", 100_000)))) // length unknown
	})
}

func TestScript(t *testing.T) {
	_, front := start(t, htmlPage(""))
	resp, body := get(t, front.URL+scriptPath+"?g=1", nil)
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/javascript") || !strings.Contains(body, "EventSource") {
		t.Errorf("got %q", body)
	}
}

// PHP is told when nobody reads on.
func TestBrowserLeaves(t *testing.T) {
	gone := make(chan struct{})
	s, front := start(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		for {
			if _, err := w.Write(make([]byte, 1<<10)); err != nil {
				close(gone)
				return
			}
			w.(http.Flusher).Flush()
		}
	})
	s.Switched()
	c, err := net.Dial("tcp", strings.TrimPrefix(front.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	c.Close()
	<-gone
}

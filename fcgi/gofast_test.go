package fcgi

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/yookoala/gofast"
)

// gofastServer is an HTTP server in front of path, by a FastCGI client that is not of our making. It
// keeps no connection.
func gofastServer(t *testing.T, path string) *httptest.Server {
	t.Helper()
	h := gofast.NewHandler(gofast.NewFileEndpoint("/srv/index.php")(gofast.BasicSession),
		gofast.SimpleClientFactory(gofast.SimpleConnFactory("unix", path)))
	h.SetLogger(log.New(io.Discard, "", 0))
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		s.Close()
	})
	return s
}

func fetch(t *testing.T, method, url string, body []byte) (status int, text string) {
	t.Helper()
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestAnIndependentClient(t *testing.T) {
	p := newPool(t, 2, after(func(w *fakeWorker, r *fakeRequest) error {
		switch r.params["REQUEST_URI"] {
		case "/missing":
			return w.send(stdout(r.id, "Status: 404 Not Found\r\nContent-Type: text/plain\r\n\r\nmissing"), end(r.id), idle())
		case "/large":
			if err := w.send(stdout(r.id, "Content-Type: text/plain\r\n\r\n")); err != nil {
				return err
			}
			for range 64 {
				if err := w.send(stdout(r.id, strings.Repeat("x", 32768))); err != nil {
					return err
				}
			}
			return w.send(end(r.id), idle())
		case "/dies": // to be replaced by one that says hello
			return errLeave
		}
		return w.send(stdout(r.id, fmt.Sprintf("Content-Type: text/plain\r\n\r\n%s %s %d %x", r.params["REQUEST_METHOD"], r.params["SCRIPT_FILENAME"], len(r.body), sha256.Sum256(r.body))), end(r.id), idle())
	}))
	_, path := serve(t, p, nil)
	s := gofastServer(t, path)

	small, large := []byte("a=b"), bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
	for _, tt := range []struct {
		method, uri string
		body        []byte
		status      int
		want        string
	}{
		{"GET", "/", nil, 200, fmt.Sprintf("GET /srv/index.php 0 %x", sha256.Sum256(nil))},
		{"POST", "/", small, 200, fmt.Sprintf("POST /srv/index.php 3 %x", sha256.Sum256(small))},
		{"PUT", "/", large, 200, fmt.Sprintf("PUT /srv/index.php %d %x", len(large), sha256.Sum256(large))},
		{"GET", "/missing", nil, 404, "missing"},
		{"GET", "/large", nil, 200, strings.Repeat("x", 64*32768)},
		{"GET", "/dies", nil, 502, "502 Bad Gateway\n"},
		{"GET", "/missing", nil, 404, "missing"},
	} {
		status, text := fetch(t, tt.method, s.URL+tt.uri, tt.body)
		if status != tt.status || text != tt.want {
			t.Errorf("%s %s: %d %.100q, want %d %.100q", tt.method, tt.uri, status, text, tt.status, tt.want)
		}
	}
}

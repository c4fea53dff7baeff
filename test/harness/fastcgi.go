package harness

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/yookoala/gofast"
)

// Reply is what a FastCGI server answered to one request asked of it directly.
type Reply struct {
	Status int
	Header http.Header
	Body   string
	Stderr string
}

// Ask sends one GET (or POST, when there is a body) for a script straight to a FastCGI server, with
// gofast, which shares no code with us. Params go over those that are made here.
func Ask(socket, script, body string, params map[string]string) (*Reply, error) {
	client, err := gofast.SimpleClientFactory(func() (net.Conn, error) {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return nil, err
		}
		return conn, conn.SetDeadline(time.Now().Add(Patience)) // gofast itself would wait for ever
	})()
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", script, err)
	}
	defer client.Close()
	req := gofast.NewRequest(nil)
	req.Params = map[string]string{
		"GATEWAY_INTERFACE": "CGI/1.1",
		"SERVER_PROTOCOL":   "HTTP/1.1",
		"SERVER_SOFTWARE":   "harness",
		"SERVER_NAME":       "example.test",
		"HTTP_HOST":         "example.test",
		"SERVER_PORT":       "80",
		"REMOTE_ADDR":       "127.0.0.1",
		"REQUEST_METHOD":    "GET",
		"REQUEST_URI":       "/" + filepath.Base(script),
		"SCRIPT_NAME":       "/" + filepath.Base(script),
		"SCRIPT_FILENAME":   script,
		"DOCUMENT_ROOT":     filepath.Dir(script),
		"QUERY_STRING":      "",
	}
	if body != "" {
		req.Params["REQUEST_METHOD"] = "POST"
		req.Params["CONTENT_LENGTH"] = strconv.Itoa(len(body))
		req.Stdin = io.NopCloser(strings.NewReader(body))
	}
	for k, v := range params {
		req.Params[k] = v
	}
	pipe, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", script, err)
	}
	defer pipe.Close()
	rec := httptest.NewRecorder()
	var stderr bytes.Buffer
	if err := pipe.WriteTo(rec, &stderr); err != nil {
		return nil, fmt.Errorf("ask for %s: %w", script, err)
	}
	// gofast puts its own troubles into the same stream: a server need not read all of a body.
	said, _, _ := strings.Cut(stderr.String(), "write unix ")
	return &Reply{Status: rec.Code, Header: rec.Result().Header, Body: rec.Body.String(), Stderr: said}, nil
}

// Answers says whether a FastCGI server runs the script.
func Answers(socket, script string) bool {
	r, err := Ask(socket, script, "", nil)
	return err == nil && r.Status == http.StatusOK
}

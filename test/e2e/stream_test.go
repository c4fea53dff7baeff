package e2e

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"php-supervisor/test/harness"
)

// scratch is a directory that both the test and PHP can write to.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(common.tmp, "test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func touch(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
}

// waitFile waits until a script has written the file whole, and returns it.
func waitFile(t *testing.T, file, last string) string {
	t.Helper()
	var content []byte
	harness.MustWait(t, filepath.Base(file), func() bool {
		content, _ = os.ReadFile(file)
		return strings.HasSuffix(string(content), last)
	})
	return string(content)
}

// The first chunk arrives while the script waits for a file that only we make.
func TestFlushStreams(t *testing.T) {
	servers(t, func(t *testing.T, _ *harness.Server, site *harness.Site) {
		gate := filepath.Join(scratch(t), "gate")
		defer os.WriteFile(gate, nil, 0o666)
		resp, err := newClient(t, site).send(step{path: "/stream.php?gate=" + url.QueryEscape(gate)})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body := bufio.NewReader(resp.Body)
		if line, err := body.ReadString('\n'); line != "first\n" || err != nil {
			t.Fatalf("first line %q, %v", line, err)
		}
		touch(t, gate)
		if line, err := body.ReadString('\n'); line != "last\n" || err != nil {
			t.Errorf("last line %q, %v", line, err)
		}
	})
}

// The response is complete while the script waits for a file that only we make; the worker takes no
// request before it is through.
func TestFinishRequest(t *testing.T) {
	servers(t, func(t *testing.T, srv *harness.Server, site *harness.Site) {
		dir := scratch(t)
		gate, done := filepath.Join(dir, "gate"), filepath.Join(dir, "done")
		defer os.WriteFile(gate, nil, 0o666)
		c := newClient(t, site)
		path := "/finish.php?gate=" + url.QueryEscape(gate) + "&done=" + url.QueryEscape(done)
		r := c.do(t, step{path: path})
		if r.Status != "200 OK" || r.Body != "finished\n" || r.Header["X-Before"] == nil {
			t.Errorf("answer %+v", r)
		}
		if _, err := os.Stat(done); err == nil {
			t.Error("the script was through before its gate opened")
		}
		for range 2 * srv.Pool.Children {
			c.get(t, "/hello.php")
		}
		touch(t, gate)
		if got, want := waitFile(t, done, "shutdown"), "[true,false,0]\nshutdown"; got != want {
			t.Errorf("after the response the script wrote %q, want %q", got, want)
		}
	})
}

// A client that goes away ends the script at its next output, as in php-fpm.
func TestClientAbort(t *testing.T) {
	servers(t, func(t *testing.T, _ *harness.Server, site *harness.Site) {
		for name, query := range map[string]string{"script-is-ended": "", "script-is-told": "&ignore"} {
			t.Run(name, func(t *testing.T) {
				done := filepath.Join(scratch(t), "done")
				c := newClient(t, site)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, site.URL("/abort.php?done="+url.QueryEscape(done)+query), nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := c.http.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if _, err := resp.Body.Read(make([]byte, 1000)); err != nil {
					t.Fatal(err)
				}
				cancel()
				if got, want := waitFile(t, done, "\n"), "{\"status\":1,\"aborted\":1}\n"; got != want {
					t.Errorf("the script saw %q, want %q", got, want)
				}
				if got := c.get(t, "/hello.php"); got != "Hello World!\n" {
					t.Errorf("the next request got %q", got)
				}
			})
		}
	})
}

// PHP's own temporary copies of uploads are gone after the request.
func TestUploadsLeaveNothing(t *testing.T) {
	servers(t, func(t *testing.T, _ *harness.Server, site *harness.Site) {
		body := newClient(t, site).do(t, multipartStep("/upload-left.php", part{"f", "left.txt", "text/plain", "left"})).Body
		name := strings.Trim(strings.ReplaceAll(strings.TrimSpace(body), `\/`, "/"), `[]"`)
		if !strings.HasPrefix(name, common.tmp) {
			t.Fatalf("upload was at %q, want it below %s", body, common.tmp)
		}
		harness.MustWait(t, "the upload's removal", func() bool {
			_, err := os.Stat(name)
			return os.IsNotExist(err)
		})
	})
}

// What PHP logs arrives whole: one message, no prefix inside, nothing cut.
func TestMessagesArriveWhole(t *testing.T) {
	servers(t, func(t *testing.T, srv *harness.Server, site *harness.Site) {
		if srv == common.fpm {
			t.Skip("php-fpm wraps messages and puts a prefix before each line; ours must not")
		}
		c := newClient(t, site)
		for name, want := range map[string]string{
			"undefined": "Call to undefined function no_such_function_MARK()",
			"exception": "Uncaught RuntimeException: uncaught MARK in ",
			"warning":   "PHP Warning:  user warning MARK in ",
			"log":       "said with error_log MARK",
			"longlog":   "begin MARK " + strings.Repeat("0123456789", 1200) + " end MARK",
			"stderr":    "said to stderr MARK",
		} {
			t.Run(name, func(t *testing.T) {
				mark := name + filepath.Base(scratch(t))[5:]
				want := strings.ReplaceAll(want, "MARK", mark)
				c.do(t, step{path: "/fatal.php?case=" + name + "&mark=" + mark})
				var log string
				err := harness.Wait("the message", func() (bool, error) {
					log = srv.Messages()
					return strings.Contains(log, want), nil
				})
				if err != nil {
					t.Errorf("%v: %.200q\n%s", err, want, log)
				}
			})
		}
	})
}

// FastCGI's stderr stream reaches the web server's log as php-fpm's does.
func TestErrorsReachTheWebServersLog(t *testing.T) {
	servers(t, func(t *testing.T, _ *harness.Server, site *harness.Site) {
		mark := "seen" + filepath.Base(scratch(t))[5:]
		newClient(t, site).do(t, step{path: "/fatal.php?case=warning&mark=" + mark})
		harness.MustWait(t, "nginx's log line", func() bool {
			return strings.Contains(common.stage.ErrorLog(), `FastCGI sent in stderr: "PHP message: PHP Warning:  user warning `+mark+" in ")
		})
	})
}

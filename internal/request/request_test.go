package request

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recorder is a Receiver that keeps everything.
type recorder struct {
	head  Head
	heads int
	body  bytes.Buffer
	fail  error // returned by Write
}

func (r *recorder) Head(h Head) error { r.head = h; r.heads++; return nil }

func (r *recorder) Write(p []byte) (int, error) {
	if r.fail != nil {
		return 0, r.fail
	}
	return r.body.Write(p)
}

func listen(t *testing.T) (net.Listener, Client) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, Client{"unix", path}
}

// application serves h with the standard library's FastCGI.
func application(t *testing.T, h http.HandlerFunc) Client {
	t.Helper()
	l, c := listen(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = fcgi.Serve(l, h) // ends when the listener is closed
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return c
}

// raw answers the first connection with exactly these bytes, after it has read the end of the request, and closes it.
func raw(t *testing.T, answer []byte) Client {
	t.Helper()
	l, c := listen(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for {
			var h [8]byte
			if _, err := io.ReadFull(conn, h[:]); err != nil {
				return
			}
			n := int64(binary.BigEndian.Uint16(h[4:])) + int64(h[6])
			if _, err := io.CopyN(io.Discard, conn, n); err != nil {
				return
			}
			if h[1] == 5 && n == 0 {
				break
			}
		}
		_, _ = conn.Write(answer)
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return c
}

func record(typ byte, content string) string {
	return string([]byte{1, typ, 0, 1, byte(len(content) >> 8), byte(len(content)), 0, 0}) + content
}

var complete = record(3, "\x00\x00\x00\x00\x00\x00\x00\x00")

func get() Call {
	return Call{Params: map[string]string{"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1"}}
}

func TestRoundTrip(t *testing.T) {
	long := strings.Repeat("x", 9000) // above gofast's limit of a line
	c := application(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Long", long)
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %d", r.Method, r.Header.Get("X-Given"), len(b))
	})
	body := bytes.Repeat([]byte("b"), 300_000)
	r, err := http.NewRequest("POST", "http://example.org/a.php?b=c", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Given", "here")
	var got recorder
	end, err := c.Do(t.Context(), Call{Params: Params(r, Target{Kind: Script, Name: "/a.php"}), Body: r.Body}, &got, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if end != (End{}) {
		t.Errorf("got end %+v", end)
	}
	if got.head.Status != http.StatusTeapot || got.head.Get("x-long") != long {
		t.Errorf("got status %d, X-Long of %d bytes", got.head.Status, len(got.head.Get("X-Long")))
	}
	if got, want := got.body.String(), "POST here 300000"; got != want {
		t.Errorf("got body %q, want %q", got, want)
	}
}

func TestOutcome(t *testing.T) {
	head := "Content-type: text/plain\r\n\r\n"
	tests := []struct {
		name, answer string
		err          error
		body, stderr string
	}{
		{name: "complete", answer: record(6, head+"body") + complete, body: "body"},
		{name: "in pieces", answer: record(6, head[:5]) + record(6, head[5:]) + record(6, "bo") + record(6, "dy") + record(6, "") + complete, body: "body"},
		{name: "with stderr", answer: record(7, "PHP message: no") + record(6, head) + complete, stderr: "PHP message: no"},
		{name: "no answer", answer: "", err: ErrCutOff},
		{name: "cut off in the head", answer: record(6, head[:7]), err: ErrCutOff},
		{name: "cut off in the body", answer: record(6, head+"bo"), err: ErrCutOff, body: "bo"},
		{name: "cut off inside a record", answer: record(6, head+"bo")[:30], err: ErrCutOff},
		{name: "cut off in END_REQUEST", answer: record(6, head+"body") + complete[:12], err: ErrCutOff, body: "body"},
		{name: "short END_REQUEST", answer: record(6, head+"body") + record(3, "abc"), err: ErrCutOff, body: "body"},
		{name: "garbage", answer: "HTTP/1.1 200 OK\r\n\r\n", err: ErrCutOff},
		{name: "no head", answer: record(6, "<html>") + complete, err: ErrBadHead},
		{name: "bad header", answer: record(6, "no header here\r\n\r\n") + complete, err: ErrBadHead},
		{name: "endless head", answer: strings.Repeat(record(6, strings.Repeat("X-A: b\r\n", 8000)), 5) + complete, err: ErrBadHead},
		{name: "overloaded", answer: record(3, "\x00\x00\x00\x00\x02\x00\x00\x00"), err: ErrRefused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got recorder
			var stderr bytes.Buffer
			_, err := raw(t, []byte(tt.answer)).Do(t.Context(), get(), &got, &stderr)
			if !errors.Is(err, tt.err) {
				t.Errorf("got error %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.body, got.body.String()); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.stderr, stderr.String()); diff != "" {
				t.Errorf("stderr (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAppStatus(t *testing.T) {
	answer := record(6, "A: b\r\n\r\n") + record(3, "\x00\x00\x00\x07\x00\x00\x00\x00")
	end, err := raw(t, []byte(answer)).Do(t.Context(), get(), &recorder{}, io.Discard)
	if err != nil || end.AppStatus != 7 {
		t.Errorf("got %+v, %v, want application status 7", end, err)
	}
}

func TestNoServer(t *testing.T) {
	c := Client{"unix", filepath.Join(t.TempDir(), "none.sock")}
	_, err := c.Do(t.Context(), get(), &recorder{}, io.Discard)
	if !errors.Is(err, ErrNoServer) || err.Error() != "no server listens on "+c.Address+": no such file or directory" {
		t.Errorf("got %v", err)
	}
}

func TestReceiverGivesUp(t *testing.T) {
	gone := make(chan struct{})
	c := application(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		for { // until the client has gone
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				close(gone)
				return
			}
			w.(http.Flusher).Flush()
		}
	})
	full := errors.New("full")
	if _, err := c.Do(t.Context(), get(), &recorder{fail: full}, io.Discard); !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
	<-gone
}

func TestContextEnds(t *testing.T) {
	l, c := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			accepted <- conn
			cancel()
		}
	}()
	_, err := c.Do(ctx, get(), &recorder{}, io.Discard)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	(<-accepted).Close()
}

type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("disk on fire") }
func (brokenBody) Close() error             { return nil }

func TestBodyFails(t *testing.T) {
	// The server waits for the end of the body for ever.
	c := raw(t, nil)
	call := get()
	call.Body = brokenBody{}
	var stderr bytes.Buffer
	_, err := c.Do(t.Context(), call, &recorder{}, &stderr)
	if err == nil || err.Error() != "read request body: disk on fire" || stderr.Len() > 0 {
		t.Errorf("got %v, stderr %q", err, stderr.String())
	}
}

func TestSpool(t *testing.T) {
	f, n, err := Spool(strings.NewReader("12345"), 5)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if n != 5 || string(b) != "12345" || err != nil {
		t.Errorf("got %d, %q, %v", n, b, err)
	}
	if _, _, err := Spool(strings.NewReader("123456"), 5); !errors.Is(err, ErrBodyTooLarge) {
		t.Errorf("got %v", err)
	}
}

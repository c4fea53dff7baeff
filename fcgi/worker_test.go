package fcgi

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func soon() time.Time { return time.Now().Add(10 * time.Second) }

func TestHelloIsAttestedByTheKernel(t *testing.T) {
	w, f := workerPair(t)
	defer w.Close()
	defer f.Close()
	if err := f.send(AppendHello(nil, 1)); err != nil { // a lie
		t.Fatal(err)
	}
	pid, err := w.Hello(soon())
	if err != nil {
		t.Fatal(err)
	}
	if pid != os.Getpid() {
		t.Errorf("pid %d, want %d", pid, os.Getpid())
	}
	on, err := unix.GetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_PASSCRED)
	if err != nil || on != 0 {
		t.Errorf("SO_PASSCRED is %d, %v", on, err)
	}
}

func TestHelloInPieces(t *testing.T) {
	w, f := workerPair(t)
	defer w.Close()
	defer f.Close()
	go func() {
		for _, b := range slices.Concat(AppendHello(nil, 1), AppendReady(nil)) {
			_, _ = f.Write([]byte{b})
		}
	}()
	if pid, err := w.Hello(soon()); err != nil || pid != os.Getpid() {
		t.Errorf("pid %d, %v", pid, err)
	}
	if err := w.WaitReady(soon(), nil); err != nil {
		t.Error(err)
	}
}

func TestHelloRefusesAllElse(t *testing.T) {
	hello := AppendHello(nil, 1)
	for name, tt := range map[string]struct {
		send []byte
		want string
	}{
		"end of file":      {nil, "closed the connection"},
		"half":             {hello[:10], "closed the connection"},
		"text":             {[]byte("PHP Warning:  Module already loaded\n"), "garbage"},
		"one byte of text": {[]byte("P"), "garbage"},
		"another record":   {AppendReady(nil), "garbage"},
		"an id":            {AppendRecord(nil, TypeHello, 1, make([]byte, 8)), "garbage"},
		"too short":        {AppendRecord(nil, TypeHello, 0, make([]byte, 4)), "garbage"},
		"64 KiB":           {AppendRecord(nil, TypeHello, 0, make([]byte, 65535)), "garbage"},
		"version 2":        {AppendRecord(nil, TypeHello, 0, []byte{0, 0, 0, 2, 0, 0, 0, 1}), "protocol version 2, not 1"},
	} {
		t.Run(name, func(t *testing.T) {
			w, f := workerPair(t)
			defer w.Close()
			_ = f.send(tt.send)
			f.Close()
			if _, err := w.Hello(soon()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
	t.Run("silence", func(t *testing.T) {
		w, f := workerPair(t)
		defer w.Close()
		defer f.Close()
		if _, err := w.Hello(time.Now()); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		// The deadline is gone afterwards.
		_ = f.send(AppendHello(nil, 1))
		if _, err := w.Hello(soon()); err != nil {
			t.Error(err)
		}
	})
	t.Run("descriptors", func(t *testing.T) {
		w, f := workerPair(t)
		defer w.Close()
		defer f.Close()
		before := openFDs(t)
		if _, _, err := f.Conn.(*net.UnixConn).WriteMsgUnix(AppendHello(nil, 1), unix.UnixRights(0, 1, 2), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Hello(soon()); err == nil || !strings.Contains(err.Error(), "control message") {
			t.Errorf("got %v", err)
		}
		if after := openFDs(t); after != before {
			t.Errorf("%d descriptors, %d before", after, before)
		}
	})
	t.Run("aborted", func(t *testing.T) {
		w, f := workerPair(t)
		defer w.Close()
		defer f.Close()
		go w.Abort(502)
		if _, err := w.Hello(soon()); !errors.Is(err, errAborted) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWaitReady(t *testing.T) {
	ready := AppendReady(nil)
	long := strings.Repeat("y", 65533)
	for name, tt := range map[string]struct {
		send []byte
		logs []string
		want string
	}{
		"at once":         {send: ready},
		"logs first":      {send: slices.Concat(AppendLog(nil, 4, false, []byte("one")), AppendLog(nil, 3, true, []byte("t")), AppendLog(nil, 3, false, []byte("wo")), ready), logs: []string{"4 one", "3 two"}},
		"log behind":      {send: slices.Concat(ready, AppendLog(nil, 4, false, []byte("late"))), logs: []string{"4 late"}},
		"long log":        {send: slices.Concat(AppendLog(nil, 4, false, []byte(long)), AppendLog(nil, 4, true, []byte(long)), AppendLog(nil, 4, false, []byte(long)), ready), logs: []string{"4 " + long, "4 " + long + long}},
		"newer records":   {send: slices.Concat(AppendRecord(nil, 200, 0, []byte("news")), ready)},
		"half a record":   {send: slices.Concat(ready, ready[:5])},
		"end of file":     {want: "closed the connection"},
		"text":            {send: []byte("Fatal error"), want: "garbage"},
		"text behind":     {send: slices.Concat(ready, []byte("Fatal error")), want: "garbage"},
		"response":        {send: stdout(1, hello), want: "garbage"},
		"response behind": {send: slices.Concat(ready, stdout(0, hello)), want: "garbage"},
		"idle":            {send: idle(), want: "garbage"},
		"ready twice":     {send: slices.Concat(ready, ready), want: "garbage"},
	} {
		t.Run(name, func(t *testing.T) {
			w, f := workerPair(t)
			defer w.Close()
			go func() {
				defer f.Close()
				_ = f.send(AppendHello(nil, 1), tt.send)
			}()
			if _, err := w.Hello(soon()); err != nil {
				t.Fatal(err)
			}
			var logs []string
			err := w.WaitReady(soon(), func(severity uint8, text []byte) { logs = append(logs, fmt.Sprintf("%d %s", severity, text)) })
			if diff := cmp.Diff(tt.logs, logs); diff != "" {
				t.Error(diff)
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestResponseInPieces(t *testing.T) {
	log := AppendLog(nil, 5, false, []byte("notice"))
	full := slices.Concat(log, stdout(1, "Status: 201 Created\r\n"), log, AppendRecord(nil, TypeStderr, 1, []byte("e")),
		append(AppendHeader(nil, TypeStdout, 1, 3, 5), "\r\nb\x00\x00\x00\x00\x00"...), log, stdout(1, ""), AppendEndRequest(nil, 1, 7, 0), log,
		AppendIdle(nil, Stats{Memory: 1, Peak: 2, User: 3 * time.Microsecond, System: 4 * time.Microsecond, Leaving: true, Requests: 5}))
	for _, piece := range []int{1, 3, 7, 8, 9, 64, len(full)} {
		t.Run(fmt.Sprint(piece), func(t *testing.T) {
			p := newPool(t, 1, after(func(w *fakeWorker, _ *fakeRequest) error {
				for b := range slices.Chunk(full, piece) {
					if _, err := w.Write(b); err != nil {
						return err
					}
				}
				return nil
			}))
			_, path := serve(t, p, nil)
			c := dial(t, path)
			c.send(get(1, true))
			want := answered{Out: "Status: 201 Created\r\n\r\nb", Err: "e", App: 7, Ended: true}
			if diff := cmp.Diff(want, c.answer(1)); diff != "" {
				t.Error(diff)
			}
			res := p.results(1)[0].Result
			if res.Started.IsZero() || res.Ended.Before(res.Started) {
				t.Errorf("from %v to %v", res.Started, res.Ended)
			}
			res.Started, res.Ended = time.Time{}, time.Time{}
			wantRes := Result{Status: 201, AppStatus: 7, BytesOut: 24, Stats: Stats{Memory: 1, Peak: 2, User: 3000, System: 4000, Leaving: true, Requests: 5}}
			if diff := cmp.Diff(wantRes, res); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(slices.Repeat([]string{"5 notice"}, 4), p.logs); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStatusOf(t *testing.T) {
	for in, want := range map[string]int{
		"":                                        200,
		"\r\nStatus: 404\r\n":                     200,
		"Status: 404 Not Found\r\n\r\n":           404,
		"status:500\n\n":                          500,
		"X: y\r\nSTATUS:  301 Moved\r\n\r\n":      301,
		"X: y\nStatus: 418":                       418,
		"X: y\r\n\r\nStatus: 404\r\n":             200,
		"Status: abc\r\n\r\n":                     200,
		"Status: 099\r\n\r\n":                     200,
		"Status: 4":                               200,
		"Statuses: 404\r\n\r\n":                   200,
		strings.Repeat("x", 300) + "\nStatus:404": 404,
	} {
		if got := statusOf([]byte(in)); got != want {
			t.Errorf("%q: %d, want %d", in, got, want)
		}
	}
}

// TestEarlyFinish is fastcgi_finish_request: the connection goes on while the worker is busy still.
func TestEarlyFinish(t *testing.T) {
	for name, tt := range map[string]struct {
		last []byte
		lost bool
	}{
		"idle":         {last: idle()},
		"log and idle": {last: slices.Concat(AppendLog(nil, 3, false, []byte("late")), idle())},
		"death":        {lost: true},
		"output":       {last: stdout(1, "late"), lost: true},
		"garbage":      {last: []byte("garbage"), lost: true},
		"half idle":    {last: idle()[:30], lost: true},
	} {
		t.Run(name, func(t *testing.T) {
			goOn := make(chan struct{})
			p := newPool(t, 0, nil)
			first := true
			p.start(after(func(w *fakeWorker, r *fakeRequest) error {
				if !first {
					return w.send(stdout(r.id, hello), end(r.id), idle())
				}
				first = false
				if err := w.send(stdout(r.id, hello), end(r.id)); err != nil {
					return err
				}
				<-goOn
				if err := w.send(tt.last); err != nil || tt.lost {
					return errLeave
				}
				return nil
			}))
			_, path := serve(t, p, nil)
			c := dial(t, path)
			c.send(slices.Concat(get(1, true), get(2, true)[:20])) // the beginning of the next request waits in the buffer
			if diff := cmp.Diff(answered{Out: hello, Ended: true}, c.answer(1)); diff != "" {
				t.Error(diff)
			}
			if n := len(p.idle); n != 0 {
				t.Errorf("%d workers idle, want the only one busy", n)
			}
			p.start(serveHello)
			c.send(get(2, true)[20:])
			if diff := cmp.Diff(answered{Out: hello, Ended: true}, c.answer(2)); diff != "" {
				t.Error(diff)
			}
			res := p.results(1)
			if len(res) != 1 || p.responded != 1 {
				t.Fatalf("%d finished, %d responded, want the second request finished only", len(res), p.responded)
			}
			c.Close()
			close(goOn)
			res = p.results(1)
			if got := res[1]; got.Lost != tt.lost || got.Status != 200 || got.ClientGone || got.Params["REQUEST_METHOD"] != "GET" {
				t.Errorf("result: %+v", got)
			}
		})
	}
}

func TestAbort(t *testing.T) {
	t.Run("before the response", func(t *testing.T) {
		p := newPool(t, 0, nil)
		w := p.start(after(func(w *fakeWorker, _ *fakeRequest) error { io.Copy(io.Discard, w); return errLeave }))
		_, path := serve(t, p, func(s *Server) { s.Retry = always })
		c := dial(t, path)
		c.send(get(1, true))
		eventually(t, "the worker has the request", func() bool { return len(p.idle) == 0 })
		w.Abort(504)
		w.Abort(502) // the first counts
		if diff := cmp.Diff(want504, c.answer(1)); diff != "" {
			t.Error(diff)
		}
		if res := p.results(1)[0]; !res.Lost || !errors.Is(res.Err, errAborted) || res.Status != 504 || res.Retrying {
			t.Errorf("result: %+v", res.Result)
		}
		c.send(get(2, true))
		if diff := cmp.Diff(answered{Out: hello, Ended: true}, c.answer(2)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("within the response", func(t *testing.T) {
		p := newPool(t, 0, nil)
		w := p.start(after(func(w *fakeWorker, r *fakeRequest) error {
			w.send(stdout(r.id, hello))
			io.Copy(io.Discard, w)
			return errLeave
		}))
		_, path := serve(t, p, nil)
		c := dial(t, path)
		c.send(get(1, true))
		var b [40]byte
		if _, err := io.ReadFull(c, b[:]); err != nil {
			t.Fatal(err)
		}
		w.Abort(504)
		c.closed()
		if res := p.results(1)[0]; !res.Lost || res.Status != 200 {
			t.Errorf("result: %+v", res.Result)
		}
	})
	t.Run("after the response", func(t *testing.T) {
		p := newPool(t, 0, nil)
		w := p.start(after(func(w *fakeWorker, r *fakeRequest) error {
			w.send(stdout(r.id, hello), end(r.id))
			io.Copy(io.Discard, w)
			return errLeave
		}))
		_, path := serve(t, p, nil)
		c := dial(t, path)
		c.send(get(1, true))
		c.answer(1)
		w.Abort(504)
		if res := p.results(1)[0]; !res.Lost || res.Status != 200 {
			t.Errorf("result: %+v", res.Result)
		}
		c.send(get(2, true))
		if diff := cmp.Diff(answered{Out: hello, Ended: true}, c.answer(2)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("when idle", func(t *testing.T) {
		p := newPool(t, 1, serveHello)
		_, path := serve(t, p, func(s *Server) { s.Retry = always })
		w := <-p.idle
		w.Abort(503)
		p.idle <- w
		c := dial(t, path)
		c.send(get(1, true))
		if diff := cmp.Diff(want503, c.answer(1)); diff != "" {
			t.Error(diff)
		}
		normal(t, path)
	})
	t.Run("while the web server does not read", func(t *testing.T) {
		p := newPool(t, 0, nil)
		w := p.start(after(func(w *fakeWorker, r *fakeRequest) error {
			for w.send(stdout(r.id, strings.Repeat("x", 65000))) == nil {
			}
			return errLeave
		}))
		_, path := serve(t, p, nil)
		c := dial(t, path)
		c.send(get(1, true))
		eventually(t, "stuck", func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.stuck != nil
		})
		p.start(serveHello)
		normal(t, path)
		w.Abort(504)
		if res := p.results(2)[1]; !res.Lost {
			t.Errorf("result: %+v", res.Result)
		}
		if a := c.answer(1); a.Ended {
			t.Error("response not cut off")
		}
	})
}

// TestSlowWebServerDoesNotHoldAWorker whose answer is complete.
func TestSlowWebServerDoesNotHoldAWorker(t *testing.T) {
	const size = 60000
	p := newPool(t, 1, after(func(w *fakeWorker, r *fakeRequest) error {
		return w.send(stdout(r.id, strings.Repeat("x", size)), end(r.id), idle())
	}))
	_, path := serve(t, p, nil)
	var clients []*client
	for range 12 {
		c := dial(t, path)
		_ = c.Conn.(*net.UnixConn).SetReadBuffer(1)
		for id := uint16(1); id <= 8; id++ {
			c.send(get(id, true))
		}
		clients = append(clients, c)
	}
	p.results(12 * 3) // several times what the sockets hold, as nobody has read a byte
	for _, c := range clients {
		for id := uint16(1); id <= 8; id++ {
			if a := c.answer(id); len(a.Out) != size || !a.Ended {
				t.Fatalf("%d bytes, ended %v", len(a.Out), a.Ended)
			}
		}
	}
}

func TestWriteTimeout(t *testing.T) {
	p := newPool(t, 1, after(func(w *fakeWorker, r *fakeRequest) error {
		return w.send(slices.Concat(slices.Repeat([][]byte{stdout(r.id, strings.Repeat("x", 65000))}, 64)...), end(r.id), idle())
	}))
	_, path := serve(t, p, func(s *Server) { s.WriteTimeout = 30 * time.Millisecond })
	c := dial(t, path)
	c.send(get(1, true))
	if res := p.results(1)[0]; res.Lost || !res.ClientGone {
		t.Errorf("result: %+v", res.Result)
	}
	if a := c.answer(1); a.Ended {
		t.Error("response not cut off")
	}
}

func TestWorkerConnTakesOwnership(t *testing.T) {
	before := openFDs(t)
	w, f := workerPair(t)
	if err := w.CloseWrite(); err != nil {
		t.Error(err)
	}
	if _, err := f.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("worker sees %v, want EOF", err)
	}
	w.Close()
	w.Abort(502)
	if err := w.CloseWrite(); err == nil {
		t.Error("CloseWrite after Close: no error")
	}
	f.Close()
	r, wr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fd, _ := syscall.Dup(int(r.Fd()))
	r.Close()
	wr.Close()
	if _, err := NewWorkerConn(fd); err == nil {
		t.Error("a pipe is no worker socket: no error")
	}
	if after := openFDs(t); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

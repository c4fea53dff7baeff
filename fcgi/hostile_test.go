package fcgi

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// normal serves one request on a connection of its own.
func normal(t *testing.T, path string) {
	t.Helper()
	c := dial(t, path)
	c.send(get(1, false))
	if diff := cmp.Diff(answered{Out: hello, Ended: true}, c.answer(1)); diff != "" {
		t.Errorf("normal request afterwards: %s", diff)
	}
	c.closed()
	c.Close()
}

func own(status, text string) answered {
	return answered{Out: "Status: " + status + "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + text, Ended: true}
}

// want400 and the like are answered by the server itself.
var (
	want400 = own("400 Bad Request", "400 Bad Request\n")
	want408 = own("408 Request Timeout", "408 Request Timeout\n")
	want431 = own("431 Request Header Fields Too Large", "431 Request Header Fields Too Large\n")
	want502 = own("502 Bad Gateway", "502 Bad Gateway\n")
	want503 = own("503 Service Unavailable", "503 Service Unavailable\n")
	want504 = own("504 Gateway Timeout", "504 Gateway Timeout\n")
)

func TestHostileWebServer(t *testing.T) {
	begin := AppendBeginRequest(nil, 1, RoleResponder, true)
	rec := func(typ uint8, id uint16, content ...byte) []byte { return AppendRecord(nil, typ, id, content) }
	result := func(values []byte) []byte { return AppendRecord(nil, TypeGetValuesResult, 0, values) }
	ask := AppendParam(AppendParam(nil, "FCGI_MAX_CONNS", ""), "FCGI_MPXS_CONNS", "")
	served := slices.Concat(stdout(1, hello), end(1))
	answer := func(a answered) []byte { return slices.Concat(stdout(1, a.Out), end(1)) }

	tests := map[string]struct {
		send   [][]byte // one write for each
		want   []byte   // all that comes back
		open   bool     // the connection stays, and serves a normal request
		hangUp bool     // the web server closes when it has sent
	}{
		"nothing at all":              {hangUp: true},
		"garbage":                     {send: [][]byte{[]byte("GET / HTTP/1.1\r\n\r\n")}},
		"one wrong byte":              {send: [][]byte{{2}}},
		"wrong version later":         {send: [][]byte{begin, {9, 4, 0, 1}}},
		"truncated header":            {send: [][]byte{begin[:5]}, hangUp: true},
		"truncated begin":             {send: [][]byte{begin[:12]}, hangUp: true},
		"truncated params":            {send: [][]byte{get(1, true)[:40]}, hangUp: true},
		"no empty params":             {send: [][]byte{begin, rec(TypeParams, 1, params("A", "b")...)}, hangUp: true},
		"no empty stdin":              {send: [][]byte{head(1, true, "CONTENT_LENGTH", "5"), stdin(1, "abc")}, hangUp: true},
		"begin too short":             {send: [][]byte{rec(TypeBeginRequest, 1, 0, 1, 1)}},
		"begin too long":              {send: [][]byte{rec(TypeBeginRequest, 1, make([]byte, 65535)...)}},
		"begin twice":                 {send: [][]byte{begin, begin}, want: answer(want400)},
		"params run past their end":   {send: [][]byte{begin, rec(TypeParams, 1, 200, 0xff, 0xff, 0xff), rec(TypeParams, 1)}, want: answer(want400)},
		"param length of 2 GiB":       {send: [][]byte{begin, rec(TypeParams, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'a'), rec(TypeParams, 1)}, want: answer(want400)},
		"half a param length":         {send: [][]byte{begin, rec(TypeParams, 1, 1, 0x80, 0, 0), rec(TypeParams, 1)}, want: answer(want400)},
		"param cut by a record":       {send: [][]byte{begin, rec(TypeParams, 1, 3, 3, 'A', 'B'), rec(TypeParams, 1), rec(TypeParams, 1, 'C', 'D', 'E', 'F')}, want: answer(want400)},
		"too many params":             {send: [][]byte{begin, rec(TypeParams, 1, make([]byte, 2*4097)...), rec(TypeParams, 1)}, want: answer(want431)},
		"stdin before end of params":  {send: [][]byte{begin, stdin(1, "x")}, want: answer(want400)},
		"params after their end":      {send: [][]byte{head(1, true), rec(TypeParams, 1, 0, 0)}, want: answer(want400)},
		"stdout from the web server":  {send: [][]byte{begin, stdout(1, "x")}, want: answer(want400)},
		"unknown role, not kept":      {send: [][]byte{AppendBeginRequest(nil, 1, 7, false)}, want: AppendEndRequest(nil, 1, 0, StatusUnknownRole)},
		"unknown role, kept":          {send: [][]byte{AppendBeginRequest(nil, 9, 2, true), rec(TypeParams, 9, 1, 2), rec(TypeStdin, 9)}, want: AppendEndRequest(nil, 9, 0, StatusUnknownRole), open: true},
		"abort of half a request":     {send: [][]byte{begin, rec(TypeParams, 1, 3), rec(TypeAbortRequest, 1)}, want: end(1), open: true},
		"abort, not kept":             {send: [][]byte{AppendBeginRequest(nil, 1, RoleResponder, false), rec(TypeAbortRequest, 1)}, want: end(1)},
		"abort of nothing":            {send: [][]byte{rec(TypeAbortRequest, 1), rec(TypeAbortRequest, 77)}, open: true},
		"records of no request":       {send: [][]byte{rec(TypeParams, 5, 1, 2, 3), rec(TypeStdin, 5, 1), rec(TypeStdout, 5)}, open: true},
		"private records":             {send: [][]byte{begin, rec(TypeIdle, 1, make([]byte, idleLen)...), rec(TypeLog, 1, 0, 0), rec(TypeAbortRequest, 1)}, want: end(1), open: true},
		"unknown management type":     {send: [][]byte{rec(99, 0, 1, 2, 3)}, want: rec(TypeUnknownType, 0, 99, 0, 0, 0, 0, 0, 0, 0), open: true},
		"private management record":   {send: [][]byte{rec(TypeIdle, 0, make([]byte, idleLen)...)}, want: rec(TypeUnknownType, 0, TypeIdle, 0, 0, 0, 0, 0, 0, 0), open: true},
		"begin of request 0":          {send: [][]byte{rec(TypeBeginRequest, 0, 0, 1, 1, 0, 0, 0, 0, 0)}, want: rec(TypeUnknownType, 0, TypeBeginRequest, 0, 0, 0, 0, 0, 0, 0), open: true},
		"GET_VALUES":                  {send: [][]byte{rec(TypeGetValues, 0, ask...)}, want: result(mpxsConns), open: true},
		"GET_VALUES of others":        {send: [][]byte{rec(TypeGetValues, 0, params("FCGI_MAX_REQS", "")...)}, want: result(nil), open: true},
		"GET_VALUES malformed":        {send: [][]byte{rec(TypeGetValues, 0, 0xff, 0xff)}, want: result(nil), open: true},
		"GET_VALUES within a request": {send: [][]byte{begin, rec(TypeGetValues, 0, ask...), get(1, true)[16:]}, want: slices.Concat(result(mpxsConns), served), open: true},
		"interleaved ids": {
			send: [][]byte{begin, AppendBeginRequest(nil, 2, RoleResponder, true), rec(TypeParams, 2, 9, 9), get(1, true)[16:], rec(TypeStdin, 2)},
			want: slices.Concat(AppendEndRequest(nil, 2, 0, StatusCantMpxConn), served), open: true},
		"two requests at once": {send: [][]byte{slices.Concat(get(1, true), get(1, true))}, want: slices.Concat(served, served), open: true},
		"byte by byte":         {send: slices.Collect(slices.Chunk(get(1, true), 1)), want: served, open: true},
		"params byte by byte": {send: func() (all [][]byte) {
			all = append(all, begin)
			for _, b := range params("REQUEST_METHOD", "GET", "LONG", strings.Repeat("x", 300)) {
				all = append(all, append(AppendHeader(nil, TypeParams, 1, 1, 200), append([]byte{b}, make([]byte, 200)...)...))
			}
			return append(all, rec(TypeParams, 1), rec(TypeStdin, 1))
		}(), want: served, open: true},
	}
	p := newPool(t, 1, serveHello)
	_, path := serve(t, p, nil)
	normal(t, path)
	before := openFDs(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := dial(t, path)
			for _, b := range tt.send {
				if _, err := c.Write(b); err != nil {
					break // it may hang up at once
				}
			}
			if tt.hangUp {
				c.Close()
			} else {
				got := make([]byte, len(tt.want))
				if _, err := io.ReadFull(c, got); err != nil {
					t.Errorf("answer: %v", err)
				}
				if diff := cmp.Diff(string(tt.want), string(got)); diff != "" {
					t.Errorf("answer: %s", diff)
				}
				if tt.open {
					c.send(get(4, true))
					if diff := cmp.Diff(answered{Out: hello, Ended: true}, c.answer(4)); diff != "" {
						t.Errorf("request on the same connection: %s", diff)
					}
				} else {
					c.closed()
				}
				c.Close()
			}
			normal(t, path)
			eventually(t, "as many descriptors as before", func() bool { return openFDs(t) == before })
		})
	}
}

func TestTooLargeParamsAreRefusedWithoutAWorker(t *testing.T) {
	p := newPool(t, 0, serveHello)
	_, path := serve(t, p, nil)
	for name, piece := range map[string]int{"in large records": 65535, "in small records": 16} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, path)
			c.send(AppendBeginRequest(nil, 1, RoleResponder, true))
			record := append(AppendHeader(nil, TypeParams, 1, piece, 255), make([]byte, piece+255)...)
			go func() {
				for sent := 0; sent < 4<<20; sent += len(record) {
					if _, err := c.Write(record); err != nil {
						return
					}
				}
			}()
			if diff := cmp.Diff(want431, c.answer(1)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLargestParamsArrive(t *testing.T) {
	seen := make(chan int, 1)
	p := newPool(t, 1, func(w *fakeWorker) error {
		r, err := w.request()
		if err != nil {
			return err
		}
		seen <- len(r.params["BIG"])
		return w.send(stdout(r.id, hello), end(r.id), idle())
	})
	_, path := serve(t, p, nil)
	big := params("REQUEST_METHOD", "GET", "BIG", strings.Repeat("x", 1<<20-64))
	c := dial(t, path)
	c.send(AppendBeginRequest(nil, 1, RoleResponder, true))
	for part := range slices.Chunk(big, 65535) {
		c.send(AppendRecord(nil, TypeParams, 1, part))
	}
	c.send(AppendRecord(nil, TypeParams, 1, nil), stdin(1, ""))
	if diff := cmp.Diff(answered{Out: hello, Ended: true}, c.answer(1)); diff != "" {
		t.Fatal(diff)
	}
	if got, want := <-seen, 1<<20-64; got != want {
		t.Errorf("worker got a param of %d bytes, want %d", got, want)
	}
	if got := p.results(1)[0].Params["BIG"]; len(got) != 1<<20-64 {
		t.Errorf("Request.Param has %d bytes", len(got))
	}
}

func TestHalfSentRequestRunsOutOfTime(t *testing.T) {
	p := newPool(t, 1, serveHello)
	_, path := serve(t, p, func(s *Server) { s.HeaderTimeout = 50 * time.Millisecond })
	t.Run("within the head", func(t *testing.T) {
		c := dial(t, path)
		c.send(get(1, true)[:30])
		if diff := cmp.Diff(want408, c.answer(1)); diff != "" {
			t.Error(diff)
		}
		c.closed()
	})
	t.Run("within BEGIN_REQUEST", func(t *testing.T) {
		c := dial(t, path)
		c.send(get(1, true)[:3])
		c.closed()
	})
	t.Run("on a kept connection", func(t *testing.T) {
		c := dial(t, path)
		for id := uint16(1); id < 4; id++ { // a whole request in pieces starts the clock anew
			all := get(id, true)
			c.send(all[:20])
			c.send(all[20:])
			if diff := cmp.Diff(answered{Out: hello, Ended: true}, c.answer(id)); diff != "" {
				t.Fatal(diff)
			}
		}
		c.send(get(4, true)[:30])
		if diff := cmp.Diff(want408, c.answer(4)); diff != "" {
			t.Error(diff)
		}
	})
	normal(t, path)
}

func TestIdleKeptConnectionMayStay(t *testing.T) {
	p := newPool(t, 1, serveHello)
	_, path := serve(t, p, func(s *Server) { s.HeaderTimeout = time.Millisecond })
	c := dial(t, path)
	c.send(get(1, true))
	c.answer(1)
	other := dial(t, path) // long enough for several timeouts
	other.send(get(1, true)[:30])
	other.answer(1)
	c.send(get(2, true))
	if diff := cmp.Diff(answered{Out: hello, Ended: true}, c.answer(2)); diff != "" {
		t.Error(diff)
	}
}

// TestRequestArrivesUnchanged: what the worker reads is what the web server wrote, but for what is not of this request.
func TestRequestArrivesUnchanged(t *testing.T) {
	raw := make(chan []byte, 1)
	p := newPool(t, 1, func(w *fakeWorker) error {
		r, err := w.request()
		if err != nil {
			return err
		}
		raw <- r.raw
		return w.send(stdout(r.id, hello), end(r.id), idle())
	})
	_, path := serve(t, p, nil)
	padded := append(AppendHeader(nil, TypeParams, 513, 10, 6), append(params("A", "b", "CC", "dd"), 1, 2, 3, 4, 5, 6)...)
	padded[5] = byte(len(params("A", "b", "CC", "dd")))
	want := slices.Concat(
		AppendBeginRequest(nil, 513, RoleResponder, true), padded, AppendRecord(nil, TypeParams, 513, params("REQUEST_METHOD", "POST", "CONTENT_LENGTH", "3")),
		AppendRecord(nil, TypeParams, 513, nil), stdin(513, "ab"), stdin(513, "c"), stdin(513, ""))
	foreign := slices.Concat(AppendRecord(nil, TypeData, 513, []byte("data")), AppendRecord(nil, TypeStdin, 3, []byte("x")))
	for _, at := range []int{16, 16 + len(padded), len(want) - 8} {
		c := dial(t, path)
		c.send(want[:at], foreign, want[at:])
		c.answer(513)
		if got := <-raw; !bytes.Equal(want, got) {
			t.Errorf("worker got %q, want %q", got, want)
		}
	}
}

package fcgi

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

var fuzzLimits = limits{paramsBytes: 1 << 16, params: 64}

// feed parses b as it comes in pieces of the given size. It returns all answers, and the requests that
// were complete, as they would be handed to a worker.
func feed(b []byte, piece int) (replies []byte, whole [][]byte, err error) {
	r := &Request{buf: make([]byte, 64)}
	for {
		err = r.parse(&fuzzLimits)
		replies = append(replies, r.reply...)
		r.reply = r.reply[:0]
		if err != nil {
			return replies, whole, err
		}
		if r.state == complete {
			whole = append(whole, bytes.Clone(r.buf[:r.w]))
			r.reset()
			continue
		}
		if len(b) == 0 {
			return replies, whole, nil
		}
		n := copy(r.room(), b[:min(piece, len(b))])
		r.n += n
		b = b[n:]
	}
}

const complete = whole

// FuzzRecords: the web server's records. However they come in, the outcome is the same, and what
// goes to a worker is one well-formed request, and nothing else.
func FuzzRecords(f *testing.F) {
	f.Add(get(1, true), uint8(1))
	f.Add(post(7, false, "body"), uint8(9))
	f.Add(slices.Concat(get(1, true), get(1, true)), uint8(100))
	f.Add(slices.Concat(AppendRecord(nil, TypeGetValues, 0, params("FCGI_MPXS_CONNS", "")), AppendRecord(nil, 77, 0, nil)), uint8(3))
	f.Add(slices.Concat(AppendBeginRequest(nil, 1, 1, true), AppendBeginRequest(nil, 2, 1, true), AppendRecord(nil, TypeAbortRequest, 1, nil)), uint8(20))
	f.Add(slices.Concat(AppendBeginRequest(nil, 1, 3, true), AppendRecord(nil, TypeParams, 1, []byte{0xff, 0xff, 0xff, 0xff})), uint8(20))
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		replies, requests, err := feed(b, 1+int(piece))
		replies2, requests2, err2 := feed(b, max(1, len(b)))
		if !bytes.Equal(replies, replies2) || !slices.EqualFunc(requests, requests2, bytes.Equal) || (err == nil) != (err2 == nil) {
			t.Fatalf("in pieces: %q %q %v; at once: %q %q %v", replies, requests, err, replies2, requests2, err2)
		}
		for len(replies) > 0 {
			if len(replies) < headerLen || len(replies) < decodeHeader(replies).size() {
				t.Fatalf("malformed answer %q", replies)
			}
			replies = replies[decodeHeader(replies).size():]
		}
		for _, req := range requests {
			w := &fakeWorker{Conn: &readOnly{r: bytes.NewReader(req)}}
			got, err := w.request()
			if err != nil || got.abort || !bytes.Equal(got.raw, req) {
				t.Fatalf("request %q: %v", req, err)
			}
		}
	})
}

// readOnly is a net.Conn to read from.
type readOnly struct {
	net.Conn
	r io.Reader
}

func (c *readOnly) Read(p []byte) (int, error) { return c.r.Read(p) }

// FuzzParams: the walk over params stays inside, finds what was put in, and agrees with a plain one.
func FuzzParams(f *testing.F) {
	f.Add(params("A", "b", "CONTENT_LENGTH", "12"), "A", "c")
	f.Add([]byte{0x80, 0, 0, 1, 0x80, 0, 0, 1, 'x', 'y'}, "x", "")
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "", strings.Repeat("v", 200))
	f.Add([]byte{3, 3, 'a'}, "REQUEST_METHOD", "GET")
	f.Fuzz(func(t *testing.T, b []byte, name, value string) {
		_, err := checkParams(b, 4096)
		n, ok := plainParams(b)
		if err == nil != (ok && n <= 4096) {
			t.Fatalf("checkParams: %v; plainly %d pairs, %v", err, n, ok)
		}
		if err != nil {
			return
		}
		b = AppendParam(slices.Clone(b), name, value)
		if got, found := findParam(b, name); !found || string(got) != value {
			t.Fatalf("param %q is %q, %v; want %q", name, got, found, value)
		}
		c, err := checkParams(b, 1<<20)
		if err != nil || c.length < -1 {
			t.Fatalf("with one more: %v, length %d", err, c.length)
		}
	})
}

// plainParams counts pairs in the plainest way.
func plainParams(b []byte) (pairs int, ok bool) {
	at := 0
	length := func() int {
		if at >= len(b) {
			return -1
		}
		n := int(b[at])
		at++
		if n < 128 {
			return n
		}
		if at+3 > len(b) {
			return -1
		}
		n = (n-128)<<24 | int(b[at])<<16 | int(b[at+1])<<8 | int(b[at+2])
		at += 3
		return n
	}
	for at < len(b) {
		n := length()
		v := length()
		if n < 0 || v < 0 || at+n+v > len(b) {
			return pairs, false
		}
		at += n + v
		pairs++
	}
	return pairs, true
}

// nullBackend takes log messages and is never asked for a worker.
type nullBackend struct{ logs int }

func (b *nullBackend) Acquire(*Request) (*WorkerConn, error)         { return nil, ErrClientGone }
func (b *nullBackend) Responded(*WorkerConn)                         {}
func (b *nullBackend) Finish(*WorkerConn, *Request, *Result)         {}
func (b *nullBackend) WorkerLog(_ *WorkerConn, _ uint8, text []byte) { b.logs++ }

// FuzzResponse: the worker's records. Whatever it sends, the web server sees records of its
// request only, in whole if the response ends, and nothing behind END_REQUEST.
func FuzzResponse(f *testing.F) {
	log := AppendLog(nil, 3, false, []byte("x"))
	f.Add(slices.Concat(stdout(1, hello), end(1), idle()), uint8(1))
	f.Add(slices.Concat(log, stdout(1, "Status: 404\r\n\r\n"), log, AppendRecord(nil, TypeStderr, 1, []byte("e")), end(1), log, idle()), uint8(9))
	f.Add(slices.Concat(stdout(1, hello), idle(), end(1)), uint8(255))
	f.Add(slices.Concat(append(AppendHeader(nil, TypeStdout, 1, 3, 5), "abc....."...), AppendLog(nil, 1, true, []byte("go")), end(1), AppendRecord(nil, 200, 0, []byte("new")), idle()), uint8(7))
	f.Add([]byte("PHP Fatal error: garbage"), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		r := &Request{id: 1}
		r.out, r.keeps = new(buffer), true
		w := &WorkerConn{}
		var sent []byte
		var err error
		for len(b) > 0 && err == nil && !r.idle {
			n := copy(r.out[r.fill:], b[:min(1+int(piece), len(b))])
			b = b[n:]
			r.fill += n
			var keep int
			keep, err = r.scan(w, &nullBackend{})
			sent = append(sent, r.out[:keep]...)
			r.fill = copy(r.out[:], r.out[r.tail:r.fill])
		}
		ended := false
		var out []byte
		for len(sent) > 0 {
			if ended {
				t.Fatalf("%q behind END_REQUEST", sent)
			}
			if len(sent) < headerLen {
				t.Fatalf("half a header: %q", sent)
			}
			h := decodeHeader(sent)
			if sent[0] != version || h.id != 1 || h.typ != TypeStdout && h.typ != TypeStderr && h.typ != TypeEndRequest {
				t.Fatalf("forwarded %q", sent)
			}
			if h.size() > len(sent) {
				if r.idle {
					t.Fatalf("half a record: %q", sent)
				}
				break
			}
			ended = h.typ == TypeEndRequest
			if h.typ == TypeStdout {
				out = append(out, sent[headerLen:headerLen+h.content]...)
			}
			sent = sent[h.size():]
		}
		if r.idle && !ended {
			t.Fatal("IDLE without END_REQUEST")
		}
		if r.idle && !bytes.Equal(r.res.Head, plainHead(out)) {
			t.Fatalf("head %q of %q", r.res.Head, out)
		}
		if r.rem < 0 || r.fill < 0 || r.fill > maxRecord {
			t.Fatalf("rem %d, fill %d", r.rem, r.fill)
		}
	})
}

// plainHead finds the end of the head in the plainest way.
func plainHead(out []byte) []byte {
	n := min(len(out), maxHead)
	for _, empty := range []string{"\n\n", "\n\r\n"} {
		if at := strings.Index("\n"+string(out), empty); at >= 0 {
			n = min(n, at+len(empty)-1)
		}
	}
	return out[:n]
}

// FuzzServer feeds bytes to a whole server, which serves a normal request afterwards.
func FuzzServer(f *testing.F) {
	f.Add(get(1, true), []byte{}, uint8(0))
	f.Add(get(1, false), get(1, true), uint8(1))
	f.Add(head(1, true, "CONTENT_LENGTH", "100000"), slices.Concat(stdin(1, "abc"), AppendRecord(nil, TypeAbortRequest, 1, nil)), uint8(3))
	f.Add(head(1, true, "CONTENT_LENGTH", "100000"), slices.Concat(stdin(1, "abc"), AppendBeginRequest(nil, 2, 1, true), stdin(1, "")), uint8(2))
	f.Add(AppendRecord(nil, TypeGetValues, 0, params("FCGI_MPXS_CONNS", "")), []byte("garbage"), uint8(1))
	p := newPool(f, 2, serveHello)
	_, path := serve(f, p, nil)
	f.Fuzz(func(t *testing.T, first, second []byte, how uint8) {
		c := dial(t, path)
		_, _ = c.Write(first)
		if how&1 != 0 {
			// Let the server act on the first part, if that makes it say something.
			_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, _ = c.Read(make([]byte, 256))
		}
		_, _ = c.Write(second)
		if how&2 != 0 {
			_ = c.Conn.(*net.UnixConn).CloseWrite()
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, net.ErrClosed) && strings.Contains(err.Error(), "timeout") {
				t.Fatal("the server hangs on a half-closed connection")
			}
		}
		c.Close()
		normal(t, path)
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, res := range p.finished {
			if res.Lost {
				t.Errorf("worker lost: %v", res.Err)
			}
		}
		p.finished = nil
		for len(p.done) > 0 {
			<-p.done
		}
	})
}

package fcgi

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHeadIsKept: whatever the records and however their bytes come, Result.Head is the head of the response.
func TestHeadIsKept(t *testing.T) {
	const head = "Status: 404 Not Found\r\nX-A: b\r\n\r\n"
	log := AppendLog(nil, 3, false, []byte("X-Log: no\r\n\r\n"))
	stderr := AppendRecord(nil, TypeStderr, 1, []byte("X-Err: no\r\n\r\n"))
	padded := append(append(AppendHeader(nil, TypeStdout, 1, 10, 7), head[:10]...), "\n\r\n\n\n\r\n"...)
	long := "X-Long: " + strings.Repeat("x", maxHead)
	for name, tt := range map[string]struct {
		records [][]byte
		want    string
	}{
		"one record":           {[][]byte{stdout(1, head+"body\r\n\r\nX-B: c\r\n\r\n")}, head},
		"head alone":           {[][]byte{stdout(1, head), stdout(1, "body\n\n")}, head},
		"records in between":   {[][]byte{log, padded, stderr, log, stdout(1, head[10:12]), stderr, stdout(1, head[12:]+"body\n"), stderr}, head},
		"cut in the line ends": {[][]byte{stdout(1, head[:len(head)-3]), stdout(1, "\n"), stdout(1, "\r"), stdout(1, "\nbody\n\n")}, head},
		"line feeds":           {[][]byte{stdout(1, "A: b\nC: d\n\nbody")}, "A: b\nC: d\n\n"},
		"no headers":           {[][]byte{stdout(1, "\r\nbody\n\n")}, "\r\n"},
		"no end":               {[][]byte{stdout(1, "A: b\r\n\rC: d\r\n")}, "A: b\r\n\rC: d\r\n"},
		"no response":          {nil, ""},
		"too long":             {[][]byte{stdout(1, "A: b\r\n"), stdout(1, long[:60000]), stdout(1, long[60000:]+"\r\n\r\n")}, ("A: b\r\n" + long)[:maxHead]},
	} {
		t.Run(name, func(t *testing.T) {
			all := slices.Concat(slices.Concat(tt.records...), end(1), idle())
			for _, piece := range []int{1, 2, 3, 5, 7, 11, 13, 40, 1000, maxRecord} {
				r := &Request{id: 1}
				r.out, r.keeps = new(buffer), true
				for b := all; len(b) > 0; {
					n := copy(r.out[r.fill:], b[:min(piece, len(b))])
					b = b[n:]
					r.fill += n
					if _, err := r.scan(&WorkerConn{}, &nullBackend{}); err != nil {
						t.Fatal(err)
					}
					r.fill = copy(r.out[:], r.out[r.tail:r.fill])
				}
				if got := string(r.res.Head); !r.idle || got != tt.want {
					t.Fatalf("in pieces of %d: idle is %v, %s", piece, r.idle, cmp.Diff(tt.want, got))
				}
			}
		})
	}
}

// TestHeadIsKeptWhileAskedFor: the answer of KeepHead counts request by request, and nothing is left of the one before.
func TestHeadIsKeptWhileAskedFor(t *testing.T) {
	p := newPool(t, 1, after(func(w *fakeWorker, r *fakeRequest) error {
		head := "X-Method: " + r.params["REQUEST_METHOD"] + "\r\n\r\n"
		if r.params["REQUEST_METHOD"] == "POST" { // the request is finished later
			return errors.Join(w.send(stdout(r.id, head+"body"), end(r.id)), w.send(idle()))
		}
		return w.send(stdout(r.id, head+"body"), end(r.id), idle())
	}))
	var wanted atomic.Bool
	_, path := serve(t, p, func(s *Server) { s.KeepHead = wanted.Load })
	c := dial(t, path)
	get, post := get(1, true), post(1, true, "")
	const ofGet, ofPost = "X-Method: GET\r\n\r\n", "X-Method: POST\r\n\r\n"
	for i, tt := range []struct {
		keep    bool
		request []byte
		want    string
	}{{false, get, ""}, {true, get, ofGet}, {true, post, ofPost}, {true, get, ofGet}, {false, get, ""}, {false, post, ""}, {true, post, ofPost}} {
		wanted.Store(tt.keep)
		c.send(tt.request)
		c.answer(1)
		if got := string(p.results(1)[i].Head); got != tt.want {
			t.Errorf("request %d: got %q, want %q", i, got, tt.want)
		}
	}
}

// TestHeadOfAWorkerThatWasLostIsForgotten: what the web server does not see is nobody's head.
func TestHeadOfAWorkerThatWasLostIsForgotten(t *testing.T) {
	lost := sends(stdout(1, "X-Lost: in the same write as the garbage\r\n\r\n"), []byte("garbage"))
	p := newPool(t, 1, lost)
	_, path := serve(t, p, func(s *Server) { s.Retry, s.KeepHead = always, always })
	c := dial(t, path)
	c.send(get(1, true))
	if diff := cmp.Diff(answered{Out: hello, Ended: true}, c.answer(1)); diff != "" {
		t.Fatal(diff)
	}
	<-p.idle // the one that answered
	p.start(lost)
	c.send(post(1, true, ""))
	if a := c.answer(1); !strings.HasPrefix(a.Out, "Status: 502 ") {
		t.Fatalf("answer %+v", a)
	}
	var got []string
	for _, f := range p.results(3) {
		got = append(got, string(f.Head))
	}
	want := []string{"", "Content-type: text/html\r\n\r\n", ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

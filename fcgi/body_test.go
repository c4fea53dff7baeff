package fcgi

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// upload is a body in records of different sizes.
func upload(id uint16, size int) (records []byte, sum [32]byte) {
	rng := rand.New(rand.NewPCG(1, 2))
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(rng.Uint32())
	}
	sum = sha256.Sum256(body)
	for len(body) > 0 {
		n := min(len(body), 1+rng.IntN(65535))
		pad := rng.IntN(256)
		records = append(AppendHeader(records, TypeStdin, id, n, pad), body[:n]...)
		records = append(records, make([]byte, pad)...)
		body = body[n:]
	}
	return records, sum
}

// hashBody reads the body in records and answers with its hash.
func hashBody(w *fakeWorker) error {
	r, err := w.head()
	if err != nil {
		return err
	}
	h, n := sha256.New(), 0
	for {
		b, err := w.stdin(r)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		n += len(b)
		h.Write(b)
	}
	return w.send(stdout(r.id, fmt.Sprintf("\r\n%d %x", n, h.Sum(nil))), end(r.id), idle())
}

func TestBodiesOfAnySizeArriveWhole(t *testing.T) {
	p := newPool(t, 1, hashBody)
	_, path := serve(t, p, nil)
	c := dial(t, path)
	id := uint16(0)
	for _, size := range []int{0, 1, heldBody - 1, heldBody, heldBody + 1, keptBuffer, 65535, 1 << 20, 5 << 20} {
		for _, length := range []string{fmt.Sprint(size), "", "0", "99999999999", "nonsense"} {
			if length == "99999999999" && size == 0 {
				continue
			}
			id++
			records, sum := upload(id, size)
			c.send(head(id, true, "REQUEST_METHOD", "POST", "CONTENT_LENGTH", length))
			c.send(records, stdin(id, ""))
			want := answered{Out: fmt.Sprintf("\r\n%d %x", size, sum), Ended: true}
			if diff := cmp.Diff(want, c.answer(id)); diff != "" {
				t.Errorf("%d bytes, CONTENT_LENGTH %q: %s", size, length, diff)
			}
			if res := p.results(1)[id-1]; res.Lost || res.ClientGone {
				t.Errorf("%d bytes, CONTENT_LENGTH %q: %+v", size, length, res.Result)
			}
		}
	}
}

// TestBothSidesFull: the worker answers more than anybody's buffers hold before it reads the body,
// and the web server sends all of the body before it reads.
func TestBothSidesFull(t *testing.T) {
	const size = 4 << 20
	p := newPool(t, 1, func(w *fakeWorker) error {
		r, err := w.head()
		if err != nil {
			return err
		}
		echo := make(chan error, 1)
		go func() {
			_, err := w.Write(slices.Concat(slices.Repeat([][]byte{stdout(r.id, strings.Repeat("x", 65535))}, size/65535)...))
			echo <- err
		}()
		for {
			if _, err = w.stdin(r); err != nil {
				break
			}
		}
		return errors.Join(<-echo, w.send(end(r.id), idle()))
	})
	_, path := serve(t, p, nil)
	c := dial(t, path)
	records, _ := upload(1, size)
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(slices.Concat(head(1, true, "REQUEST_METHOD", "POST", "CONTENT_LENGTH", fmt.Sprint(size)), records, stdin(1, "")))
		sent <- err
	}()
	got := c.answer(1)
	if len(got.Out) != size/65535*65535 || !got.Ended {
		t.Errorf("got %d bytes, ended %v", len(got.Out), got.Ended)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// TestLargeHeadIsNotWrittenAtOnce: a request that is held as a whole but does not fit the worker's socket.
func TestLargeHeadDoesNotFitTheSocket(t *testing.T) {
	p := newPool(t, 1, serveHello)
	_, path := serve(t, p, nil)
	c := dial(t, path)
	big := params("REQUEST_METHOD", "GET", "BIG", strings.Repeat("x", 1<<20-64))
	for id := uint16(1); id < 4; id++ {
		c.send(AppendBeginRequest(nil, id, RoleResponder, true))
		for part := range slices.Chunk(big, 65535) {
			c.send(AppendRecord(nil, TypeParams, id, part))
		}
		c.send(AppendRecord(nil, TypeParams, id, nil), stdin(id, ""))
		if diff := cmp.Diff(answered{Out: hello, Ended: true}, c.answer(id)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestWhatComesWithinABody(t *testing.T) {
	begin2 := AppendBeginRequest(nil, 2, RoleResponder, true)
	const length = 1 << 20
	tests := map[string]struct {
		send   []byte
		want   answered
		behind []byte // comes behind the answer
		open   bool
		gone   bool
	}{
		"another request":   {send: slices.Concat(begin2, AppendRecord(nil, TypeParams, 2, nil), stdin(1, "c"), stdin(1, "")), want: answered{Out: "abc", Ended: true}, behind: AppendEndRequest(nil, 2, 0, StatusCantMpxConn), open: true},
		"GET_VALUES":        {send: slices.Concat(AppendRecord(nil, TypeGetValues, 0, nil), stdin(1, "")), want: answered{Out: "ab", Ended: true}, behind: AppendRecord(nil, TypeGetValuesResult, 0, nil), open: true},
		"unknown types":     {send: slices.Concat(AppendRecord(nil, 50, 0, nil), stdin(1, "")), want: answered{Out: "ab", Ended: true}, behind: appendUnknownType(nil, 50), open: true},
		"strangers' stdin":  {send: slices.Concat(stdin(7, "x"), stdin(7, ""), stdin(1, "c"), stdin(1, "")), want: answered{Out: "abc", Ended: true}, open: true},
		"abort":             {send: slices.Concat(AppendRecord(nil, TypeAbortRequest, 1, nil)), want: answered{Out: "ab aborted", Ended: true}, open: true, gone: true},
		"wrong version":     {send: slices.Concat([]byte("garbage!")), want: answered{Out: "ab aborted", Ended: true}, gone: true},
		"params again":      {send: slices.Concat(AppendRecord(nil, TypeParams, 1, nil)), want: answered{Out: "ab aborted", Ended: true}, gone: true},
		"private record":    {send: slices.Concat(AppendRecord(nil, TypeIdle, 1, nil)), want: answered{Out: "ab aborted", Ended: true}, gone: true},
		"too much else":     {send: slices.Concat(slices.Concat(slices.Repeat([][]byte{AppendRecord(nil, 50, 0, nil)}, 1000)...)), want: answered{Out: "ab aborted", Ended: true}, gone: true},
		"more than is said": {send: slices.Concat(stdin(1, strings.Repeat("x", 65000)), stdin(1, "")), want: answered{Out: "ab" + strings.Repeat("x", 65000), Ended: true}, open: true},
	}
	first := make(chan struct{}, 1)
	p := newPool(t, 1, func(w *fakeWorker) error {
		r, err := w.head()
		if err != nil {
			return err
		}
		var text []byte
		for {
			b, err := w.stdin(r)
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			if text == nil {
				first <- struct{}{}
			}
			text = append(text, b...)
		}
		if r.abort {
			text = append(text, " aborted"...)
		}
		return w.send(stdout(r.id, string(text)), end(r.id), idle())
	})
	_, path := serve(t, p, nil)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := dial(t, path)
			c.send(head(1, true, "REQUEST_METHOD", "POST", "CONTENT_LENGTH", fmt.Sprint(length)), stdin(1, "ab"))
			receive(t, first) // past the head, where the body is streamed
			c.send(tt.send)
			if diff := cmp.Diff(tt.want, c.answer(1)); diff != "" {
				t.Errorf("answer: %s", diff)
			}
			behind := make([]byte, len(tt.behind))
			if _, err := io.ReadFull(c, behind); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(string(tt.behind), string(behind)); diff != "" {
				t.Errorf("behind the answer: %s", diff)
			}
			if tt.open {
				c.send(post(4, true, "next"))
				if diff := cmp.Diff(answered{Out: "next", Ended: true}, c.answer(4)); diff != "" {
					t.Errorf("next request: %s", diff)
				}
				receive(t, first)
				p.results(1)
			} else {
				c.closed()
			}
			got := p.results(1)[0].Result
			p.mu.Lock()
			p.finished = nil
			p.mu.Unlock()
			if got.Lost || got.ClientGone != tt.gone {
				t.Errorf("result: %+v, want ClientGone %v", got, tt.gone)
			}
		})
	}
}

// TestWebServerVanishesWithinABody: the worker learns of it and stays.
func TestWebServerVanishesWithinABody(t *testing.T) {
	aborted := make(chan bool, 1)
	p := newPool(t, 1, func(w *fakeWorker) error {
		r, err := w.request()
		if err != nil {
			return err
		}
		aborted <- r.abort
		return w.send(stdout(r.id, hello), end(r.id), idle())
	})
	_, path := serve(t, p, nil)
	for _, last := range [][]byte{nil, stdin(1, "whole"), stdin(1, "half of a record")[:12]} {
		c := dial(t, path)
		c.send(head(1, true, "REQUEST_METHOD", "POST", "CONTENT_LENGTH", "1000000"), stdin(1, "ab"), last)
		c.Close()
		if !receive(t, aborted) {
			t.Error("worker saw no ABORT_REQUEST")
		}
	}
	for _, res := range p.results(3) {
		if res.Lost || !res.ClientGone {
			t.Errorf("result: %+v", res.Result)
		}
	}
}

// TestWorkerDoesNotWantTheBody: IDLE may come while the body is on its way; the worker stays, its
// stream at the end of a record, and the connection ends once the web server has its answer.
func TestWorkerDoesNotWantTheBody(t *testing.T) {
	for name, more := range map[string]int{"that stalls": 0, "that goes on": 8 << 20} {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, 1, func(w *fakeWorker) error {
				r, err := w.head()
				if err != nil {
					return err
				}
				if r.params["REQUEST_METHOD"] == "GET" {
					return w.send(stdout(r.id, hello), end(r.id), idle())
				}
				return w.send(stdout(r.id, "no"), end(r.id), idle())
			})
			_, path := serve(t, p, nil)
			c := dial(t, path)
			c.send(head(1, true, "REQUEST_METHOD", "POST", "CONTENT_LENGTH", "1000000000"), stdin(1, "ab"))
			go func() {
				records, _ := upload(1, more)
				_, _ = c.Write(records) // fails when the connection ends
				_ = c.Conn.(interface{ CloseWrite() error }).CloseWrite()
			}()
			if diff := cmp.Diff(answered{Out: "no", Ended: true}, c.answer(1)); diff != "" {
				t.Error(diff)
			}
			if res := p.results(1)[0]; res.Lost {
				t.Errorf("worker lost: %v", res.Err)
			}
			normal(t, path)
		})
	}
}

// TestWorkerStopsReadingTheBody holds nothing but its own request, and an Abort gets that answered.
func TestWorkerStopsReadingTheBody(t *testing.T) {
	p := newPool(t, 0, nil)
	stop := make(chan struct{})
	release := sync.OnceFunc(func() { close(stop) })
	defer release()
	bad := p.start(func(w *fakeWorker) error { <-stop; return errLeave })
	_, path := serve(t, p, nil)
	c := dial(t, path)
	records, _ := upload(1, 8<<20)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = c.Write(slices.Concat(head(1, false, "REQUEST_METHOD", "POST", "CONTENT_LENGTH", fmt.Sprint(8<<20)), records, stdin(1, "")))
	}()
	eventually(t, "the bad worker has the upload", func() bool { return len(p.idle) == 0 })
	p.start(serveHello)
	normal(t, path)
	bad.Abort(504)
	if diff := cmp.Diff(want504, c.answer(1)); diff != "" {
		t.Error(diff)
	}
	<-ended
	release()
	res := p.results(2)
	i := slices.IndexFunc(res, func(f finished) bool { return f.Lost })
	if i < 0 || res[i].Status != 504 {
		t.Errorf("results: %+v", res)
	}
}

func TestWorkerDiesWithinABody(t *testing.T) {
	p := newPool(t, 0, nil)
	p.start(func(w *fakeWorker) error {
		r, err := w.head()
		if err != nil {
			return err
		}
		_, _ = w.stdin(r)
		return errLeave
	})
	_, path := serve(t, p, func(s *Server) { s.Retry = always })
	c := dial(t, path)
	c.send(head(1, true, "REQUEST_METHOD", "PUT", "CONTENT_LENGTH", "1000000"), stdin(1, "ab"))
	if diff := cmp.Diff(want502, c.answer(1)); diff != "" {
		t.Error(diff)
	}
	c.closed()
	if res := p.results(1)[0]; !res.Lost || res.Retrying || res.Status != 502 {
		t.Errorf("result: %+v", res.Result)
	}
	normal(t, path)
}

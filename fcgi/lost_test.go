package fcgi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var errLeave = errors.New("leave")

// after reads a request and then does what it says.
func after(do func(w *fakeWorker, r *fakeRequest) error) script {
	return func(w *fakeWorker) error {
		r, err := w.request()
		if err != nil {
			return err
		}
		return do(w, r)
	}
}

// sends reads a request, sends parts and leaves.
func sends(parts ...[]byte) script {
	return after(func(w *fakeWorker, r *fakeRequest) error {
		_ = w.send(parts...)
		return errLeave
	})
}

// TestLosingAWorkerCostsAtMostItsRequest lets the first of two workers do harm.
func TestLosingAWorkerCostsAtMostItsRequest(t *testing.T) {
	ok := answered{Out: hello, Ended: true}
	lost := Result{Lost: true, Status: 502}
	broken := Result{Lost: true, Status: 200, BytesOut: 32} // of a response that had begun
	bare := func(b ...byte) []byte { return b }
	tests := map[string]struct {
		script script
		post   bool // not idempotent
		retry  bool
		want   answered
		result Result
	}{
		"dies before it has read":           {script: func(*fakeWorker) error { return errLeave }, want: want502, result: lost},
		"dies while it reads":               {script: func(w *fakeWorker) error { w.head(); return errLeave }, want: want502, result: lost},
		"dies without a word":               {script: sends(), want: want502, result: lost},
		"dies without a word, retry":        {script: sends(), retry: true, want: ok, result: Result{Lost: true, Retrying: true}},
		"dies without a word, post":         {script: sends(), retry: true, post: true, want: want502, result: lost},
		"dies within a header":              {script: sends(stdout(1, "x")[:5]), retry: true, want: ok, result: Result{Lost: true, Retrying: true}},
		"dies within the response":          {script: sends(stdout(1, hello+strings.Repeat("x", 100))[:60]), retry: true, want: answered{}, result: Result{Lost: true, Status: 200, BytesOut: 132}},
		"dies before there is a status":     {script: sends(stdout(1, hello)[:20]), retry: true, want: ok, result: Result{Lost: true, Retrying: true}},
		"dies before END_REQUEST":           {script: sends(stdout(1, hello)), want: answered{Out: hello}, result: broken},
		"dies within END_REQUEST":           {script: sends(stdout(1, hello), end(1)[:12]), want: answered{Out: hello}, result: broken},
		"dies before IDLE":                  {script: sends(stdout(1, hello), end(1)), want: ok, result: broken},
		"dies within IDLE":                  {script: sends(stdout(1, hello), end(1), idle()[:20]), want: ok, result: broken},
		"sends text":                        {script: sends([]byte("PHP Warning: x\n")), want: want502, result: lost},
		"sends text, retry":                 {script: sends([]byte("PHP Warning: x\n")), retry: true, want: ok, result: Result{Lost: true, Retrying: true}},
		"sends text within the response":    {script: sends(stdout(1, hello), []byte("text")), want: want502, result: lost},
		"sends text behind the response":    {script: sends(stdout(1, hello), end(1), []byte("text")), want: ok, result: broken},
		"sends text behind IDLE":            {script: sends(stdout(1, hello), end(1), idle(), []byte("text")), want: ok, result: broken},
		"sends version 2":                   {script: sends(bare(2, 6, 0, 1, 0, 0, 0, 0)), want: want502, result: lost},
		"answers another request":           {script: sends(stdout(2, hello), end(2), idle()), want: want502, result: lost},
		"answers request 0":                 {script: sends(stdout(0, hello)), want: want502, result: lost},
		"ends another request":              {script: sends(end(3), idle()), want: want502, result: lost},
		"sends PARAMS":                      {script: sends(AppendRecord(nil, TypeParams, 1, nil)), want: want502, result: lost},
		"sends type 0":                      {script: sends(AppendRecord(nil, 0, 1, nil)), want: want502, result: lost},
		"sends type 63":                     {script: sends(AppendRecord(nil, 63, 1, nil)), want: want502, result: lost},
		"sends END_REQUEST of 4 bytes":      {script: sends(AppendRecord(nil, TypeEndRequest, 1, make([]byte, 4))), want: want502, result: lost},
		"sends END_REQUEST of 64 KiB":       {script: sends(AppendRecord(nil, TypeEndRequest, 1, make([]byte, 65535))), want: want502, result: lost},
		"sends END_REQUEST twice":           {script: sends(stdout(1, hello), end(1), end(1), idle()), want: ok, result: broken},
		"sends STDOUT after END_REQUEST":    {script: sends(stdout(1, hello), end(1), stdout(1, "more"), idle()), want: ok, result: broken},
		"is idle at once":                   {script: sends(idle()), want: want502, result: lost},
		"is idle before END_REQUEST":        {script: sends(stdout(1, hello), idle(), end(1)), want: want502, result: lost},
		"is idle twice":                     {script: sends(stdout(1, hello), end(1), idle(), idle()), want: ok, result: broken},
		"sends IDLE of 39 bytes":            {script: sends(stdout(1, hello), end(1), AppendRecord(nil, TypeIdle, 0, make([]byte, 39))), want: ok, result: broken},
		"sends IDLE of 64 KiB":              {script: sends(stdout(1, hello), end(1), AppendRecord(nil, TypeIdle, 0, make([]byte, 65535))), want: ok, result: broken},
		"sends IDLE with an id":             {script: sends(stdout(1, hello), end(1), AppendRecord(nil, TypeIdle, 1, make([]byte, idleLen))), want: ok, result: broken},
		"sends LOG of one byte":             {script: sends(AppendRecord(nil, TypeLog, 0, []byte{1})), want: want502, result: lost},
		"sends LOG with an id":              {script: sends(AppendRecord(nil, TypeLog, 1, []byte{1, 0, 'x'})), want: want502, result: lost},
		"says HELLO again":                  {script: sends(AppendHello(nil, 1)), want: want502, result: lost},
		"sends empty STDOUT, then dies":     {script: sends(stdout(1, "")), want: answered{}, result: Result{Lost: true}},
		"sends only STDERR, then dies":      {script: sends(AppendRecord(nil, TypeStderr, 1, []byte("oops"))), want: answered{Err: "oops"}, result: Result{Lost: true}},
		"half-closes":                       {script: after(func(w *fakeWorker, r *fakeRequest) error { w.closeWrite(); io.Copy(io.Discard, w); return errLeave }), want: want502, result: lost},
		"sends a megabyte before it breaks": {script: sends(bytes.Repeat(stdout(1, strings.Repeat("x", 65000)), 16), []byte("garbage")), want: answered{Out: strings.Repeat("x", 65000*16)}, result: Result{Lost: true, Status: 200, BytesOut: 65000 * 16}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, 0, nil)
			counted := make(chan struct{})
			p.start(func(w *fakeWorker) error {
				<-counted
				return tt.script(w)
			})
			_, path := serve(t, p, func(s *Server) { s.Retry = func() bool { return tt.retry } })
			before := openFDs(t)
			close(counted)
			c := dial(t, path)
			if tt.post {
				c.send(post(1, true, "x"))
			} else {
				c.send(get(1, true))
			}
			got := c.answer(1)
			if len(tt.want.Out) > 1<<16 { // how much of it went through is a matter of timing
				got.Out, tt.want.Out = "", ""
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("answer: %s", diff)
			}
			res := p.results(1)[0].Result
			if (res.Err != nil) != res.Lost {
				t.Errorf("Result.Err is %v, Lost is %v", res.Err, res.Lost)
			}
			t.Log(res.Err)
			ignore := cmpopts.IgnoreFields(Result{}, "Err", "Started", "Ended", "Stats")
			if diff := cmp.Diff(tt.result, res, ignore); diff != "" {
				t.Errorf("result: %s", diff)
			}
			if got.Ended {
				c.send(get(2, true))
				if diff := cmp.Diff(answered{Out: hello, Ended: true}, c.answer(2)); diff != "" {
					t.Errorf("next request on the connection: %s", diff)
				}
			} else {
				c.closed()
			}
			c.Close()
			normal(t, path)
			eventually(t, "as many descriptors as before", func() bool { return openFDs(t) == before })
		})
	}
}

// TestRequestThatNoWorkerHasSeenIsTriedAgain, whatever its method.
func TestRequestThatNoWorkerHasSeenIsTriedAgain(t *testing.T) {
	p := newPool(t, 0, nil)
	leave := make(chan struct{})
	w := p.start(func(*fakeWorker) error { <-leave; return errLeave })
	p.start(serveHello)
	_, path := serve(t, p, func(s *Server) { s.Retry = always })
	close(leave)
	eventually(t, "the worker has left", func() bool {
		n, errno := peek(w.fd, make([]byte, 1))
		return n == 0 && errno == 0
	})
	c := dial(t, path)
	c.send(post(1, true, "x"))
	if diff := cmp.Diff(answered{Out: "Content-type: text/html\r\n\r\n1 bytes", Ended: true}, c.answer(1)); diff != "" {
		t.Error(diff)
	}
	if res := p.results(2); !res[0].Lost || !res[0].Retrying || res[1].Lost {
		t.Errorf("results: %+v", res)
	}
}

// TestAnswerBeforeItsRequestIsFound: what a worker says unasked must not make a request hang, though
// nothing more comes that would wake up the one who waits for it.
func TestAnswerBeforeItsRequestIsFound(t *testing.T) {
	p := newPool(t, 0, nil)
	speak := make(chan struct{})
	w := p.start(func(w *fakeWorker) error {
		<-speak
		_ = w.send(stdout(1, hello), end(1), idle())
		_, err := io.Copy(io.Discard, w)
		return errors.Join(err, errLeave)
	})
	_, path := serve(t, p, nil)
	close(speak)
	eventually(t, "an answer waits", func() bool {
		var b [1]byte
		n, _ := peek(w.fd, b[:])
		return n == 1
	})
	c := dial(t, path)
	c.send(get(1, true))
	if diff := cmp.Diff(answered{Out: hello, Ended: true}, c.answer(1)); diff != "" {
		t.Error(diff)
	}
}

// TestWorkerDiesAtEveryByte: the web server sees a whole response or knows that it has none.
func TestWorkerDiesAtEveryByte(t *testing.T) {
	full := slices.Concat(AppendLog(nil, 3, false, []byte("a notice")), stdout(1, "Status: 404 Not Found\r\n\r\nbody"), AppendRecord(nil, TypeStderr, 1, []byte("err")), end(1), idle())
	complete := len(full) - len(idle())
	n := 0
	p := newPool(t, 0, nil)
	_, path := serve(t, p, nil)
	for n = 0; n < len(full); n++ {
		for len(p.idle) > 0 {
			w := <-p.idle
			w.Close()
			delete(p.all, w)
		}
		p.start(sends(full[:n]))
		c := dial(t, path)
		c.send(get(1, true))
		got := c.answer(1)
		res := p.results(1)[n]
		if !res.Lost {
			t.Errorf("%d bytes: worker not lost", n)
		}
		switch {
		case n >= complete:
			if want := (answered{Out: "Status: 404 Not Found\r\n\r\nbody", Err: "err", Ended: true}); got != want || res.Status != 404 {
				t.Errorf("%d bytes: got %+v, status %d", n, got, res.Status)
			}
		case got.Ended:
			if got != want502 || res.Status != 502 {
				t.Errorf("%d bytes: got %+v, status %d", n, got, res.Status)
			}
		}
		c.Close()
	}
}

func TestNoWorkerIsAnHonestStatus(t *testing.T) {
	p := newPool(t, 0, nil)
	var logged []error
	_, path := serve(t, p, func(s *Server) { s.Log = func(err error) { logged = append(logged, err) } })
	retry := want503
	retry.Out = strings.Replace(retry.Out, "\r\nContent", "\r\nRetry-After: 2\r\nContent", 1)
	for name, tt := range map[string]struct {
		err  error
		want answered
	}{
		"status":      {&StatusError{Status: 504}, want504},
		"wrapped":     {fmt.Errorf("pool www: %w", &StatusError{Status: 503}), want503},
		"retry after": {&StatusError{Status: 503, RetryAfter: 1001e6}, retry},
		"other error": {errors.New("no pool"), want503},
		"odd status":  {&StatusError{Status: 599}, own("599 Error", "599 Error\n")},
	} {
		t.Run(name, func(t *testing.T) {
			p.mu.Lock()
			p.acquire = func(*Request) error { return tt.err }
			p.mu.Unlock()
			c := dial(t, path)
			for id := uint16(1); id < 3; id++ {
				c.send(post(id, true, "body"))
				if diff := cmp.Diff(tt.want, c.answer(id)); diff != "" {
					t.Error(diff)
				}
			}
			// A body that goes on is not waited for.
			c.send(head(3, true, "REQUEST_METHOD", "POST", "CONTENT_LENGTH", "99999999"), stdin(3, "the beginning"))
			if diff := cmp.Diff(tt.want, c.answer(3)); diff != "" {
				t.Error(diff)
			}
			c.closed()
		})
	}
}

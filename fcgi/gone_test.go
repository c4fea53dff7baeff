package fcgi

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// untilAbort reads a request, sends first, waits for ABORT_REQUEST, and ends normally.
func untilAbort(first func(id uint16) []byte) script {
	return after(func(w *fakeWorker, r *fakeRequest) error {
		if err := w.send(first(r.id)); err != nil {
			return err
		}
		h, _, err := w.record()
		if err != nil {
			return err
		}
		if h.typ != TypeAbortRequest || h.id != r.id {
			return errors.New("not an ABORT_REQUEST")
		}
		return w.send(stdout(r.id, "aborted"), end(r.id), idle())
	})
}

func TestWorkerLearnsThatTheWebServerHasGone(t *testing.T) {
	nothing := func(uint16) []byte { return nil }
	tests := map[string]struct {
		first func(id uint16) []byte
		leave func(c *client)
		gone  bool // as Result says
		want  *answered
	}{
		"before the response": {first: nothing, leave: func(c *client) { c.Close() }, gone: true},
		"abort request":       {first: nothing, leave: func(c *client) { c.send(AppendRecord(nil, TypeAbortRequest, 1, nil)) }, gone: true, want: &answered{Out: "aborted", Ended: true}},
		"within the response": {first: func(id uint16) []byte { return stdout(id, hello) }, leave: func(c *client) { c.Close() }, gone: true},
		"within a megabyte": {first: func(id uint16) []byte {
			return slices.Concat(slices.Repeat([][]byte{stdout(id, strings.Repeat("x", 65000))}, 16)...)
		}, leave: func(c *client) { io.ReadFull(c, make([]byte, 100)); c.Close() }, gone: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, 1, untilAbort(tt.first))
			_, path := serve(t, p, nil)
			c := dial(t, path)
			c.send(get(1, true))
			eventually(t, "the worker has the request", func() bool { return len(p.idle) == 0 })
			tt.leave(c)
			if tt.want != nil {
				if diff := cmp.Diff(*tt.want, c.answer(1)); diff != "" {
					t.Error(diff)
				}
			}
			if res := p.results(1)[0]; res.Lost || res.ClientGone != tt.gone {
				t.Errorf("result: %+v, want ClientGone %v", res.Result, tt.gone)
			}
		})
	}
}

// TestHalfClosedWebServerIsStillThere: one that has said all it has to say may still listen.
func TestHalfClosedWebServerIsStillThere(t *testing.T) {
	goOn := make(chan struct{})
	p := newPool(t, 1, after(func(w *fakeWorker, r *fakeRequest) error {
		<-goOn
		return w.send(stdout(r.id, hello), end(r.id), idle())
	}))
	s, path := serve(t, p, nil)
	c := dial(t, path)
	c.send(get(1, true))
	if err := c.Conn.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the worker has the request", func() bool { return len(p.idle) == 0 })
	time.AfterFunc(5*s.watchEvery, func() { close(goOn) })
	if diff := cmp.Diff(answered{Out: hello, Ended: true}, c.answer(1)); diff != "" {
		t.Error(diff)
	}
	c.closed()
	if res := p.results(1)[0]; res.ClientGone {
		t.Error("counted as gone")
	}
}

// TestQueuedRequestOfOneWhoHasGone does not reach a worker.
func TestQueuedRequestOfOneWhoHasGone(t *testing.T) {
	for name, tt := range map[string]struct {
		leave func(c *client)
		want  *answered
	}{
		"closed":  {leave: func(c *client) { c.Close() }},
		"aborted": {leave: func(c *client) { c.send(AppendRecord(nil, TypeAbortRequest, 1, nil)) }, want: &answered{Ended: true}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, 1, serveHello)
			inQueue := make(chan *Request, 1)
			goOn := make(chan error)
			var asked atomic.Bool
			p.acquire = func(r *Request) error {
				if asked.Swap(true) {
					return nil
				}
				inQueue <- r
				return <-goOn
			}
			_, path := serve(t, p, nil)
			c := dial(t, path)
			c.send(get(1, true))
			r := receive(t, inQueue)
			if r.Gone() {
				t.Error("gone too early")
			}
			tt.leave(c)
			eventually(t, "Gone", r.Gone)
			goOn <- ErrClientGone
			if tt.want != nil {
				if diff := cmp.Diff(*tt.want, c.answer(1)); diff != "" {
					t.Error(diff)
				}
				c.send(get(2, true))
				if diff := cmp.Diff(answered{Out: hello, Ended: true}, c.answer(2)); diff != "" {
					t.Error(diff)
				}
			}
			normal(t, path)
			if n := len(p.idle); n != 1 {
				t.Errorf("%d idle workers, want 1", n)
			}
		})
	}
}

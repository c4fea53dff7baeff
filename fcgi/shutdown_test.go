package fcgi

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestShutdownLetsRequestsFinish(t *testing.T) {
	goOn := make(chan struct{})
	p := newPool(t, 2, after(func(w *fakeWorker, r *fakeRequest) error {
		if r.params["REQUEST_METHOD"] == "POST" {
			<-goOn
		}
		return w.send(stdout(r.id, hello), end(r.id), idle())
	}))
	s, path := serve(t, p, nil)
	idleConn, busy, fresh := dial(t, path), dial(t, path), dial(t, path)
	idleConn.send(get(1, true))
	idleConn.answer(1)
	busy.send(post(1, true, "x"))
	eventually(t, "a worker is busy", func() bool { return len(p.idle) == 1 })
	fresh.send(get(1, true)[:20]) // half a request: it may come to its end
	eventually(t, "three connections", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.busy == 3
	})
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(context.Background()) }()
	idleConn.closed()
	if _, err := net.Dial("unix", path); err == nil {
		// The socket's queue may take it; nobody serves it.
		t.Log("connection after Shutdown taken by the kernel")
	}
	select {
	case err := <-ended:
		t.Fatalf("Shutdown returned %v with requests in flight", err)
	default:
	}
	close(goOn)
	if diff := cmp.Diff(answered{Out: hello, Ended: true}, busy.answer(1)); diff != "" {
		t.Error(diff)
	}
	busy.closed()
	fresh.send(get(1, true)[20:])
	if diff := cmp.Diff(answered{Out: hello, Ended: true}, fresh.answer(1)); diff != "" {
		t.Error(diff)
	}
	if err := receive(t, ended); err != nil {
		t.Error(err)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("second Shutdown: %v", err)
	}
}

func TestShutdownWaitsForEarlyFinishedRequests(t *testing.T) {
	goOn := make(chan struct{})
	p := newPool(t, 1, after(func(w *fakeWorker, r *fakeRequest) error {
		if err := w.send(stdout(r.id, hello), end(r.id)); err != nil {
			return err
		}
		<-goOn
		return w.send(idle())
	}))
	s, path := serve(t, p, nil)
	c := dial(t, path)
	c.send(get(1, false))
	c.answer(1)
	c.closed()
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(context.Background()) }()
	eventually(t, "draining", s.draining.Load)
	select {
	case err := <-ended:
		t.Fatalf("Shutdown returned %v before IDLE", err)
	default:
	}
	close(goOn)
	if err := receive(t, ended); err != nil {
		t.Error(err)
	}
	if n := len(p.results(1)); n != 1 {
		t.Errorf("%d calls of Finish", n)
	}
}

func TestShutdownOutOfPatienceCutsConnections(t *testing.T) {
	p := newPool(t, 1, untilAbort(func(uint16) []byte { return nil }))
	s, path := serve(t, p, nil)
	c := dial(t, path)
	c.send(get(1, true))
	eventually(t, "the worker has the request", func() bool { return len(p.idle) == 0 })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if a := c.answer(1); a.Ended {
		t.Error("connection not cut")
	}
	if res := p.results(1)[0]; res.Lost || !res.ClientGone {
		t.Errorf("result: %+v", res.Result)
	}
}

func TestServeAfterCloseReturnsAtOnce(t *testing.T) {
	s := &Server{Backend: newPool(t, 0, nil)}
	s.Close()
	nl := listen(t, "tcp", "127.0.0.1:0")
	defer nl.Close()
	f, err := nl.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewListener(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(l); !errors.Is(err, ErrServerClosed) {
		t.Errorf("got %v", err)
	}
}

func TestTCP(t *testing.T) {
	nl := listen(t, "tcp", "127.0.0.1:0")
	addr := nl.Addr().String()
	p := newPool(t, 2, serveHello)
	serveOn(t, p, nl, nil)
	for range 3 {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		c := &client{nc, t}
		for id := uint16(1); id < 4; id++ {
			c.send(get(id, id < 3))
			if diff := cmp.Diff(answered{Out: hello, Ended: true}, c.answer(id)); diff != "" {
				t.Error(diff)
			}
		}
		c.closed()
		c.Close()
	}
}

func TestNewListenerRefusesOthers(t *testing.T) {
	before := openFDs(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewListener(null); err == nil {
		t.Error("/dev/null listens")
	}
	w, f := workerPair(t)
	file, err := f.Conn.(*net.UnixConn).File()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewListener(file); err == nil {
		t.Error("a socket pair listens")
	}
	f.Close()
	w.Close()
	if after := openFDs(t); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

func TestManyConnectionsLeaveNothingBehind(t *testing.T) {
	p := newPool(t, 4, serveHello)
	_, path := serve(t, p, nil)
	normal(t, path)
	before := openFDs(t)
	ended := make(chan bool)
	for range 32 {
		go func() {
			defer func() { ended <- true }()
			for i := range 20 {
				c, err := net.Dial("unix", path)
				if err != nil {
					t.Error(err)
					return
				}
				cl := &client{c, t}
				switch i % 4 {
				case 0, 1:
					_, _ = c.Write(get(1, i%4 == 0))
					if a := cl.answer(1); a.Out != hello || !a.Ended {
						t.Errorf("got %+v", a)
					}
				case 2:
					_, _ = c.Write(get(1, true)) // and away
				case 3:
					_, _ = c.Write(get(1, true)[:i+8])
				}
				c.Close()
			}
		}()
	}
	for range 32 {
		<-ended
	}
	eventually(t, "as many descriptors as before", func() bool { return openFDs(t) == before })
	eventually(t, "all workers idle", func() bool { return len(p.idle) == 4 })
}

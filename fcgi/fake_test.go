package fcgi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fakeWorker is the worker's end of a socket pair, in Go.
type fakeWorker struct {
	net.Conn
}

// fakeRequest is a request as a worker sees it.
type fakeRequest struct {
	id     uint16
	params map[string]string
	body   []byte
	abort  bool   // ABORT_REQUEST came in place of the rest
	raw    []byte // all records
}

func (w *fakeWorker) record() (header, []byte, error) {
	var h [headerLen]byte
	if _, err := io.ReadFull(w, h[:]); err != nil {
		return header{}, nil, err
	}
	d := decodeHeader(h[:])
	b := make([]byte, d.size())
	copy(b, h[:])
	_, err := io.ReadFull(w, b[headerLen:])
	return d, b, err
}

// head reads a request up to its empty PARAMS.
func (w *fakeWorker) head() (*fakeRequest, error) {
	r := &fakeRequest{params: map[string]string{}}
	var params []byte
	for {
		h, b, err := w.record()
		if err != nil {
			return nil, err
		}
		if r.id == 0 && h.typ != TypeBeginRequest {
			if h.typ == TypeStdin || h.typ == TypeAbortRequest {
				continue // left over from the last request
			}
			return nil, fmt.Errorf("record of type %d in place of BEGIN_REQUEST", h.typ)
		}
		r.raw = append(r.raw, b...)
		switch {
		case h.typ == TypeBeginRequest:
			r.id = h.id
		case h.id != r.id:
			return nil, fmt.Errorf("record of request %d within %d", h.id, r.id)
		case h.typ == TypeAbortRequest:
			r.abort = true
			return r, nil
		case h.typ == TypeParams && h.content == 0:
			for len(params) > 0 {
				name, value, rest, ok := nextPair(params)
				if !ok {
					return nil, errParams
				}
				r.params[string(name)] = string(value)
				params = rest
			}
			return r, nil
		case h.typ == TypeParams:
			params = append(params, b[headerLen:headerLen+h.content]...)
		default:
			return nil, fmt.Errorf("record of type %d within the params", h.typ)
		}
	}
}

// stdin reads one STDIN record; io.EOF at the end of the body.
func (w *fakeWorker) stdin(r *fakeRequest) ([]byte, error) {
	if r.abort {
		return nil, io.EOF
	}
	h, b, err := w.record()
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	r.raw = append(r.raw, b...)
	if h.id != r.id {
		return nil, fmt.Errorf("record of request %d within %d", h.id, r.id)
	}
	if h.typ == TypeAbortRequest {
		r.abort = true
		return nil, io.EOF
	}
	if h.typ != TypeStdin {
		return nil, fmt.Errorf("record of type %d within the body", h.typ)
	}
	if h.content == 0 {
		return nil, io.EOF
	}
	return b[headerLen : headerLen+h.content], nil
}

// request reads a whole request.
func (w *fakeWorker) request() (*fakeRequest, error) {
	r, err := w.head()
	for err == nil {
		var b []byte
		b, err = w.stdin(r)
		r.body = append(r.body, b...)
	}
	if err == io.EOF && r != nil {
		err = nil
	}
	return r, err
}

func (w *fakeWorker) closeWrite() { _ = w.Conn.(*net.UnixConn).CloseWrite() }

func (w *fakeWorker) send(parts ...[]byte) error {
	_, err := w.Write(bytes.Join(parts, nil))
	return err
}

func stdout(id uint16, text string) []byte { return AppendRecord(nil, TypeStdout, id, []byte(text)) }

func end(id uint16) []byte { return AppendEndRequest(nil, id, 0, 0) }

func idle() []byte { return AppendIdle(nil, Stats{Memory: 2 << 20}) }

const hello = "Content-type: text/html\r\n\r\nhello"

// script is what a worker does with one request; an error ends the worker.
type script func(w *fakeWorker) error

// serveHello answers one request.
func serveHello(w *fakeWorker) error {
	r, err := w.request()
	if err != nil {
		return err
	}
	text := hello
	if len(r.body) > 0 {
		text = fmt.Sprintf("Content-type: text/html\r\n\r\n%d bytes", len(r.body))
	}
	return w.send(stdout(r.id, text), end(r.id), idle())
}

// finished is one call of Finish.
type finished struct {
	Result
	Params map[string]string
	Peer   string
}

// fakePool is a Backend with workers in goroutines. A lost worker is replaced.
type fakePool struct {
	tb     testing.TB
	script script // of workers started from now on
	idle   chan *WorkerConn

	mu        sync.Mutex
	finished  []finished
	responded int
	logs      []string
	all       map[*WorkerConn]bool
	acquire   func(*Request) error // nil, or asked first
	done      chan struct{}        // one for each Finish
	wg        sync.WaitGroup
}

func newPool(tb testing.TB, n int, s script) *fakePool {
	p := &fakePool{tb: tb, script: s, idle: make(chan *WorkerConn, 64), all: map[*WorkerConn]bool{}, done: make(chan struct{}, 1<<16)}
	for range n {
		p.start(s)
	}
	tb.Cleanup(p.close)
	return p
}

func (p *fakePool) close() {
	p.mu.Lock()
	for w := range p.all {
		w.Close()
	}
	p.all = nil
	p.mu.Unlock()
	p.wg.Wait()
}

// start starts a worker that repeats s and, when it ends, hangs up.
func (p *fakePool) start(s script) *WorkerConn {
	w, f := workerPair(p.tb)
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		defer f.Close()
		if f.send(AppendHello(nil, uint32(os.Getpid())), AppendReady(nil)) != nil {
			return
		}
		for {
			if err := s(f); err != nil {
				return
			}
		}
	}()
	if _, err := w.Hello(time.Now().Add(10 * time.Second)); err != nil {
		p.tb.Error(err)
	}
	if err := w.WaitReady(time.Now().Add(10*time.Second), nil); err != nil {
		p.tb.Error(err)
	}
	p.mu.Lock()
	p.all[w] = true
	p.mu.Unlock()
	p.idle <- w
	return w
}

func workerPair(tb testing.TB) (*WorkerConn, *fakeWorker) {
	tb.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	w, err := NewWorkerConn(fds[0])
	if err != nil {
		tb.Fatal(err)
	}
	file := os.NewFile(uintptr(fds[1]), "worker")
	nc, err := net.FileConn(file)
	file.Close()
	if err != nil {
		tb.Fatal(err)
	}
	return w, &fakeWorker{Conn: nc}
}

func (p *fakePool) Acquire(r *Request) (*WorkerConn, error) {
	p.mu.Lock()
	ask := p.acquire
	p.mu.Unlock()
	if ask != nil {
		if err := ask(r); err != nil {
			return nil, err
		}
	}
	return <-p.idle, nil
}

func (p *fakePool) Responded(*WorkerConn) {
	p.mu.Lock()
	p.responded++
	p.mu.Unlock()
}

func (p *fakePool) Finish(w *WorkerConn, r *Request, res *Result) {
	f := finished{Result: *res, Params: map[string]string{}, Peer: r.Peer().String()}
	f.Head = bytes.Clone(res.Head)
	r.Params(func(name, value []byte) bool {
		f.Params[string(name)] = string(value)
		return true
	})
	p.mu.Lock()
	p.finished = append(p.finished, f)
	again := p.all != nil
	if res.Lost {
		delete(p.all, w)
	}
	p.mu.Unlock()
	if !res.Lost {
		p.idle <- w
	} else {
		w.Close()
		if again {
			p.start(serveHello)
		}
	}
	p.done <- struct{}{}
}

func (p *fakePool) WorkerLog(_ *WorkerConn, severity uint8, text []byte) {
	p.mu.Lock()
	p.logs = append(p.logs, fmt.Sprintf("%d %s", severity, text))
	p.mu.Unlock()
}

// results waits for n calls of Finish and returns them all.
func (p *fakePool) results(n int) []finished {
	p.tb.Helper()
	for range n {
		select {
		case <-p.done:
		case <-time.After(10 * time.Second):
			p.tb.Fatalf("no %d calls of Finish", n)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]finished(nil), p.finished...)
}

// serve runs a server for p on a unix socket until the test ends.
func serve(tb testing.TB, p Backend, change func(*Server)) (*Server, string) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "fcgi.sock")
	nl, err := net.Listen("unix", path)
	if err != nil {
		tb.Fatal(err)
	}
	return serveOn(tb, p, nl, change), path
}

func serveOn(tb testing.TB, p Backend, nl net.Listener, change func(*Server)) *Server {
	tb.Helper()
	f, err := nl.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		tb.Fatal(err)
	}
	if u, ok := nl.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	nl.Close()
	l, err := NewListener(f)
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{Backend: p, watchEvery: 20 * time.Millisecond}
	if change != nil {
		change(s)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	tb.Cleanup(func() {
		s.Close()
		if err := <-ended; !errors.Is(err, ErrServerClosed) {
			tb.Errorf("Serve: %v", err)
		}
		if p, ok := p.(*fakePool); ok {
			p.close() // workers that would never end
		}
		<-s.drained
	})
	return s
}

func openFDs(tb testing.TB) int {
	tb.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		tb.Fatal(err)
	}
	return len(list)
}

// eventually waits for a condition that others bring about.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			tb.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

// receive receives what is about to come.
func receive[T any](tb testing.TB, ch <-chan T) T {
	tb.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(10 * time.Second):
		tb.Fatal("waited in vain")
		panic("unreachable")
	}
}

func always() bool { return true }

package fcgi

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// conn serves one connection of a web server after the other, on one goroutine. Where a
// field is used by others, too, its comment says under what.
type conn struct {
	s    *Server
	wake chan accepted // one at a time while parked; closed by Server.drain to end the goroutine
	req  *Request

	runFn   func(uintptr) bool // run within the netpoller's read loop, made once
	writeFn func(uintptr) bool
	verdict verdict
	unsent  []byte        // what writeFn has to send
	errno   syscall.Errno // of writeFn
	late    time.Time     // when the half-sent request runs out of time; zero: not half-sent
	unix    bool
	peer    netip.Addr
	lingers bool // close with care: the web server may be writing still

	waiting atomic.Bool // between two requests, with nothing read

	mu     sync.Mutex
	fd     int             // -1 while there is none; mu for others
	file   *os.File        // once the netpoller is needed; mu for others
	raw    syscall.RawConn // of file
	worker *WorkerConn     // that has the request; mu
	since  time.Time       // of worker; mu
	told   bool            // worker knows that the client has gone; mu
}

type accepted struct {
	fd   int
	unix bool
	peer netip.Addr // zero for a unix socket
}

// verdict is what run found the connection to need.
type verdict uint8

const (
	vWait   verdict = iota // more from the web server
	vStream                // the request in c.req, whose body goes on
	vEnd
)

func newConn(s *Server) *conn {
	c := &conn{s: s, wake: make(chan accepted, 1), fd: -1}
	c.req = newRequest(c)
	c.runFn, c.writeFn = c.runReady, c.writeReady
	return c
}

func (c *conn) loop() {
	for a := range c.wake {
		c.open(a)
		c.serve()
		if c.lingers {
			c.linger()
		}
		c.close()
		if !c.s.park(c) {
			return
		}
	}
}

func (c *conn) open(a accepted) {
	c.mu.Lock()
	c.fd = a.fd
	c.mu.Unlock()
	if c.s.closed.Load() {
		c.cut() // Close may have looked before there was anything to cut
	}
	c.unix, c.peer, c.late, c.lingers = a.unix, a.peer, time.Time{}, false
}

func (c *conn) close() {
	c.mu.Lock()
	if c.file != nil {
		c.file.Close()
		c.file, c.raw = nil, nil
	} else {
		closeFD(c.fd)
	}
	c.fd = -1
	c.mu.Unlock()
	c.req.n, c.req.w = 0, 0
	c.req.reset()
}

// serve serves a connection. The netpoller comes in only where the web server has to be
// waited for.
func (c *conn) serve() {
	v := c.run()
	for {
		switch v {
		case vEnd:
			return
		case vStream:
			// Outside of the read loop, since the pump reads, too.
			if c.register() != nil || !c.exchange() {
				return
			}
			v = c.run()
			continue
		}
		if c.register() != nil || !c.armed() {
			return
		}
		if err := c.raw.Read(c.runFn); err != nil {
			if v = c.interrupted(err); v == vEnd {
				return
			}
			continue
		}
		v = c.verdict
	}
}

// register makes the connection known to the netpoller.
func (c *conn) register() error {
	if c.file != nil {
		return nil
	}
	file := os.NewFile(uintptr(c.fd), "fcgi connection")
	raw, err := file.SyscallConn()
	c.mu.Lock()
	c.file, c.raw = file, raw
	c.mu.Unlock()
	return err
}

// runReady serves all that can be served, within one call of the netpoller's read loop: what
// arrives meanwhile is noticed by the wait that follows.
func (c *conn) runReady(uintptr) bool {
	c.waiting.Store(false)
	c.verdict = c.run()
	return c.verdict != vWait || !c.armed()
}

// armed prepares waiting for the web server. False: there is nothing to wait for, the server stops.
func (c *conn) armed() bool {
	if c.req.n == 0 {
		if !c.late.IsZero() {
			c.late = time.Time{}
			_ = c.file.SetReadDeadline(c.late)
		}
		// In this order: Shutdown sets draining and then looks for who waits.
		c.waiting.Store(true)
		if c.s.draining.Load() {
			c.verdict = vEnd
			return false
		}
		return true
	}
	if c.late.IsZero() && c.s.lim.header > 0 {
		c.late = time.Now().Add(c.s.lim.header)
		_ = c.file.SetReadDeadline(c.late)
	}
	return true
}

// interrupted says how to go on when waiting has failed.
func (c *conn) interrupted(err error) verdict {
	c.waiting.Store(false)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return vEnd
	}
	if !c.late.IsZero() && !time.Now().Before(c.late) {
		c.late = time.Time{}
		_ = c.file.SetReadDeadline(c.late)
		c.refuse(&refusal{408, "request not complete in time"})
		return vEnd
	}
	// Woken by Shutdown, but a request may just have begun to arrive.
	_ = c.file.SetReadDeadline(c.late)
	return c.run()
}

// run reads and serves until the web server has to be waited for, or the connection ends.
func (c *conn) run() verdict {
	for {
		r := c.req
		err := r.parse(&c.s.lim)
		if len(r.reply) > 0 {
			if c.write(r.reply) != nil {
				return vEnd
			}
			r.reply = r.reply[:0]
		}
		if err != nil {
			c.refuse(err)
			return vEnd
		}
		if r.state == whole {
			if !c.exchange() {
				return vEnd
			}
			continue
		}
		if r.toStream(false) {
			return vStream
		}
		n, errno := recv(c.fd, r.room())
		if errno == syscall.EAGAIN {
			if r.toStream(true) {
				return vStream
			}
			return vWait
		}
		if errno != 0 || n == 0 {
			if r.state != waitBegin {
				c.s.logf(fmt.Errorf("request %s: web server closed the connection before it was complete", r.title()))
			}
			return vEnd
		}
		r.n += n
	}
}

// refuse answers what is wrong with a request, where there is one to answer, and the connection ends.
func (c *conn) refuse(err error) {
	if err == errDone {
		return
	}
	r := c.req
	c.s.logf(fmt.Errorf("request %s: %w", r.title(), err))
	var why *refusal
	if !errors.As(err, &why) || r.state == waitBegin {
		return
	}
	c.lingers = c.answer(r.id, why.status, 0) == nil
}

// write sends p, and waits for the web server to read where it has to.
func (c *conn) write(p []byte) error {
	rest, err := c.writeNow(p)
	if err != nil || len(rest) == 0 {
		return err
	}
	return c.writeRest(rest)
}

// writeNow sends what can be sent without waiting and returns the rest.
func (c *conn) writeNow(p []byte) (rest []byte, err error) {
	for len(p) > 0 {
		n, errno := send(c.fd, p)
		if errno == syscall.EAGAIN {
			return p, nil
		}
		if errno != 0 {
			return p, sockError("write to web server", errno)
		}
		p = p[n:]
	}
	return nil, nil
}

// writeRest sends p, waiting for the web server to read.
func (c *conn) writeRest(p []byte) error {
	if err := c.register(); err != nil {
		return err
	}
	if c.s.lim.write > 0 {
		_ = c.file.SetWriteDeadline(time.Now().Add(c.s.lim.write))
	}
	c.unsent = p
	err := c.raw.Write(c.writeFn)
	c.unsent = nil
	if err == nil && c.errno != 0 {
		err = c.errno
	}
	if err != nil {
		return fmt.Errorf("write to web server: %w", err)
	}
	return nil
}

func (c *conn) writeReady(uintptr) bool {
	n, errno := send(c.fd, c.unsent)
	c.unsent, c.errno = c.unsent[n:], errno
	for errno == 0 && len(c.unsent) > 0 {
		n, errno = send(c.fd, c.unsent)
		c.unsent, c.errno = c.unsent[n:], errno
	}
	return errno != syscall.EAGAIN
}

// linger lets the web server read the answer before the connection is closed in its face: a
// socket closed with bytes unread is reset.
func (c *conn) linger() {
	shutdown(c.fd, unix.SHUT_WR)
	var buf *buffer
	n, errno := recv(c.fd, c.req.buf)
	if errno == 0 && n == 0 || errno != 0 && errno != syscall.EAGAIN || c.register() != nil {
		return
	}
	buf = getBuffer()
	defer putBuffer(buf)
	_ = c.file.SetReadDeadline(time.Now().Add(lingerTime))
	_ = c.raw.Read(func(uintptr) bool {
		for {
			n, errno := recv(c.fd, buf[:])
			if errno == syscall.EAGAIN {
				return false
			}
			if errno != 0 || n == 0 {
				return true
			}
		}
	})
}

// Gone says whether the web server has closed the connection, or aborted the request,
// while it waits in Acquire. It costs a system call, and may be called by Acquire only.
//
// A web server that has closed one direction of a tcp connection counts as gone: the
// two cannot be told apart.
func (r *Request) Gone() bool {
	gone, _ := r.c.clientGone(r.id)
	return gone
}

// clientGone looks at what the web server has sent behind request id, without taking it.
func (c *conn) clientGone(id uint16) (gone, aborted bool) {
	var b [headerLen]byte
	n, errno := peek(c.fd, b[:])
	switch {
	case errno == syscall.EAGAIN:
		return false, false
	case errno != 0:
		return true, false
	case n == 0:
		return !c.unix || hungUp(c.fd), false
	case n < headerLen || b[0] != version:
		return false, false
	}
	h := decodeHeader(b[:])
	aborted = h.typ == TypeAbortRequest && h.id == id
	return aborted, aborted
}

// look is called by the watcher: a worker whose client has gone is told so.
func (c *conn) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.worker == nil || time.Since(c.since) < c.s.watchEvery {
		return
	}
	c.worker.kick()
	if c.told || c.req.pump != nil {
		return
	}
	if gone, _ := c.clientGone(c.req.id); gone {
		c.tellLocked()
	}
}

// tellLocked sends the worker an ABORT_REQUEST. Nobody else writes to it: the request
// has been handed over and there is no pump.
func (c *conn) tellLocked() {
	var b [headerLen]byte
	c.told = c.worker.tell(AppendHeader(b[:0], TypeAbortRequest, c.req.id, 0, 0))
}

// wakeIdle ends the connection if it is between two requests.
func (c *conn) wakeIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting.Load() && c.file != nil {
		_ = c.file.SetReadDeadline(longAgo)
	}
}

// cut ends the connection under its goroutine's feet.
func (c *conn) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fd >= 0 {
		shutdown(c.fd, unix.SHUT_RDWR)
	}
}

// abandon is cut, and tells the worker at once.
func (c *conn) abandon() {
	c.cut()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.worker != nil && !c.told && c.req.pump == nil {
		c.tellLocked()
	}
}

package fcgi

import (
	"fmt"
	"sync"
	"syscall"
	"time"
)

// pump carries to the worker what of a request does not fit its buffer or the worker's socket,
// on a goroutine of its own, since the worker may answer before it has read all. Only whole
// records are handed over, so that an ABORT_REQUEST can follow at any time.
type pump struct {
	c    *conn
	w    *WorkerConn
	id   uint16
	head []byte // goes first

	streamed bool // the body goes on behind head
	buf      *buffer
	at, n    int // buf[at:n] has been read but not handed over
	unsent   []byte
	errno    syscall.Errno
	got      int

	// To be looked at when done is closed.
	over  bool   // the body has ended
	gone  bool   // the web server has closed, or aborted
	bad   error  // what was wrong with the body
	err   error  // the worker cannot be written to
	reply []byte // for the web server, after the response

	mu       sync.Mutex
	stopped  bool
	finished bool
	done     chan struct{} // closed by run
}

// maxReply bounds what is kept for the web server until its response is over, in bytes.
const maxReply = 4096

func (c *conn) startPump(w *WorkerConn, head []byte, streamed bool) {
	r := c.req
	p := &pump{c: c, w: w, id: r.id, head: head, streamed: streamed, done: make(chan struct{})}
	if streamed {
		p.buf = getBuffer()
		p.n = copy(p.buf[:], r.buf[r.w:r.n]) // less than a record: r.toStream
		r.n = r.w
	}
	c.mu.Lock()
	r.pump = p
	c.mu.Unlock()
	go p.run()
}

func (p *pump) run() {
	p.carry()
	p.mu.Lock()
	p.finished = true
	p.mu.Unlock()
	close(p.done)
}

func (p *pump) carry() {
	if p.err = p.send(p.head); p.err != nil || !p.streamed {
		p.over = p.err == nil
		return
	}
	for {
		from := p.at
		h, whole := p.next()
		for whole && h.typ == TypeStdin && h.id == p.id {
			p.at += h.size()
			if h.content == 0 {
				p.over = true
				break
			}
			h, whole = p.next()
		}
		if p.err = p.send(p.buf[from:p.at]); p.err != nil || p.over {
			return
		}
		if whole {
			p.other(h)
		} else if p.bad == nil {
			p.read()
		}
		switch {
		case p.over || p.isStopped():
			return
		case p.bad != nil || p.gone:
			p.abort()
			return
		}
	}
}

// next is the header of the record at p.at, and whether the record is there as a whole.
func (p *pump) next() (header, bool) {
	b := p.buf[p.at:p.n]
	if len(b) > 0 && b[0] != version {
		p.bad = errVersion
	}
	if len(b) < headerLen || p.bad != nil {
		return header{}, false
	}
	h := decodeHeader(b)
	return h, len(b) >= h.size()
}

// other takes a record that is not part of the body.
func (p *pump) other(h header) {
	content := p.buf[p.at+headerLen:][:h.content]
	p.at += h.size()
	switch {
	case h.id == 0:
		p.reply = appendManaged(p.reply, h.typ, content)
	case h.typ == TypeBeginRequest && h.id != p.id:
		p.reply = AppendEndRequest(p.reply, h.id, 0, StatusCantMpxConn)
	case h.id != p.id:
	case h.typ == TypeAbortRequest:
		p.abort()
		p.over = true // the connection itself is sound
		return
	default:
		p.bad = fmt.Errorf("record of type %d within the body", h.typ)
	}
	if len(p.reply) > maxReply {
		p.bad = fmt.Errorf("too many records within the body that are not part of it")
	}
}

// abort tells the worker that no more of the body will come.
func (p *pump) abort() {
	p.gone = true
	var b [headerLen]byte
	p.err = p.send(AppendHeader(b[:0], TypeAbortRequest, p.id, 0, 0))
}

// read waits for more from the web server.
func (p *pump) read() {
	p.n = copy(p.buf[:], p.buf[p.at:p.n])
	p.at = 0
	err := p.c.raw.Read(func(uintptr) bool {
		p.got, p.errno = recv(p.c.fd, p.buf[p.n:])
		return p.errno != syscall.EAGAIN
	})
	switch {
	case err != nil:
		if !p.isStopped() {
			p.gone = true
		}
	case p.errno != 0 || p.got == 0:
		p.gone = true
	default:
		p.n += p.got
	}
}

// send hands b to the worker, waiting for it to read.
func (p *pump) send(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	p.unsent = b
	err := p.w.raw.Write(func(uintptr) bool {
		for {
			n, errno := send(p.w.fd, p.unsent)
			p.unsent, p.errno = p.unsent[n:], errno
			if errno != 0 {
				return errno != syscall.EAGAIN
			}
			if len(p.unsent) == 0 {
				return true
			}
		}
	})
	if err != nil {
		return p.w.why(err)
	}
	if p.errno != 0 {
		return sockError("worker", p.errno)
	}
	return nil
}

func (p *pump) isStopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopped
}

// settle stops the pump and waits for it. What it is handing over may take patience until the worker has
// read it. The error says that the worker's stream is not at the end of a record.
func (p *pump) settle(patience time.Duration) error {
	p.mu.Lock()
	if !p.finished {
		p.stopped = true
		_ = p.w.file.SetWriteDeadline(time.Now().Add(patience))
		if p.streamed {
			p.c.mu.Lock()
			_ = p.c.file.SetReadDeadline(longAgo)
			p.c.mu.Unlock()
		}
	}
	stopped := p.stopped
	p.mu.Unlock()
	<-p.done
	if stopped && patience > 0 {
		p.w.setDeadline(time.Time{})
	}
	return p.err
}

// afterBody says whether the connection can go on after the request that had p.
func (c *conn) afterBody(p *pump) outcome {
	if p == nil || !p.streamed {
		return served
	}
	defer func() {
		putBuffer(p.buf)
		p.buf = nil
	}()
	_ = c.file.SetReadDeadline(time.Time{})
	switch {
	case p.bad != nil:
		c.s.logf(fmt.Errorf("request body: %w", p.bad))
		return cutOff
	case p.gone && !p.over, p.err != nil && !p.over:
		return cutOff
	case !p.over:
		c.lingers = true // nobody wants the rest of the body
		return cutOff
	}
	if len(p.reply) > 0 && c.write(p.reply) != nil {
		return cutOff
	}
	// What came behind the body is the beginning of the next request.
	r := c.req
	left := p.buf[p.at:p.n]
	if len(r.buf) < len(left)+r.n {
		r.buf = append(r.buf[:r.n], left...)
		r.buf = r.buf[:cap(r.buf)]
	} else {
		copy(r.buf[r.n:], left)
	}
	r.n += len(left)
	return served
}

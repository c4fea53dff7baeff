package fcgi

import (
	"errors"
	"fmt"
	"time"
)

// outcome is what has become of a request.
type outcome uint8

const (
	served outcome = iota // the connection may go on
	cutOff                // the connection has to end
	again                 // the worker was lost; the request goes to another one
)

// exchange serves the request in c.req, of which the body may still be arriving. False: the
// connection ends.
func (c *conn) exchange() bool {
	r := c.req
	r.started, r.peer = time.Now(), c.peer
	if !c.late.IsZero() {
		c.late = time.Time{}
		_ = c.file.SetReadDeadline(c.late)
	}
	keep := r.keep
	for {
		w, err := c.s.Backend.Acquire(r)
		if err != nil {
			return c.unserved(err) && c.next(keep)
		}
		r.response = response{res: Result{Started: time.Now()}, keeps: c.s.KeepHead != nil && c.s.KeepHead()}
		r.kept = r.kept[:0]
		switch c.forward(w) {
		case again:
			r.tried = true
		case served:
			return c.next(keep)
		default:
			return false
		}
	}
}

// next makes ready for another request, if there is to be one.
func (c *conn) next(keep bool) bool {
	if !keep || c.s.draining.Load() {
		return false
	}
	c.req.reset()
	return true
}

// unserved answers a request that got no worker.
func (c *conn) unserved(err error) bool {
	if errors.Is(err, ErrClientGone) {
		return c.dropped()
	}
	var se *StatusError
	if !errors.As(err, &se) {
		c.s.logf(fmt.Errorf("request %s: %w", c.req.title(), err))
		se = &StatusError{Status: 503}
	}
	return c.answerOnly(se.Status, se.RetryAfter)
}

// answerOnly answers the request in place of a worker. False: the connection ends.
func (c *conn) answerOnly(status int, retryAfter time.Duration) bool {
	if c.answer(c.req.id, status, retryAfter) != nil {
		return false
	}
	if c.req.state != whole {
		c.lingers = true // there is more of the body to come
		return false
	}
	return true
}

// dropped ends a request whose web server does not wait for it any more.
func (c *conn) dropped() bool {
	r := c.req
	if _, aborted := c.clientGone(r.id); !aborted || r.state != whole {
		return false
	}
	// The ABORT_REQUEST itself is skipped later, as one of a request that is not active.
	r.reply = AppendEndRequest(r.reply[:0], r.id, 0, StatusRequestComplete)
	err := c.write(r.reply)
	r.reply = r.reply[:0]
	return err == nil
}

// forward has w serve the request in c.req. When it returns, w has been given back by
// Finish, or is going to be by the goroutine of detach.
func (c *conn) forward(w *WorkerConn) outcome {
	r := c.req
	r.out = getBuffer()
	r.fill = copy(r.out[:], w.rest)
	w.rest = w.rest[:0]
	w.unsent = r.buf[:r.w]
	c.lend(w)
	if r.state != whole {
		c.startPump(w, w.unsent, true)
		w.unsent = nil
	}
	for {
		w.into = r.out[r.fill:]
		if err := w.read(); err != nil {
			return c.lost(w, err, nil)
		}
		if len(w.unsent) > 0 {
			// More than the socket holds: the worker may answer before it has read all.
			c.startPump(w, w.unsent, false)
			w.unsent = nil
			continue
		}
		full := w.got == len(w.into)
		r.fill += w.got
		keep, err := r.scan(w, c.s.Backend)
		var rest []byte
		if keep > 0 && !r.gone {
			var werr error
			r.sent = true
			if rest, werr = c.writeNow(r.out[:keep]); werr != nil {
				rest = nil
				c.clientLost(w)
			}
		}
		switch {
		case err != nil:
			return c.lost(w, err, rest)
		case r.idle:
			return c.finish(w, rest)
		case r.ended && r.rem == 0:
			if full && len(rest) == 0 && !c.idleBehind(w, &err) {
				return c.lost(w, err, nil)
			}
			if r.idle {
				return c.finish(w, nil)
			}
			return c.detach(w, rest)
		}
		if len(rest) > 0 {
			if !w.stick(c) {
				return c.lost(w, errAborted, nil)
			}
			werr := c.writeRest(rest)
			w.stick(nil)
			if werr != nil {
				c.s.logf(fmt.Errorf("request %s: %w", r.title(), werr))
				c.clientLost(w)
			}
		}
		r.fill = copy(r.out[:], r.out[r.tail:r.fill])
	}
}

// idleBehind looks, without waiting, whether the IDLE behind a response that has ended did not fit
// into the buffer. False: the worker is lost.
func (c *conn) idleBehind(w *WorkerConn, err *error) bool {
	r := c.req
	r.fill = copy(r.out[:], r.out[r.tail:r.fill])
	r.tail = 0
	w.into = r.out[r.fill:]
	if *err = w.poll(); *err == nil && w.got > 0 {
		r.fill += w.got
		_, *err = r.scan(w, c.s.Backend)
	}
	return *err == nil
}

// lend notes which worker has the request, for those who look at the connection from outside.
func (c *conn) lend(w *WorkerConn) {
	c.mu.Lock()
	c.worker, c.since, c.told = w, c.req.res.Started, false
	c.mu.Unlock()
}

func (c *conn) unlend() {
	c.mu.Lock()
	c.worker = nil
	c.req.res.ClientGone = c.told || c.req.gone
	c.mu.Unlock()
}

// clientLost goes on without a web server: the worker is told, and what it still says is dropped.
func (c *conn) clientLost(w *WorkerConn) {
	c.cut() // the pump sees it, and tells the worker after a whole record
	c.mu.Lock()
	defer c.mu.Unlock()
	c.req.gone = true
	if !c.told && c.req.pump == nil {
		c.tellLocked()
	}
}

// finish gives the worker back after IDLE, before it waits for a slow web server.
func (c *conn) finish(w *WorkerConn, rest []byte) outcome {
	r := c.req
	c.unlend()
	out := r.out
	c.giveBack(w, r)
	err := c.writeLast(rest)
	putBuffer(out)
	r.out = nil
	if err != nil || r.gone {
		return cutOff
	}
	return c.afterBody(r.pump)
}

// writeLast sends what is left of a complete response.
func (c *conn) writeLast(rest []byte) error {
	if len(rest) == 0 {
		return nil
	}
	err := c.writeRest(rest)
	if err != nil {
		c.s.logf(fmt.Errorf("end of a response: %w", err))
	}
	return err
}

// giveBack calls Finish for a worker that has said IDLE.
func (c *conn) giveBack(w *WorkerConn, r *Request) {
	if r.pump != nil {
		if err := r.pump.settle(finishTime); err != nil {
			c.giveUp(w, r, err)
			return
		}
		r.res.ClientGone = r.res.ClientGone || r.pump.gone
	}
	w.rest = append(w.rest, r.out[r.tail:r.fill]...)
	w.into = nil
	r.res.Ended = time.Now()
	c.s.Backend.Finish(w, r, &r.res)
}

// giveUp calls Finish for a worker that is lost.
func (c *conn) giveUp(w *WorkerConn, r *Request, err error) {
	if r.pump != nil {
		_ = r.pump.settle(0)
		r.res.ClientGone = r.res.ClientGone || r.pump.gone
	}
	w.unsent, w.into = nil, nil
	r.res.Lost, r.res.Err = true, err
	r.res.Stats = Stats{}
	r.res.Ended = time.Now()
	c.s.Backend.Finish(w, r, &r.res)
}

// lost gives up the worker and sees to it that the web server gets an honest end of its request: the
// rest of a response that is complete, another try, a status, or a connection cut off.
func (c *conn) lost(w *WorkerConn, err error, rest []byte) outcome {
	r := c.req
	c.unlend()
	status := w.abortStatus()
	complete := r.ended && r.rem == 0
	unseen := len(w.unsent) == r.w // the socket was broken before it took a byte
	retry := c.s.Retry != nil && c.s.Retry() && (r.safe || unseen) && !r.tried && !r.sent && !r.gone && status == 0 && r.state == whole
	if status == 0 {
		status = 502
	}
	r.res.Retrying = retry
	if !r.sent {
		r.res.BytesOut, r.res.AppStatus, r.res.Status, r.res.Head = 0, 0, 0, nil
		if !retry && !r.gone {
			r.res.Status = status
		}
	}
	c.giveUp(w, r, err)
	defer putBuffer(r.out)
	switch {
	case r.gone:
		return cutOff
	case retry:
		return again
	case complete:
		if c.writeLast(rest) != nil {
			return cutOff
		}
		return c.afterBody(r.pump)
	case r.sent:
		c.s.logf(fmt.Errorf("request %s: response cut off: %w", r.title(), err))
		return cutOff
	}
	c.s.logf(fmt.Errorf("request %s: answered with %d: %w", r.title(), status, err))
	if r.pump != nil && r.pump.streamed && r.pump.over {
		r.state = whole
	}
	if !c.answerOnly(status, 0) {
		return cutOff
	}
	return c.afterBody(r.pump)
}

// detach goes on with the connection while another goroutine waits for the worker, which has ended the
// response but not the request.
func (c *conn) detach(w *WorkerConn, rest []byte) outcome {
	r, n := c.req, newRequest(c)
	if left := r.buf[r.w:r.n]; len(left) > 0 {
		n.buf = append(n.buf[:0], left...)
		n.buf = n.buf[:cap(n.buf)]
		n.n = len(left)
	}
	out, gone, p := r.out, r.gone, r.pump
	r.out = getBuffer()
	r.fill = copy(r.out[:], out[r.tail:r.fill])
	r.tail = 0
	c.unlend()
	c.mu.Lock()
	c.req = n
	c.mu.Unlock()
	c.s.more()
	c.s.Backend.Responded(w)
	r.late = w
	go r.finishFn()
	// From here on r and w are the other goroutine's.
	err := c.writeLast(rest)
	putBuffer(out)
	if p != nil {
		<-p.done
	}
	if err != nil || gone {
		return cutOff
	}
	return c.afterBody(p)
}

// finishLater waits for the end of a request whose response has ended.
func (r *Request) finishLater() {
	c, w := r.c, r.late
	var err error
	for err == nil && !r.idle {
		w.into = r.out[r.fill:]
		if err = w.read(); err != nil {
			break
		}
		r.fill += w.got
		_, err = r.scan(w, c.s.Backend)
		if !r.idle {
			r.fill = copy(r.out[:], r.out[r.tail:r.fill])
		}
	}
	if err != nil {
		c.giveUp(w, r, err)
	} else {
		c.giveBack(w, r)
	}
	putBuffer(r.out)
	recycle(r)
	c.s.done()
}

package fcgi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// response is what has come from the worker for one request.
type response struct {
	out   *buffer // as read: out[:fill], of which out[tail:fill] is not used up
	fill  int
	tail  int
	rem   int         // bytes of the record being forwarded that are still to come
	head  bool        // the first STDOUT has been seen
	keeps bool        // res.Head is wanted and not complete
	more  int         // bytes of content of the record being forwarded that res.Head has not been offered yet
	ended bool        // END_REQUEST seen: the response is over
	idle  bool        // IDLE seen: the request is over
	sent  bool        // bytes of the response have been handed to the connection
	gone  bool        // nobody reads the response any more
	pump  *pump       // nil: the request was handed over at once
	late  *WorkerConn // for finishLater
	res   Result
}

var (
	errWorkerVersion  = errors.New("garbage from worker: wrong version")
	errWorkerID       = errors.New("garbage from worker: wrong request id")
	errWorkerEnd      = errors.New("garbage from worker: malformed END_REQUEST")
	errWorkerIdle     = errors.New("garbage from worker: malformed or early IDLE")
	errWorkerLog      = errors.New("garbage from worker: malformed LOG")
	errWorkerAfterEnd = errors.New("garbage from worker: response goes on after END_REQUEST")
	errWorkerExit     = fmt.Errorf("worker closed the connection: %w", io.ErrUnexpectedEOF)
)

// scan goes over out[:fill]: private records are taken out, what is to be forwarded is
// moved together at the front, keep bytes long. What has to wait for more is out[tail:fill].
// After an error keep is what may be forwarded still: a response that was over before.
func (r *Request) scan(w *WorkerConn, backend Backend) (keep int, err error) {
	b := r.out[:r.fill]
	at := 0
	r.tail = 0
	r.keepHead(b, r.more)
	for at < len(b) {
		if r.rem > 0 {
			n := min(r.rem, len(b)-at)
			if keep != at {
				copy(b[keep:], b[at:at+n])
			}
			keep += n
			at += n
			r.rem -= n
			continue
		}
		rest := b[at:]
		if rest[0] != version {
			return r.keepEnded(keep), errWorkerVersion
		}
		if len(rest) < headerLen {
			break
		}
		h := decodeHeader(rest)
		if h.typ >= TypeHello {
			if len(rest) < h.size() {
				break
			}
			if err := r.private(w, backend, h, rest[headerLen:headerLen+h.content]); err != nil {
				return r.keepEnded(keep), err
			}
			at += h.size()
			continue
		}
		switch {
		case h.id != r.id:
			return r.keepEnded(keep), errWorkerID
		case r.ended:
			return keep, errWorkerAfterEnd
		case h.typ == TypeStdout:
			if !r.head && len(rest) < headerLen+min(h.content, statusLen) {
				r.tail = at
				return keep, nil
			}
			r.res.BytesOut += int64(h.content)
			if !r.head && h.content > 0 {
				r.head = true
				r.res.Status = statusOf(rest[headerLen:min(len(rest), headerLen+h.content)])
			}
			r.keepHead(rest[headerLen:], h.content)
		case h.typ == TypeStderr:
		case h.typ == TypeEndRequest:
			if h.content != 8 {
				return 0, errWorkerEnd
			}
			if len(rest) < headerLen+h.content {
				r.tail = at
				return keep, nil
			}
			r.ended = true
			r.res.AppStatus = binary.BigEndian.Uint32(rest[headerLen:])
			if r.res.Status == 0 {
				r.res.Status = 200
			}
		default:
			return 0, fmt.Errorf("garbage from worker: record of type %d", h.typ)
		}
		r.rem = h.size()
	}
	r.tail = at
	return keep, nil
}

// keepEnded is keep where the response is complete, and nothing otherwise: a
// response that will not be complete need not begin.
func (r *Request) keepEnded(keep int) int {
	if r.ended {
		return keep
	}
	return 0
}

// private takes one whole private record.
func (r *Request) private(w *WorkerConn, backend Backend, h header, content []byte) error {
	if h.id != 0 {
		return errWorkerID
	}
	switch h.typ {
	case TypeIdle:
		if h.content != idleLen || !r.ended || r.idle {
			return errWorkerIdle
		}
		r.idle = true
		r.res.Stats = decodeIdle(content)
	case TypeLog:
		severity, text, done, err := w.logText(content)
		if done {
			backend.WorkerLog(w, severity, text)
		}
		return err
	case TypeHello:
		return errors.New("garbage from worker: second HELLO")
	}
	return nil // READY again, and what later versions may say
}

// keepHead adds to res.Head what belongs there of a record's content: of what b begins with of its next n bytes. The
// rest of them is at the front of what is scanned next.
func (r *Request) keepHead(b []byte, n int) {
	b = b[:min(n, len(b))]
	r.more = n - len(b)
	for r.keeps && len(b) > 0 {
		line := b
		if end := bytes.IndexByte(b, '\n'); end >= 0 {
			line = b[:end+1]
		}
		b = b[len(line):]
		line = line[:min(len(line), maxHead-len(r.kept))]
		r.kept = append(r.kept, line...)
		r.keeps = !endsHead(r.kept) && len(r.kept) < maxHead
		r.res.Head = r.kept
	}
}

// endsHead says whether the last line of b is empty.
func endsHead(b []byte) bool {
	b, whole := bytes.CutSuffix(b, []byte("\n"))
	b = bytes.TrimSuffix(b, []byte("\r"))
	return whole && (len(b) == 0 || b[len(b)-1] == '\n')
}

// maxHead bounds Result.Head, in bytes.
const maxHead = 64 << 10

// statusOf is the status in the CGI headers at the front of b (RFC 3875, section 6.3.3):
// 200 without one. What goes past b is not looked at: PHP sends Status first.
func statusOf(b []byte) int {
	for len(b) > 0 {
		line := b
		if end := bytes.IndexByte(b, '\n'); end >= 0 {
			line, b = b[:end], b[end+1:]
		} else {
			b = nil
		}
		if len(line) == 0 || line[0] == '\r' {
			break
		}
		if len(line) >= 10 && line[6] == ':' && bytes.EqualFold(line[:6], statusName) {
			v := bytes.TrimLeft(line[7:], " \t")
			if len(v) >= 3 {
				if n := parseLength(v[:3]); n >= 100 {
					return int(n)
				}
			}
		}
	}
	return 200
}

// statusLen bytes of the first STDOUT are waited for before they are forwarded, so that
// the status, which PHP sends first, is seen however the bytes come in.
const statusLen = 32

var statusName = []byte("Status")

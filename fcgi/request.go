package fcgi

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

const (
	firstBuffer = 8 << 10  // bytes a connection starts with: a head and a small body
	keptBuffer  = 64 << 10 // a larger one is not kept for the next request
	// heldBody is the largest body that is waited for before a worker is taken. A
	// larger one, or one of unknown length that is not there yet, is streamed.
	heldBody = 32 << 10
)

// Request is one request of the web server. It is valid from Acquire until Finish returns.
type Request struct {
	c  *conn // whose request it is
	id uint16

	// buf[:w] are the records of this request, whole, valid, and nothing else;
	// buf[w:n] has arrived but is not part of it (yet).
	buf  []byte
	w, n int
	need int // bytes the record at w has; 0 while that is unknown

	state  state
	keep   bool // FCGI_KEEP_CONN
	params span // in buf: the content of the only PARAMS record
	joined []byte
	pieces int // PARAMS records with content; from two on joined holds them all
	nparam int // bytes of params so far
	checked
	tried   bool // on a worker that was lost
	started time.Time
	peer    netip.Addr // the connection's, which r may outlive

	finishFn func() // finishLater, made once
	reply    []byte // management answers and refusals, not sent yet
	kept     []byte // the memory of Result.Head

	response
}

type span struct{ from, to int }

// state says how much of a request is in its buffer.
type state uint8

const (
	waitBegin state = iota // nothing yet: BEGIN_REQUEST comes next
	inParams
	inStdin
	whole // all of it, to the empty STDIN
)

// refusal is what is wrong with a request: the HTTP status it is answered with and why.
type refusal struct {
	status int
	msg    string
}

func (e *refusal) Error() string { return e.msg }

var (
	errVersion = errors.New("not FastCGI: wrong version")
	errBegin   = errors.New("malformed BEGIN_REQUEST")

	errHeadTooLarge = &refusal{431, "params too large"}
)

// requests are those that connections may take when theirs is still being finished.
var requests = sync.Pool{New: func() any { return &Request{buf: make([]byte, firstBuffer)} }}

func newRequest(c *conn) *Request {
	r := requests.Get().(*Request)
	r.c = c
	if r.finishFn == nil {
		r.finishFn = r.finishLater
	}
	return r
}

// recycle gives back a request that nobody uses any more.
func recycle(r *Request) {
	r.n, r.w = 0, 0
	r.reset()
	r.c = nil
	requests.Put(r)
}

// ID is the web server's request id.
func (r *Request) ID() uint16 { return r.id }

// Started is when the request's head had been read.
func (r *Request) Started() time.Time { return r.started }

// Peer is the web server's IP address; the zero Addr when it has come through a unix socket.
func (r *Request) Peer() netip.Addr { return r.peer }

// Param returns the value of a param, the last one of that name. It points into
// the request's buffer: not to be kept, not to be changed.
func (r *Request) Param(name string) ([]byte, bool) { return findParam(r.paramBytes(), name) }

// Params calls f for each param, in the web server's order, until f returns false.
func (r *Request) Params(f func(name, value []byte) bool) {
	for b := r.paramBytes(); len(b) > 0; {
		name, value, rest, ok := nextPair(b)
		if !ok || !f(name, value) {
			return
		}
		b = rest
	}
}

func (r *Request) paramBytes() []byte {
	if r.pieces > 1 {
		return r.joined
	}
	return r.buf[r.params.from:r.params.to]
}

// title names the request in an error message.
func (r *Request) title() string {
	method, _ := r.Param("REQUEST_METHOD")
	uri, ok := r.Param("REQUEST_URI")
	if !ok {
		uri, _ = r.Param("SCRIPT_NAME")
	}
	return fmt.Sprintf("%.20q %.200q", method, uri)
}

// reset makes r ready for the next request; what has arrived of that moves to the front.
func (r *Request) reset() {
	n := copy(r.buf, r.buf[r.w:r.n])
	if len(r.buf) > keptBuffer && n <= firstBuffer {
		r.buf = append(make([]byte, 0, firstBuffer), r.buf[:n]...)[:firstBuffer]
	}
	if cap(r.joined) > keptBuffer {
		r.joined = nil
	}
	if cap(r.reply) > keptBuffer {
		r.reply = nil
	}
	if cap(r.kept) > keptBuffer {
		r.kept = nil
	}
	*r = Request{c: r.c, buf: r.buf, n: n, joined: r.joined[:0], reply: r.reply[:0], kept: r.kept[:0], finishFn: r.finishFn}
}

// room makes place for at least one byte more, for the whole record that is being
// read if its length is known. Lengths have been checked by parse.
func (r *Request) room() []byte {
	if want := max(r.w+r.need, r.n+1); want > len(r.buf) {
		bigger := make([]byte, max(want, 2*len(r.buf)))
		copy(bigger, r.buf[:r.n])
		r.buf = bigger
	}
	return r.buf[r.n:]
}

// parse looks at all records that have arrived. It returns when they are used up or the
// request is whole; needed answers are in r.reply then. Any error ends the connection.
func (r *Request) parse(lim *limits) error {
	from := r.w
	defer func() {
		// What was dropped leaves a gap in front of what has not been looked at.
		if from > r.w {
			r.n = r.w + copy(r.buf[r.w:], r.buf[from:r.n])
		}
	}()
	for r.state != whole {
		b := r.buf[from:r.n]
		if len(b) > 0 && b[0] != version {
			return errVersion
		}
		r.need = 0
		if len(b) < headerLen {
			return nil
		}
		h := decodeHeader(b)
		if err := r.admit(h, lim); err != nil {
			return err
		}
		if r.need = h.size(); len(b) < r.need {
			return nil
		}
		own, err := r.record(h, b[headerLen:headerLen+h.content], lim)
		if err != nil {
			return err
		}
		if own {
			if from > r.w {
				copy(r.buf[r.w:], b[:r.need])
			}
			r.w += r.need
		}
		from += r.need
		r.need = 0
	}
	return nil
}

// admit refuses a record by its header, before there is memory for its content.
func (r *Request) admit(h header, lim *limits) error {
	if h.typ != TypeParams || r.state != inParams || h.id != r.id {
		return nil
	}
	// The second limit is for those who send their params byte by byte.
	if r.nparam+h.content > lim.paramsBytes || r.w+h.size() > 2*lim.paramsBytes+2*maxRecord {
		return errHeadTooLarge
	}
	return nil
}

// record takes one whole record. own says that it is part of the request.
func (r *Request) record(h header, content []byte, lim *limits) (own bool, err error) {
	if h.id == 0 {
		r.reply = appendManaged(r.reply, h.typ, content)
		return false, nil
	}
	if h.typ == TypeBeginRequest {
		return r.begin(h, content)
	}
	if r.state == waitBegin || h.id != r.id {
		return false, nil // of a request that is not active: ignored, section 3.3
	}
	switch h.typ {
	case TypeAbortRequest:
		r.reply = AppendEndRequest(r.reply, r.id, 0, StatusRequestComplete)
		r.drop()
		return false, r.unlessKept()
	case TypeParams:
		return true, r.addParams(h, content, lim)
	case TypeStdin:
		if r.state != inStdin {
			return false, &refusal{400, "STDIN before the end of the params"}
		}
		if h.content == 0 {
			r.state = whole
		}
		return true, nil
	case TypeEndRequest, TypeStdout, TypeStderr:
		return false, &refusal{400, fmt.Sprintf("record of type %d from the web server", h.typ)}
	}
	return false, nil
}

// begin takes a BEGIN_REQUEST.
func (r *Request) begin(h header, content []byte) (own bool, err error) {
	if h.content != 8 {
		return false, errBegin
	}
	if r.state != waitBegin {
		if h.id == r.id {
			return false, &refusal{400, "BEGIN_REQUEST twice"}
		}
		r.reply = AppendEndRequest(r.reply, h.id, 0, StatusCantMpxConn)
		return false, nil
	}
	r.keep = content[2]&flagKeepConn != 0
	if role := int(content[0])<<8 | int(content[1]); role != RoleResponder {
		r.reply = AppendEndRequest(r.reply, h.id, 0, StatusUnknownRole)
		return false, r.unlessKept()
	}
	r.id, r.state = h.id, inParams
	return true, nil
}

// errDone ends a connection that is not to be kept, and is nobody's fault.
var errDone = errors.New("connection done")

func (r *Request) unlessKept() error {
	if r.keep {
		return nil
	}
	return errDone
}

// drop forgets the request that was being read.
func (r *Request) drop() {
	r.w, r.id, r.state = 0, 0, waitBegin
	r.params, r.joined, r.pieces, r.nparam = span{}, r.joined[:0], 0, 0
}

func (r *Request) addParams(h header, content []byte, lim *limits) error {
	if r.state != inParams {
		return &refusal{400, "params after their end"}
	}
	if h.content > 0 {
		if r.pieces == 0 {
			at := r.w + headerLen // where content will be, once the gap before it is closed
			r.params = span{at, at + h.content}
		} else {
			if r.pieces == 1 {
				r.joined = append(r.joined[:0], r.buf[r.params.from:r.params.to]...)
			}
			r.joined = append(r.joined, content...)
		}
		r.pieces++
		r.nparam += h.content
		return nil
	}
	var err error
	switch r.checked, err = checkParams(r.paramBytes(), lim.params); err {
	case nil:
	case errTooManyParams:
		return &refusal{431, err.Error()}
	default:
		return &refusal{400, err.Error()}
	}
	r.state = inStdin
	return nil
}

// toStream says that the rest of the body is not worth waiting for: it is large, or dry
// says that nothing more is here now and nobody knows how much will come.
func (r *Request) toStream(dry bool) bool {
	return r.state == inStdin && (r.length > heldBody || r.w+r.need > keptBuffer || dry && r.length < 0)
}

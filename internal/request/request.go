// Package request sends HTTP-shaped requests to a FastCGI server: for `supervisor request`, which sends one by hand, and
// for the development server, which stands where nginx stands in production.
//
// It guarantees:
//   - a response that the server did not end with END_REQUEST is reported as an error, however much of it has arrived;
//   - the response's head is bounded (MaxHead) and checked before anything of it is passed on; the body streams;
//   - what the application said on FCGI_STDERR is kept apart from the response and from errors of the transport;
//   - Do returns only when it no longer uses the request's body, the receiver or the writer for standard error.
//
// The records are written and read by gofast, an implementation of FastCGI that shares nothing with ours. It does not
// tell a response that was cut off from a whole one, and refuses header lines above 1 KiB; wire.go and head.go make up
// for that from outside.
//
// It does not keep connections open between requests.
package request

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/yookoala/gofast"
)

// MaxHead is the largest head of a response, in bytes.
const MaxHead = 256 << 10

// DialTimeout bounds the connecting.
const DialTimeout = 5 * time.Second

// Client says where the FastCGI server listens.
type Client struct {
	Network string // "unix" or "tcp"
	Address string // a path, or host:port
}

// Call is one request.
type Call struct {
	Params map[string]string
	Body   io.ReadCloser // nil = none; Do closes it
}

// Receiver takes the response: the head once, then the body in pieces. An error from it ends the request.
type Receiver interface {
	Head(Head) error
	Write(p []byte) (int, error)
}

// End is how the server ended the request (section 5.5 of the specification).
type End struct {
	AppStatus      uint32
	ProtocolStatus uint8
}

// Errors of Do, to be told apart with errors.Is.
var (
	ErrNoServer = errors.New("no server")         // nobody listens there
	ErrRefused  = errors.New("request refused")   // END_REQUEST with a protocol status other than REQUEST_COMPLETE
	ErrCutOff   = errors.New("response cut off")  // the connection ended before END_REQUEST
	ErrBadHead  = errors.New("malformed headers") // what came first is no CGI response
)

// Do sends the call and passes the response on. It waits for the whole response, or until ctx ends.
func (c Client) Do(ctx context.Context, call Call, to Receiver, stderr io.Writer) (End, error) {
	if call.Body != nil {
		// gofast closes it as well, but only if it comes as far as the body.
		defer call.Body.Close()
	}
	conn, err := (&net.Dialer{Timeout: DialTimeout}).DialContext(ctx, c.Network, c.Address)
	if err != nil {
		return End{}, c.dialError(err)
	}
	defer conn.Close()
	// All that waits for the server waits on this connection, so gofast needs no context (and would say so on the
	// application's standard error if it were ended).
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	said := &patient{w: stderr}

	w := newWire(conn)
	client, err := gofast.SimpleClientFactory(func() (net.Conn, error) { return w, nil })()
	if err != nil {
		return End{}, fmt.Errorf("make client: %w", err)
	}
	fr := &gofast.Request{Role: gofast.RoleResponder, Params: call.Params}
	if call.Body != nil {
		fr.Stdin = &upload{ReadCloser: call.Body, failed: func(err error) {
			said.mute() // gofast is going to write the error there
			giveUp(fmt.Errorf("read request body: %w", err))
		}}
	}
	resp, err := client.Do(fr)
	if err != nil {
		return End{}, fmt.Errorf("send request: %w", err)
	}
	in := &intake{to: to, giveUp: giveUp}
	// A ResponsePipe deadlocks when one of its readers gives up, so neither ever does.
	werr := resp.WriteTo(in, said)
	return w.outcome(in, werr, ctx)
}

func (c Client) dialError(err error) error {
	reason := err
	var no syscall.Errno
	if errors.As(err, &no) {
		reason = no
	}
	if no == syscall.ENOENT || no == syscall.ECONNREFUSED {
		return fmt.Errorf("%w listens on %s: %w", ErrNoServer, c.Address, reason)
	}
	return fmt.Errorf("connect to %s: %w", c.Address, reason)
}

// outcome says how the request ended, the first cause first.
func (w *wire) outcome(in *intake, werr error, ctx context.Context) (End, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case in.err != nil: // the receiver or the head, seen before anything that followed from giving up
		return w.end, in.err
	case !w.ended && ctx.Err() != nil:
		return w.end, context.Cause(ctx)
	case w.ended && w.end.ProtocolStatus != 0:
		return w.end, fmt.Errorf("%w: %s", ErrRefused, protocolStatus(w.end.ProtocolStatus))
	case !w.ended && !in.begun():
		return w.end, fmt.Errorf("%w: the server closed the connection without an answer%s", ErrCutOff, w.why())
	case !w.ended:
		return w.end, fmt.Errorf("%w: the server closed the connection in the middle of the response%s", ErrCutOff, w.why())
	case !in.headDone:
		return w.end, fmt.Errorf("%w: the response ended after %d bytes without an empty line", ErrBadHead, len(in.buf))
	case werr != nil:
		return w.end, werr
	}
	return w.end, nil
}

func protocolStatus(s uint8) string {
	switch s {
	case 1:
		return "CANT_MPX_CONN"
	case 2:
		return "OVERLOADED"
	case 3:
		return "UNKNOWN_ROLE"
	}
	return fmt.Sprintf("protocol status %d", s)
}

// upload tells when the body cannot be read; the server must not take what it got for the whole.
type upload struct {
	io.ReadCloser
	failed func(error)
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		u.failed(err)
	}
	return n, err
}

// patient passes on what it can and never fails.
type patient struct {
	mu  sync.Mutex
	w   io.Writer
	bad bool
}

func (p *patient) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.w != nil && !p.bad {
		_, err := p.w.Write(b)
		p.bad = err != nil
	}
	return len(b), nil
}

func (p *patient) mute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bad = true
}

package fcgi

import (
	"context"
	"os"
	"time"
)

// Stubs while the engine is being written; see the doc comments for what they will do.

// Server accepts FastCGI connections and forwards their requests to workers.
type Server struct {
	Backend Backend
	// Retry tries an idempotent request once more, on another worker, when its
	// worker dies before the first byte of the response.
	Retry bool
	// Log is told of the problems of single connections, each with its context;
	// nil discards them. Called from many goroutines.
	Log func(err error)

	// HeaderTimeout bounds the time from the first byte of a request to the last of its
	// head (and of its body, where that is small enough to be held). 0: 60 s; negative: none.
	HeaderTimeout time.Duration
	// WriteTimeout bounds each wait for a web server that does not read its response.
	// 0: none, as in php-fpm.
	WriteTimeout time.Duration
	// MaxParamsBytes and MaxParams bound the params of a request. 0: 1 MiB, 4096.
	MaxParamsBytes, MaxParams int
}

// Serve accepts connections until Shutdown or Close and returns ErrServerClosed then.
// Several listeners may be served at once. It takes ownership of l.
func (s *Server) Serve(l *Listener) error { panic("stub") }

// Shutdown stops accepting, closes idle kept-alive connections, and waits for requests in
// flight. When ctx ends first, it does what Close does and returns ctx.Err().
func (s *Server) Shutdown(ctx context.Context) error { panic("stub") }

// Close stops accepting and cuts all connections at once. Workers in the middle of a request are
// told that the client has gone, and are given back by Finish when they have ended it.
func (s *Server) Close() error { panic("stub") }

// Listener is a listening socket, unix or tcp, accepted from without net.Conn.
type Listener struct{}

// NewListener takes over a listening socket: it is made non-blocking, and f is closed.
func NewListener(f *os.File) (*Listener, error) { panic("stub") }

// Close stops accepting. A unix socket's file stays.
func (l *Listener) Close() error { panic("stub") }

// Request is one request of the web server. It is valid from Acquire until Finish returns.
type Request struct{}

func (r *Request) ID() uint16                       { panic("stub") }
func (r *Request) Param(name string) ([]byte, bool) { panic("stub") }
func (r *Request) Started() time.Time               { panic("stub") }

// Params calls f for each param until it returns false.
func (r *Request) Params(f func(name, value []byte) bool) { panic("stub") }

// Gone says whether the web server has closed the connection, or aborted the request, while
// it waits in Acquire. One cheap system call; only to be called by Acquire.
func (r *Request) Gone() bool { panic("stub") }

// WorkerConn is the supervisor's end of a worker's socket pair.
type WorkerConn struct {
	Tag any // the Backend's own
}

// NewWorkerConn takes ownership of fd, also when it fails. It must be called before the other end is given
// to the worker, since the kernel attaches the sender's pid to HELLO only from then on.
func NewWorkerConn(fd int) (*WorkerConn, error) { panic("stub") }

// Hello waits for the worker's HELLO and returns its pid as the kernel attests it.
func (w *WorkerConn) Hello(deadline time.Time) (pid int, err error) { panic("stub") }

// WaitReady waits for READY. LOG messages before it go to log (nil discards).
func (w *WorkerConn) WaitReady(deadline time.Time, log func(severity uint8, text []byte)) error {
	panic("stub")
}

// Abort ends the request in flight from another goroutine: answered with status when its response has not
// begun, cut off otherwise; Finish with Lost follows at once. On an idle worker the next use is lost.
func (w *WorkerConn) Abort(status int) { panic("stub") }

// CloseWrite lets an idle worker see the end of file and leave.
func (w *WorkerConn) CloseWrite() error { panic("stub") }

// Close closes the socket. To be called once no request is in flight (after Finish).
func (w *WorkerConn) Close() error { panic("stub") }

package fcgi

import (
	"errors"
	"fmt"
	"time"
)

// Backend owns the workers. Its methods are called from many goroutines at once.
type Backend interface {
	// Acquire returns an idle worker, waiting in the pool's queue if need be. An
	// error is answered to the web server: a *StatusError with its HTTP status,
	// ErrClientGone not at all, anything else with 503. Whether the web server of a
	// request that had to wait is still there is the Backend's to ask (Request.Gone).
	Acquire(r *Request) (*WorkerConn, error)
	// Responded is called when the response has ended but the worker is still busy
	// with the request (fastcgi_finish_request); only then, before Finish, and
	// possibly on another goroutine than Finish.
	Responded(w *WorkerConn)
	// Finish is called exactly once for each worker acquired: its request has ended
	// (IDLE seen), or the worker is lost (res.Lost). r and res are valid during the
	// call only. The engine has let go of w; the Backend closes it when it is lost.
	Finish(w *WorkerConn, r *Request, res *Result)
	// WorkerLog delivers one LOG message of the worker, whole unless it is longer
	// than 1 MiB (then in pieces of that size). text is valid during the call only.
	WorkerLog(w *WorkerConn, severity uint8, text []byte)
}

// Result says how a request went on one worker.
type Result struct {
	Lost       bool      // EOF, garbage, write error, Abort: the worker takes no more requests
	Err        error     // why the worker is lost, nil otherwise
	Status     int       // HTTP status answered: of the "Status:" header of the worker, 200 without one; ours (502, 504 …) where we answered; 0 if nothing could be said
	AppStatus  uint32    // application status of END_REQUEST
	BytesOut   int64     // content bytes of the worker's STDOUT records
	Started    time.Time // worker handed over
	Ended      time.Time // IDLE seen, or worker lost
	Stats      Stats     // of the IDLE record; zero if lost
	Head       []byte    // head of the worker's response: its CGI headers up to the empty line, of which the first 64 KiB; empty unless Server.KeepHead asks for it, and where we answered
	Retrying   bool      // the request is about to be tried on another worker
	ClientGone bool      // the web server closed, or aborted, before the response had ended
}

// Stats is what a worker says of itself in its IDLE record.
type Stats struct {
	Memory, Peak uint64        // bytes: in use after the request; the request's peak
	User, System time.Duration // CPU time of the request
	Leaving      bool          // the worker takes no more requests
	Fatal        bool          // the request was ended by a fatal error
	Renew        bool          // OPcache is to start anew, and cannot while the worker, and its like, are there
	Requests     uint32        // served by this worker so far
}

// StatusError is an answer instead of a worker.
type StatusError struct {
	Status     int           // HTTP status, 400 to 599
	Reason     string        // for the log; the web server's client sees the status only
	RetryAfter time.Duration // of a Retry-After header, rounded up to seconds; 0 leaves it out
}

func (e *StatusError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("status %d", e.Status)
	}
	return fmt.Sprintf("status %d: %s", e.Status, e.Reason)
}

var (
	// ErrServerClosed is returned by Serve after Shutdown or Close.
	ErrServerClosed = errors.New("fcgi: server closed")
	// ErrClientGone may be returned by Acquire for a request whose Gone method
	// said so: it is dropped without an answer.
	ErrClientGone = errors.New("fcgi: client gone")
)

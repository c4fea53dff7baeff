package fcgi

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Server accepts FastCGI connections and forwards their requests to workers. Its
// fields must not be changed once Serve has been called.
type Server struct {
	Backend Backend
	// Retry tries a request once more, on another worker, when its worker is lost before the
	// first byte of the response: an idempotent one (RFC 9110, section 9.2.2), or any that the
	// worker cannot have seen. The request must be held as a whole: a streamed body is gone. It is
	// asked when a worker was lost, from many goroutines; nil is no.
	Retry func() bool
	// KeepHead, if not nil, is asked for each worker that a request gets whether Result.Head is
	// wanted. It is called from many goroutines.
	KeepHead func() bool
	// Log is told of the problems of single connections and requests, each with its context;
	// nil discards them. It is called from many goroutines.
	Log func(err error)

	// HeaderTimeout bounds the time from the first byte of a request to the last of its head,
	// and of its body where that is small enough to be held. 0: 60 s; negative: none.
	HeaderTimeout time.Duration
	// WriteTimeout bounds each wait for a web server that does not read its response.
	// 0: none, as in php-fpm.
	WriteTimeout time.Duration
	// MaxParamsBytes and MaxParams bound the params of one request: 431 beyond. 0: 1 MiB, 4,096.
	MaxParamsBytes, MaxParams int

	watchEvery time.Duration // between two looks at clients that wait; 0: 1 s

	once     sync.Once
	lim      limits
	draining atomic.Bool   // Shutdown or Close was called
	closed   atomic.Bool   // Close was called
	stopped  chan struct{} // closed when nothing is left to watch

	mu        sync.Mutex
	listeners map[*Listener]struct{}
	conns     map[*conn]struct{} // all that exist, parked ones too
	parked    []*conn            // last in, first out
	busy      int                // connections being served and requests being finished
	serving   int                // calls of Serve
	drained   chan struct{}      // closed when draining and nothing is busy
}

// limits are Server's with the defaults applied.
type limits struct {
	paramsBytes, params int
	header, write       time.Duration
}

const (
	maxParked  = 256             // connections' goroutines kept waiting for the next connection
	lingerTime = 5 * time.Second // for a web server to finish a body nobody wants
	finishTime = 5 * time.Second // for a worker to take in the rest of a record after its request
)

func (s *Server) init() {
	s.once.Do(func() {
		s.lim = limits{s.MaxParamsBytes, s.MaxParams, s.HeaderTimeout, s.WriteTimeout}
		if s.lim.paramsBytes <= 0 {
			s.lim.paramsBytes = 1 << 20
		}
		if s.lim.params <= 0 {
			s.lim.params = 4096
		}
		if s.lim.header == 0 {
			s.lim.header = 60 * time.Second
		}
		if s.watchEvery == 0 {
			s.watchEvery = time.Second
		}
		s.listeners = make(map[*Listener]struct{})
		s.conns = make(map[*conn]struct{})
		s.stopped = make(chan struct{})
		s.drained = make(chan struct{})
	})
}

// Serve accepts connections until Shutdown or Close, and returns ErrServerClosed then. Several
// listeners may be served at once. It takes ownership of l.
func (s *Server) Serve(l *Listener) error {
	s.init()
	defer l.Close()
	s.mu.Lock()
	if s.draining.Load() {
		s.mu.Unlock()
		return ErrServerClosed
	}
	s.listeners[l] = struct{}{}
	if s.serving == 0 {
		go s.watch()
	}
	s.serving++
	s.mu.Unlock()

	err := l.acceptAll(func(fd int, peer netip.Addr) { s.take(accepted{fd, l.unix, peer}) }, s.logf)

	s.mu.Lock()
	delete(s.listeners, l)
	s.mu.Unlock()
	if s.draining.Load() {
		return ErrServerClosed
	}
	if err == nil {
		err = errors.New("fcgi: listener closed")
	}
	return err
}

// take gives a new connection to a goroutine.
func (s *Server) take(a accepted) {
	s.mu.Lock()
	if s.draining.Load() {
		s.mu.Unlock()
		closeFD(a.fd)
		return
	}
	s.busy++
	var c *conn
	if n := len(s.parked); n > 0 {
		c = s.parked[n-1]
		s.parked = s.parked[:n-1]
	}
	if c == nil {
		c = newConn(s)
		s.conns[c] = struct{}{}
		go c.loop()
	}
	s.mu.Unlock()
	c.wake <- a
}

// park keeps c's goroutine for the next connection. False: it is not needed any more.
func (s *Server) park(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doneLocked()
	if s.draining.Load() || len(s.parked) >= maxParked {
		delete(s.conns, c)
		return false
	}
	s.parked = append(s.parked, c)
	return true
}

// more counts a request that is finished apart from its connection, until done.
func (s *Server) more() {
	s.mu.Lock()
	s.busy++
	s.mu.Unlock()
}

func (s *Server) done() {
	s.mu.Lock()
	s.doneLocked()
	s.mu.Unlock()
}

func (s *Server) doneLocked() {
	s.busy--
	if s.busy == 0 && s.draining.Load() {
		s.finishedLocked()
	}
}

func (s *Server) finishedLocked() {
	select {
	case <-s.drained:
	default:
		close(s.drained)
		close(s.stopped)
	}
}

// drain stops accepting and lets go of all that is idle.
func (s *Server) drain() {
	s.init()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining.Store(true)
	for l := range s.listeners {
		l.wake()
	}
	for _, c := range s.parked {
		close(c.wake)
		delete(s.conns, c)
	}
	s.parked = nil
	for c := range s.conns {
		c.wakeIdle()
	}
	if s.busy == 0 {
		s.finishedLocked()
	}
}

// Shutdown stops accepting, closes idle kept-alive connections, and waits until the requests in
// flight have ended, on their workers, too. When ctx ends first, it does what Close does
// and returns ctx.Err().
func (s *Server) Shutdown(ctx context.Context) error {
	s.drain()
	select {
	case <-s.drained:
		return nil
	case <-ctx.Done():
		s.Close()
		return ctx.Err()
	}
}

// Close stops accepting and cuts all connections at once, without waiting for anything.
// Workers in the middle of a request are told that the client has gone; Finish is
// called when they have ended it, or are lost.
func (s *Server) Close() error {
	s.drain()
	s.closed.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.abandon()
	}
	return nil
}

// watch looks at the requests that take long, now and then: the web server of one
// that waits for its worker may have gone, or have sent an ABORT_REQUEST.
func (s *Server) watch() {
	t := time.NewTicker(s.watchEvery)
	defer t.Stop()
	var list []*conn
	for {
		select {
		case <-s.stopped:
			return
		case <-t.C:
		}
		list = list[:0]
		s.mu.Lock()
		for c := range s.conns {
			list = append(list, c)
		}
		s.mu.Unlock()
		for i, c := range list {
			c.look()
			list[i] = nil
		}
	}
}

func (s *Server) logf(err error) {
	if s.Log != nil {
		s.Log(err)
	}
}

package daemon

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"php-supervisor/fcgi"
	"php-supervisor/internal/config"
	"php-supervisor/internal/logging"
	"php-supervisor/pool"
	"php-supervisor/watch"
)

// site is a pool with what is around it: its socket, the server on it, its access log, its watch.
type site struct {
	name string
	log  hclog.Logger
	cfg  *config.Pool // changed by reloads, which are one at a time
	pc   pool.Config  // what start takes

	pool   *pool.Pool
	socket *socket
	server *fcgi.Server
	access atomic.Pointer[logging.AccessLog] // nil while there is none

	watcher *watch.Watcher
	running sync.WaitGroup // the server's and the watch's goroutines
	cancel  context.CancelFunc
	bare    atomic.Bool // decorate_workers_output = no
	retry   atomic.Bool // request_retry = idempotent
	allowed atomic.Pointer[config.AllowedClients]
}

// newSite makes all of a pool that can fail before anything runs.
func (d *Daemon) newSite(ctx context.Context, cfg *config.Config, p *config.Pool) (_ *site, err error) {
	s := &site{name: p.Name, log: logging.ForPool(d.logs.Logger, p.Name), cfg: p}
	s.apply(p)
	if s.pc, err = d.poolConfig(ctx, cfg, p); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.pc.Command.Extension.Close()
		}
	}()
	a, err := openAccess(p)
	if err != nil {
		return nil, err
	}
	if s.socket, err = bind(p); err != nil {
		if a != nil {
			a.Close()
		}
		return nil, err
	}
	s.access.Store(a)
	s.pool = pool.New(p.Name, d.rp, pool.Hooks{
		Log:    s.log,
		Output: s.output,
		PHPLog: func(_ string, pid int, severity uint8, text []byte) { logging.PHPMessage(s.log, pid, severity, text) },
		Access: s.logAccess,
	})
	s.server = &fcgi.Server{
		Backend:  s.pool,
		Retry:    s.retry.Load,
		KeepHead: s.needsHead,
		Log:      s.connectionError,
	}
	return s, nil
}

// apply takes over the settings that are asked for with each request or message.
func (s *site) apply(p *config.Pool) {
	s.bare.Store(!p.DecorateWorkersOutput)
	s.retry.Store(p.RequestRetry == config.RetryIdempotent)
	s.allowed.Store(p.AllowedClients)
}

// connectionError logs what went wrong with one connection: a refused client is the administrator's business, the others are web
// servers that went away, which happens all day.
func (s *site) connectionError(err error) {
	var refused *fcgi.DisallowedError
	if errors.As(err, &refused) {
		s.log.Error(refused.Error())
		return
	}
	s.log.Debug("connection: " + err.Error())
}

// output is pool.Hooks.Output.
func (s *site) output(src pool.Source) io.WriteCloser {
	return &said{logging.Splitter{Say: func(text []byte, continued bool) {
		if s.bare.Load() {
			logging.SaidBare(s.log, text)
			return
		}
		logging.Said(s.log, src.Pid, src.Stream, text, continued)
	}}}
}

type said struct{ logging.Splitter }

func (s *said) Close() error {
	s.Splitter.Close()
	return nil
}

// start brings the pool up.
func (s *site) start(ctx context.Context) error {
	if err := s.pool.Start(ctx, s.pc); err != nil {
		return failure(exitSoftware, "[pool %s] does not come up: %w", s.name, err)
	}
	return nil
}

// renew brings the pool to a new generation. pc's extension becomes the site's, or is closed.
func (s *site) renew(ctx context.Context, pc pool.Config) error {
	if err := s.pool.Start(ctx, pc); err != nil {
		pc.Command.Extension.Close()
		return err
	}
	s.pc.Command.Extension.Close()
	s.pc = pc
	return nil
}

// serve accepts connections, until stop.
func (s *site) serve(fatal chan<- error) {
	file, err := s.socket.dup()
	if err == nil {
		var l *fcgi.Listener
		if l, err = fcgi.NewListener(file); err == nil {
			l.Allow = func(a netip.Addr) bool { return s.allowed.Load().Allows(a) }
			s.running.Go(func() {
				if err := s.server.Serve(l); !errors.Is(err, fcgi.ErrServerClosed) {
					report(fatal, failure(exitSoftware, "[pool %s] %w", s.name, err))
				}
			})
			return
		}
	}
	report(fatal, failure(exitSoftware, "[pool %s] %w", s.name, err))
}

func report(fatal chan<- error, err error) {
	select {
	case fatal <- err:
	default: // the first is enough to stop for
	}
}

// watch reloads the pool when its files change, until stop or unwatch.
func (s *site) watch(d *Daemon) {
	if len(s.cfg.Watch) == 0 {
		return
	}
	w, err := watch.New(watch.Config{
		Trees: s.cfg.Watch, Ignore: s.cfg.WatchIgnore, Debounce: s.cfg.WatchDebounce,
		Log: s.log,
	})
	if err != nil {
		s.log.Error("cannot watch for changes: " + err.Error())
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.watcher, s.cancel = w, cancel
	s.running.Go(func() {
		for c := range w.Changes() {
			d.reloadSite(ctx, s, c.String())
		}
	})
}

// unwatch ends the watch. A reload it has begun goes on in the background unless the pool stops.
func (s *site) unwatch() {
	if s.watcher != nil {
		s.cancel()
		s.watcher.Close()
		s.watcher = nil
	}
}

func (s *site) reopen() error {
	if a := s.access.Load(); a != nil {
		return a.Reopen()
	}
	return nil
}

// lastWords is how long answers may take to reach the web server once the workers have gone.
const lastWords = time.Second

// stop lets requests finish until ctx ends, and returns when nothing of the site is left. Requests that have not ended by then
// are answered with 503 where their response has not begun.
func (s *site) stop(ctx context.Context) {
	s.unwatch()
	served, cut := context.WithCancel(context.Background())
	defer cut()
	drained := make(chan struct{})
	s.running.Go(func() {
		_ = s.server.Shutdown(served) // what was cut off the pool has reported
		close(drained)
	})
	s.socket.close() // the server has a descriptor of its own, and accepts no more: somebody else may have the address
	select {
	case <-drained:
	case <-ctx.Done():
	}
	// In this order: who still waits for a worker, or for an answer, is told by the pool. The connections are there for that.
	s.pool.Stop(ctx)
	select {
	case <-drained:
	case <-time.After(lastWords):
		cut()
	}
	s.running.Wait()
	s.pc.Command.Extension.Close()
	if a := s.access.Load(); a != nil {
		a.Close()
	}
}

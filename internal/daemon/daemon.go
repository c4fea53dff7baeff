// Package daemon is a running supervisor: it turns a configuration into listening sockets, FastCGI servers, pools, watches and logs,
// and turns the next configuration into changes of those.
//
// It guarantees:
//   - New and Start either bring everything up or leave nothing behind;
//   - a Reload that fails for a pool leaves that pool as it was, serving;
//   - a listening socket whose address stays is never closed by a reload;
//   - Stop returns when every process has been reaped, every socket file removed and every log closed.
//
// It does not handle signals, write pid files or listen for administrators: that is cmd/supervisor's.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"php-supervisor/internal/config"
	"php-supervisor/internal/logging"
	"php-supervisor/pool"
)

// Options is what a daemon is made of.
type Options struct {
	// Load reads the configuration; called by New, and again by each Reload.
	Load func() (*config.Config, []config.Message, error)
	// CalledAs is argv[0]: it chooses the PHP version and the log format.
	CalledAs string
	// Stderr keeps the log on standard error also where the configuration names a file (php-fpm's -O).
	Stderr bool
}

// Daemon is a running supervisor.
type Daemon struct {
	o    Options
	rp   *pool.Reaper
	logs *logs

	// change has one place: who put something in may change what runs. Start, reloads and Stop come one at a time.
	change chan struct{}
	phps   map[string]*php // what findPHP has found, during one change
	fatal  chan error      // takes the first server that fails; never closed
	life   context.Context // ends when Stop begins
	end    context.CancelFunc

	drains sync.WaitGroup  // sites that are no longer configured and still serve requests
	hurry  context.Context // ends when Stop is in a hurry: they get no more time than the others
	rush   context.CancelFunc

	stopped bool // written by who has the turn

	mu    sync.Mutex // guards what follows against readers; written by who has the turn
	cfg   *config.Config
	sites []*site // in the order of the configuration
}

// New loads the configuration, opens the logs, finds PHP and binds the sockets. Nothing runs yet. An error that carries
// ExitStatus() int says which status the program is to end with.
func New(ctx context.Context, o Options) (_ *Daemon, err error) {
	cfg, messages, err := o.Load()
	if err != nil {
		return nil, err
	}
	d := &Daemon{o: o, cfg: cfg, phps: map[string]*php{}, fatal: make(chan error, 1), change: make(chan struct{}, 1)}
	d.life, d.end = context.WithCancel(context.Background())
	d.hurry, d.rush = context.WithCancel(context.Background())
	if d.logs, err = openLogs(cfg, o); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			d.discard()
			d.logs.close()
		}
	}()
	d.logs.messages(messages)
	d.logs.messages(cfg.NotYet())
	if d.rp, err = pool.NewReaper(); err != nil {
		return nil, err
	}
	defer d.forgetPHPs()
	for _, p := range cfg.Pools {
		s, err := d.newSite(ctx, cfg, p)
		if err != nil {
			return nil, err
		}
		d.sites = append(d.sites, s)
	}
	return d, nil
}

// discard undoes what New has done, but for the logs.
func (d *Daemon) discard() {
	for _, s := range d.sites {
		s.stop(endedContext())
	}
	if d.rp != nil {
		d.rp.Close()
	}
}

func endedContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// Start brings the pools up and serves. It returns once all are ready to handle connections, or with what kept them from it; what
// had started is then stopped again, and only Close is left to be called.
func (d *Daemon) Start(ctx context.Context) error {
	ctx, release, err := d.begin(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := each(d.sites, func(s *site) error { return s.start(ctx) }); err != nil {
		d.end()
		d.stopped = true
		d.discard()
		return err
	}
	for _, s := range d.sites {
		s.serve(d.fatal)
		s.watch(d)
	}
	return nil
}

// each calls f for all sites, several at once, and joins their errors.
func each(sites []*site, f func(*site) error) error {
	const atOnce = 4 // a boot is a processor's work
	errs := make([]error, len(sites))
	tokens := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, s := range sites {
		tokens <- struct{}{}
		wg.Go(func() {
			errs[i] = f(s)
			<-tokens
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Fatal delivers the error of a server that cannot go on, if that ever happens.
func (d *Daemon) Fatal() <-chan error { return d.fatal }

// Reload reads the configuration anew and brings each pool to a new generation. An error says why nothing, or which
// pools, changed.
func (d *Daemon) Reload(ctx context.Context) error {
	ctx, release, err := d.begin(ctx)
	if err != nil {
		return err
	}
	defer release()
	cfg, messages, err := d.o.Load()
	d.logs.messages(messages)
	if err != nil {
		return err
	}
	d.logs.messages(cfg.NotYet())
	defer d.forgetPHPs()

	// All that can fail without a pool being touched comes first.
	var changes []*change
	for _, p := range cfg.Pools {
		c, err := d.plan(ctx, cfg, p)
		if err != nil {
			for _, c := range changes {
				c.undo()
			}
			return err
		}
		changes = append(changes, c)
	}
	d.logs.configure(d.cfg, cfg)

	var wg sync.WaitGroup
	errs := make([]error, len(changes))
	sites := make([]*site, 0, len(changes))
	for i, c := range changes {
		wg.Go(func() { errs[i] = c.do(ctx, d) })
	}
	wg.Wait()
	for i, c := range changes {
		if errs[i] == nil || c.old != nil {
			sites = append(sites, c.site())
		}
	}
	var gone []*site
	for _, s := range d.sites {
		if !slices.Contains(sites, s) {
			gone = append(gone, s)
		}
	}
	d.mu.Lock()
	d.cfg, d.sites = cfg, sites
	d.mu.Unlock()
	for _, s := range gone {
		why := "is no longer configured"
		if slices.ContainsFunc(sites, func(other *site) bool { return other.name == s.name }) {
			why = fmt.Sprintf("listens elsewhere now, no longer on '%s'", s.cfg.Listen)
		}
		s.log.Info(why + ", and drains")
		drain, cancel := d.drainContext(cfg)
		d.drains.Go(func() {
			s.stop(drain)
			cancel()
		})
	}
	return errors.Join(errs...)
}

// begin waits for its turn to change what runs. The context it returns ends with ctx, and with the daemon; release ends the turn.
func (d *Daemon) begin(ctx context.Context) (_ context.Context, release func(), _ error) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(d.life, cancel)
	end := func() {
		stop()
		cancel()
	}
	select {
	case d.change <- struct{}{}:
		if ctx.Err() == nil {
			return ctx, func() { <-d.change; end() }, nil
		}
		<-d.change
	case <-ctx.Done():
	}
	err := ctx.Err()
	end()
	if d.life.Err() != nil {
		err = pool.ErrStopped
	}
	return nil, nil, err
}

// reloadSite brings one pool to a new generation with the configuration in use, because of why.
func (d *Daemon) reloadSite(ctx context.Context, s *site, why string) {
	ctx, release, err := d.begin(ctx)
	if err != nil {
		return
	}
	defer release()
	defer d.forgetPHPs()
	s.log.Info("reloading: " + why)
	pc, err := d.poolConfig(ctx, d.cfg, s.cfg)
	if err == nil {
		err = s.renew(ctx, pc)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Error("reload failed, the old generation goes on: " + err.Error())
	}
}

// ReopenLogs opens the error log and the access logs anew.
func (d *Daemon) ReopenLogs() error {
	errs := []error{d.logs.reopen()}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.sites {
		errs = append(errs, s.reopen())
	}
	return errors.Join(errs...)
}

// Stop stops accepting, lets requests finish until ctx ends, and returns when every process has been reaped and every
// socket file removed. With an ended ctx it is fast. A Start or Reload under way is given up.
func (d *Daemon) Stop(ctx context.Context) {
	d.end()
	d.change <- struct{}{}
	if d.stopped {
		<-d.change
		return
	}
	d.stopped = true
	defer context.AfterFunc(ctx, d.rush)()
	var wg sync.WaitGroup
	for _, s := range d.sites {
		wg.Go(func() { s.stop(ctx) })
	}
	wg.Wait()
	d.drains.Wait()
	d.rp.Close()
	<-d.change
}

// Close closes the logs, the last thing to do.
func (d *Daemon) Close() { d.logs.close() }

// Config is the configuration in use.
func (d *Daemon) Config() *config.Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cfg
}

// Log is the supervisor's log.
func (d *Daemon) Log() *logging.Logger { return d.logs.Logger }

// Status is a snapshot of all pools, in the order of the configuration.
func (d *Daemon) Status() []pool.Status {
	d.mu.Lock()
	sites := d.sites
	d.mu.Unlock()
	var all []pool.Status
	for _, s := range sites {
		all = append(all, s.pool.Status())
	}
	return all
}

// drainContext bounds a drain by process_control_timeout, which may be no bound, and by Stop's.
func (d *Daemon) drainContext(cfg *config.Config) (context.Context, context.CancelFunc) {
	if t := cfg.Global.ProcessControlTimeout; t > 0 {
		return context.WithTimeout(d.hurry, t)
	}
	return context.WithCancel(d.hurry)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"php-supervisor/internal/control"
	supervisor "php-supervisor/internal/daemon"
)

var errStopping = errors.New("the supervisor is stopping")

// service is a running supervisor from the outside: signals, pid file, admin socket, systemd.
type service struct {
	d       *supervisor.Daemon
	inFile  bool // the log is not on standard error
	stop    *stopper
	reloads *reloader
	signals *signals
	pid     *pidFile // nil without one; replaced by reloads
	started time.Time
}

// serve runs a supervisor until it is stopped.
func serve(o supervisor.Options) error {
	limitProcessors()
	s := &service{signals: catchSignals(signalActions()), stop: newStopper(), started: time.Now()}
	defer s.signals.release()
	if err := s.prepare(o); err != nil {
		return err
	}
	if s.d == nil {
		return nil // stopped before there was anything
	}
	defer s.d.Close()
	file := s.d.Config().Global.ErrorLog
	s.inFile = !o.Stderr && file != "" && file != "syslog"
	return s.live()
}

// prepare makes the daemon. An interrupted one is no error.
func (s *service) prepare(o supervisor.Options) (err error) {
	s.signals.during(func(interrupted <-chan struct{}) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		finished := make(chan struct{})
		defer close(finished)
		go func() {
			select {
			case <-interrupted:
				cancel()
			case <-finished:
			}
		}()
		if s.d, err = supervisor.New(ctx, o); err != nil && ctx.Err() != nil {
			err = nil
		}
	})
	return err
}

// live is the life of a daemon that has been made.
func (s *service) live() (err error) {
	cfg := s.d.Config()
	defer func() {
		if err != nil {
			if s.inFile { // main says it on standard error
				complainTo(s.d.Log(), "", err)
			}
			s.stop.stop(stopFast)
			s.d.Stop(s.stop.hurry)
		}
	}()
	s.announce()
	if s.pid, err = s.newPIDFile(cfg.Global.PID); err != nil {
		return err
	}
	defer func() { s.pid.remove() }()
	admin, err := s.listenForAdministrators(cfg.Global.Control, cfg.Global.PID)
	if err != nil {
		return err
	}

	s.reloads = newReloader(s.reload)
	var g group
	ended := make(chan struct{}) // closed when the group ends, by the first actor's interrupt
	g.add(func() error { return s.obey(ended) }, func() { close(ended) })
	g.add(s.reloads.execute, s.reloads.interrupt)
	g.add(s.runDaemon, func() { s.stop.stop(stopFast) })
	if admin != nil {
		server := control.New(s)
		g.add(func() error {
			if err := server.Serve(admin); err != nil { // no reason to stop serving
				s.d.Log().Error(fmt.Sprintf("admin socket: %v", err))
				<-ended
			}
			return nil
		}, server.Close)
	}
	return g.run()
}

// runDaemon is the actor that ends the group: it returns when all is over.
func (s *service) runDaemon() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	up := make(chan struct{})
	go func() {
		select {
		case <-s.stop.requested:
			cancel()
		case <-up:
		}
	}()
	err := s.d.Start(ctx)
	close(up)
	if err != nil {
		if s.stop.begun() {
			s.d.Log().Info("exiting, bye-bye!")
			return nil
		}
		return err
	}
	s.ready()
	var fatal error
	select {
	case <-s.stop.requested:
	case fatal = <-s.d.Fatal():
		s.d.Log().Error(fatal.Error())
		s.stop.stop(stopGracefully)
	}
	tell(daemon.SdNotifyStopping)
	limit, done := s.stop.deadline(s.d.Config().Global.ProcessControlTimeout)
	defer done()
	s.d.Stop(limit)
	s.d.Log().Info("exiting, bye-bye!")
	if fatal != nil {
		return &exit{status: exitStatus(fatal)} // it has been logged
	}
	return nil
}

// obey is the actor that does what signals ask for.
func (s *service) obey(ended <-chan struct{}) error {
	for {
		select {
		case sig := <-s.signals.raw:
			switch a := s.signals.actions[sig]; a {
			case stopGracefully, stopFast:
				s.wishToStop(a)
			case reload:
				if !s.stop.begun() {
					s.reloads.ask() // the result is logged
				}
			case reopenLogs:
				_ = s.ReopenLogs() // it is logged
			}
		case <-ended:
			return nil
		}
	}
}

func (s *service) wishToStop(a action) {
	if !s.stop.stop(a) {
		return
	}
	if a == stopGracefully {
		s.d.Log().Info("Finishing ...")
	} else {
		s.d.Log().Info("Terminating ...")
	}
}

// reload is what the reloader does.
func (s *service) reload(ctx context.Context) error {
	tell(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
	defer tell(daemon.SdNotifyReady)
	log := s.d.Log()
	log.Info("Reloading in progress ...")
	err := s.d.Reload(ctx)
	s.movePIDFile() // the configuration is in use also where one of its pools did not come up
	if err != nil {
		if ctx.Err() == nil && !s.stop.begun() {
			complainTo(log, "reload failed: ", err)
		}
		return err
	}
	s.announce()
	s.ready()
	return nil
}

// movePIDFile brings the pid file to where the configuration wants it.
func (s *service) movePIDFile() {
	path, have := s.d.Config().Global.PID, ""
	if s.pid != nil {
		have = s.pid.path
	}
	if path == have {
		return
	}
	fresh, err := s.newPIDFile(path)
	if err != nil {
		complainTo(s.d.Log(), "", err)
		return
	}
	s.pid.remove()
	s.pid = fresh
}

func (s *service) announce() { s.d.Log().Info(fmt.Sprintf("fpm is running, pid %d", os.Getpid())) }

func (s *service) ready() {
	s.d.Log().Info("ready to handle connections")
	tell(daemon.SdNotifyReady)
}

func (s *service) newPIDFile(path string) (*pidFile, error) {
	if path == "" {
		return nil, nil
	}
	return writePIDFile(path)
}

// listenForAdministrators opens the admin socket. Only one that was asked for has to be had: two supervisors without
// settings of their own would be at the same place.
func (s *service) listenForAdministrators(configured, pidFile string) (*control.Listener, error) {
	path := control.Path(configured, pidFile)
	if path == "" {
		s.d.Log().Info("no admin socket: XDG_RUNTIME_DIR is not set, nor is control")
		return nil, nil
	}
	l, err := control.Listen(path)
	if err == nil {
		return l, nil
	}
	if configured != "" {
		return nil, &exit{statusConfig, err}
	}
	s.d.Log().Warn(fmt.Sprintf("no admin socket: %v; set control to have one elsewhere", err))
	return nil, nil
}

// tell says something to systemd, if it asks.
func tell(state string) {
	_, _ = daemon.SdNotify(false, state) // a manager that does not listen is no reason to stop serving
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// What follows makes the service the backend of the admin socket.

// Status implements control.Backend.
func (s *service) Status() control.Status {
	return control.Status{
		Version: versionName(),
		PID:     os.Getpid(),
		Started: s.started,
		Config:  s.d.Config().File,
		Pools:   s.d.Status(),
	}
}

// Reload implements control.Backend.
func (s *service) Reload(ctx context.Context) error {
	if s.stop.begun() {
		return errStopping
	}
	return s.reloads.reload(ctx)
}

// ReopenLogs implements control.Backend.
func (s *service) ReopenLogs() error {
	if err := s.d.ReopenLogs(); err != nil {
		complainTo(s.d.Log(), "re-open logs: ", err)
		return err
	}
	s.d.Log().Info("error log file re-opened")
	s.d.Log().Info("access log file re-opened")
	return nil
}

// Stop implements control.Backend.
func (s *service) Stop(fast bool) {
	if fast {
		s.wishToStop(stopFast)
	} else {
		s.wishToStop(stopGracefully)
	}
}
